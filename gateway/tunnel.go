package gateway

import (
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/topic"
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

// serveRoute passes a request on to the service whose route it is, and counts what has become of it.
func (g *Gateway) serveRoute(w http.ResponseWriter, r *http.Request, route *catalog.Route) {
	outcome := "aborted" // where answerRoute panics
	defer func() { g.metrics.exchanges.WithLabelValues(outcome).Inc() }()
	outcome = class(g.answerRoute(w, r, route))
}

// answerRoute asks the service once it is known who asks and that they may ask now. It returns the status of the answer.
func (g *Gateway) answerRoute(w http.ResponseWriter, r *http.Request, route *catalog.Route) (status int) {
	isolate(w.Header(), route, g)
	if !g.admitsOrigin(w, r) {
		return http.StatusForbidden
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		asked := r.Header.Get("Access-Control-Request-Headers")
		if len(asked) > maxAskedHeaders {
			asked = ""
		}
		preflight(w, strings.Join(routeMethods, ", "), asked) // the page is admitted: it may send what it likes
		return http.StatusNoContent
	}
	if r.Header.Get("Origin") != "" {
		w.Header().Set("Access-Control-Expose-Headers", "*")
	}
	v, err := g.visitor(r, route)
	if err != nil {
		status, told := failure(err)
		refuseRequest(w, r, status, told)
		if !waits(r) { // else it has the answer to that
			linger(w, r, math.MaxInt64)
		}
		return status
	}
	g.metrics.exchanging.Inc()
	defer func() {
		g.metrics.exchanging.Dec()
		g.exchanges.leave(v.holder)
	}()
	return newExchange(g, w, r, route, v).run()
}

// visitor admits a request: it is one that can be passed on, its token is good, its sender keeps to the limits. Then it is counted in.
// While revocations can't be followed it is admitted as a call is, by a token that has not expired; when they are known again they end what
// is under way.
func (g *Gateway) visitor(r *http.Request, route *catalog.Route) (v visitor, err error) {
	upgrade := r.Header.Get("Upgrade")
	switch {
	case !r.ProtoAtLeast(1, 1): // its bodies end with the connection, so that a part would look like the whole
		return v, errProtocol
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
	if token == "" {
		if err := g.sheds("call", errShed); err != nil {
			return v, err
		}
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
		return topic.RouteKey("", prefix(v.address).String())
	}
	return topic.RouteKey(v.caller.Workspace, v.caller.User)
}

// refuseRequest answers a request that no service sees, or that none has answered.
func refuseRequest(w http.ResponseWriter, r *http.Request, status int, err error) {
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", strings.Join(routeMethods, ", "))
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // answer before the body has come; HTTP/2 always does
	if r.ContentLength != 0 {
		closeAfter(w, r)
	}
	answerError(w, status, err)
}

// waits reports whether the client waits to be asked for the body.
func waits(r *http.Request) bool { return r.Header.Get("Expect") != "" && r.ContentLength != 0 }

// closeAfter ends the connection with this answer: what is left of the request's body is not read. In HTTP/2 the stream ends alone.
func closeAfter(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

func class(status int) string { return strconv.Itoa(status/100) + "xx" }
