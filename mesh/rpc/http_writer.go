package rpc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"

	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// httpWriter is the http.ResponseWriter over a stream. What is written is gathered to chunks; like every ResponseWriter it belongs to
// one goroutine at a time, but for ask.
type httpWriter struct {
	stream grpc.ServerStream
	isHEAD bool
	header http.Header

	status  int         // 0: not said yet
	head    http.Header // as it was when the status was said; nil once it is sent
	length  int64       // of the body as the handler announced it; -1: it did not
	written int64       // bytes of the body
	chunk   *[HTTPChunk]byte
	filled  int
	err     error // of the stream; all that follows fails with it

	sending sync.Mutex // one at a time sends: reading the body asks for it while the handler writes
}

var httpChunks = sync.Pool{New: func() any { return new([HTTPChunk]byte) }}

func newHTTPWriter(stream grpc.ServerStream, method string) *httpWriter {
	return &httpWriter{stream: stream, isHEAD: method == http.MethodHead, header: http.Header{}, length: -1}
}

// Header implements http.ResponseWriter.
func (w *httpWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational responses go at once.
func (w *httpWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
	case status < 100 || status > 999:
		panic(fmt.Sprintf("rpc: %d is no status of HTTP", status))
	case status == http.StatusContinue:
		_ = w.ask() // what fails here fails again with the response
	case status < 200 && status != http.StatusSwitchingProtocols:
		_ = w.send(headOf(status, w.header)) // likewise
	default:
		w.begin(status)
	}
}

func (w *httpWriter) begin(status int) {
	if status == http.StatusSwitchingProtocols {
		status = http.StatusNotImplemented // there is no connection that another protocol could have
	}
	w.status, w.head = status, w.header.Clone()
	for name := range w.head {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			delete(w.head, name)
		}
	}
	if v := w.head.Get("Content-Length"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			w.length = n
		} else {
			w.head.Del("Content-Length")
		}
	}
}

// Write implements http.ResponseWriter.
func (w *httpWriter) Write(p []byte) (n int, err error) {
	if err := w.allows(len(p)); err != nil {
		return 0, err
	}
	w.written += int64(len(p))
	if w.isHEAD {
		return len(p), w.err
	}
	for len(p) > 0 && w.err == nil {
		c := copy(w.free(), p)
		n, p, w.filled = n+c, p[c:], w.filled+c
		if w.filled == HTTPChunk {
			w.flush()
		}
	}
	return n, w.err
}

// WriteString implements io.StringWriter.
func (w *httpWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// ReadFrom implements io.ReaderFrom: what is copied goes into the chunks without a stop. A Flush by the handler comes in between only
// when a read has returned.
func (w *httpWriter) ReadFrom(r io.Reader) (total int64, err error) {
	if w.isHEAD || w.allows(0) != nil {
		return io.Copy(struct{ io.Writer }{w}, r) //nolint:wrapcheck // stands for it
	}
	for w.err == nil {
		free := w.free()
		if left := w.length - w.written; w.length >= 0 && left < int64(len(free)) {
			free = free[:max(left, 1)] // one byte too many tells that there are too many
		}
		n, err := r.Read(free)
		if e := w.allows(n); e != nil {
			return total, e
		}
		w.filled, w.written, total = w.filled+n, w.written+int64(n), total+int64(n)
		if w.filled == HTTPChunk {
			w.flush()
		}
		switch {
		case errors.Is(err, io.EOF):
			return total, w.err
		case err != nil:
			return total, err //nolint:wrapcheck // the source's
		}
	}
	return total, w.err
}

// allows reports whether n more bytes may be written.
func (w *httpWriter) allows(n int) error {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	switch {
	case !hasBody(w.status):
		return http.ErrBodyNotAllowed
	case w.length >= 0 && w.written+int64(n) > w.length:
		return http.ErrContentLength
	}
	return nil
}

func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func (w *httpWriter) free() []byte {
	if w.chunk == nil {
		w.chunk, _ = httpChunks.Get().(*[HTTPChunk]byte)
	}
	return w.chunk[w.filled:]
}

// FlushError is for http.ResponseController.
func (w *httpWriter) FlushError() error {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if w.filled == 0 { // nothing, or a whole chunk before: say that it is not to wait
		w.sendHead()
		w.sendChunk(nil)
		return w.err
	}
	w.flush()
	return w.err
}

// Flush implements http.Flusher.
func (w *httpWriter) Flush() { _ = w.FlushError() }

// EnableFullDuplex is for http.ResponseController; it always is.
func (*httpWriter) EnableFullDuplex() error { return nil }

// flush sends what there is.
func (w *httpWriter) flush() {
	w.sendHead()
	if w.filled > 0 {
		w.sendChunk(w.chunk[:w.filled])
		w.filled = 0
	}
}

// finish ends the response when the handler has returned.
func (w *httpWriter) finish() error {
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	trailer := w.trailer()
	if w.head != nil && w.length < 0 && hasBody(w.status) && len(trailer) == 0 && w.head["Trailer"] == nil && (!w.isHEAD || w.written > 0) {
		w.head.Set("Content-Length", strconv.FormatInt(w.written, 10)) // all of it is at hand
	}
	w.flush()
	if len(trailer) > 0 {
		w.note(w.send(&httpv1.ExchangeResponse{Part: &httpv1.ExchangeResponse_Trailer{Trailer: &httpv1.Trailer{Headers: ToHTTPHeaders(trailer)}}}))
	}
	if w.err == nil && w.length > w.written && !w.isHEAD && hasBody(w.status) {
		return errAborted.Because(fmt.Errorf("rpc: %d bytes were announced, %d written", w.length, w.written))
	}
	return w.err
}

// trailer is what stands in Header by now of the fields that were announced, or that have http.TrailerPrefix.
func (w *httpWriter) trailer() http.Header {
	t := http.Header{}
	announced := tokens(w.header["Trailer"])
	for name, values := range w.header {
		plain, prefixed := strings.CutPrefix(name, http.TrailerPrefix)
		if prefixed || slices.ContainsFunc(announced, func(a string) bool { return http.CanonicalHeaderKey(a) == name }) {
			t[http.CanonicalHeaderKey(plain)] = values
		}
	}
	return t
}

// sendHead sends the head if it is not sent yet.
func (w *httpWriter) sendHead() {
	if w.head == nil || w.err != nil {
		return
	}
	_, said := w.head["Content-Type"]
	if !said && w.filled > 0 && w.head.Get("Content-Encoding") == "" {
		w.head.Set("Content-Type", http.DetectContentType(w.chunk[:w.filled]))
	}
	for _, name := range tokens(w.head["Trailer"]) {
		w.head.Del(name) // its value comes behind the body
	}
	w.note(w.send(headOf(w.status, w.head)))
	w.head = nil
}

func headOf(status int, h http.Header) *httpv1.ExchangeResponse {
	return &httpv1.ExchangeResponse{Part: &httpv1.ExchangeResponse_Head{Head: &httpv1.ResponseHead{Status: uint32(status), Headers: ToHTTPHeaders(h)}}}
}

func (w *httpWriter) sendChunk(b []byte) {
	if w.err == nil {
		w.note(w.send(&httpv1.ExchangeResponse{Part: &httpv1.ExchangeResponse_Chunk{Chunk: b}}))
	}
}

// ask asks the client for the request's body.
func (w *httpWriter) ask() error { return w.send(headOf(http.StatusContinue, nil)) }

// send encodes a part before it returns, so that its bytes may be overwritten.
func (w *httpWriter) send(m *httpv1.ExchangeResponse) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.stream.SendMsg(m) //nolint:wrapcheck // gRPC's
}

func (w *httpWriter) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// release gives back the chunk; a handler that writes on from a goroutine of its own gets an error.
func (w *httpWriter) release() {
	if w.chunk != nil {
		httpChunks.Put(w.chunk)
		w.chunk = nil
	}
	w.filled = 0
	w.note(http.ErrHandlerTimeout)
}
