package gateway

import (
	"maps"
	"net/http"
	"net/textproto"
	"strings"

	"plenum.internal/mesh/rpc"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// Bytes of names and values that a service may answer.
const (
	maxAnswerHead    = 32 << 10
	maxAnswerTrailer = 16 << 10
)

// hopByHop concern one connection alone (RFC 9110, 7.6.1), with what Connection names.
var hopByHop = set("Connection", "Keep-Alive", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Trailer")

// known are what the gateway itself knows of a request. A client could only lie in them.
var known = set("Authorization", "Content-Length", "Host", "Forwarded", "X-Real-Ip")

// owned are what the gateway itself says with every answer.
var owned = set("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
	"Permissions-Policy", "Strict-Transport-Security", "Alt-Svc", "Service-Worker-Allowed")

// ofHead are the fields that a recipient needs before the body: they may not come behind it (RFC 9110, 6.5.1).
var ofHead = set("Age", "Authorization", "Cache-Control", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Content-Disposition",
	"Content-Security-Policy", "Date", "Expires", "Host", "Location", "Pragma", "Range", "Retry-After", "Cookie", "Expect", "Set-Cookie", "Vary", "Warning", "Www-Authenticate")

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}

// named are the fields that Connection names.
func named(h http.Header) map[string]bool {
	names := map[string]bool{}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return names
}

func perHop(name string, named map[string]bool) bool {
	return hopByHop[name] || named[name] || strings.HasPrefix(name, "Proxy-")
}

// passedOn is what a service sees of a request's header, without what the gateway knows better. The keys of h are canonical.
func passedOn(h http.Header, isolated bool) http.Header {
	out, named := make(http.Header, len(h)+4), named(h)
	for name, values := range h {
		if passes(name, named, isolated) {
			out[name] = values
		}
	}
	for _, line := range h["Te"] {
		for coding := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(coding), "trailers") { // they reach the client, whatever is in between
				out["Te"] = []string{"trailers"}
			}
		}
	}
	return out
}

// passes reports whether a service sees a field of a request.
func passes(name string, named map[string]bool, isolated bool) bool {
	return !perHop(name, named) && !known[name] && !strings.HasPrefix(name, "X-Forwarded-") && !strings.HasPrefix(name, "Plenum-") &&
		(!isolated || name != "Cookie")
}

// passedBehind is what a service sees of a request's trailer, by the rules of its head.
func passedBehind(trailer, head http.Header, isolated bool) http.Header {
	out, named := trailing(trailer), named(head)
	maps.DeleteFunc(out, func(name string, _ []string) bool { return !passes(name, named, isolated) })
	return out
}

// answered adds what a client sees of a response's header to what is there already.
func answered(to, from http.Header, isolated bool) {
	named := named(from)
	for name, values := range from {
		switch {
		case perHop(name, named), owned[name], strings.HasPrefix(name, "Access-Control-"):
		case isolated && (name == "Set-Cookie" || name == "Content-Security-Policy" || name == "Clear-Site-Data"):
		default:
			to[name] = append(to[name], values...) // of two policies for content both count, and so a service's can only be stricter
		}
	}
}

// trailing is what a client sees of a trailer.
func trailing(from http.Header) http.Header {
	out := http.Header{}
	for name, values := range from {
		if mayTrail(name) {
			out[name] = values
		}
	}
	return out
}

func mayTrail(name string) bool {
	return name != "" && !perHop(name, nil) && !owned[name] && !ofHead[name] && !strings.HasPrefix(name, "Access-Control-") && !strings.HasPrefix(name, "If-")
}

// announced are the trailer fields that a head promises.
func announced(from http.Header) (names []string) {
	for _, line := range from["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)); mayTrail(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// headerOf turns the lines of a service into a header; fits: there are not more bytes than most.
func headerOf(lines []*httpv1.Header, most int) (h http.Header, fits bool) {
	for _, l := range lines {
		most -= len(l.GetName()) + len(l.GetValue())
	}
	return rpc.FromHTTPHeaders(lines), most >= 0
}
