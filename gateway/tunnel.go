package gateway

import (
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// routeMethods are those of HTTP that services are sent.
var routeMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// maxAskedHeaders is what a preflight may ask for, in bytes.
const maxAskedHeaders = 1 << 10

// visitor is who sends a request of a route.
type visitor struct {
	caller  auth.Caller // zero: without a token
	address netip.Addr
	holder  intake.Holder
}

// serveRoute passes a request on to the service whose route it is, once it is known who asks and that they may ask now.
func (g *Gateway) serveRoute(w http.ResponseWriter, r *http.Request, route *catalog.Route) {
	isolate(w.Header(), route, g)
	if !g.admitsOrigin(w, r) {
		return
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		asked := r.Header.Get("Access-Control-Request-Headers")
		if len(asked) > maxAskedHeaders {
			asked = ""
		}
		preflight(w, strings.Join(routeMethods, ", "), asked) // the page is admitted: it may send what it likes
		return
	}
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Expose-Headers", "*")
	}
	v, err := g.visitor(r, route)
	if err != nil {
		s, told := failure(err)
		g.refuseRequest(w, r, s, told)
		readOut(w, r, false)
		return
	}
	g.metrics.exchanging.Inc()
	defer func() {
		g.metrics.exchanging.Dec()
		g.exchanges.leave(v.holder)
	}()
	newExchange(g, w, r, route, v).run()
}

// visitor admits a request: it is one that can be passed on, its token is good, its sender keeps to the limits. Then it is counted in.
func (g *Gateway) visitor(r *http.Request, route *catalog.Route) (v visitor, err error) {
	upgrade := r.Header.Get("Upgrade")
	switch {
	case route.Isolated && g.content != nil && !g.atContent(r):
		return v, errRoute
	case upgrade != "" && !strings.EqualFold(upgrade, "h2c"): // that is an offer, which may be left alone
		return v, errUpgrade
	case !slices.Contains(routeMethods, r.Method):
		return v, errHTTP
	case !utf8.ValidString(r.RequestURI) || !utf8.ValidString(r.Host):
		return v, errTarget
	}
	v.address = g.address(r)
	v.holder = intake.Stranger(prefix(v.address))
	token, share := bearer(r), strangerExchanges
	if token == "" && !route.Public {
		return v, errToken
	}
	if token == "" || route.Rate == edgev1.RateClass_RATE_CLASS_SIGN_IN {
		if err := g.admitAddress(v.address, route.Terms); err != nil {
			return v, err
		}
	}
	if token != "" {
		if v.caller, err = g.verify(r.Context(), token); err != nil {
			g.deps.Refusals.Token(err, v.address)
			g.log.Debug("a request was refused", "address", v.address, "route", route.Prefix, "error", err)
			return v, refusal(err)
		}
		if err := g.takeCaller(v.caller, route.Rate, route.Cost); err != nil {
			return v, err
		}
		v.holder, share = intake.User(v.caller.Workspace, v.caller.User), userExchanges
	}
	return v, g.exchanges.enter(v.holder, share)
}

// key chooses the node: that of the user, or of the address.
func (v visitor) key() string {
	if v.caller.User == "" {
		return routeKey("", prefix(v.address).String())
	}
	return routeKey(v.caller.Workspace, v.caller.User)
}

// refuseRequest answers a request that no service sees, or that none has answered.
func (g *Gateway) refuseRequest(w http.ResponseWriter, r *http.Request, status int, err error) {
	g.metrics.exchanges.WithLabelValues(class(status)).Inc()
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", strings.Join(routeMethods, ", "))
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // answer before the body has come; HTTP/2 always does
	if r.ContentLength != 0 {
		closeAfter(w, r)
	}
	answerError(w, status, err)
}

// readOut sends the answer to a client that may still send, and throws away what comes for a moment: if the connection were closed under
// it, it could miss the answer. In HTTP/2 the stream ends alone; and who waits to be asked for the body has the answer to that.
func readOut(w http.ResponseWriter, r *http.Request, asked bool) {
	if r.ContentLength == 0 || r.ProtoMajor != 1 || r.Header.Get("Expect") != "" && !asked {
		return
	}
	c := http.NewResponseController(w)
	if c.Flush() == nil && c.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.Copy(io.Discard, r.Body) // who sends for longer may see its connection end
	}
}

// closeAfter ends the connection with this answer: what is left of the request's body is not read. In HTTP/2 the stream ends alone.
func closeAfter(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

func class(status int) string { return strconv.Itoa(status/100) + "xx" }
