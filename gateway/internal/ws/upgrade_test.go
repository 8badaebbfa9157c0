package ws

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// handshake is the example of RFC 6455, 1.2.
func handshake(change ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, line := range append([]string{
		"Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, change...) {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	return r
}

func TestAccept(t *testing.T) {
	if got := accept("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

// What is no handshake is told so over HTTP, and the connection stays the HTTP server's.
func TestWrongHandshakes(t *testing.T) {
	post := handshake()
	post.Method = http.MethodPost
	old := handshake()
	old.Proto, old.ProtoMajor, old.ProtoMinor = "HTTP/1.0", 1, 0
	twice := handshake()
	twice.Header.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		header string
	}{
		"no upgrade":     {handshake("Connection: close"), 426, "Upgrade"},
		"of another":     {handshake("Upgrade: h2c"), 426, "Upgrade"},
		"an old HTTP":    {old, 426, "Upgrade"},
		"a POST":         {post, 405, ""},
		"of an old one":  {handshake("Sec-WebSocket-Version: 8"), 400, "Sec-WebSocket-Version"},
		"without key":    {handshake("Sec-WebSocket-Key: "), 400, ""},
		"with two keys":  {twice, 400, ""},
		"with a short":   {handshake("Sec-WebSocket-Key: AAAA"), 400, ""},
		"with no base64": {handshake("Sec-WebSocket-Key: !"), 400, ""},
	} {
		w := httptest.NewRecorder()
		if _, _, _, err := Upgrade(w, c.r, "a"); err == nil || w.Code != c.status || c.header != "" && w.Header().Get(c.header) == "" {
			t.Errorf("%s: %v, %d, %v", name, err, w.Code, w.Header())
		}
	}
}

func TestChoose(t *testing.T) {
	h := http.Header{"Sec-Websocket-Protocol": {"x, B", " a"}}
	for want, ours := range map[string][]string{"a": {"a", "b"}, "B": {"b", "a"}, "": {"c"}} {
		if got := choose(ours, h); got != want {
			t.Errorf("of %v: %q", ours, got)
		}
	}
}
