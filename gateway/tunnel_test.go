package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// web sets what answers the requests of the test service's routes.
func (s *system) web(h http.HandlerFunc) { s.svc.Set(func(svc *testsvc.Service) { svc.Web = h }) }

// ofUser is the header of a request of user u.
func (s *system) ofUser() http.Header {
	return http.Header{"Authorization": {"Bearer " + s.token("u", time.Hour)}}
}

// send sends a request of user u, and returns the response as soon as its head is there.
func (s *system) send(ctx context.Context, c *http.Client, method, url string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	s.must(err)
	r.Header = s.ofUser()
	return c.Do(r) //nolint:wrapcheck // for tests to look at
}

// told asks for a page and brings what the client is told, in the end: the status and the body, or how it was cut off.
func (s *system) told(url string) <-chan string {
	out := make(chan string, 1)
	go func() {
		res, err := s.send(s.t.Context(), s.http(), "GET", url, nil)
		if err != nil {
			out <- err.Error()
			return
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		out <- fmt.Sprint(res.StatusCode, " ", string(data), err)
	}()
	return out
}

const testURL = "http://plenum.test/test/x"

// endless is a body that counts what is taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) { e.taken.Add(int64(len(p))); return len(p), nil }

func TestRequestsPassThrough(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var saw *http.Request
		var body []byte
		s.web(func(w http.ResponseWriter, r *http.Request) {
			saw = r
			body, _ = io.ReadAll(r.Body)
			caller, err := rpc.Caller(r.Context())
			w.Header().Set("X-User", fmt.Sprint(caller.User, err))
			w.Header().Set("Etag", `"1"`)
			w.Header().Set("X-Frame-Options", "ALLOWALL")
			w.Header().Set("Connection", "X-Secret")
			w.Header().Set("X-Secret", "1")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "made")
		})
		token := "Bearer " + s.token("u", time.Hour)
		res, data := s.request("PATCH", "/test/a%20b/c?x=%2f&y", "content", "Authorization", token, "Upload-Offset", "7", "Plenum-Client-Seq", "1",
			"X-Forwarded-For", "10.0.0.1", "X-Forwarded-Port", "1", "Forwarded", "for=x", "Connection", "X-Hop, keep-alive", "X-Hop", "1", "Te", "gzip, trailers",
			"Proxy-Authorization", "x", "Cookie", "c=3", "Tus-Resumable", "1.0.0")
		if res.StatusCode != 201 || string(data) != "made" || res.Header.Get("X-User") != "u<nil>" || res.Header.Get("Etag") != `"1"` ||
			res.Header.Get("Content-Length") != "4" || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || len(res.Header["Set-Cookie"]) != 2 {
			t.Errorf("%v %v %q", res.Status, res.Header, data)
		}
		if res.Header.Get("X-Frame-Options") != "DENY" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("X-Secret") != "" {
			t.Errorf("the edge's headers: %v", res.Header)
		}
		if saw.Method != "PATCH" || saw.RequestURI != "/test/a%20b/c?x=%2f&y" || saw.URL.Path != "/test/a b/c" || saw.Host != "plenum.test" ||
			saw.RemoteAddr != "192.0.2.7:0" || saw.ContentLength != 7 || string(body) != "content" {
			t.Errorf("%+v %q", saw, body)
		}
		for name, want := range map[string]string{
			"Upload-Offset": "7", "Tus-Resumable": "1.0.0", "Cookie": "c=3", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "plenum.test",
			"Te": "trailers", "Authorization": "", "Plenum-Client-Seq": "", "X-Forwarded-Port": "", "Forwarded": "", "X-Hop": "", "Connection": "", "Proxy-Authorization": "",
		} {
			if got := saw.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if res, data = s.request("HEAD", "/test/open/x", ""); res.StatusCode != 201 || res.Header.Get("Content-Length") != "4" || len(data) > 0 || !strings.HasPrefix(res.Header.Get("X-User"), "CODE_TOKEN_REFUSED") && !strings.Contains(res.Header.Get("X-User"), "auth.REFUSED") {
			t.Errorf("%v %v %q", res.Status, res.Header, data)
		}
		s.web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		if res, data = s.request("DELETE", "/test/open/x", ""); res.StatusCode != 204 || len(data) > 0 {
			t.Errorf("%v %q", res.Status, data)
		}
		if in, out := s.metric("exchange_bytes_total"), s.metric("exchanges"); in != 7+4 || out != 0 {
			t.Errorf("%v bytes, %v under way", in, out)
		}
	})
}

func TestRefusedRequests(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "passed") })
		token := "Bearer " + s.token("u", time.Hour)
		for name, c := range map[string]struct {
			method, path string
			header       []string
			status       int
			reason       string
		}{
			"a user":            {"GET", "/test/x", []string{"Authorization", token}, 200, ""},
			"anybody":           {"GET", "/test/open/x", nil, 200, ""},
			"a user, in public": {"GET", "/test/open/x", []string{"Authorization", token}, 200, ""},
			"no token":          {"GET", "/test/x", nil, 401, "edge.TOKEN"},
			"in the URL":        {"GET", "/test/x?access_token=" + token[7:], nil, 401, "edge.TOKEN"},
			"forged":            {"GET", "/test/x", []string{"Authorization", "Bearer a.b.c"}, 401, "edge.TOKEN_REFUSED"},
			"forged, in public": {"GET", "/test/open/x", []string{"Authorization", "Bearer a.b.c"}, 401, "edge.TOKEN_REFUSED"},
			"dots":              {"GET", "/test/open/../x", nil, 400, "rpc.PATH"},
			"escaped dots":      {"GET", "/test/open/%2e%2E/x", nil, 400, "rpc.PATH"},
			"an escaped slash":  {"GET", "/test/open%2f..%2fx", nil, 400, "rpc.PATH"},
			"another reading":   {"GET", "/test/%6fpen/x", nil, 400, "rpc.PATH"},
			"a doubled slash":   {"GET", "/test//open/x", nil, 400, "rpc.PATH"},
			"a method":          {"TRACE", "/test/open/x", nil, 405, "edge.HTTP_METHOD"},
			"an upgrade":        {"GET", "/test/open/x", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 501, "edge.UPGRADE"},
			"an offer":          {"GET", "/test/open/x", []string{"Connection", "Upgrade", "Upgrade", "h2c"}, 200, ""},
			"not a route":       {"POST", "/testing/x", nil, 404, ""},
			"the prefix":        {"POST", "/test", nil, 404, ""},
		} {
			res, data := s.request(c.method, c.path, "", c.header...)
			if res.StatusCode != c.status || !strings.Contains(string(data), c.reason) || c.status == 200 && string(data) != "passed" {
				t.Errorf("%s: %v %s", name, res.Status, data)
			}
		}
		s.svc.Set(func(svc *testsvc.Service) { svc.Web = nil })
		if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != 404 || string(data) != "404 page not found\n" {
			t.Errorf("the service's own: %v %s", res.Status, data)
		}
	})
}

// Nobody holds more of a body than windows and chunks, however long the other side does not read.
func TestBackPressure(t *testing.T) {
	const most = 2 << 20
	inBubble(t, nil, func(t *testing.T, s *system) {
		goOn := make(chan struct{})
		s.web(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1)) // asks for it
			<-goOn
		})
		up := &endless{}
		done := make(chan error, 1)
		go func() {
			res, err := s.send(t.Context(), s.http(), "POST", testURL, up)
			if err == nil {
				err = res.Body.Close()
			}
			done <- err
		}()
		synctest.Wait()
		time.Sleep(serviceTime / 2)
		if n := up.taken.Load(); n == 0 || n > most {
			t.Errorf("%d bytes of a request were taken that nobody reads", n)
		}
		close(goOn)
		<-done

		var down atomic.Int64
		left := make(chan struct{})
		s.web(func(w http.ResponseWriter, r *http.Request) {
			defer close(left)
			for r.Context().Err() == nil {
				n, _ := w.Write(make([]byte, 32<<10))
				down.Add(int64(n))
			}
		})
		res, err := s.send(t.Context(), s.http(), "GET", testURL, nil)
		s.must(err)
		synctest.Wait()
		if n := down.Load(); n == 0 || n > most {
			t.Errorf("%d bytes of a response were taken that nobody reads", n)
		}
		time.Sleep(progressTime + time.Second) // the client is cut off, and the handler with it
		<-left
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("a part was taken for the whole")
		}
		_ = res.Body.Close()
	})
}

// slowly gives a piece of a body every so often.
type slowly struct {
	every time.Duration
	piece []byte
	times int
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.times == 0 {
		return 0, io.EOF
	}
	s.times--
	time.Sleep(s.every)
	return copy(p, s.piece), nil
}

func TestBodiesMakeProgress(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		var got int64
		var fault error
		s.web(func(_ http.ResponseWriter, r *http.Request) { got, fault = io.Copy(io.Discard, r.Body) })
		for name, c := range map[string]struct {
			body   *slowly
			status int
		}{
			"slow":     {&slowly{20 * time.Second, make([]byte, progressBytes), 100}, 200}, // for half an hour
			"stalled":  {&slowly{progressTime + time.Second, make([]byte, progressBytes), 2}, 408},
			"trickles": {&slowly{time.Second, []byte("x"), 100}, 408},
		} {
			want := int64(len(c.body.piece) * c.body.times)
			res, err := s.send(t.Context(), s.http(), "PUT", testURL, c.body)
			if err != nil || res.StatusCode != c.status {
				t.Errorf("%s: %v %v", name, res, err)
				continue
			}
			s.must(res.Body.Close())
			synctest.Wait()
			if ok := c.status == 200; ok != (fault == nil) || ok != (got == want) || !ok && !errors.Is(fault, io.ErrUnexpectedEOF) {
				t.Errorf("%s: the service saw %d bytes, %v", name, got, fault)
			}
		}
		time.Sleep(2 * progressTime) // until the client has noticed, too
	})
}

func TestEarlyAnswers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for name, ask := range map[string]bool{"unread": false, "begun": true} {
			s.web(func(w http.ResponseWriter, r *http.Request) {
				if ask {
					_, _ = r.Body.Read(make([]byte, 10))
				}
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			})
			c := s.written("POST /test/x HTTP/1.1\r\nHost: plenum.test\r\nAuthorization: " + s.ofUser().Get("Authorization") + "\r\nContent-Length: 10000000\r\n\r\nbeginning of it")
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != 413 || !res.Close {
				t.Fatalf("%s: %v %v", name, res, err)
			}
			if data, err := io.ReadAll(res.Body); string(data) != "too large\n" {
				t.Errorf("%s: %q %v", name, data, err)
			}
			_ = res.Body.Close()
			_ = c.Close()
			time.Sleep(time.Second)
			synctest.Wait()
			if n := s.metric("exchanges"); n != 0 {
				t.Errorf("%s: %v under way", name, n)
			}
		}
	})
}

// written sends bytes on a connection of its own.
func (s *system) written(request string) net.Conn {
	c, err := s.dial(s.t.Context(), "", "")
	s.must(err)
	go func() { _, _ = io.WriteString(c, request) }()
	return c
}

// A client that waits to be asked for the body is asked when the handler reads it, and not when it doesn't.
func TestContinue(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		head := "PUT /test/x HTTP/1.1\r\nHost: plenum.test\r\nAuthorization: " + s.ofUser().Get("Authorization") + "\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
		goOn := make(chan struct{})
		s.web(func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			_, _ = io.Copy(w, r.Body)
		})
		c := s.written(head)
		lines := make(chan string, 10)
		go func() {
			r := textproto.NewReader(bufio.NewReader(c))
			for line, err := r.ReadLine(); err == nil; line, err = r.ReadLine() {
				lines <- line
			}
			close(lines)
		}()
		synctest.Wait()
		if len(lines) > 0 {
			t.Fatalf("%q before the handler reads", <-lines)
		}
		close(goOn)
		if line := <-lines; line != "HTTP/1.1 100 Continue" {
			t.Fatal(line)
		}
		_, err := io.WriteString(c, "body")
		s.must(err)
		if <-lines; <-lines != "HTTP/1.1 200 OK" {
			t.Error("no answer")
		}
		_ = c.Close()
		for range lines {
		}
		s.web(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		c = s.written(head)
		defer c.Close()
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		s.must(err)
		_ = res.Body.Close()
		if res.StatusCode != 403 || !res.Close {
			t.Errorf("%v", res)
		}
	})
}

func TestClientLeaves(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		left := make(chan error, 2)
		s.web(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, err := io.Copy(io.Discard, r.Body)
			left <- err
			<-r.Context().Done()
			left <- r.Context().Err()
		})
		for name, body := range map[string]io.Reader{"waiting": nil, "sending": &slowly{time.Second, make([]byte, 10_000), 1000}} {
			ctx, cancel := context.WithCancel(t.Context())
			res, err := s.send(ctx, s.http(), "POST", testURL, body)
			s.must(err)
			time.Sleep(5 * time.Second)
			cancel()
			if err := <-left; (err != nil) != (body != nil) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: the body ended with %v", name, err)
			}
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			_ = res.Body.Close()
			time.Sleep(2 * time.Second) // until the client has noticed, too
		}
		if n := s.metric("exchanges"); n != 0 {
			t.Errorf("%v under way", n)
		}
	})
}

// A response that was broken off is never taken for a whole one.
func TestBrokenOffAnswers(t *testing.T) {
	part := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "a part")
		_ = http.NewResponseController(w).Flush()
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		for name, c := range map[string]struct {
			web    http.HandlerFunc
			status int // 0: none
		}{
			"aborted":              {func(w http.ResponseWriter, _ *http.Request) { part(w); panic(http.ErrAbortHandler) }, 200},
			"aborted at once":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0},
			"panicked":             {func(w http.ResponseWriter, _ *http.Request) { part(w); panic("a bug") }, 200},
			"shorter than it said": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7"); part(w) }, 200},
		} {
			s.web(c.web)
			res, err := s.send(t.Context(), s.http(), "GET", testURL, nil)
			if c.status == 0 {
				if err == nil {
					t.Errorf("%s: %v", name, res)
				}
				continue
			}
			if err != nil || res.StatusCode != c.status {
				t.Fatalf("%s: %v %v", name, res, err)
			}
			if data, err := io.ReadAll(res.Body); err == nil || string(data) != "a part" {
				t.Errorf("%s: %q %v", name, data, err)
			}
			_ = res.Body.Close()
		}
		s.web(func(http.ResponseWriter, *http.Request) { panic("a bug") })
		if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != 500 || !bytes.Contains(data, []byte("rpc.INTERNAL")) {
			t.Errorf("a bug before the head: %v %s", res.Status, data)
		}
		s.web(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != 504 || time.Since(begin) != serviceTime || !bytes.Contains(data, []byte(errNoAnswer.Reason)) {
			t.Errorf("no answer: %v after %v %s", res.Status, time.Since(begin), data)
		}
	})
}

// The service's process goes away: before the head the client is told, behind it it is cut off.
func TestServiceGoes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/test/begun" {
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		begun, err := s.send(t.Context(), s.http(), "GET", "http://plenum.test/test/begun", nil)
		s.must(err)
		asked := s.told("http://plenum.test/test/open/asked")
		synctest.Wait()
		s.stopService()
		if got := <-asked; !strings.HasPrefix(got, "502 ") || !strings.Contains(got, errLost.Reason) {
			t.Errorf("what it may have done: %s", got)
		}
		if res, data := s.request("GET", "/test/open/x", ""); res.StatusCode != 503 || !strings.Contains(string(data), "rpc.UNAVAILABLE") {
			t.Errorf("what it has not seen: %v %s", res.Status, data)
		}
		if _, err := io.ReadAll(begun.Body); err == nil {
			t.Error("a part was taken for the whole")
		}
		_ = begun.Body.Close()
	})
}

// exerciseTrailers holds for every version of HTTP.
func exerciseTrailers(t *testing.T, s *system, c *http.Client, url string) {
	t.Helper()
	var saw http.Header
	s.web(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Content-Type")
		w.Header().Set("Link", "</style>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("X-Sum", fmt.Sprint(n, " ", r.Trailer.Get("X-Asked")))
		w.Header().Set(http.TrailerPrefix+"X-More", "more")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=1")
		saw = r.Trailer
	})
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, "POST", url, io.MultiReader(strings.NewReader("body"))) // of unknown length
	s.must(err)
	r.Header, r.Trailer = s.ofUser(), http.Header{
		"X-Asked": {"yes"}, "X-Forwarded-For": {"6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}, "Plenum-Client-Id": {"x"}, "Cookie": {"a=1"},
	}
	res, err := c.Do(r)
	s.must(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || string(data) != "body" || res.Trailer.Get("X-Sum") != "4 yes" || res.Trailer.Get("X-More") != "more" || res.Trailer.Get("Set-Cookie") != "" ||
		res.Header.Get("Link") != "" || res.Header.Get("X-Frame-Options") == "" {
		t.Errorf("%v %q %v %v %v", res.Status, data, err, res.Header, res.Trailer)
	}
	if len(saw) != 1 || saw.Get("X-Asked") != "yes" {
		t.Errorf("behind the request's body the service saw %v", saw)
	}
	if got := strings.Join(hints, ","); !strings.HasSuffix(got, "103 </style>") {
		t.Errorf("hints: %q", got)
	}
}

func TestTrailers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) { exerciseTrailers(t, s, s.http(), testURL) })
}

func TestTunnelOverHTTP2(t *testing.T) {
	encrypted(t, func(t *testing.T, s *system, _ TLS, p pair) {
		c := s.https(p, &tls.Config{NextProtos: []string{"h2"}})
		defer c.CloseIdleConnections()
		url := "https://plenum.test/test/x"
		exerciseTrailers(t, s, c, url)
		s.web(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if res, err := s.send(t.Context(), c, "PUT", url, nil); err == nil {
			t.Errorf("nothing was taken for an answer: %v", res.Status)
			_ = res.Body.Close()
		}
		s.web(func(w http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1))
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		})
		res, err := s.send(t.Context(), c, "POST", url, &slowly{time.Second, make([]byte, 10_000), 1000})
		if err != nil || res.StatusCode != 413 || res.ProtoMajor != 2 {
			t.Fatalf("an early answer: %v %v", res, err)
		}
		_ = res.Body.Close()
		time.Sleep(2 * time.Second) // until the client has noticed
		left := make(chan struct{})
		s.web(func(w http.ResponseWriter, r *http.Request) {
			defer close(left)
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 32<<10))
			}
		})
		res, err = s.send(t.Context(), c, "GET", url, nil)
		s.must(err)
		<-left // nobody reads
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("a part was taken for the whole")
		}
		_ = res.Body.Close()
		s.web(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(50 * time.Second)
			for range 10 { // longer than any request may take that is no exchange
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Second)
			}
			panic(http.ErrAbortHandler)
		})
		res, err = s.send(t.Context(), c, "GET", url, nil)
		s.must(err)
		if data, err := io.ReadAll(res.Body); err == nil || string(data) != "xxxxxxxxxx" {
			t.Errorf("%q %v", data, err)
		}
		_ = res.Body.Close()
		s.web(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if res, err = s.send(t.Context(), c, "GET", url, nil); err == nil {
			t.Errorf("broken off at once: %v", res)
			_ = res.Body.Close()
		}
	})
}

func TestIsolatedRoutes(t *testing.T) {
	const page = "http://plenum.test"
	web := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Cookie", r.Header.Get("Cookie"))
		w.Header().Set("Set-Cookie", "a=1")
		w.Header().Set("Content-Security-Policy", "default-src *")
		_, _ = io.WriteString(w, "<script>")
	}
	get := func(s *system, host, path string, header ...string) (response, string) {
		s.t.Helper()
		r, err := http.NewRequestWithContext(s.t.Context(), "GET", "http://"+host+path, nil)
		s.must(err)
		r.Header.Set("Cookie", "c=3")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := s.http().Do(r)
		s.must(err)
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		s.must(err)
		return response{res.StatusCode, res.Status, res.Header}, string(data)
	}
	sandboxed := func(res response) bool {
		csp := res.Header["Content-Security-Policy"]
		return res.StatusCode == 200 && len(csp) == 1 && strings.HasPrefix(csp[0], "sandbox; default-src 'none'") &&
			res.Header.Get("X-Cookie") == "" && res.Header.Get("Set-Cookie") == "" && res.Header.Get("X-Content-Type-Options") == "nosniff"
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(web)
		if res, _ := get(s, "plenum.test", "/test/content/x"); !sandboxed(res) || res.Header.Get("Content-Disposition") != "attachment" {
			t.Errorf("on the application's origin: %v %v", res.Status, res.Header)
		}
		if res, _ := get(s, "plenum.test", "/test/open/x"); res.Header.Get("X-Cookie") != "c=3" || len(res.Header["Content-Security-Policy"]) != 2 {
			t.Errorf("a route that is not isolated: %v", res.Header)
		}
	})
	inBubble(t, func(c *Config) { c.ContentOrigin, c.Origins = "http://content.test", []string{page} }, func(t *testing.T, s *system) {
		s.web(web)
		res, _ := get(s, "Content.test:80", "/test/content/x", "Origin", page)
		if !sandboxed(res) || res.Header.Get("Content-Disposition") != "" || res.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
			res.Header.Get("Access-Control-Allow-Origin") != page || !strings.HasSuffix(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'self' "+page) {
			t.Errorf("on its own origin: %v %v", res.Status, res.Header)
		}
		for path, status := range map[string]int{"/test/open/x": 404, "/": 404, "/edge/v1/ws": 404, "/livez": 200, "/plenum.test.v1.TestService/Hello": 404} {
			if res, data := get(s, "content.test", path); res.StatusCode != status {
				t.Errorf("%s: %v %s", path, res.Status, data)
			}
		}
		if res, _ := get(s, "content.test", "/test/content/x", "Origin", "http://content.test"); res.StatusCode != 403 {
			t.Errorf("a page of content: %v", res.Status)
		}
		if res, data := get(s, "plenum.test", "/test/content/x"); res.StatusCode != 404 || !strings.Contains(data, errRoute.Reason) {
			t.Errorf("on the application's: %v %s", res.Status, data)
		}
	})
}

func TestOriginsOfRoutes(t *testing.T) {
	inBubble(t, func(c *Config) { c.Origins = []string{"https://app.example"} }, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Saw", r.Method) })
		res, _ := s.request("OPTIONS", "/test/x", "", "Origin", "https://app.example", "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "upload-offset")
		if res.StatusCode != 204 || !strings.Contains(res.Header.Get("Access-Control-Allow-Methods"), "PATCH") || res.Header.Get("Access-Control-Allow-Headers") != "upload-offset" {
			t.Errorf("preflight: %v %v", res.Status, res.Header)
		}
		res, _ = s.request("OPTIONS", "/test/open/x", "")
		if res.Header.Get("X-Saw") != "OPTIONS" {
			t.Errorf("tus asks so what a server can: %v %v", res.Status, res.Header)
		}
		res, _ = s.request("GET", "/test/open/x", "", "Origin", "https://app.example")
		if res.Header.Get("Access-Control-Expose-Headers") != "*" || res.Header.Get("X-Saw") != "GET" {
			t.Errorf("%v %v", res.Status, res.Header)
		}
		if res, _ = s.request("GET", "/test/open/x", "", "Origin", "https://evil.example"); res.StatusCode != 403 || res.Header.Get("X-Saw") != "" {
			t.Errorf("%v %v", res.Status, res.Header)
		}
	})
}

func TestExchangesAreBounded(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxExchanges = 2 * userExchanges }, func(t *testing.T, s *system) {
		s.web(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/test/x" {
				<-r.Context().Done()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		for range 2 {
			go func() {
				_, _ = s.send(ctx, s.http(), "GET", testURL, nil) //nolint:bodyclose // ends with its context
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		token := "Bearer " + s.token("u", time.Hour)
		if res, data := s.request("GET", "/test/y", "", "Authorization", token); res.StatusCode != 429 || !bytes.Contains(data, []byte(errExchanges.Reason)) || res.Header.Get("Retry-After") != "1" {
			t.Errorf("a third: %v %s", res.Status, data)
		}
		if res, data := s.request("GET", "/test/y", "", "Authorization", "Bearer "+s.token("v", time.Hour)); res.StatusCode != 200 {
			t.Errorf("another user's: %v %s", res.Status, data)
		}
		cancel()
		<-done
		<-done
		synctest.Wait()
		if res, data := s.request("GET", "/test/y", "", "Authorization", token); res.StatusCode != 200 {
			t.Errorf("afterwards: %v %s", res.Status, data)
		}
	})
}

// Who has no token shares what one address may have; when all is taken, nobody gets more.
func TestExchangesOfStrangers(t *testing.T) {
	const share = 2
	inBubble(t, func(c *Config) { c.MaxExchanges = share * strangerExchanges }, func(t *testing.T, s *system) {
		s.web(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		ask := func(address, token string) (status int, text string, after string) {
			r, err := http.NewRequestWithContext(ctx, "GET", "http://plenum.test/test/open/x", nil)
			s.must(err)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			res, err := s.httpFrom(address).Do(r)
			if err != nil {
				return 0, "", ""
			}
			defer res.Body.Close()
			data, err := io.ReadAll(res.Body)
			s.must(err)
			return res.StatusCode, string(data), res.Header.Get("Retry-After")
		}
		for i := range strangerExchanges {
			address := fmt.Sprintf("192.0.2.%d", i+1)
			for range share {
				go func() { _, _, _ = ask(address, ""); done <- struct{}{} }()
			}
			synctest.Wait()
			if status, text, after := ask(address, ""); i < strangerExchanges-1 && (status != 429 || !strings.Contains(text, errExchanges.Reason) || after != "1") {
				t.Errorf("a third from %s: %d %s, after %s", address, status, text, after)
			}
		}
		if n := s.metric("exchanges"); n != share*strangerExchanges {
			t.Errorf("%v are under way", n)
		}
		for address, token := range map[string]string{"192.0.2.99": "", "192.0.2.98": s.token("u", time.Hour)} {
			if status, text, after := ask(address, token); status != 503 || !strings.Contains(text, errBusy.Reason) || after != "1" {
				t.Errorf("one more from %s: %d %s, after %s", address, status, text, after)
			}
		}
		cancel()
		for range share * strangerExchanges {
			<-done
		}
	})
}

// A user who is signed out gets no more of what is under way.
func TestTransfersOfTheRevoked(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		res, err := s.send(t.Context(), s.http(), "GET", testURL, nil)
		s.must(err)
		defer res.Body.Close()
		time.Sleep(time.Second)
		now := time.Now().UnixMilli()
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "u", Device: "another", IssuedBeforeMs: now})
		synctest.Wait()
		if n := s.metric("exchanges"); n != 1 {
			t.Errorf("another device's: %v under way", n)
		}
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "u", IssuedBeforeMs: now})
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("a part was taken for the whole")
		}
	})
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, rpc.HTTPChunk))
			}
		})
		res, err := s.send(t.Context(), s.http(), "GET", testURL, nil)
		s.must(err)
		time.Sleep(time.Second)
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "u", IssuedBeforeMs: time.Now().UnixMilli()})
		synctest.Wait()
		if n, err := io.Copy(io.Discard, res.Body); err == nil || n > 2*rpc.HTTPChunk { // what is being written, and what the client holds
			t.Errorf("%d bytes came of what waited, %v", n, err)
		}
		_ = res.Body.Close()
	})
}

// A gateway that stops lets transfers end for as long as it drains, and cuts off those that take longer, once it has answered them.
func TestTransfersOfAGatewayThatStops(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.web(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/test/open/silent" {
				_ = http.NewResponseController(w).Flush()
			}
			select {
			case <-r.Context().Done():
			case <-time.After(map[string]time.Duration{"/test/short": 8 * time.Second, "/test/long": time.Hour, "/test/open/silent": time.Hour}[r.URL.Path]):
			}
		})
		short, err := s.send(t.Context(), s.http(), "GET", "http://plenum.test/test/short", nil)
		s.must(err)
		long, err := s.send(t.Context(), s.http(), "GET", "http://plenum.test/test/long", nil)
		s.must(err)
		silent := s.told("http://plenum.test/test/open/silent")
		synctest.Wait()
		begin := time.Now()
		s.stop()
		if _, err := io.ReadAll(short.Body); err != nil {
			t.Errorf("short: %v", err)
		}
		if _, err := io.ReadAll(long.Body); err == nil || time.Since(begin) > s.g.cfg.Drain+3*time.Second {
			t.Errorf("long: %v after %v", err, time.Since(begin))
		}
		if got := <-silent; !strings.HasPrefix(got, "504 ") || !strings.Contains(got, errNoAnswer.Reason) { // it may have been done
			t.Errorf("without an answer: %s", got)
		}
		_, _ = short.Body.Close(), long.Body.Close()
	})
}
