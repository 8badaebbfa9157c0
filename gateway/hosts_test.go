package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"plenum.internal/gateway/internal/wire"
)

// warned is what the log has told of hosts: each with how many were not told before it.
func warned(t *testing.T, log *bytes.Buffer) (hosts []string) {
	t.Helper()
	for dec := json.NewDecoder(log); dec.More(); {
		var line struct {
			Level, Host string
			More        int `json:"more_since"`
		}
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Level != "WARN" {
			t.Errorf("told as %s", line.Level)
		}
		hosts = append(hosts, fmt.Sprint(line.Host, " ", line.More))
	}
	return hosts
}

// The operator learns which host was refused, by a call or by a WebSocket, however often it comes, and nothing that is secret.
func TestHostsThatAreRefusedAreLogged(t *testing.T) {
	inBubble(t, func(c *Config) { c.Hosts = []string{"plenum.test"} }, func(t *testing.T, s *system) {
		var log bytes.Buffer
		s.g.log = slog.New(slog.NewJSONHandler(&log, nil))
		page := func(host, origin string) {
			res, _ := s.request("POST", "/plenum.test.v1.TestService/Hello", `{}`, "Content-Type", asJSON, "Host", host, "Origin", origin, "Authorization", "Bearer secret")
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s at %s: %v", origin, host, res.Status)
			}
		}
		expect := func(what string, want ...string) {
			t.Helper()
			if strings.Contains(log.String(), "secret") {
				t.Errorf("%s: the log has the token: %s", what, log.String())
			}
			if got := warned(t, &log); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		page("plenum.test", "https://evil.test") // a foreign page says nothing about hosts
		page("plenum.test", "ftp://plenum.test") // nor does one of a host that is named
		expect("a foreign page")
		page("forgotten.test:8080", "http://forgotten.test:8080")
		page("Forgotten.test:8080", "http://forgotten.test:8080")
		_, _, err := websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
			HTTPClient: s.http(), Host: "forgotten.test", Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {"https://forgotten.test"}},
		})
		if err == nil {
			t.Error("a WebSocket was let in")
		}
		page("evil.test", "http://evil.test")
		expect("a minute", "forgotten.test 0", "evil.test 2")
		time.Sleep(strangersEvery)
		page("forgotten.test", "http://forgotten.test")
		expect("the next minute", "forgotten.test 0")
		for i := range 100 {
			page(fmt.Sprint(i, ".test"), fmt.Sprintf("http://%d.test", i))
		}
		if got := warned(t, &log); len(got) != maxStrangers-1 {
			t.Errorf("told %q of 100 hosts in a minute", got)
		}
		time.Sleep(strangersEvery)
		long := strings.Repeat("x", 300) + ".test"
		page(long, "http://"+long)
		expect("a long one", strings.Repeat("x", maxHost)+"… 93")
		_, _, err = websocket.Dial(t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{ //nolint:bodyclose // the library has
			HTTPClient: s.http(), Host: "socket.test", Subprotocols: []string{wire.ProtoName}, HTTPHeader: http.Header{"Origin": {"https://socket.test"}},
		})
		if err == nil {
			t.Error("a WebSocket was let in")
		}
		expect("a WebSocket", "socket.test 0")
	})
}
