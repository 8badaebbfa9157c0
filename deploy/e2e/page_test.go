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
	ask := func(server, path string, header ...string) (*http.Response, string) {
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
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	_, first := ask(s.server, "/")
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(first, -1)
	if len(named) == 0 {
		t.Fatalf("the page names nothing: %q", first)
	}
	for _, server := range s.gateways {
		for _, path := range []string{"/", "/c/01ABC", "/settings/devices"} {
			res, text := ask(server, path)
			if h := res.Header; text != first || h.Get("Cache-Control") != "no-cache" || !strings.Contains(h.Get("Content-Security-Policy"), "script-src 'self';") {
				t.Errorf("%s%s: %s %v", server, path, res.Status, h)
			}
			if again, _ := ask(server, path, "If-None-Match", res.Header.Get("Etag")); again.StatusCode != http.StatusNotModified {
				t.Errorf("%s%s, once more: %s", server, path, again.Status)
			}
		}
		for _, n := range named {
			res, _ := ask(server, n[1], "Accept-Encoding", "br")
			immutable := strings.Contains(res.Header.Get("Cache-Control"), "immutable")
			if res.StatusCode != http.StatusOK || immutable != strings.HasPrefix(n[1], "/assets/") {
				t.Errorf("%s%s: %s %v", server, n[1], res.Status, res.Header)
			}
		}
		for path, want := range map[string]int{"/assets/nothing.js": 404, "/edge/v1/nothing": 404, "/plenum.chat.v1.ChatService/Send": 405, "/livez": 200} {
			if res, text := ask(server, path); res.StatusCode != want || text == first {
				t.Errorf("%s%s: %s", server, path, res.Status)
			}
		}
	}
}
