package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"plenum.internal/gateway/internal/door"
	"plenum.internal/gateway/internal/limit"
)

// Paths of the edge; "/<package.Service>/<Method>" are calls, prefixes are the services' routes, and all else is the web application's.
const (
	pathEdge      = "/edge/"
	pathWebSocket = "/edge/v1/ws"
	pathEvents    = "/edge/v1/sse"
	pathPoll      = "/edge/v1/poll"
	pathLive      = "/livez"
	pathReady     = "/readyz"
)

const (
	headerBytes = 16 << 10
	headerTime  = 5 * time.Second
	requestTime = 30 * time.Second
	answerTime  = 75 * time.Second // longer than the longest call
	idleTime    = 30 * time.Second
	streams     = 100 // requests at the same time on a connection of HTTP/2
	// streamWindow is how much of a request's body waits there until somebody reads it, in bytes: as much as in the mesh behind it. One
	// upload then passes at 2.6 MB/s where an answer takes 100 ms; with more of them at the same time there is more of that.
	streamWindow = 256 << 10
	// connectionWindow is how much of all of them does. Sixteen uploads that nobody reads hold up none of the calls beside them; with Go's own,
	// which is no more than that of one, a single one would.
	connectionWindow = 4 << 20

	probeAfter     = 30 * time.Second // of silence on one
	probeTime      = 10 * time.Second
	stuckTime      = 15 * time.Second // in which it takes nothing
	refuseTime     = time.Second      // for the answer to a request too many
	corsAge        = "600"
	allowedHeaders = "Authorization, Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, Last-Event-ID, Plenum-Client-Id, Plenum-Client-Seq"
)

func (g *Gateway) newServer(d *door.Door) *http.Server {
	server := &http.Server{
		Handler: g, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: g.httpLog(), ConnState: d.Changed, ConnContext: withVisit,
		// The times above are for requests: a connection of HTTP/2 whose client is gone, or takes nothing, needs its own.
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams, SendPingTimeout: probeAfter, PingTimeout: probeTime, WriteByteTimeout: stuckTime,
			MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connectionWindow,
		},
	}
	if g.certificate != nil {
		server.TLSConfig = g.certificate.config()
	}
	return server
}

// ServeHTTP implements http.Handler: everything that clients see.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content := g.atContent(r)
	if !content && r.URL.Path == pathWebSocket && g.isReady() {
		g.serveWebSocket(w, r) // an upgrade has no content that the headers below would speak of
		return
	}
	secure(w.Header(), g.encrypted(r))
	if len(r.TransferEncoding) > 0 { // perhaps with a Content-Length beside it: a proxy that goes by that sees the next request elsewhere (RFC 9112 6.1)
		closeAfter(w, r)
	}
	leave, ok := g.admitRequest(w, r)
	if !ok {
		return
	}
	defer leave()
	if content {
		g.serveContent(w, r)
	} else {
		g.serveApplication(w, r, leave)
	}
	if r.ProtoMajor > 1 { // what the client doesn't take yet would be waited for behind this, and counted nowhere
		_ = http.NewResponseController(w).Flush() // not where an answer was broken off: that would give it a head
	}
}

// serveApplication is ServeHTTP but at the content's origin; leave has the request leave the count.
func (g *Gateway) serveApplication(w http.ResponseWriter, r *http.Request, leave func()) {
	route, fault := g.catalog().Route(r.URL)
	call := g.isCall(r)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	edge := call || r.URL.Path == pathWebSocket || r.URL.Path == pathEvents || r.URL.Path == pathPoll || route != nil || !reads // which a route may be for
	switch {
	case edge && !g.isReady():
		// Before the services are learned, what they offer would be refused for good: "no such method".
		w.Header().Set("Retry-After", "1")
		plain(w, http.StatusServiceUnavailable, "starting")
	case r.URL.Path == pathLive:
		plain(w, http.StatusOK, "alive")
	case r.URL.Path == pathReady:
		if g.isReady() && !g.draining.Load() {
			plain(w, http.StatusOK, "ready")
			return
		}
		plain(w, http.StatusServiceUnavailable, "not ready")
	case fault != nil:
		connectError(w, fault)
	case route != nil:
		g.serveRoute(w, r, route)
	case call:
		if g.cors(w, r) {
			g.serveCall(w, r)
		}
	case r.URL.Path == pathEvents:
		if g.cors(w, r) {
			g.serveEvents(w, r, leave)
		}
	case r.URL.Path == pathPoll:
		if g.cors(w, r) {
			g.servePoll(w, r, leave)
		}
	case g.site != nil && reads && !strings.HasPrefix(r.URL.Path, pathEdge):
		g.site.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// admitRequest counts a request in until it has left, or has become a session, or answers that there are too many.
func (g *Gateway) admitRequest(w http.ResponseWriter, r *http.Request) (leave func(), ok bool) {
	if r.ProtoMajor == 1 && (r.URL.Path == pathLive || r.URL.Path == pathReady) {
		return func() {}, true // who watches the gateway, and has a connection for it, would take it for dead
	}
	from := prefix(g.address(r))
	if g.requests.Enter(from) != limit.Entered {
		g.metrics.requestsRefused.Inc()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(refuseTime)) // nobody counts who takes no answer
		connectError(w, errRequests)
		return nil, false
	}
	return sync.OnceFunc(func() { g.requests.Leave(from) }), true
}

func (g *Gateway) isReady() bool {
	select {
	case <-g.ready:
		return true
	default:
		return false
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// isCall recognises /<package.Service>/<Method>: the first part has a dot, and there are two. A page may have such a path, too: what
// only asks for one is a call where there is such a service, to be told that calls are made by POST.
func (g *Gateway) isCall(r *http.Request) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !ok || !strings.Contains(service, ".") || method == "" || strings.ContainsAny(method, "/.") {
		return false
	}
	return r.Method != http.MethodGet && r.Method != http.MethodHead || g.catalog().Offers(service)
}

// policy is what the application's page may do: run the scripts that it came with, and talk to where it came from. No origin is named, as 'self'
// is also its WebSocket in every browser that can run the application. Text becomes HTML or a script's address through the application's two Trusted
// Types alone (web/app/src/trusted.ts). Answers that are no pages have it, too, and do nothing at all.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; " +
	"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types plenum default"

// secure sets what every answer carries.
func secure(h http.Header, encrypted bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=()")
	h.Set("Content-Security-Policy", policy)
	if encrypted {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// cors answers preflights and admits pages of other origins; it reports whether the request goes on.
func (g *Gateway) cors(w http.ResponseWriter, r *http.Request) bool {
	if !g.admitsOrigin(w, r) {
		return false
	}
	if r.Method != http.MethodOptions {
		return true
	}
	preflight(w, "GET, POST", allowedHeaders)
	return false
}

// admitsOrigin refuses pages of origins that are not admitted, and lets the others read the answer.
func (g *Gateway) admitsOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin != "" {
		if !g.originAllowed(r) {
			g.refuseOrigin(w, r)
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	return true
}

// preflight tells a browser what its page may send.
func preflight(w http.ResponseWriter, methods, headers string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", corsAge)
	w.WriteHeader(http.StatusNoContent)
}

// address is the client's: the last one of X-Forwarded-For that is no proxy of ours, if the request comes through one.
func (g *Gateway) address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a pipe in a test
	}
	a := ap.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && g.isProxy(a); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		a = hop
	}
	return a
}

// parseHop reads an address of X-Forwarded-For; some proxies add the port.
func parseHop(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), err == nil
}

// country is where a request comes from, as the proxy that it comes through says: two letters of ISO 3166-1, or nothing. It is never logged.
func (g *Gateway) country(r *http.Request) string {
	if g.cfg.CountryHeader == "" {
		return ""
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	said := r.Header.Values(g.cfg.CountryHeader)
	if err != nil || !g.isProxy(ap.Addr().Unmap()) || len(said) != 1 { // of two one may be the client's own
		return ""
	}
	c := said[0]
	if len(c) != 2 || strings.ContainsFunc(c, func(x rune) bool { return x < 'A' || x > 'Z' }) || c == "XX" { // XX is what proxies say who don't know
		return ""
	}
	return c
}

func (g *Gateway) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// household is what a connection's address counts as: itself, of IPv6 its /64; nothing where it is a proxy's, who stands for many.
func (g *Gateway) household(remote net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil || g.isProxy(ap.Addr().Unmap()) {
		return netip.Addr{}
	}
	return prefix(ap.Addr())
}

// encrypted reports whether the client reached us, or our proxy, by TLS.
func (g *Gateway) encrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && g.isProxy(ap.Addr().Unmap()) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
