package door

import (
	"bufio"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// host is a listener that is given its connections.
type host struct{ net.Listener }

type guest struct {
	net.Conn
	from   string
	closed bool
}

func (g *guest) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(g.from)} }
func (g *guest) Close() error         { g.closed = true; return nil }

// A request that is refused unread is answered before its connection ends, however much of it is under way.
func TestAnswerOfWhatIsNotRead(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	halves := &halfClosed{Listener: l, ends: make(chan struct{}, 1)}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(New(halves, Limits{All: 2, Address: 2}, addressOf, func() {})) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String(), strings.NewReader(strings.Repeat("x", 32<<20)))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s, %v", res.Status, err)
	}
	<-halves.ends
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

// halfClosed tells of connections whose writing side was closed first.
type halfClosed struct {
	net.Listener
	ends chan struct{}
}

func (l *halfClosed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &halfClosing{c, l.ends}, err
}

type halfClosing struct {
	net.Conn
	ends chan<- struct{}
}

func (c *halfClosing) CloseWrite() error {
	c.ends <- struct{}{}
	return c.Conn.(*net.TCPConn).CloseWrite()
}

func addressOf(a net.Addr) netip.Addr {
	ap, _ := netip.ParseAddrPort(a.String())
	if ip := ap.Addr().Unmap(); ip.String() != "10.0.0.1" { // a proxy
		return ip
	}
	return netip.Addr{}
}

// Whatever comes, rests, wakes, carries sessions, becomes one and goes: the bounds hold but for who comes back from carrying one, who is
// busy stays, and nothing is kept of who has left.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{All: 6, Address: 3}
		d := New(host{}, limits, addressOf, func() {})
		type at struct {
			*Visit
			*guest
			idle bool
			done []func() // of what it carries
		}
		var inside []*at
		counted := func(from string) (n int) {
			for _, x := range inside {
				if len(x.done) == 0 && (from == "" || x.from == from) {
					n++
				}
			}
			return n
		}
		full := func(from string) bool {
			return counted("") >= limits.All || counted(from) >= limits.Address && addressOf((&guest{from: from}).RemoteAddr()).IsValid()
		}
		surplus := 0
		// sweep takes out what was closed, which must have been idle.
		sweep := func() {
			inside = slices.DeleteFunc(inside, func(x *at) bool {
				if x.closed && (!x.idle || len(x.done) > 0) {
					t.Fatal("who is busy was closed")
				}
				return x.closed
			})
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch act := rapid.IntRange(0, 6).Draw(t, "act"); {
			case act == 0 || len(inside) == 0:
				g := &guest{from: rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "10.0.0.1"}).Draw(t, "from")}
				v := &Visit{Conn: g, door: d, address: addressOf(g.RemoteAddr())}
				was := full(g.from)
				idle, ok := d.enter(v)
				if idle != nil {
					_ = idle.Close()
				}
				if sweep(); was == (ok && idle == nil) {
					t.Fatalf("full: %v, admitted: %v, in place of another: %v", was, ok, idle != nil)
				}
				if ok {
					inside = append(inside, &at{v, g, false, nil})
				}
			case act == 1:
				x := rapid.SampledFrom(inside).Draw(t, "who")
				x.idle = true
				d.Changed(x.Visit, http.StateIdle)
				sweep()
			case act == 2:
				x := rapid.SampledFrom(inside).Draw(t, "who")
				d.Changed(x.Visit, http.StateActive)
				x.idle = false
			case act == 3:
				x := rapid.SampledFrom(inside).Draw(t, "who")
				x.done = append(x.done, x.Carry())
			case act == 4:
				x := rapid.SampledFrom(inside).Draw(t, "who")
				if len(x.done) > 0 {
					was, done := full(x.from), x.done[0]
					x.done = x.done[1:]
					n := len(inside)
					done()
					sweep()
					if was && len(inside) == n && len(x.done) == 0 {
						surplus++ // until it is idle
					}
				}
			default:
				i := rapid.IntRange(0, len(inside)-1).Draw(t, "who")
				if act == 5 {
					_ = inside[i].Visit.Close()
				} else if inside[i].Stay() != inside[i].guest {
					t.Fatal("not the connection")
				}
				d.Changed(inside[i].Visit, http.StateClosed)
				for _, done := range inside[i].done {
					done()
				}
				inside = slices.Delete(inside, i, i+1)
			}
			if d.inside != counted("") || d.inside > limits.All+surplus {
				t.Fatalf("%d are counted, %d are inside", d.inside, counted(""))
			}
		}
		for _, x := range inside {
			_ = x.Visit.Close()
			_ = x.Visit.Close()
			for _, done := range x.done {
				done()
			}
		}
		if d.inside != 0 || len(d.guests) != 0 || d.resting.Len() != 0 {
			t.Fatalf("left: %+v", d)
		}
	})
}

// What is turned away is told in HTTP, and the next one is accepted.
func TestTurnedAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	d := New(l, Limits{All: 2, Address: 1}, addressOf, func() { refused++ })
	defer func() { _ = d.Close() }()
	conns := make(chan net.Conn, 2)
	go func() {
		for range 2 {
			c, _ := d.Accept()
			conns <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	first := <-conns
	res, err := http.ReadResponse(bufio.NewReader(dial()), nil)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Fatal(res, err)
	}
	var text strings.Builder
	if err := res.Write(&text); err != nil || !strings.HasSuffix(text.String(), "too many connections\n") || refused != 1 {
		t.Errorf("%q %v, %d refused", text.String(), err, refused)
	}
	_ = res.Body.Close()
	_ = first.Close()
	dial()
	_ = (<-conns).Close()
}
