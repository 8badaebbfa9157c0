package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/limit"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/gateway/internal/wire"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// response is what is looked at of an answer.
type response struct {
	StatusCode int
	Status     string
	Header     http.Header
}

func (s *system) request(method, path, body string, header ...string) (response, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://plenum.test"+path, strings.NewReader(body))
	s.must(err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := s.http().Do(r)
	s.must(err)
	data, err := io.ReadAll(res.Body)
	s.must(err)
	s.must(res.Body.Close())
	return response{res.StatusCode, res.Status, res.Header}, data
}

const asJSON = "application/json"

func TestUnaryCallsOverHTTP(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		token := "Bearer " + s.token("u", 10*time.Minute)
		body, _ := proto.Marshal(&testv1.EchoRequest{Text: "hi"})
		res, data := s.request("POST", "/plenum.test.v1.TestService/Echo", string(body), "Content-Type", "application/proto", "Authorization", token)
		var echo testv1.EchoResponse
		if err := proto.Unmarshal(data, &echo); res.StatusCode != 200 || err != nil || echo.GetText() != "hi" || echo.GetUser() != "u" || echo.GetAddress() != "192.0.2.7" {
			t.Errorf("proto: %v %v %v", res.Status, err, &echo)
		}
		for range 2 {
			res, data = s.request("POST", "/plenum.test.v1.TestService/Post", `{"room":"a","text":"x"}`, "Content-Type", asJSON, "Authorization", token,
				"Plenum-Client-Id", "c1", "Plenum-Client-Seq", "7", "Connect-Protocol-Version", "1")
			if got := strings.ReplaceAll(string(data), " ", ""); res.StatusCode != 200 || got != `{"offset":"1"}` || res.Header.Get("Content-Type") != asJSON {
				t.Errorf("json: %v %s", res.Status, data)
			}
		}
		res, data = s.request("POST", "/plenum.test.v1.TestService/Hello", ``, "Content-Type", asJSON)
		if res.StatusCode != 200 {
			t.Errorf("public: %v %s", res.Status, data)
		}
	})
}

func TestRefusedHTTPCalls(t *testing.T) {
	cases := map[string]struct {
		method, path, body string
		header             []string
		status             int
		name               string
		code               edgev1.Code
	}{
		"no token":       {"POST", "Echo", `{}`, nil, 401, "unauthenticated", edgev1.Code_CODE_TOKEN_REFUSED},
		"forged token":   {"POST", "Echo", `{}`, []string{"Authorization", "Bearer a.b.c"}, 401, "unauthenticated", edgev1.Code_CODE_TOKEN_REFUSED},
		"unknown":        {"POST", "Nothing", `{}`, nil, 404, "not_found", edgev1.Code_CODE_NOT_FOUND},
		"not exposed":    {"POST", "Hidden", `{}`, nil, 404, "not_found", edgev1.Code_CODE_NOT_FOUND},
		"not JSON":       {"POST", "Hello", `{`, nil, 400, "invalid_argument", edgev1.Code_CODE_INVALID_ARGUMENT},
		"unknown field":  {"POST", "Hello", `{"nothing":1}`, nil, 400, "invalid_argument", edgev1.Code_CODE_INVALID_ARGUMENT},
		"too large":      {"POST", "Hello", `{"text":"` + strings.Repeat("x", 300<<10) + `"}`, nil, 429, "resource_exhausted", edgev1.Code_CODE_BODY_TOO_LARGE},
		"a bad number":   {"POST", "Hello", `{}`, []string{"Plenum-Client-Seq", "-1"}, 400, "invalid_argument", edgev1.Code_CODE_INVALID_ARGUMENT},
		"too slow":       {"POST", "Hello", `{"waitMs":4000}`, []string{"Connect-Timeout-Ms", "100"}, 504, "deadline_exceeded", edgev1.Code_CODE_OUTCOME_UNKNOWN},
		"compressed":     {"POST", "Hello", `{}`, []string{"Content-Encoding", "gzip"}, 501, "unimplemented", edgev1.Code_CODE_UNSUPPORTED},
		"the service's":  {"POST", "Hello", `{"code":106}`, nil, 409, "aborted", edgev1.Code_CODE_CONFLICT},
		"signed out":     {"POST", "Hello", `{"code":4400}`, nil, 401, "unauthenticated", edgev1.Code_CODE_SESSION_REVOKED},
		"GET":            {"GET", "Hello", ``, nil, 405, "", 0},
		"another format": {"POST", "Hello", ``, []string{"Content-Type", "text/plain"}, 415, "", 0},
	}
	inBubble(t, nil, func(t *testing.T, s *system) {
		for name, c := range cases {
			res, data := s.request(c.method, "/plenum.test.v1.TestService/"+c.path, c.body, append([]string{"Content-Type", asJSON}, c.header...)...)
			if res.StatusCode != c.status {
				t.Errorf("%s: %s %s", name, res.Status, data)
			}
			if c.name == "" {
				continue
			}
			var e connectBody
			if err := json.Unmarshal(data, &e); err != nil || e.Code != c.name || len(e.Details) != 1 || e.Details[0].Type != "plenum.edge.v1.Error" {
				t.Errorf("%s: %v %s", name, err, data)
				continue
			}
			raw, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
			var detail edgev1.Error
			if err != nil || proto.Unmarshal(raw, &detail) != nil || detail.GetCode() != c.code {
				t.Errorf("%s: %v, want %v", name, &detail, c.code)
			}
		}
	})
}

func TestAddressesAreLimited(t *testing.T) {
	inBubble(t, func(c *Config) { c.SignIn = limit.Rate{PerSecond: 1, Burst: 3} }, func(t *testing.T, s *system) {
		for i := range 4 {
			res, data := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON)
			if want := map[bool]int{true: 200, false: 429}[i < 3]; res.StatusCode != want {
				t.Errorf("%d: %v %s", i, res.Status, data)
			}
			if after := res.Header.Get("Retry-After"); i == 3 && after != "1" && after != "2" {
				t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
			}
		}
	})
}

func TestOrigins(t *testing.T) {
	const page = "https://chat.example.com"
	inBubble(t, func(c *Config) { c.Origins = []string{page} }, func(t *testing.T, s *system) {
		for origin, allowed := range map[string]bool{"": true, "http://plenum.test": true, "https://plenum.test": true, page: true, "http://chat.example.com": false, "https://evil.example": false, "null": false, page + ".evil": false} {
			res, _ := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON, "Origin", origin)
			if got := res.StatusCode == 200; got != allowed || got && origin != "" && res.Header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("call from %q: %v", origin, res.Status)
			}
			res, _ = s.request("OPTIONS", "/plenum.test.v1.TestService/Hello", ``, "Origin", origin, "Access-Control-Request-Method", "POST")
			if got := res.StatusCode == 204; got != allowed {
				t.Errorf("preflight from %q: %v", origin, res.Status)
			}
			ws, wsRes, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
				HTTPClient: s.http(), Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {origin}},
			})
			if (err == nil) != allowed || err != nil && wsRes.StatusCode != 403 {
				t.Errorf("WebSocket from %q: %v", origin, err)
			}
			if err == nil {
				_ = ws.CloseNow()
			}
		}
	})
}

// Where clients come by TLS, a page that came without is nobody's own.
func TestOriginOfAnotherScheme(t *testing.T) {
	inBubble(t, func(c *Config) { c.Proxies = []string{"192.0.2.0/24"} }, func(t *testing.T, s *system) {
		for origin, allowed := range map[string]bool{"https://plenum.test": true, "http://plenum.test": false, "ftp://plenum.test": false, "https://plenum.test:444": false} {
			res, _ := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON, "Origin", origin, "X-Forwarded-Proto", "https")
			if got := res.StatusCode == 200; got != allowed {
				t.Errorf("call from %q: %v", origin, res.Status)
			}
		}
	})
}

// Where the operator names the gateway's hosts, a page of another name is nobody's own, though that name leads here (DNS rebinding).
func TestHosts(t *testing.T) {
	inBubble(t, func(c *Config) { c.Hosts, c.Origins = []string{"plenum.test"}, []string{"http://page.test"} }, func(t *testing.T, s *system) {
		for host, allowed := range map[string]bool{"plenum.test": true, "Plenum.test:8080": true, "localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "page.test": true, "evil.test": false, "plenum.test.evil.test": false, "127.0.0.1.evil.test": false} {
			res, _ := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON, "Host", host, "Origin", "http://"+host)
			if got := res.StatusCode == 200; got != allowed {
				t.Errorf("call at %q: %v", host, res.Status)
			}
			ws, _, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
				HTTPClient: s.http(), Host: host, Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {"http://" + host}},
			})
			if (err == nil) != allowed {
				t.Errorf("WebSocket at %q: %v", host, err)
			}
			if err == nil {
				_ = ws.CloseNow()
			}
		}
		if res, data := s.request("GET", "/app.v1/main", "", "Host", "evil.test"); res.StatusCode != 200 {
			t.Errorf("what anybody may have: %v %s", res.Status, data)
		}
	})
	for host, ok := range map[string]bool{"chat.example.com": true, "https://chat.example.com": false, "chat.example.com:443": false, "": false, "*.example.com": false, "a/b": false, "chat.example.com.": false, "chat.bücher.example": false, "chat.xn--bcher-kva.example": true} {
		c := DefaultConfig()
		if c.Hosts = []string{host}; (c.Validate() == nil) != ok {
			t.Errorf("%q: %v", host, c.Validate())
		}
	}
}

// What looks like a call is one if it is posted; a page is one unless there is a service of that name.
func TestCallsAndPages(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for _, x := range []struct {
			method, path string
			status       int
			text         string
		}{
			{"GET", "/app.v1/main", 200, "the application"},
			{"HEAD", "/app.v1/main", 200, ""},
			{"GET", "/plenum.test.v1.TestService/Nothing", 405, ""},
			{"GET", "/plenum.test.v1.TestService/main.js", 404, "page not found"},
			{"GET", "/assets/main-1.js", 200, "its script"},
			{"GET", "/assets/main-2.js", 404, "page not found"},
			{"GET", "/plenum.test.v1.TestService/a/b", 200, "the application"},
			{"GET", "/plenum.other.v1.TestService/Echo", 200, "the application"},
			{"POST", "/plenum.other.v1.TestService/Echo", 404, `"code":"not_found"`},
			{"POST", "/app.v1/main.js", 404, "page not found"},
			{"POST", "/assets/main-1.js", 404, "page not found"},
			{"GET", "/edge/v1/nothing", 404, "page not found"},
			{"GET", "/edge", 200, "the application"},
			{"OPTIONS", "/plenum.test.v1.TestService/Echo", 204, ""},
		} {
			res, data := s.request(x.method, x.path, "", "Content-Type", asJSON)
			if res.StatusCode != x.status || !strings.Contains(string(data), x.text) {
				t.Errorf("%s %s: %s %s", x.method, x.path, res.Status, data)
			}
		}
	})
}

// Connections over HTTP that wait give way to new ones; where none waits the new one is turned away. Sessions don't count.
func TestTooManyConnections(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxPlain, c.MaxPlainAddress = 3, 2 }, func(t *testing.T, s *system) {
		var sessions []*client
		for range 4 {
			sessions = append(sessions, s.signIn("u"))
			s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("u", 10*time.Minute))}).welcome()
		}
		open := func() net.Conn {
			c, err := s.dial(t.Context(), "", "")
			s.must(err)
			synctest.Wait()
			return c
		}
		get := func(c net.Conn) (int, error) {
			go func() { _, _ = io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: plenum.test\r\n\r\n") }()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return 0, err
			}
			defer func() { _ = res.Body.Close() }()
			_, err = io.Copy(io.Discard, res.Body)
			synctest.Wait()
			return res.StatusCode, err
		}
		first, second := open(), open() // have said nothing
		if n, err := get(open()); n != http.StatusServiceUnavailable {
			t.Errorf("the third: %d %v", n, err)
		}
		if n, err := get(first); n != http.StatusOK {
			t.Errorf("the first: %d %v", n, err)
		}
		if n, err := get(open()); n != http.StatusOK {
			t.Errorf("one more, for the first waits: %d %v", n, err)
		}
		if n, err := get(first); err == nil {
			t.Errorf("the first gave way: %d", n)
		}
		begin := time.Now()
		if _, err := second.Read(make([]byte, 1)); err == nil || time.Since(begin) > headerTime {
			t.Errorf("who says nothing: %v after %v", err, time.Since(begin))
		}
		if n := s.metric("connections_refused_total"); n != 1 {
			t.Errorf("%v were refused", n)
		}
		for _, c := range sessions {
			c.close()
		}
	})
}

// A listener that was opened before is used, and closed in the end.
func TestListenerOfTheirs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		l := newPipes()
		g, err := New(DefaultConfig(), Deps{Listener: l, Services: s.g.deps.Services, Verifier: s.verifier, Bus: s.bus})
		s.must(err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		<-g.Ready()
		if cancel(); <-ended != nil {
			t.Error("failed")
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

func TestTheListenersOtherPages(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for path, want := range map[string]string{"/livez": "alive\n", "/readyz": "ready\n", "/": "the application", "/channel/x": "the application"} {
			res, data := s.request("GET", path, "")
			if res.StatusCode != 200 || string(data) != want {
				t.Errorf("%s: %s %q", path, res.Status, data)
			}
			for _, h := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "X-Frame-Options"} {
				if res.Header.Get(h) == "" {
					t.Errorf("%s without %s", path, h)
				}
			}
		}
		if res, _ := s.request("POST", "/", "x"); res.StatusCode != 404 {
			t.Errorf("POST /: %s", res.Status)
		}
		if res, _ := s.request("GET", "/livez", "", "X-Large", strings.Repeat("x", 40<<10)); res.StatusCode != 431 {
			t.Errorf("large headers: %s", res.Status)
		}
	})
}

func TestForwardedAddresses(t *testing.T) {
	inBubble(t, func(c *Config) { c.Proxies = []string{"192.0.2.0/24", "10.0.0.0/8"} }, func(t *testing.T, s *system) {
		for header, want := range map[string]string{
			"": "192.0.2.7", "203.0.113.9": "203.0.113.9", "6.6.6.6, 203.0.113.9": "203.0.113.9", "203.0.113.9, 10.1.1.1": "203.0.113.9", "nonsense": "192.0.2.7",
		} {
			_, data := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON, "X-Forwarded-For", header)
			var echo struct{ Address string }
			if err := json.Unmarshal(data, &echo); err != nil || echo.Address != want {
				t.Errorf("%q: %s", header, data)
			}
		}
	})
}

// The other encoding: one frame a line, bodies as JSON of their types.
func TestJSONEncoding(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		ws, _, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{HTTPClient: s.http(), Subprotocols: []string{wire.JSONName}}) //nolint:bodyclose // the library has
		s.must(err)
		var lines [][]byte
		next := func() (m map[string]map[string]any) {
			for len(lines) == 0 {
				kind, data, err := ws.Read(t.Context())
				if err != nil || kind != websocket.MessageText {
					t.Fatal(kind, err)
				}
				lines = bytes.Split(bytes.TrimSpace(data), []byte("\n"))
			}
			s.must(json.Unmarshal(lines[0], &m))
			lines = lines[1:]
			return m
		}
		send := func(text string) { s.must(ws.Write(t.Context(), websocket.MessageText, []byte(text))) }
		send(`{"hello":{"token":"` + s.token("u", time.Minute) + `","clientId":"c","sessionId":"s"}}
{"subscribe":{"id":1,"wants":[{"topic":"test.room/a","mode":"MODE_EVENTS"}]}}`)
		if m := next()["welcome"]; m["heartbeatMs"] != 25000.0 || m["limits"].(map[string]any)["calls"] != 32.0 {
			t.Errorf("%v", m)
		}
		if m := next()["subscribed"]; m["id"] != 1.0 {
			t.Errorf("%v", m)
		}
		send(`{"call":{"id":5,"method":"plenum.test.v1.TestService/Post","clientSeq":"1","body":{"room":"a","text":"Grüße"}}}`)
		got := map[string]map[string]any{}
		for len(got) < 2 {
			maps.Copy(got, next())
		}
		if r := got["reply"]; r["id"] != 5.0 || r["body"].(map[string]any)["offset"] != "1" {
			t.Errorf("%v", r)
		}
		e := got["events"]["events"].([]any)[0].(map[string]any)
		if e["offset"] != "1" || e["body"].(map[string]any)["text"] != "Grüße" || e["mutation"] != "42" || got["events"]["topic"] != "test.room/a" {
			t.Errorf("%v", got["events"])
		}
		send(`{"call":{"id":6,"method":"plenum.test.v1.TestService/Post","body":{"nothing":1}}}`)
		if r := next()["reply"]; r["error"].(map[string]any)["code"] != "CODE_INVALID_ARGUMENT" {
			t.Errorf("%v", r)
		}
		send(`{"call":{"id":7,"method":"plenum.test.v1.TestService/None","body":{"nothing":1}}}`)
		if r := next()["reply"]; r["error"].(map[string]any)["code"] != "CODE_NOT_FOUND" {
			t.Errorf("%v", r)
		}
		send(`{"call":{"method":"plenum.test.v1.TestService/Echo"}}`)
		if r := next()["reply"]; r["error"].(map[string]any)["reason"] != "edge.CALL_ID" {
			t.Errorf("without an id: %v", r)
		}
		send(`{"call":{"id":8,"method":"plenum.test.v1.TestService/Echo","body":{"txt":"x"}}}`)
		if e := next()["reply"]["error"].(map[string]any); e["reason"] != "edge.BODY" || e["field"] != "body" || !strings.Contains(e["message"].(string), "txt") {
			t.Errorf("an unknown field: %v", e)
		}
		send(`{"subscribe":{"id":2,"wants":[{"topic":"test.room/b","mode":"MODE_NEWER"},{"topic":"test.room/c","mode":7},{"topic":"test.room/d","params":{"x":1}},{"topic":"test.room/e","newer":1,"mode":"MODE_HEADS","params":null}]}}`)
		var refused []any
		for len(refused) < 3 {
			if m := next(); m["subscribed"] != nil {
				for _, x := range m["subscribed"]["subscriptions"].([]any) {
					if e := x.(map[string]any)["error"]; e != nil {
						refused = append(refused, e.(map[string]any)["reason"], e.(map[string]any)["field"])
					}
				}
			}
		}
		if !slices.Equal(refused, []any{"edge.MODE", "mode", "edge.MODE", "mode", "edge.PARAMS", "params"}) {
			t.Errorf("%v", refused)
		}
		send(`{"newer":{}}` + "\n" + `{"ping":{"nonce":3}}`)
		for m := next(); m["pong"]["nonce"] != 3.0; m = next() {
			if m["heads"] == nil && m["subscribed"] == nil {
				t.Errorf("%v", m)
			}
		}
		send(`{"hello`)
		if m := next()["goodbye"]; m["error"].(map[string]any)["code"] != "CODE_MALFORMED" {
			t.Errorf("%v", m)
		}
		_, _, err = ws.Read(t.Context())
		if websocket.CloseStatus(err) != 4300 {
			t.Errorf("%v", err)
		}
	})
}

func TestNoSubprotocol(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		ws, _, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{HTTPClient: s.http()}) //nolint:bodyclose // the library has
		s.must(err)
		for err == nil {
			_, _, err = ws.Read(t.Context())
		}
		if websocket.CloseStatus(err) != 4302 {
			t.Errorf("%v", err)
		}
	})
}
