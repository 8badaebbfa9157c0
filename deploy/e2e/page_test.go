package e2e

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// webApplication: every gateway serves the same page under a strict policy, what it names, and nothing else in its place.
func webApplication(t *testing.T, s *shape) {
	ask := func(server, path string, header ...string) (status int, h http.Header, text string) {
		t.Helper()
		r, err := http.NewRequestWithContext(within(t, patience), http.MethodGet, server+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, string(body)
	}
	_, _, first := ask(s.server, "/")
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(first, -1)
	if len(named) == 0 {
		t.Fatalf("the page names nothing: %q", first)
	}
	for _, server := range s.gateways {
		for _, path := range []string{"/", "/c/01ABC", "/settings/devices"} {
			status, h, text := ask(server, path)
			if text != first || h.Get("Cache-Control") != "no-cache" || !strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self';") {
				t.Errorf("%s%s: %d %v", server, path, status, h)
			}
			if status, _, _ := ask(server, path, "If-None-Match", h.Get("Etag")); status != http.StatusNotModified {
				t.Errorf("%s%s, once more: %d", server, path, status)
			}
		}
		for _, n := range named {
			status, h, _ := ask(server, n[1], "Accept-Encoding", "br")
			immutable := strings.Contains(h.Get("Cache-Control"), "immutable")
			if status != http.StatusOK || immutable != strings.HasPrefix(n[1], "/assets/") {
				t.Errorf("%s%s: %d %v", server, n[1], status, h)
			}
		}
		for path, want := range map[string]int{"/assets/nothing.js": 404, "/edge/v1/nothing": 404, "/plenum.chat.v1.ChatService/Send": 405, "/livez": 200} {
			if status, _, text := ask(server, path); status != want || text == first {
				t.Errorf("%s%s: %d", server, path, status)
			}
		}
	}
}
