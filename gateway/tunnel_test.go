package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// web sets what the service answers on its routes.
func (s *system) web(h http.HandlerFunc) { s.svc.Set(func(v *testsvc.Service) { v.Web = h }) }

// ofRoute makes a request of a route, as a user if there is one.
func (s *system) ofRoute(method, path, user string, body io.Reader) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://plenum.test"+path, body)
	s.must(err)
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+s.token(user, 10*time.Minute))
	}
	return r
}

// do sends a request and reads the answer.
func (s *system) do(r *http.Request) (response, string) {
	s.t.Helper()
	res, err := s.http().Do(r)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	s.must(err)
	return response{res.StatusCode, res.Status, res.Header}, string(body)
}

func TestRoutes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			user := "nobody"
			if c, err := rpc.Caller(r.Context()); err == nil {
				user = c.User
			}
			for _, hidden := range []string{"Authorization", "Plenum-Client-Id", "X-Gone", "Keep-Alive", "Upgrade"} {
				if r.Header.Get(hidden) != "" {
					t.Errorf("the service sees %s", hidden)
				}
			}
			w.Header().Set("X-Kept", "yes")
			w.Header().Set("X-Frame-Options", "ALLOWALL") // is not its own to say
			w.Header().Set("Connection", "X-Dropped")
			w.Header().Set("X-Dropped", "yes")
			w.Header().Add("Set-Cookie", "a=1")
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, "%s %s as %s from %s: %s, %s", r.Method, r.RequestURI, user, r.Header.Get("X-Forwarded-For"), body, r.Header.Get("Cookie"))
		})
		r := s.ofRoute(http.MethodPut, "/test/a%20b?c=d", "ada", strings.NewReader("hello"))
		for name, value := range map[string]string{"Connection": "X-Gone", "X-Gone": "1", "Plenum-Client-Id": "x", "X-Forwarded-For": "203.0.113.9", "Cookie": "c=1"} {
			r.Header.Set(name, value)
		}
		res, body := s.do(r)
		if want := "PUT /test/a%20b?c=d as ada from 192.0.2.7: hello, c=1"; res.StatusCode != http.StatusCreated || body != want {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		h := res.Header
		if h.Get("X-Kept") != "yes" || h.Get("X-Dropped") != "" || h.Get("X-Frame-Options") != "DENY" || h.Get("Set-Cookie") != "a=1" {
			t.Errorf("%v", h)
		}
		if _, body := s.do(s.ofRoute(http.MethodGet, "/test/open/x", "", nil)); body != "GET /test/open/x as nobody from 192.0.2.7: , " {
			t.Error(body)
		}
		if res, body := s.do(s.ofRoute(http.MethodHead, "/test/x", "ada", nil)); res.StatusCode != http.StatusCreated || body != "" {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
}

func TestRoutesRefuse(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) { t.Errorf("the service sees %s", r.RequestURI) })
		for _, x := range []struct {
			method, path, header, value string
			status                      int
			reason                      string
		}{
			{http.MethodGet, "/test/x", "", "", 401, "edge.TOKEN"},
			{http.MethodGet, "/test/x", "Authorization", "Bearer x.y.z", 401, "edge.TOKEN_REFUSED"},
			{http.MethodGet, "/test/open/x", "Authorization", "Bearer x.y.z", 401, "edge.TOKEN_REFUSED"},
			{http.MethodGet, "/test/open/../x", "", "", 400, "rpc.PATH"},
			{http.MethodGet, "/test/open/%2e%2e/x", "", "", 400, "rpc.PATH"},
			{http.MethodGet, "/test/open%2fx", "", "", 400, "rpc.PATH"},
			{http.MethodGet, "//test/open/x", "", "", 400, "rpc.PATH"},
			{http.MethodTrace, "/test/open/x", "", "", 501, "edge.HTTP_METHOD"},
			{http.MethodGet, "/test/open/x", "Upgrade", "websocket", 501, "edge.UPGRADE"},
			{http.MethodGet, "/test/open/x", "Origin", "https://evil.example", 403, "origin not allowed"},
		} {
			r := s.ofRoute(x.method, x.path, "", nil)
			if x.header != "" {
				r.Header.Set(x.header, x.value)
			}
			if x.header == "Upgrade" {
				r.Header.Set("Connection", "Upgrade")
			}
			if res, body := s.do(r); res.StatusCode != x.status || !strings.Contains(body, x.reason) {
				t.Errorf("%s %s %s: %d %s", x.method, x.path, x.value, res.StatusCode, body)
			}
		}
	})
}

// Both ways at the same time, a piece after the other, with trailers behind both.
func TestFullDuplex(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			w.Header().Set("Trailer", "X-Sum")
			for in := bufio.NewScanner(r.Body); in.Scan(); {
				_, _ = fmt.Fprintln(w, "heard", in.Text())
				if err := control.Flush(); err != nil {
					t.Error(err)
				}
			}
			w.Header().Set("X-Sum", "of "+r.Trailer.Get("X-Count"))
		})
		body, out := io.Pipe()
		r := s.ofRoute(http.MethodPost, "/test/x", "ada", body)
		r.Trailer = http.Header{"X-Count": nil}
		go func() { _, _ = fmt.Fprintln(out, "one") }()
		res, err := s.http().Do(r)
		s.must(err)
		in := bufio.NewReader(res.Body)
		for _, word := range []string{"one", "two", "three"} {
			if line, err := in.ReadString('\n'); line != "heard "+word+"\n" {
				t.Fatalf("%q, %v", line, err)
			}
			switch word {
			case "one":
				_, _ = fmt.Fprintln(out, "two")
			case "two":
				_, _ = fmt.Fprintln(out, "three")
			case "three":
				r.Trailer.Set("X-Count", "3")
				_ = out.Close()
			}
		}
		if _, err := io.ReadAll(in); err != nil || res.Trailer.Get("X-Sum") != "of 3" {
			t.Errorf("%v, trailer %v", err, res.Trailer)
		}
		_ = res.Body.Close()
	})
}

// A body is asked for when the service reads it, and not before; who refuses it first is heard.
func TestContinueAndEarlyAnswers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/test/large" {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
				return
			}
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		})
		for path, want := range map[string]string{"/test/large": "HTTP/1.1 413", "/test/small": "HTTP/1.1 100 Continue"} {
			conn, err := s.dial(t.Context(), "", "")
			s.must(err)
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: plenum.test\r\nAuthorization: Bearer %s\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", path, s.token("ada", time.Minute))
			in := bufio.NewReader(conn)
			if line, _ := in.ReadString('\n'); !strings.HasPrefix(line, want) {
				t.Errorf("%s: %s", path, line)
			}
			if path == "/test/small" {
				_, _ = in.ReadString('\n')
				_, _ = io.WriteString(conn, "hello")
				res, err := http.ReadResponse(in, nil)
				s.must(err)
				if body, _ := io.ReadAll(res.Body); string(body) != "hello" {
					t.Errorf("%s", body)
				}
				_ = res.Body.Close()
			}
			_ = conn.Close()
		}
		// Without Expect: the answer comes though the body doesn't end.
		body, out := io.Pipe()
		go func() {
			for err := error(nil); err == nil; {
				_, err = out.Write(make([]byte, 1<<10))
			}
		}()
		if res, text := s.do(s.ofRoute(http.MethodPost, "/test/large", "ada", body)); res.StatusCode != http.StatusRequestEntityTooLarge || text != "too large\n" {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		_ = body.Close()
	})
}

// Who leaves is seen by the service; what breaks off is not taken for a whole answer; what never came is told.
func TestBrokenExchanges(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		ended := make(chan error, 1)
		s.web(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/test/wait":
				_, _ = w.Write([]byte("begun"))
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				ended <- r.Context().Err()
			case "/test/upload":
				_, err := io.Copy(io.Discard, r.Body)
				ended <- err
			case "/test/abort":
				_, _ = w.Write([]byte("half"))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			case "/test/panic":
				panic("on purpose")
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		res, err := s.http().Do(s.ofRoute(http.MethodGet, "/test/wait", "ada", nil).WithContext(ctx))
		s.must(err)
		_, _ = io.ReadFull(res.Body, make([]byte, 5))
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		_ = res.Body.Close()

		body, out := io.Pipe()
		go func() {
			_, _ = out.Write([]byte("half"))
			_ = out.CloseWithError(errors.New("cut"))
		}()
		if res, err := s.http().Do(s.ofRoute(http.MethodPost, "/test/upload", "ada", body)); err == nil {
			_ = res.Body.Close()
			t.Error("a body that was cut off was taken")
		}
		if err := <-ended; err == nil {
			t.Error("the service takes half of a body for all")
		}

		res, err = s.http().Do(s.ofRoute(http.MethodGet, "/test/abort", "ada", nil))
		s.must(err)
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("half of an answer was taken for all")
		}
		_ = res.Body.Close()
		if res, text := s.do(s.ofRoute(http.MethodGet, "/test/panic", "ada", nil)); res.StatusCode != http.StatusInternalServerError {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		synctest.Wait()
		if n := s.metric("exchanges"); n != 0 {
			t.Errorf("%v exchanges are left", n)
		}
	})
}

// A body may take as long as it likes while it makes progress; without any it ends, and so does an answer that nobody takes.
func TestProgress(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprint(w, n)
		})
		body, out := io.Pipe()
		go func() {
			for range 20 { // ten minutes
				time.Sleep(29 * time.Second)
				_, _ = out.Write(make([]byte, progressBytes))
			}
			_ = out.Close()
		}()
		r := s.ofRoute(http.MethodPost, "/test/x", "ada", body)
		r.Header.Set("Authorization", "Bearer "+s.token("ada", time.Hour))
		if res, text := s.do(r); res.StatusCode != http.StatusOK || text != fmt.Sprint(20*progressBytes) {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		conn, err := s.dial(t.Context(), "", "")
		s.must(err)
		start := time.Now()
		_, _ = fmt.Fprintf(conn, "POST /test/x HTTP/1.1\r\nHost: plenum.test\r\nAuthorization: Bearer %s\r\nContent-Length: 5000\r\n\r\nhello", s.token("ada", time.Hour))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		s.must(err)
		if took := time.Since(start); res.StatusCode != http.StatusRequestTimeout || took < progressTime || took > progressTime+time.Second {
			t.Errorf("%d after %v", res.StatusCode, took)
		}
		_, _ = res.Body.Close(), conn.Close()

		s.web(func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, rpc.HTTPChunk))
			}
		})
		res, err = s.http().Do(s.ofRoute(http.MethodGet, "/test/x", "ada", nil))
		s.must(err)
		time.Sleep(2 * progressTime)
		synctest.Wait()
		if n := s.metric("exchanges"); n != 0 {
			t.Errorf("%v exchanges with a client that takes nothing", n)
		}
		_ = res.Body.Close()
	})
}

// What users made comes in a sandbox, without cookies; where it has an origin of its own, from there alone, and nothing else does.
func TestIsolatedContent(t *testing.T) {
	content := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Set-Cookie", "a=1")
		w.Header().Set("Content-Security-Policy", "default-src *")
		_, _ = fmt.Fprint(w, "<script>", r.Header.Get("Cookie"), "</script>")
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(content)
		r := s.ofRoute(http.MethodGet, "/test/content/x", "", nil)
		r.Header.Set("Cookie", "c=1")
		res, body := s.do(r)
		h := res.Header
		if body != "<script></script>" || h.Get("Set-Cookie") != "" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox; default-src 'none'") ||
			len(h.Values("Content-Security-Policy")) != 1 || h.Get("Content-Disposition") != "attachment" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %v", body, h)
		}
	})
	inBubble(t, func(c *Config) { c.ContentOrigin = "http://content.test" }, func(t *testing.T, s *system) {
		s.web(content)
		if res, _ := s.do(s.ofRoute(http.MethodGet, "/test/content/x", "", nil)); res.StatusCode != http.StatusNotFound {
			t.Errorf("on the application's origin: %d", res.StatusCode)
		}
		for path, want := range map[string]int{"/test/content/x": 200, "/test/open/x": 404, "/": 404, pathWebSocket: 404, pathPoll: 404, "/livez": 200} {
			r := s.ofRoute(http.MethodGet, path, "", nil)
			r.Host = "content.test"
			if res, _ := s.do(r); res.StatusCode != want {
				t.Errorf("content's %s: %d", path, res.StatusCode)
			}
		}
		r := s.ofRoute(http.MethodPost, "/plenum.test.v1.TestService/Hello", "", strings.NewReader("{}"))
		r.Host = "content.test"
		r.Header.Set("Content-Type", "application/json")
		if res, _ := s.do(r); res.StatusCode != http.StatusNotFound {
			t.Errorf("a call on the content's origin: %d", res.StatusCode)
		}
	})
}

func TestTooManyExchanges(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxExchanges = 2 * userExchanges }, func(t *testing.T, s *system) {
		release := make(chan struct{})
		s.web(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-release
		})
		var open []*http.Response
		for range 2 {
			res, err := s.http().Do(s.ofRoute(http.MethodGet, "/test/x", "ada", nil)) //nolint:bodyclose // below
			s.must(err)
			open = append(open, res) //nolint:bodyclose // likewise
		}
		if res, text := s.do(s.ofRoute(http.MethodGet, "/test/x", "ada", nil)); res.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "edge.EXCHANGES") || res.Header.Get("Retry-After") == "" {
			t.Errorf("%d %s", res.StatusCode, text)
		}
		close(release)
		for _, res := range open {
			_ = res.Body.Close()
		}
		if res, _ := s.do(s.ofRoute(http.MethodGet, "/test/x", "bob", nil)); res.StatusCode != http.StatusOK {
			t.Errorf("somebody else: %d", res.StatusCode)
		}
	})
}

// A large body passes both ways, whole and in little memory, while calls go on beside it.
func TestLargeBody(t *testing.T) {
	const size = 64 << 20
	inBubble(t, nil, func(t *testing.T, s *system) {
		var most uint64
		look := func() {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		look()
		before := most
		s.web(func(w http.ResponseWriter, r *http.Request) {
			buffer, n := make([]byte, 256<<10), 0
			for {
				k, err := r.Body.Read(buffer)
				if n += k; n%(8<<20) < k {
					look()
				}
				if _, e := w.Write(buffer[:k]); e != nil || err != nil {
					return
				}
			}
		})
		sent, got := sha256.New(), sha256.New()
		body := io.TeeReader(io.LimitReader(&pattern{}, size), sent)
		res, err := s.http().Do(s.ofRoute(http.MethodPost, "/test/x", "ada", io.NopCloser(body)))
		s.must(err)
		c := s.signIn("bob")
		n, err := io.Copy(got, res.Body)
		if err != nil || n != size || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
			t.Errorf("%d bytes, %v", n, err)
		}
		c.send(ask(1, "Echo", &testv1.EchoRequest{Text: "beside"}))
		if e := c.reply(1, nil); e != nil {
			t.Error(e)
		}
		_ = res.Body.Close()
		c.close()
		if most-before > 16<<20 {
			t.Errorf("%d MiB more than before", (most-before)>>20)
		}
	})
}

// pattern is bytes that don't repeat soon.
type pattern struct{ n uint64 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		p.n = p.n*6364136223846793005 + 1442695040888963407
		b[i] = byte(p.n >> 56)
	}
	return len(b), nil
}

// A service that is away, or goes, is told as what it is.
func TestServiceAway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		start := time.Now()
		s.web(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		res, text := s.do(s.ofRoute(http.MethodGet, "/test/x", "ada", nil))
		if res.StatusCode != http.StatusGatewayTimeout || !strings.Contains(text, "edge.NO_ANSWER") || time.Since(start) > serviceTime+time.Second {
			t.Errorf("%d %s after %v", res.StatusCode, text, time.Since(start))
		}
		if e := edgev1.Code_CODE_OUTCOME_UNKNOWN; !strings.Contains(text, e.String()) {
			t.Error(text)
		}
	})
}
