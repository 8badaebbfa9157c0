package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/door"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Redeemer gives an access token for a ticket: authv1.AuthServiceClient.
type Redeemer interface {
	Redeem(ctx context.Context, q *authv1.RedeemRequest, opts ...grpc.CallOption) (*authv1.RedeemResponse, error)
}

// What is wrong with a request for a stream or a poll; told with a status, for there is no stream yet.
var (
	errTicket    = rpc.Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "edge.TICKET", "The ticket was refused. Get one by GetTicket, and sign in if that is refused.").On("ticket")
	errInURL     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.TOKEN_IN_URL", "A token never stands in a URL, which is logged on its way. Send it in the header Authorization: Bearer, or use a ticket.")
	errParameter = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.PARAMETER", "GET takes the parameters want, ticket, session and last_event_id, a poll takes wait. Each want is a topic's name, or the JSON of a Want.")
)

// serveEvents serves a session as server-sent events: by POST with the client's message, as fetch does it, or by GET with all in the URL, as
// EventSource does.
func (g *Gateway) serveEvents(w http.ResponseWriter, r *http.Request, leave func()) {
	h := w.Header()
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx and those who took it over
	address := g.address(r)
	var t *stream
	token, ticket := bearer(r), ""
	switch r.Method {
	case http.MethodPost:
		kind, ok := accepts(w, r)
		if !ok {
			return
		}
		if _, err := parameters(r.URL.RawQuery); err != nil {
			connectError(w, err)
			return
		}
		t = newStream(w, r, r.Body, messageTypes[kind], false)
	case http.MethodGet:
		message, query, err := fromURL(r.URL.RawQuery)
		if err == nil {
			if _, fault := g.decode(wire.JSON, message); fault != nil { // told here, it stops the browser, which else came back with it for ever
				err = badWant(fault)
			}
		}
		if err != nil {
			connectError(w, err)
			return
		}
		t = newStream(w, r, bytes.NewReader(message), wire.JSON, false)
		if id := query.Get("last_event_id"); t.lastID == "" {
			t.lastID = id
		}
		if ticket = query.Get("ticket"); ticket == "" && token == "" {
			connectError(w, errToken)
			return
		}
		t.ticket = ticket != ""
	default:
		notAllowed(w, "GET, POST")
		return
	}
	h.Set("Content-Type", "text/event-stream")
	t.ends = g.alarms.now() + g.cfg.StreamLife
	if !g.enters(t, address) { // before identity is asked
		return
	}
	if t.ticket {
		var err error
		if token, err = g.redeem(r.Context(), ticket, address); err != nil {
			g.unseat(address)
			if isTransient(err) { // a browser doesn't come back after a status
				t.refuse(errUnchecked, g)
				return
			}
			connectError(w, err)
			return
		}
	}
	g.serveStream(r, t, token, address, leave)
}

// enters counts a stream in among the sessions, or tells its client why there can't be one.
func (g *Gateway) enters(t *stream, address netip.Addr) bool {
	refuse := g.refusesNew(address)
	if refuse != nil {
		t.refuse(refuse, g)
	}
	return refuse == nil
}

// serveStream serves a session that enters has counted in as the answer to its request, which leaves the count of requests then.
func (g *Gateway) serveStream(r *http.Request, t *stream, token string, address netip.Addr, leave func()) {
	leave()
	if visit, ok := r.Context().Value(visitKey{}).(*door.Visit); ok {
		defer visit.Carry()()
	}
	if token != "" {
		if _, err := g.verify(r.Context(), token); err == nil {
			t.limit = int(g.cfg.Limits.MessageBytes)
		}
	}
	g.begin(g.newSession(t, t.enc, address, token, r.UserAgent(), g.country(r)))
	t.wait()
}

// messageTypes are the media types of messages; in JSON each frame is a line.
var messageTypes = map[string]wire.Encoding{"application/json": wire.JSON, "application/x-ndjson": wire.JSON, "application/proto": wire.Proto}

// accepts tells whether the request's message can be read, and as what, or answers that it can't.
func accepts(w http.ResponseWriter, r *http.Request) (kind string, ok bool) {
	kind, _, _ = mime.ParseMediaType(r.Header.Get("Content-Type"))
	if _, ok = messageTypes[kind]; !ok {
		w.Header().Set("Accept-Post", strings.Join(slices.Sorted(maps.Keys(messageTypes)), ", "))
		http.Error(w, "unsupported media type", http.StatusUnsupportedMediaType)
		return "", false
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		connectError(w, errEncoding)
		return "", false
	}
	return kind, true
}

func notAllowed(w http.ResponseWriter, methods string) {
	w.Header().Set("Allow", methods)
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

// fromURL makes the client's message of what stands in a URL. It follows topics and can do nothing else.
func fromURL(raw string) (message []byte, query url.Values, err error) {
	if query, err = parameters(raw, "want", "ticket", "session", "last_event_id"); err != nil {
		return nil, nil, err
	}
	if len(query["want"]) > maxAnswered {
		return nil, nil, errParameter.On("want")
	}
	wants := make([]json.RawMessage, 0, len(query["want"]))
	for _, v := range query["want"] {
		if !strings.HasPrefix(v, "{") {
			name, err := json.Marshal(map[string]string{"topic": v})
			if err != nil {
				return nil, nil, errParameter.On("want")
			}
			wants = append(wants, name)
			continue
		}
		if !json.Valid([]byte(v)) {
			return nil, nil, errParameter.On("want")
		}
		wants = append(wants, json.RawMessage(v))
	}
	frames := []any{map[string]any{"hello": map[string]string{"sessionId": query.Get("session"), "agent": "EventSource"}}}
	if len(wants) > 0 {
		frames = append(frames, map[string]any{"subscribe": map[string]any{"id": 1, "wants": wants}})
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b) // one value a line, compact
	for _, f := range frames {
		if err := lines.Encode(f); err != nil {
			return nil, nil, errParameter
		}
	}
	return b.Bytes(), query, nil
}

// parameters reads a query that may have these parameters alone.
func parameters(raw string, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errParameter
	}
	for name := range query {
		switch {
		case slices.Contains(names, name):
		case name == "token", name == "access_token", name == "authorization", name == "ticket":
			return nil, errInURL
		default:
			return nil, errParameter.On(name)
		}
	}
	return query, nil
}

// redeem has identity look at a ticket. The token that it gives stays here: with it the topics are opened, and nothing else is done.
func (g *Gateway) redeem(ctx context.Context, ticket string, address netip.Addr) (token string, err error) {
	if g.deps.Tickets == nil {
		return "", errTicket
	}
	if err := g.takeAddress(address, "sign-in", g.cfg.SignIn, 1); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	if address.IsValid() {
		ctx = rpc.WithClientAddress(ctx, address)
	}
	res, err := g.deps.Tickets.Redeem(ctx, &authv1.RedeemRequest{Ticket: ticket})
	switch {
	case err == nil:
		return res.GetAccessToken(), nil
	case isTransient(err):
		return "", err
	}
	g.deps.Refusals.Ticket(address)
	if rpc.CodeOf(err) == edgev1.Code_CODE_SESSION_REVOKED {
		return "", errSessionRevoked
	}
	return "", errTicket.Because(err)
}
