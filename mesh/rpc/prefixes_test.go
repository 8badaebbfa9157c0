package rpc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var testPrefixes = Prefixes{"/f/", "/f/open/", "/f/open/deep/", "/other/"}

func TestPrefixes(t *testing.T) {
	for target, want := range map[string]string{
		"/f/x": "/f/", "/f/": "/f/", "/f": "", "/fx": "", "/": "", "*": "", "/f/open/x?y=/../": "/f/open/", "/f/open": "/f/", "/f/open/deep/": "/f/open/deep/",
		"/F/x": "", "/f/a%2fb": "/f/", "/f/a//b": "/f/", "http://host/f/x": "/f/", "/x/../y": "", "/f/...": "/f/", "/f/%20": "/f/",
		"/f/open/../x": "?", "/f/./x": "?", "/f/%2e%2e/x": "?", "/f/%2E./open/x": "?", "/f/open%2f..%2fx": "?", "/f/%6fpen/x": "?", "/%66/x": "?", "//f/x": "?",
		"/x/../f/y": "?", "/f//open/x": "?", "/f/open%2fx": "?", `/f/..\x`: "?", "/f/..%5cx": "?", "/f/..": "?", "/f%2fx": "?",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		got, err := testPrefixes.Find(u)
		if want == "?" && !errors.Is(err, ErrPath) || want != "?" && (got != want || err != nil) {
			t.Errorf("%s: %q %v, want %q", target, got, err, want)
		}
	}
}

func TestValidPrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"/f/": true, "/a/b-c_d~1.x/": true, "/.well-known/": true, "/": false, "//": false, "": false, "/f": false, "f/": false, "/f//g/": false, "/../": false, "/./": false,
		"/a b/": false, "/%66/": false, "/ü/": false,
	} {
		if ValidPrefix(prefix) != want {
			t.Errorf("%q: %v", prefix, !want)
		}
	}
}

// FuzzPrefixes: whatever a service makes of a path (decodes it, cleans it, gives it to a mux), it stays with the route that was found.
func FuzzPrefixes(f *testing.F) {
	for _, seed := range []string{"/f/open/../x", "/f/%6fpen/x", "/f/a/b", "/f//open/", "/f/open/deep/%2e%2e/x", "/f/..;/x", "/f/%2f/../x"} {
		f.Add(seed)
	}
	mux := http.NewServeMux()
	for _, p := range testPrefixes {
		mux.Handle(p, http.NotFoundHandler())
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		found, err := testPrefixes.Find(u)
		if err != nil {
			return
		}
		for _, reading := range []string{u.EscapedPath(), u.Path, clean(u.Path), clean(u.EscapedPath())} {
			if other := testPrefixes.longest(reading); other != found {
				t.Errorf("%q is of %q, and read as %q of %q", target, found, reading, other)
			}
		}
		if found != "" && strings.HasPrefix(u.Path, "/") {
			_, pattern := mux.Handler(&http.Request{Method: "GET", URL: u, Host: "h"})
			if redirects := pattern == clean(u.Path)+"/"; pattern != found && !redirects {
				t.Errorf("%q is of %q, and of %q for a mux", target, found, pattern)
			}
		}
	})
}
