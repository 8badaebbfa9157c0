package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// serveCall answers a unary call in the form of the Connect protocol (https://connectrpc.com/docs/protocol), POST only.
func (g *Gateway) serveCall(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	asJSON := kind == "application/json"
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	case !asJSON && kind != "application/proto":
		w.Header().Set("Accept-Post", "application/json, application/proto")
		http.Error(w, "unsupported media type", http.StatusUnsupportedMediaType)
		return
	}
	body, err := g.unary(w, r, asJSON)
	g.metrics.http.WithLabelValues(code(rpc.CodeOf(err))).Inc()
	if err != nil {
		connectError(w, err)
		if !errors.Is(err, os.ErrDeadlineExceeded) { // it was waited for long enough
			linger(w, r, lingerBytes)
		}
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) //nolint:gosec // no page: its type is said, and browsers don't guess. The client may be gone
}

// What is read on of a request that has its answer.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10 // of a call, which is short
)

// linger sends the answer to a client that may still send, and throws away what comes for a moment, up to most bytes: if the connection
// were closed under it, it could miss the answer. In HTTP/2 the stream ends alone.
func linger(w http.ResponseWriter, r *http.Request, most int64) {
	if r.ContentLength == 0 || r.ProtoMajor != 1 {
		return
	}
	c := http.NewResponseController(w)
	if c.Flush() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, most) // who sends more, or for longer, may see its connection end
	}
}

func (g *Gateway) unary(w http.ResponseWriter, r *http.Request, asJSON bool) ([]byte, error) {
	c := g.catalog()
	q := request{method: c.Method(strings.TrimPrefix(r.URL.Path, "/")), address: g.address(r)}
	if q.method == nil {
		return nil, errNoMethod
	}
	if q.method.Public && !q.method.Keeps {
		if err := g.sheds("call", errShed); err != nil {
			return nil, err
		}
	}
	if err := g.admitAddress(q.address, q.method.Terms); err != nil {
		return nil, err
	}
	if err := g.headers(r, &q); err != nil {
		return nil, err
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, errEncoding
	}
	limit := q.method.MaxBody
	if asJSON {
		limit *= 4 // names, quotes and base64; the encoded request is measured again
	}
	hold := g.intake.Hold(q.holder())
	defer hold.Release()
	body, err := hold.Read(r.Body, limit)
	switch {
	case errors.Is(err, intake.ErrLong):
		w.Header().Set("Connection", "close") // what is left of it is not read
		return nil, errBodyLarge
	case errors.Is(err, intake.ErrFull):
		g.metrics.intakeFull.Inc()
		w.Header().Set("Connection", "close")
		return nil, errHeld
	case errors.Is(err, os.ErrDeadlineExceeded): // nothing was done, and the next time it may come
		return nil, errSlowBody.Because(err)
	case err != nil:
		return nil, errBody.Because(err)
	}
	if asJSON {
		if len(body) == 0 {
			body = []byte("{}")
		}
		done := g.queueUp(len(body))
		body, err = wire.FromJSON(body, q.method.Request)
		if done(); err != nil {
			return nil, badBody(err)
		}
	}
	q.body = body
	if err := g.prepare(&q); err != nil {
		return nil, err
	}
	if q.seq != 0 && !q.method.Public {
		g.roster.actOutside(q.caller, q.method.Doing)
	}
	answer, err := g.invoke(r.Context(), q)
	if err != nil || !asJSON {
		return answer, err
	}
	return wire.ToJSON(nil, answer, q.method.Response) //nolint:wrapcheck // an answer that can't be read is our fault
}

// headers reads who calls, the mutation's name and the time limit.
func (g *Gateway) headers(r *http.Request, q *request) error {
	if !q.method.Public {
		token := bearer(r)
		if token == "" {
			return errToken
		}
		caller, err := g.verify(r.Context(), token)
		if err != nil {
			g.deps.Refusals.Token(err, q.address)
			g.log.Debug("a call was refused", "address", q.address, "method", q.method.Name, "error", err)
			return refusal(err)
		}
		q.caller = caller
		if err := g.takeCaller(caller, q.method.Rate, q.method.Cost); err != nil {
			return err
		}
	}
	q.clientID = r.Header.Get("Plenum-Client-Id")
	if !validID(q.clientID) {
		return errSeq
	}
	if v := r.Header.Get("Plenum-Client-Seq"); v != "" {
		seq, err := strconv.ParseUint(v, 10, 64)
		if err != nil || seq == 0 {
			return errSeq
		}
		q.seq = seq
	}
	if v := r.Header.Get("Connect-Timeout-Ms"); v != "" {
		ms, err := strconv.ParseUint(v, 10, 31)
		if err != nil || len(v) > 10 {
			return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.TIMEOUT", "Connect-Timeout-Ms is not a number.")
		}
		q.timeout = max(time.Duration(ms)*time.Millisecond, time.Millisecond)
	}
	return nil
}

// connectError writes the error as the Connect protocol does: its code by name, and plenum.edge.v1.Error as a detail.
func connectError(w http.ResponseWriter, err error) {
	answerError(w, connectCode(err), err)
}

func connectCode(err error) int { return connectStatus[status.Code(toGRPC(err))] }

// answerError writes it with a status of HTTP's own.
func answerError(w http.ResponseWriter, httpStatus int, err error) {
	e := rpc.FromError(err)
	c := status.Code(toGRPC(err))
	raw, _ := proto.Marshal(e)
	debug, _ := protojson.Marshal(e)
	body, _ := json.Marshal(connectBody{Code: connectNames[c], Message: e.GetMessage(), Details: []connectDetail{
		{Type: string(e.ProtoReflect().Descriptor().FullName()), Value: base64.RawStdEncoding.EncodeToString(raw), Debug: debug},
	}})
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if ms := e.GetRetryAfterMs(); ms > 0 {
		h.Set("Retry-After", strconv.Itoa(int((ms+999)/1000)))
	}
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body) // the client may be gone
}

func toGRPC(err error) error {
	if e, ok := errors.AsType[*rpc.Error](err); ok {
		return e.GRPCStatus().Err()
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	e := rpc.FromError(err)
	return rpc.Errorf(e.GetCode(), e.GetReason(), "%s", e.GetMessage()).GRPCStatus().Err()
}

type connectBody struct {
	Code    string          `json:"code"`
	Message string          `json:"message,omitempty"`
	Details []connectDetail `json:"details,omitempty"`
}

type connectDetail struct {
	Type  string          `json:"type"`
	Value string          `json:"value"` // base64 without padding
	Debug json.RawMessage `json:"debug,omitempty"`
}

// Names and HTTP status of codes, from the Connect protocol's table.
var (
	connectNames = map[codes.Code]string{
		codes.Canceled: "canceled", codes.Unknown: "unknown", codes.InvalidArgument: "invalid_argument", codes.DeadlineExceeded: "deadline_exceeded",
		codes.NotFound: "not_found", codes.AlreadyExists: "already_exists", codes.PermissionDenied: "permission_denied",
		codes.ResourceExhausted: "resource_exhausted", codes.FailedPrecondition: "failed_precondition", codes.Aborted: "aborted",
		codes.OutOfRange: "out_of_range", codes.Unimplemented: "unimplemented", codes.Internal: "internal", codes.Unavailable: "unavailable",
		codes.DataLoss: "data_loss", codes.Unauthenticated: "unauthenticated", codes.OK: "unknown",
	}
	connectStatus = map[codes.Code]int{
		codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504, codes.NotFound: 404,
		codes.AlreadyExists: 409, codes.PermissionDenied: 403, codes.ResourceExhausted: 429, codes.FailedPrecondition: 400, codes.Aborted: 409,
		codes.OutOfRange: 400, codes.Unimplemented: 501, codes.Internal: 500, codes.Unavailable: 503, codes.DataLoss: 500,
		codes.Unauthenticated: 401, codes.OK: 500,
	}
)
