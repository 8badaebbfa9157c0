package rpc

import (
	"net/url"
	"path"
	"slices"
	"strings"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Prefixes are the paths that HTTP routes begin with.
type Prefixes []string

// ErrPath refuses a path that could be taken for one of another route than it seems to be of.
var ErrPath = Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "rpc.PATH", "This path could be read in two ways. Send it without dot segments, doubled slashes and escapes that need not be.").On("path")

// Find returns the longest prefix of the path as it was received, and "" where there is none.
//
// The path is never cleaned, but who serves it may do so. So a path that decoded, or cleaned, would be another route's is refused, and so
// is one with dot segments that has to do with a route at all: otherwise /open/../closed/x would come in by the rules for /open/.
func (p Prefixes) Find(u *url.URL) (string, error) {
	found := p.longest(u.EscapedPath())
	for _, reading := range []string{u.Path, clean(u.Path), clean(u.EscapedPath())} {
		if p.longest(reading) != found {
			return "", ErrPath
		}
	}
	if found != "" && dotted(u.Path) {
		return "", ErrPath
	}
	return found, nil
}

func (p Prefixes) longest(s string) (found string) {
	for _, prefix := range p {
		if len(prefix) > len(found) && strings.HasPrefix(s, prefix) {
			found = prefix
		}
	}
	return found
}

// clean is what http.ServeMux, like many, makes of a path; the slash at the end stays.
func clean(s string) string {
	c := path.Clean("/" + s)
	if strings.HasSuffix(s, "/") && c != "/" {
		c += "/"
	}
	return c
}

// dotted reports whether a path has a segment . or .. in it. Some take a backslash for a slash.
func dotted(s string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == '\\' }), func(part string) bool { return part == "." || part == ".." })
}

// ValidPrefix reports whether a route may have a prefix: it begins and ends with a slash, and in between are segments of unreserved
// characters, so that there is one way alone to write it.
func ValidPrefix(prefix string) bool {
	parts := strings.Split(prefix, "/")
	if len(parts) < 3 || parts[0] != "" || parts[len(parts)-1] != "" {
		return false
	}
	return !slices.ContainsFunc(parts[1:len(parts)-1], func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
		})
	})
}
