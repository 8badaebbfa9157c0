package e2e

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// transports are those of the client library, in turn for people who do the same.
var transports = []string{"websocket", "sse", "poll"}

// memberBy is a member who is connected by a transport.
func (s *shape) memberBy(t *testing.T, transport string) *person {
	t.Helper()
	return s.memberWith(t, client.DialBy(transport, &http.Client{}))
}

func (s *shape) memberWith(t *testing.T, dial client.Dialer) *person {
	t.Helper()
	invitation, err := s.owner.Admin.Invite(within(t, patience), &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER})
	if err != nil {
		t.Fatal(err)
	}
	return enterBy(t, check.Door{Server: s.server, Dial: dial}, check.Join(invitation.GetSecret(), unique("p"), password))
}

// badProxies: what lies on the way cuts connections at random, or holds back what the server says. Nobody loses or doubles anything by it.
func badProxies(t *testing.T, s *shape) {
	cuts, holds, wholes := cutting(t, s.server), holding(t, s.server), whole(t, s.server)
	by := func(transport, proxy string) *person {
		dial := client.DialBy(transport, &http.Client{})
		return s.memberWith(t, func(ctx context.Context, _ string) (client.Conn, error) { return dial(ctx, proxy) })
	}
	people := []*person{by("sse", cuts), by("poll", cuts), by("sse", holds), by("poll", wholes), by("auto", wholes)}
	channel := s.channel(t, private, people...)
	var readers []*reader
	for _, p := range people {
		readers = append(readers, p.read(t, channel))
	}
	var l ledger
	stop := l.load(t, channel, 150*time.Millisecond, people...)
	time.Sleep(6 * time.Second)
	stop()
	l.check(t, channel, s.owner, readers...)
}

// cutting is the address of a proxy that cuts each connection after a random time or a random number of bytes.
func cutting(t *testing.T, server string) string {
	return relay(t, server, func(to, from net.Conn) {
		defer time.AfterFunc(300*time.Millisecond+rand.N(2*time.Second), func() { _ = from.Close() }).Stop()
		_, _ = io.CopyN(to, from, 1<<10+rand.Int64N(64<<10))
	})
}

// holding is the address of a proxy that passes on what the server says when there are 8 KiB of it, or after a second.
func holding(t *testing.T, server string) string {
	return relay(t, server, func(to, from net.Conn) {
		buf := make([]byte, 8<<10)
		for n, since := 0, time.Now(); ; {
			if n == 0 {
				since = time.Now().Add(time.Hour) // nothing is held yet
			}
			_ = from.SetReadDeadline(since.Add(time.Second))
			m, err := from.Read(buf[n:])
			if n == 0 {
				since = time.Now()
			}
			n += m
			held := errors.Is(err, os.ErrDeadlineExceeded)
			if n == len(buf) || err != nil {
				if _, failed := to.Write(buf[:n]); failed != nil {
					return
				}
				n = 0
			}
			if err != nil && !held {
				return
			}
		}
	})
}

// relay forwards connections; back carries what the server says until it returns.
func relay(t *testing.T, server string, back func(to, from net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer near.Close()
				far, err := net.DialTimeout("tcp", strings.TrimPrefix(server, "http://"), time.Second)
				if err != nil {
					return
				}
				defer far.Close()
				defer context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })()
				tasks.Go(func() {
					_, _ = io.Copy(far, near)
					_ = far.Close()
				})
				back(near, far)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); cancel(); tasks.Wait() })
	return "http://" + l.Addr().String()
}

// whole is the address of a proxy that passes on no answer before it is whole, and no upgrade: what comes of a stream is nothing.
func whole(t *testing.T, server string) string {
	t.Helper()
	transport := &http.Transport{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no upgrades here", http.StatusForbidden)
			return
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, server+r.URL.RequestURI(), r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		request.Header = r.Header.Clone()
		answer, err := transport.RoundTrip(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		for _, name := range []string{"Content-Type", "Cache-Control"} {
			w.Header().Set(name, answer.Header.Get(name))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(answer.StatusCode)
		_, _ = w.Write(body) // the client may be gone
	}))
	t.Cleanup(func() {
		proxy.CloseClientConnections()
		proxy.Close()
		transport.CloseIdleConnections()
	})
	return proxy.URL
}
