package gateway

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is a client of HTTP/2 that writes its frames itself.
type peer struct {
	net.Conn
	framer *http2.Framer
	write  sync.Mutex // orders frames; guards all of encoder
	fields bytes.Buffer
	hpack  *hpack.Encoder
	stream uint32 // that was opened last

	mu     sync.Mutex     // guards all below
	limit  uint32         // of streams at the same time, as the gateway says
	status map[string]int // answers, by status
	resets map[http2.ErrCode]int
	goaway []http2.ErrCode
	closed chan struct{}
}

// http2 connects by TLS and opens HTTP/2. Where it is deaf it reads nothing behind the handshake.
func (s *system) http2(p pair, deaf bool) *peer {
	s.t.Helper()
	raw, err := s.dial(s.t.Context(), "", "")
	s.must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.cert)
	conn := tls.Client(raw, &tls.Config{ServerName: "plenum.test", RootCAs: roots, NextProtos: []string{"h2"}})
	s.must(conn.HandshakeContext(s.t.Context()))
	c := &peer{Conn: conn, framer: http2.NewFramer(conn, conn), status: map[string]int{}, resets: map[http2.ErrCode]int{}, closed: make(chan struct{})}
	c.hpack = hpack.NewEncoder(&c.fields)
	if !deaf {
		go c.read()
	}
	_, err = conn.Write([]byte(http2.ClientPreface))
	s.must(err)
	s.must(c.framer.WriteSettings())
	return c
}

// read takes what the gateway says, and does what is polite.
func (c *peer) read() {
	defer close(c.closed)
	fields := hpack.NewDecoder(4096, nil)
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		c.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if n, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
				c.limit = n
			}
		case *http2.HeadersFrame:
			all, _ := fields.DecodeFull(f.HeaderBlockFragment())
			for _, x := range all {
				if x.Name == ":status" {
					c.status[x.Value]++
				}
			}
		case *http2.RSTStreamFrame:
			c.resets[f.ErrCode]++
		case *http2.GoAwayFrame:
			c.goaway = append(c.goaway, f.ErrCode)
		}
		c.mu.Unlock()
	}
}

// ask opens a stream: a call that takes so many ms, or GET of a path. Its error is that of the connection.
func (c *peer) ask(path, body string, more ...hpack.HeaderField) error {
	c.write.Lock()
	defer c.write.Unlock()
	block := c.block(path, body, more...)
	if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: block, EndHeaders: true, EndStream: body == ""}); err != nil {
		return err
	}
	if body == "" {
		return nil
	}
	return c.framer.WriteData(c.stream, true, []byte(body))
}

// block is the headers of the next stream.
func (c *peer) block(path, body string, more ...hpack.HeaderField) []byte {
	if c.stream += 2; c.stream == 2 {
		c.stream = 1
	}
	method := "GET"
	if body != "" {
		method = "POST"
	}
	c.fields.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "plenum.test"}, {Name: ":path", Value: path},
		{Name: "content-type", Value: asJSON},
	}, more...) {
		_ = c.hpack.WriteField(f) // into memory
	}
	return c.fields.Bytes()
}

const hello4s = "/plenum.test.v1.TestService/Hello"

// slow is a call that takes 4 s.
func (c *peer) slow() error { return c.ask(hello4s, `{"waitMs":4000}`) }

// overHTTP2 runs an attack within a connection of HTTP/2, beside a bystander who comes by TLS too.
func overHTTP2(t *testing.T, change func(*Config), attack func(t *testing.T, s *system, p pair)) {
	t.Helper()
	encryptedWith(t, change, func(t *testing.T, s *system, _ TLS, p pair) {
		begun := time.Now()
		attack(t, s, p)
		if res, err := fetch(s.https(p, &tls.Config{}), "https://plenum.test/readyz"); err != nil || res.status != 200 {
			t.Errorf("others, after %v: %+v, %v", time.Since(begun), res, err)
		}
	})
}

// One connection carries a hundred requests at the same time; more are refused before anybody looks at them.
func TestFloodOfStreams(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, false)
		for range streams + 50 {
			s.must(c.slow())
		}
		synctest.Wait()
		if n := s.metric("calls_executing"); n != streams {
			t.Errorf("%v calls are executed", n)
		}
		if c.limit != streams || c.resets[http2.ErrCodeRefusedStream] != 50 {
			t.Errorf("the limit is %d, refused: %v", c.limit, c.resets)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c.status["200"] != streams {
			t.Errorf("answers: %v", c.status)
		}
		_ = c.Close()
	})
}

// Many connections with many requests each: those of one address are bounded over all of them.
func TestFloodOfRequestsOverManyConnections(t *testing.T) {
	overHTTP2(t, func(c *Config) { c.MaxRequestsAddress = 150 }, func(t *testing.T, s *system, p pair) {
		one, two := s.http2(p, false), s.http2(p, false)
		for range streams {
			s.must(one.slow())
			s.must(two.slow())
		}
		synctest.Wait()
		if n := s.g.requests.Inside(); n != 150 || one.status["503"]+two.status["503"] != 50 || s.metric("requests_refused_total") != 50 {
			t.Errorf("%d are answered; %v, %v", n, one.status, two.status)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := s.g.requests.Inside(); n != 0 {
			t.Errorf("%d requests are still counted", n)
		}
		_, _ = one.Close(), two.Close()
	})
}

// Who takes no answer, not even a refusal, has it until its time is over: that of a refusal is short, for it is counted nowhere.
func TestRefusalThatNobodyTakes(t *testing.T) {
	overHTTP2(t, func(c *Config) { c.MaxRequestsAddress = 10 }, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, false)
		s.must(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		for range streams {
			s.must(c.ask("/", ""))
		}
		time.Sleep(refuseTime)
		synctest.Wait()
		if n := s.g.requests.Inside(); n != 10 || c.status["503"] != streams-10 || c.resets[http2.ErrCodeInternal] != streams-10 {
			t.Errorf("%d are answered; %v, %v", n, c.status, c.resets)
		}
		_ = c.Close()
	})
}

// Rapid reset (CVE-2023-44487): requests that are given up at once cost no more than those that may be open at the same time.
func TestRapidReset(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, false)
		worst := 0
		for range 20 * streams {
			if c.slow() != nil || c.framer.WriteRSTStream(c.stream, http2.ErrCodeCancel) != nil {
				break // told to be calm
			}
			worst = max(worst, s.g.requests.Inside())
		}
		synctest.Wait()
		if n := s.g.requests.Inside(); worst > streams || n != 0 {
			t.Errorf("%d requests at the same time, %d in the end", worst, n)
		}
		_ = c.Close()
	})
}

// Headers that go on in frames without end (CVE-2023-45288) end the connection, soon behind the bound on headers.
func TestFloodOfContinuations(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, false)
		s.must(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block("/", ""), EndStream: true}))
		sent := 0
		for sent < 16<<20 {
			c.fields.Reset()
			_ = c.hpack.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 4096), Sensitive: true})
			if c.framer.WriteContinuation(1, false, c.fields.Bytes()) != nil {
				break
			}
			sent += c.fields.Len()
		}
		if <-c.closed; sent > 16*headerBytes {
			t.Errorf("%d bytes were taken", sent)
		}
		_ = c.Close()
	})
}

// A bomb of HPACK: a field of 4 KiB stands in the table, and is named by a byte each time. It is not unpacked.
func TestBombOfHeaders(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, false)
		var bomb []hpack.HeaderField
		for range 4000 {
			bomb = append(bomb, hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("y", 3000)})
		}
		s.must(c.ask("/", "", bomb...))
		if c.fields.Len() > 10_000 {
			t.Fatalf("%d bytes are no bomb", c.fields.Len())
		}
		synctest.Wait()
		if c.status["431"] != 1 && len(c.goaway) == 0 {
			t.Errorf("answers %v, resets %v", c.status, c.resets)
		}
		_ = c.Close()
	})
}

// Pings whose answers nobody takes don't pile up: the connection ends.
func TestFloodOfPings(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		c := s.http2(p, true)
		taken := 0
		for taken < 50_000 && c.framer.WritePing(false, [8]byte{}) == nil {
			taken++
		}
		if taken > 12_000 {
			t.Errorf("%d were taken", taken)
		}
		_ = c.NetConn().Close()
	})
}

// NetConn is what lies below TLS.
func (c *peer) NetConn() net.Conn { return c.Conn.(*tls.Conn).NetConn() }

// A client that asks and takes nothing, and one that is gone with a request under way, hold their connection for a minute or less.
func TestConnectionThatTakesNothing(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, s *system, p pair) {
		begun := time.Now()
		deaf := s.http2(p, true)
		s.must(deaf.ask("/", ""))
		gone := s.http2(p, false) // takes all, and says nothing more: not even that it has got a ping
		s.must(gone.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: gone.block(hello4s, "body"), EndHeaders: true}))
		<-gone.closed
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("who is gone: after %v", took)
		}
		time.Sleep(time.Minute - time.Since(begun))
		synctest.Wait()
		if _, err := deaf.NetConn().Write([]byte{0}); err == nil || s.g.requests.Inside() != 0 {
			t.Errorf("who takes nothing is still there, %d requests are counted", s.g.requests.Inside())
		}
		_, _ = deaf.NetConn().Close(), gone.NetConn().Close()
	})
}
