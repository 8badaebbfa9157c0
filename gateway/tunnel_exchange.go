package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"plenum.internal/gateway/internal/catalog"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
)

const (
	// progressTime is how long a client may take to send progressBytes of a body, or to take a chunk of one.
	progressTime  = 30 * time.Second
	progressBytes = 4 << 10
	// serviceTime is how long a service may take to ask for the body, to take a chunk of it, and to answer once it has all.
	serviceTime = 60 * time.Second
	// quietTime is how long nothing may pass, in either direction. Of who has gone without a word nothing else tells: of a body that is not
	// read not even the end is seen.
	quietTime = 10 * time.Minute
)

// chunks are what bodies are read into.
var chunks = sync.Pool{New: func() any { return new([rpc.HTTPChunk]byte) }}

// exchange is one request and its response on their way. Its own goroutine, the HTTP server's, brings the response to the client; a
// second one brings the body to the service. Each has one chunk in its hands: who is slow is waited for.
//
// Invariant: a response that did not come to its end aborts the client's connection.
type exchange struct {
	g       *Gateway
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	route   *catalog.Route
	visitor visitor
	stream  httpv1.HttpService_ExchangeClient
	cancel  context.CancelCauseFunc

	asked     chan struct{} // closed when the service asks for the body
	isAsked   bool          // of the response's goroutine
	sent      chan struct{} // closed when the body's goroutine has ended
	read      atomic.Bool   // the whole body; true where there is none
	answering bool          // the head is written
	status    int           // that it has
	left      int64         // of the length that the response may have; below 0: any

	reading, writing stall // waiting for the client to send, to take
	serving, taking  stall // for the service to ask or to answer, to take
	quiet            stall // for anybody
	patience         time.Duration
	progress         int // bytes
}

var (
	// errLeft ends an exchange whose client has gone, or takes nothing.
	errLeft = errors.New("the client has left")
	// errQuiet ends one in which nothing has passed for quietTime.
	errQuiet = errors.New("nothing came from either side")
	// errStopped ends one that takes longer than the gateway drains. Its service may have done what it was asked for.
	errStopped = errNoAnswer.Because(errors.New("the gateway stops"))
)

func newExchange(g *Gateway, w http.ResponseWriter, r *http.Request, route *catalog.Route, v visitor) *exchange {
	x := &exchange{
		g: g, w: w, r: r, control: http.NewResponseController(w), route: route, visitor: v,
		asked: make(chan struct{}), sent: make(chan struct{}), left: -1, patience: progressTime,
	}
	x.read.Store(r.ContentLength == 0)
	x.reading.act = func() { _ = x.control.SetReadDeadline(time.Unix(1, 0)) }
	x.writing.act = func() { _ = x.control.SetWriteDeadline(time.Unix(1, 0)) }
	x.serving.act = func() { x.cancel(errNoAnswer) }
	x.taking.act = x.serving.act
	x.quiet.act = func() { x.cancel(errQuiet) }
	return x
}

// run serves the request, and returns the status of the answer. It panics with http.ErrAbortHandler where the client must not take what
// it got for an answer.
func (x *exchange) run() (status int) {
	_ = x.control.EnableFullDuplex()           // HTTP/2 always is
	_ = x.control.SetReadDeadline(time.Time{}) // bodies may take hours, as long as they make progress
	_ = x.control.SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithCancelCause(x.r.Context())
	x.cancel = cancel
	defer cancel(nil)
	stop := context.AfterFunc(x.g.exchanges.over, func() { cancel(errStopped) })
	defer stop()
	defer x.g.exchanges.unfollow(x)

	x.serving.start(serviceTime)
	x.quiet.start(quietTime)
	err := x.open(ctx)
	if err == nil {
		go x.sendBody(ctx)
		err = x.answer(ctx)
	} else {
		close(x.sent)
	}
	for _, s := range []*stall{&x.writing, &x.serving, &x.taking, &x.quiet} {
		s.end()
	}
	_ = x.control.SetWriteDeadline(time.Now().Add(progressTime)) // of all that is still to be written, here and by the HTTP server
	if err != nil {
		err = x.reason(ctx, err)
	}
	cut := err != nil && (x.answering || errors.Is(err, errLeft) || rpc.FromError(err).GetReason() == rpc.ReasonAborted)
	x.endBody(cut)
	if err != nil {
		x.note(err)
	}
	switch {
	case cut:
		panic(http.ErrAbortHandler)
	case err != nil:
		var told error
		x.status, told = failure(err)
		refuseRequest(x.w, x.r, x.status, told)
	}
	if !x.read.Load() && (x.isAsked || !waits(x.r)) {
		linger(x.w, x.r, math.MaxInt64)
	}
	return x.status
}

// open begins the stream, with the head of the request.
func (x *exchange) open(ctx context.Context) error {
	cc, err := x.g.deps.Services.Bulk(x.route.Service, x.visitor.key())
	if err != nil {
		return away.Because(err)
	}
	if token := x.visitor.caller.Token; token != "" {
		x.g.exchanges.follow(x)
		if _, err := x.g.verify(ctx, token); err != nil { // once more: what was revoked before nobody tells us again
			return refusal(err)
		}
		ctx = rpc.WithToken(ctx, token)
	}
	head := x.head()
	if x.visitor.address.IsValid() {
		ctx = rpc.WithClientAddress(ctx, x.visitor.address)
		head.RemoteAddress = x.visitor.address.String()
	}
	if x.stream, err = httpv1.NewHttpServiceClient(cc).Exchange(ctx, rpc.HTTPCodec()); err != nil {
		return err //nolint:wrapcheck // gRPC's, told apart in failure
	}
	if err := x.stream.Send(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Head{Head: head}}); !errors.Is(err, io.EOF) {
		return err //nolint:wrapcheck // likewise; EOF: what happened is for Recv to say
	}
	return nil
}

func (x *exchange) head() *httpv1.RequestHead {
	h := passedOn(x.r.Header, x.route.Isolated)
	scheme := "http"
	if x.g.encrypted(x.r) {
		scheme = "https"
	}
	h["X-Forwarded-Proto"], h["X-Forwarded-Host"] = []string{scheme}, []string{x.r.Host}
	if x.visitor.address.IsValid() {
		h["X-Forwarded-For"] = []string{x.visitor.address.String()}
	}
	for name := range passedBehind(x.r.Trailer, x.r.Header, x.route.Isolated) { // announced, and without values yet
		h.Add("Trailer", name)
	}
	return &httpv1.RequestHead{
		Method: x.r.Method, Target: x.r.RequestURI, Host: x.r.Host, Headers: rpc.ToHTTPHeaders(h), ContentLength: x.r.ContentLength,
	}
}

// sendBody is the body's goroutine.
func (x *exchange) sendBody(ctx context.Context) {
	defer close(x.sent)
	if x.r.ContentLength == 0 {
		_ = x.stream.CloseSend() // never fails
		return
	}
	select {
	case <-x.asked:
	case <-ctx.Done():
		return
	}
	chunk, _ := chunks.Get().(*[rpc.HTTPChunk]byte)
	defer chunks.Put(chunk)
	part := &httpv1.ExchangeRequest_Chunk{}
	for {
		n, err := x.receive(chunk[:])
		if n > 0 {
			part.Chunk = chunk[:n] // encoded before Send returns
			if x.give(&httpv1.ExchangeRequest{Part: part}) != nil {
				return // the response says why
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			x.read.Store(true)
			x.serving.start(serviceTime)
			if t := passedBehind(x.r.Trailer, x.r.Header, x.route.Isolated); len(t) > 0 {
				_ = x.give(&httpv1.ExchangeRequest{Part: &httpv1.ExchangeRequest_Trailer{Trailer: &httpv1.Trailer{Headers: rpc.ToHTTPHeaders(t)}}})
			}
			_ = x.stream.CloseSend() // never fails
			return
		case err != nil:
			x.cancel(errLeft) // or is too slow, as reason finds
			return
		}
	}
}

// give sends a part to the service, which has to take it also behind its own head.
func (x *exchange) give(m *httpv1.ExchangeRequest) error {
	x.taking.start(serviceTime)
	defer x.taking.stop()
	return x.stream.Send(m) //nolint:wrapcheck // gRPC's
}

// receive reads what has come of the body. A client that sends a little now and then has spent its patience in the end.
func (x *exchange) receive(p []byte) (int, error) {
	begin := time.Now()
	x.reading.start(x.patience)
	n, err := x.r.Body.Read(p)
	x.reading.stop()
	x.patience -= time.Since(begin)
	if n > 0 {
		x.quiet.start(quietTime)
	}
	if x.progress += n; x.progress >= progressBytes {
		x.progress, x.patience = 0, progressTime
	}
	x.g.metrics.exchangeBytes.WithLabelValues("in").Add(float64(n))
	return n, err //nolint:wrapcheck // looked at at once
}

// answer brings the response to the client. nil: all of it was written. Once the exchange is ended nothing more is, whatever has come.
func (x *exchange) answer(ctx context.Context) error {
	m := new(httpv1.ExchangeResponse)
	part := &rpc.HTTPPart{Message: m}
	part.Buffer, _ = chunks.Get().(*[rpc.HTTPChunk]byte)
	defer chunks.Put(part.Buffer)
	for {
		err := x.stream.RecvMsg(part)
		switch {
		case errors.Is(err, io.EOF) && x.answering && x.left <= 0:
			return nil
		case errors.Is(err, io.EOF):
			return errLost.Because(errors.New("the service's answer is shorter than it said"))
		case status.Code(err) == codes.Canceled && ctx.Err() == nil:
			return errLost.Because(fmt.Errorf("the service has given it up, as where it stops: %w", err))
		case err != nil:
			return err //nolint:wrapcheck // gRPC's, told apart in failure
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		x.quiet.start(quietTime)
		switch {
		case part.Chunk != nil:
			err = x.write(part.Chunk)
		case m.GetHead() != nil:
			err = x.writeHead(m.GetHead())
		case m.GetTrailer() != nil:
			err = x.writeTrailer(m.GetTrailer())
		default:
			err = errLost.Because(errors.New("the service sent what is no part of a response"))
		}
		if err != nil {
			return err
		}
	}
}

func (x *exchange) writeHead(head *httpv1.ResponseHead) error {
	from, fits := headerOf(head.GetHeaders(), maxAnswerHead)
	s := int(head.GetStatus())
	switch {
	case !fits, x.answering, s < 100, s == http.StatusSwitchingProtocols, s > 599:
		return errLost.Because(errors.New("the service's head is none: too long, a second one, or with a status that can't be"))
	case s == http.StatusContinue:
		x.ask()
		return nil
	case s < 200:
		x.inform(s, from)
		return nil
	}
	x.serving.end()
	h := x.w.Header()
	answered(h, from, x.route.Isolated)
	for _, name := range announced(from) {
		h.Add("Trailer", name)
	}
	if _, said := h["Content-Type"]; !said {
		h["Content-Type"] = nil // the service knows; nobody is to guess
	}
	if x.route.Isolated && x.g.content == nil && h["Content-Disposition"] == nil {
		h.Set("Content-Disposition", "attachment") // a page of the application's origin it must not become; images are shown all the same
	}
	x.left = mostBytes(x.r.Method, s, from)
	if x.r.ContentLength != 0 && !x.read.Load() {
		closeAfter(x.w, x.r)
	}
	x.answering, x.status = true, s
	x.w.WriteHeader(s)
	return nil
}

// mostBytes is how long a response's body is to be; -1: as long as it likes, or it is thrown away anyway.
func mostBytes(method string, status int, h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	switch {
	case status == http.StatusNoContent, status == http.StatusNotModified:
		return 0
	case method == http.MethodHead, err != nil, n < 0:
		return -1
	}
	return n
}

// ask has the body sent that the service asks for.
func (x *exchange) ask() {
	if x.isAsked || x.r.ContentLength == 0 {
		return
	}
	x.isAsked = true
	x.serving.stop()
	if x.r.ProtoMajor == 1 && waits(x.r) {
		x.inform(http.StatusContinue, nil) // the HTTP server's own comes with the first read: into the midst of what is written here
	}
	close(x.asked)
}

// inform passes on an informational response, whose header is its own.
func (x *exchange) inform(status int, from http.Header) {
	x.writing.start(progressTime)
	defer x.writing.stop()
	h := x.w.Header()
	kept := maps.Clone(h)
	clear(h)
	answered(h, from, x.route.Isolated)
	x.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, kept)
}

// write passes a chunk on. One that is short is all that there is for now.
func (x *exchange) write(chunk []byte) error {
	switch {
	case !x.answering:
		return errLost.Because(errors.New("the service's body came before its head"))
	case x.left >= 0 && int64(len(chunk)) > x.left:
		return errLost.Because(errors.New("the service's body is longer than it said, or its status has none"))
	}
	x.writing.start(progressTime)
	defer x.writing.stop()
	if len(chunk) > 0 {
		n, err := x.w.Write(chunk)
		x.g.metrics.exchangeBytes.WithLabelValues("out").Add(float64(n))
		if err != nil {
			return errLeft
		}
		x.left -= int64(n)
	}
	if len(chunk) < rpc.HTTPChunk && (x.left != 0 || len(chunk) == 0) && x.control.Flush() != nil { // the last one goes out with the end
		return errLeft
	}
	return nil
}

func (x *exchange) writeTrailer(t *httpv1.Trailer) error {
	from, fits := headerOf(t.GetHeaders(), maxAnswerTrailer)
	if !fits || !x.answering {
		return errLost.Because(errors.New("the service's trailer is too long, or comes before its head"))
	}
	for name, values := range trailing(from) {
		x.w.Header()[http.TrailerPrefix+name] = values
	}
	return nil
}

// reason is why an exchange has come to a bad end: who cancelled the stream knows better than the stream.
func (x *exchange) reason(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case x.reading.hasRung():
		return errSlowBody
	case cause == nil:
		return err
	case errors.Is(cause, context.Canceled): // the request's own context has ended
		return errLeft
	}
	return cause
}

// note logs what is a fault of ours; what clients bring about themselves is told in debug lines.
func (x *exchange) note(err error) {
	level := slog.LevelDebug
	switch rpc.CodeOf(err) { //nolint:exhaustive // the others are answers
	case edgev1.Code_CODE_INTERNAL, edgev1.Code_CODE_UNAVAILABLE, edgev1.Code_CODE_OUTCOME_UNKNOWN:
		level = slog.LevelWarn
	}
	if errors.Is(err, errQuiet) {
		level = slog.LevelDebug
	}
	if !errors.Is(err, errLeft) && !errors.Is(err, errSlowBody) {
		x.g.log.Log(context.Background(), level, "a request was not answered to its end", "route", x.route.Prefix, "service", x.route.Service, "answered", x.answering, "error", err)
	}
}

// failure is what a client is told of a request that was refused, or that its service has not answered.
func failure(err error) (int, error) {
	e := rpc.FromError(err)
	switch {
	case errors.Is(err, errHTTP):
		return http.StatusMethodNotAllowed, err
	case errors.Is(err, errProtocol):
		return http.StatusHTTPVersionNotSupported, err
	case errors.Is(err, errSlowBody):
		return http.StatusRequestTimeout, err
	case e.GetReason() == errLost.Reason, status.Code(err) == codes.Unavailable && e.GetCode() == edgev1.Code_CODE_OUTCOME_UNKNOWN:
		return http.StatusBadGateway, errLost
	}
	return connectCode(err), err
}

// endBody waits for the body's goroutine to end. Where the answer is written it may read on for a moment, as in linger.
func (x *exchange) endBody(cut bool) {
	if !x.read.Load() {
		x.reading.end()
		end := time.Unix(1, 0)
		if x.answering && !cut && x.r.ProtoMajor == 1 {
			_ = x.control.Flush()
			end = time.Now().Add(lingerTime)
		}
		_ = x.control.SetReadDeadline(end) // what waits in a read comes to its end
	}
	x.cancel(nil)
	<-x.sent
}
