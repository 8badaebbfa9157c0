package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"plenum.internal/gateway/internal/catalog"
)

// What users made is served on isolated routes. A browser that opens it must not take it for a page of the application's: it is put into
// a sandbox, without scripts and without an origin, sees no cookie and sets none. Where Config.ContentOrigin names an origin it comes
// from there alone, and nothing else does.

// atContent reports whether a request came for the content's origin.
func (g *Gateway) atContent(r *http.Request) bool {
	return g.content != nil && strings.EqualFold(hostOf(g.content), hostOf(&url.URL{Scheme: g.content.Scheme, Host: r.Host}))
}

// hostOf is a host with its port, unless that is the scheme's own.
func hostOf(u *url.URL) string {
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		return strings.TrimSuffix(u.Host, port)
	}
	return u.Host
}

// serveContent is ServeHTTP at the content's origin.
func (g *Gateway) serveContent(w http.ResponseWriter, r *http.Request) {
	route, _ := g.catalog().Route(r.URL) // none where there is a fault
	switch {
	case r.URL.Path == pathLive:
		plain(w, http.StatusOK, "alive")
	case !g.isReady():
		w.Header().Set("Retry-After", "1")
		plain(w, http.StatusServiceUnavailable, "starting")
	case route != nil && route.Isolated:
		g.serveRoute(w, r, route)
	default:
		http.NotFound(w, r)
	}
}

// isolate sets the headers of an isolated route, over those of secure.
func isolate(h http.Header, route *catalog.Route, g *Gateway) {
	if !route.Isolated {
		return
	}
	frames := strings.Join(append([]string{"'self'"}, g.cfg.Origins...), " ") // who may show it
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors "+frames)
	h.Del("X-Frame-Options") // knows no list; frame-ancestors says it
	if g.content != nil {
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // the application's pages show it, from their origin
	}
}
