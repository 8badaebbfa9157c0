package gateway

import (
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// headers draws some whose names matter, and some that don't.
func headers(t *rapid.T) http.Header {
	names := []string{
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization", "Authorization", "Cookie", "Forwarded",
		"X-Forwarded-For", "X-Forwarded-Whatever", "Plenum-Client-Id", "Host", "Content-Length", "Set-Cookie", "X-Frame-Options", "Range", "X-A", "X-B",
		"Access-Control-Allow-Origin", "Content-Security-Policy", "Accept",
	}
	h := http.Header{}
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		h.Add(name, rapid.SampledFrom([]string{"x", "close, x-A", "X-B , Range", "trailers;q=1, trailers", "", ",,", "accept"}).Draw(t, "value"))
	}
	return h
}

// What concerns one connection, what Connection names, and what a client could lie in, is never passed on; all else is, as it came.
func TestPassedOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, isolated := headers(t), rapid.Bool().Draw(t, "isolated")
		out := passedOn(h, isolated)
		named := map[string]bool{}
		for e := range strings.SplitSeq(strings.Join(h["Connection"], ","), ",") {
			named[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(e))] = true
		}
		for name, values := range h {
			dropped := named[name] || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Plenum-") || isolated && name == "Cookie"
			switch name {
			case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Authorization", "Forwarded", "Host", "Content-Length":
				dropped = true
			}
			got, passed := out[name]
			if name == "Te" && passed && strings.Join(got, "") == "trailers" {
				continue
			}
			if passed == dropped || passed && strings.Join(got, "\n") != strings.Join(values, "\n") {
				t.Fatalf("%s of %v became %q", name, h, got)
			}
		}
	})
}

// Behind a body comes only what may come in front of it, and of that what may come so late.
func TestPassedBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head, trailer, isolated := headers(t), headers(t), rapid.Bool().Draw(t, "isolated")
		both := trailer.Clone()
		both["Connection"] = head["Connection"]
		passed, out := passedOn(both, isolated), passedBehind(trailer, head, isolated)
		for name := range trailer {
			if _, want := passed[name]; (out[name] != nil) != (want && mayTrail(name)) {
				t.Fatalf("%s of %v behind %v: %q", name, trailer, head, out[name])
			}
		}
	})
}

// A service's answer never changes what the gateway says, but for a policy that makes it stricter.
func TestAnswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, isolated := headers(t), rapid.Bool().Draw(t, "isolated")
		to := http.Header{}
		secure(to, true)
		to.Set("Access-Control-Allow-Origin", "https://app.example")
		before := to.Clone()
		answered(to, from, isolated)
		for name, values := range before {
			if got := to[name]; len(got) < len(values) || got[0] != values[0] || len(got) > 1 && (isolated || name != "Content-Security-Policy") {
				t.Fatalf("%s became %q", name, got)
			}
		}
		if isolated && to["Set-Cookie"] != nil || to["Connection"] != nil || to["Transfer-Encoding"] != nil {
			t.Fatalf("%v", to)
		}
	})
}
