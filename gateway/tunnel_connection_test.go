package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/intake"
)

// otherwise are services whose bodies go another way while there is one.
type otherwise struct {
	Services
	bulk atomic.Pointer[func() (grpc.ClientConnInterface, error)]
}

func (o *otherwise) Bulk(service, key string) (grpc.ClientConnInterface, error) {
	if f := o.bulk.Load(); f != nil {
		return (*f)()
	}
	return o.Services.Bulk(service, key)
}

func (o *otherwise) by(f func() (grpc.ClientConnInterface, error)) { o.bulk.Store(&f) }

// kept is a connection of HTTP/1.1 that carries one request behind the other.
type kept struct {
	net.Conn
	from *bufio.Reader
}

func (s *system) kept() *kept {
	c, err := s.dial(s.t.Context(), "", "")
	s.must(err)
	return &kept{c, bufio.NewReader(c)}
}

// ask sends a request as it is written, and returns the status of its answer, and whether the connection ends with it.
func (k *kept) ask(request string) (status int, ends bool, err error) {
	go func() { _, _ = io.WriteString(k, request) }()
	res, err := http.ReadResponse(k.from, nil)
	if err != nil {
		return 0, true, err //nolint:wrapcheck // for tests to look at
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Close, err //nolint:wrapcheck // likewise
}

// Behind every refusal its connection serves what comes next, or says that it ends.
func TestConnectionsOutlastRefusals(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxExchanges = strangerExchanges }, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/test/open/early" {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			_, _ = io.Copy(w, r.Body)
		})
		o := &otherwise{Services: s.g.deps.Services}
		s.g.deps.Services = o
		stranger := intake.Stranger(prefix(s.g.address(&http.Request{RemoteAddr: "192.0.2.7:1234"})))
		line := func(line string) string { return line + " HTTP/1.1\r\nHost: plenum.test\r\n" }
		for name, c := range map[string]struct {
			request string
			status  int
		}{
			"served":    {line("GET /test/open/x"), 200},
			"away":      {line("GET /test/open/away"), 503},
			"too many":  {line("GET /test/open/many"), 429},
			"no token":  {line("GET /test/x"), 401},
			"no path":   {line("GET /test/open/../x"), 400},
			"no route":  {line("POST /nothing"), 404},
			"no method": {line("TRACE /test/open/x"), 405},
			"upgrade":   {line("GET /test/open/x") + "Connection: Upgrade\r\nUpgrade: websocket\r\n", 501},
			"origin":    {line("GET /test/open/x") + "Origin: https://evil.example\r\n", 403},
			"early":     {line("POST /test/open/early"), 413},
		} {
			for what, body := range map[string]string{"": "\r\n", ", with a body": "Content-Length: 4\r\n\r\nbody", ", in chunks": "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"} {
				synctest.Wait() // until the last exchange is counted out
				if strings.Contains(c.request, "/away ") {
					o.by(func() (grpc.ClientConnInterface, error) { return nil, errors.New("away for a moment") })
				}
				if strings.Contains(c.request, "/many ") {
					s.must(s.g.exchanges.enter(stranger, strangerExchanges))
				}
				k := s.kept()
				status, ends, err := k.ask(c.request + body)
				if err != nil || status != c.status {
					t.Errorf("%s%s: %d %v", name, what, status, err)
				}
				if o.bulk.Store(nil); strings.Contains(c.request, "/many ") {
					s.g.exchanges.leave(stranger)
				}
				for _, next := range []string{
					line("GET /test/open/x") + "\r\n", line("POST "+hello4s) + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", line("GET /test/open/x") + "\r\n",
				} {
					if ends {
						if what == "" {
							t.Errorf("%s: nothing is left to be read, but the connection ends", name)
						}
						break
					}
					if status, ends, err = k.ask(next); err != nil || status != 200 {
						t.Errorf("behind %s%s: %d %v", name, what, status, err)
					}
				}
				_ = k.Close()
			}
		}
	})
}

// overOne is a client of HTTP/2 whose requests share one connection.
func (s *system) overOne(p pair) *http.Client {
	c := s.https(p, &tls.Config{NextProtos: []string{"h2"}})
	c.Transport.(*http.Transport).DisableKeepAlives = false
	return c
}

// Uploads whose services are slow hold up neither calls nor other uploads on their connection of HTTP/2.
func TestUploadsBesideOthers(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, _ TLS, p pair) {
		const slow = 8
		c := s.overOne(p)
		defer c.CloseIdleConnections()
		goOn := make(chan struct{})
		s.web(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/test/slow" {
				<-goOn
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
		})
		done := make(chan struct{}, slow)
		up := &endless{}
		for range slow {
			go func() {
				defer func() { done <- struct{}{} }()
				if res, err := s.send(t.Context(), c, "POST", "https://plenum.test/test/slow", up); err == nil {
					_ = res.Body.Close()
				}
			}()
		}
		synctest.Wait()
		if n := up.taken.Load(); n < slow*streamWindow || n > 2*slow*streamWindow {
			t.Errorf("%d bytes of uploads that nobody reads", n)
		}
		for name, ask := range map[string]func(context.Context) (*http.Response, error){
			"a call": func(ctx context.Context) (*http.Response, error) {
				r, err := http.NewRequestWithContext(ctx, "POST", "https://plenum.test"+hello4s, strings.NewReader(`{}`))
				s.must(err)
				r.Header.Set("Content-Type", asJSON)
				return c.Do(r) //nolint:wrapcheck // looked at below
			},
			"an upload": func(ctx context.Context) (*http.Response, error) {
				return s.send(ctx, c, "POST", "https://plenum.test/test/quick", strings.NewReader(strings.Repeat("x", 1_000_000)))
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			res, err := ask(ctx)
			if err != nil || res.StatusCode != 200 {
				t.Errorf("%s: %v %v", name, res, err)
			} else {
				_ = res.Body.Close()
			}
			cancel()
		}
		close(goOn)
		for range slow {
			<-done
		}
		time.Sleep(time.Minute) // until the client has noticed
	})
}

// HTTP/1.0 has no end of a body but that of its connection: a route isn't for it. All else is.
func TestHTTP10(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "passed") })
		for path, want := range map[string]int{"/test/open/x": 505, "/livez": 200, "/": 200} {
			c := s.written("GET " + path + " HTTP/1.0\r\nHost: plenum.test\r\n\r\n")
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			s.must(err)
			data, err := io.ReadAll(res.Body)
			if s.must(err); res.StatusCode != want || want == 505 && !strings.Contains(string(data), "edge.HTTP_VERSION") {
				t.Errorf("%s: %v %s", path, res.Status, data)
			}
			_ = res.Body.Close()
			_ = c.Close()
		}
	})
}

// Informational answers and the 100 that lets the body come are written one behind the other, though they have different reasons.
func TestHintsBesideContinue(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			w.Header().Set("Link", "</style>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.Copy(w, r.Body)
		})
		for range 20 {
			c := s.raw()
			_, err := io.WriteString(c, "PUT /test/open/x HTTP/1.1\r\nHost: plenum.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
			s.must(err)
			synctest.Wait()
			_, err = io.WriteString(c, "body")
			s.must(err)
			synctest.Wait()
			if got := c.text(); !strings.HasPrefix(got, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\nHTTP/1.1 200 OK\r\n") || strings.Count(got, "100 Continue") != 1 {
				t.Errorf("%q", got)
			}
			_ = c.Close()
		}
	})
}

// Without a body there is nothing to ask for: a service that asks all the same has as long for its answer as any.
func TestContinueWithoutBody(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusContinue); <-r.Context().Done() })
		begin := time.Now()
		if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != 504 || time.Since(begin) != serviceTime {
			t.Errorf("%v after %v: %s", res.Status, time.Since(begin), data)
		}
	})
}

// Content's own origin is counted like the application's.
func TestRequestsOfContentAreCounted(t *testing.T) {
	inBubble(t, func(c *Config) { c.ContentOrigin, c.MaxRequests = "http://content.test", 2 }, func(t *testing.T, s *system) {
		s.web(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		answers := make(chan string, 3)
		for range 3 {
			go func() {
				r, err := http.NewRequestWithContext(ctx, "GET", "http://content.test/test/content/x", nil)
				s.must(err)
				res, err := s.http().Do(r)
				if err != nil {
					answers <- ""
					return
				}
				_ = res.Body.Close()
				answers <- res.Status
			}()
		}
		if got := <-answers; got != "503 Service Unavailable" {
			t.Errorf("one too many: %q", got)
		}
		if n, refused := s.metric("exchanges"), s.metric("requests_refused_total"); n != 2 || refused != 1 {
			t.Errorf("%v are being answered, %v were refused", n, refused)
		}
		cancel()
		for range 2 {
			if got := <-answers; got != "" {
				t.Error(fmt.Sprint("it was answered ", got))
			}
		}
	})
}
