package rpc

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// HTTPChunk is the longest piece of a body in HttpService, in bytes. Encoded it has 32 KiB: gRPC keeps buffers of that size, and takes one
// of 1 MiB for whatever is longer, three of which wait for each reader that is slow.
const HTTPChunk = 32<<10 - 8

// ReasonAborted is the Error.Reason of a response that its handler broke off (http.ErrAbortHandler): the client's connection is to be cut.
const ReasonAborted = "rpc.HTTP_ABORTED"

var (
	errAborted = Errorf(edgev1.Code_CODE_UNAVAILABLE, ReasonAborted, "The answer was broken off. Try again.")
	errNoRoute = Errorf(edgev1.Code_CODE_NOT_FOUND, "rpc.HTTP_ROUTE", "There is nothing at this path.")
)

// httpService serves a handler as HttpService.
type httpService struct {
	httpv1.UnimplementedHttpServiceServer
	handler  http.Handler
	prefixes Prefixes
	routes   map[string]*edgev1.HttpRoute
}

// NewHTTPService lets a service answer HTTP as an http.Handler does. owner is the gRPC service whose options name the routes,
// "plenum.files.v1.FileService"; what lies outside of them is refused, and so is what needs a user and comes without one. The handler
// finds the user by Caller, and the client's address in RemoteAddr, without a port worth the name. Allow Exchange to "gateway" alone:
// HTTPCallers is that part of the allow-list.
//
// The ResponseWriter can what the one of an HTTP/2 server can: http.ResponseController flushes it, reads of the body go on after the
// first write, informational responses and trailers are sent. It has no deadlines (the gateway cuts off who makes no progress) and can't
// be hijacked. A body that was cut off ends with io.ErrUnexpectedEOF, and the request's context with it.
func NewHTTPService(owner string, handler http.Handler) (httpv1.HttpServiceServer, error) {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(owner))
	if err != nil {
		return nil, fmt.Errorf("rpc: the routes of %s: %w", owner, err)
	}
	if _, ok := d.(protoreflect.ServiceDescriptor); !ok {
		return nil, fmt.Errorf("rpc: the routes of %s: it is no service", owner)
	}
	options, _ := proto.GetExtension(d.Options(), edgev1.E_Service).(*edgev1.ServiceEdge)
	s := &httpService{handler: handler, routes: map[string]*edgev1.HttpRoute{}}
	for _, r := range options.GetRoutes() {
		if s.routes[r.GetPrefix()] != nil || !ValidPrefix(r.GetPrefix()) || r.GetExposure() == edgev1.Exposure_EXPOSURE_UNSPECIFIED {
			return nil, fmt.Errorf("rpc: %s has the route %q twice, or it is none, or nobody is named who may use it", owner, r.GetPrefix())
		}
		s.prefixes = append(s.prefixes, r.GetPrefix())
		s.routes[r.GetPrefix()] = r
	}
	if len(s.prefixes) == 0 {
		return nil, fmt.Errorf("rpc: %s has no routes in its options", owner)
	}
	return s, nil
}

// HTTPCallers is who may call HttpService, for ServerDeps.Internal.
func HTTPCallers() map[string][]string {
	return map[string][]string{httpv1.HttpService_Exchange_FullMethodName: {"gateway"}}
}

// Exchange implements httpv1.HttpServiceServer.
func (s *httpService) Exchange(stream grpc.BidiStreamingServer[httpv1.ExchangeRequest, httpv1.ExchangeResponse]) (err error) {
	first, err := stream.Recv()
	if err != nil {
		return err //nolint:wrapcheck // gRPC's
	}
	r, err := s.request(stream.Context(), first.GetHead())
	if err != nil {
		return err
	}
	w := newHTTPWriter(stream, r.Method)
	defer w.release()
	if r.ContentLength != 0 {
		body := &httpBody{stream: stream, ask: w.ask, trailer: r.Trailer}
		defer body.end()
		r.Body = body
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // is panicked with as it is
			err = errAborted
		default:
			panic(p)
		}
	}()
	s.handler.ServeHTTP(w, r)
	return w.finish()
}

// request makes the request that a handler sees, if it is one that this service answers.
//
// Invariant: the owner of a route authorises. The gateway has looked at route and token already; nothing here depends on it.
func (s *httpService) request(ctx context.Context, head *httpv1.RequestHead) (*http.Request, error) {
	u, err := url.ParseRequestURI(head.GetTarget())
	if err != nil {
		return nil, malformed.Because(err)
	}
	prefix, err := s.prefixes.Find(u)
	if err != nil {
		return nil, err
	}
	route := s.routes[prefix]
	if route == nil {
		return nil, errNoRoute
	}
	if _, known := auth.FromContext(ctx); !known && route.GetExposure() != edgev1.Exposure_EXPOSURE_PUBLIC {
		return nil, refused
	}
	r := &http.Request{
		Method: head.GetMethod(), URL: u, RequestURI: head.GetTarget(), Host: head.GetHost(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: FromHTTPHeaders(head.GetHeaders()), ContentLength: head.GetContentLength(), Body: http.NoBody,
	}
	if a := head.GetRemoteAddress(); a != "" {
		r.RemoteAddr = net.JoinHostPort(a, "0")
	}
	for _, name := range tokens(r.Header["Trailer"]) {
		if r.Trailer == nil {
			r.Trailer = http.Header{}
		}
		r.Trailer[http.CanonicalHeaderKey(name)] = nil
	}
	delete(r.Header, "Trailer")
	return r.WithContext(ctx), nil
}

// ToHTTPHeaders writes header lines for HttpService, in order within a name.
func ToHTTPHeaders(h http.Header) []*httpv1.Header {
	out := make([]*httpv1.Header, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			out = append(out, &httpv1.Header{Name: name, Value: []byte(v)})
		}
	}
	return out
}

// FromHTTPHeaders reads them, their names in canonical form.
func FromHTTPHeaders(lines []*httpv1.Header) http.Header {
	h := make(http.Header, len(lines))
	for _, l := range lines {
		h.Add(l.GetName(), string(l.GetValue()))
	}
	return h
}

// tokens are the elements of a list that may stand in several lines.
func tokens(lines []string) (out []string) {
	for _, l := range lines {
		for e := range strings.SplitSeq(l, ",") {
			if e = strings.TrimSpace(e); e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}
