package rpc

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	httpv1 "plenum.internal/proto/plenum/http/v1"
)

// httpBody is the body of a request that comes over a stream.
type httpBody struct {
	stream  grpc.ServerStream
	ask     func() error // for the body, once
	trailer http.Header  // the request's: fields that were announced, without values yet
	over    atomic.Bool  // the handler has returned, or closed it

	mu   sync.Mutex // guards all below
	part HTTPPart   // with a buffer once the body was asked for
	rest []byte     // of the chunk that came last
	err  error
}

// Read implements io.Reader. The first one asks the client for the body.
func (b *httpBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	if len(p) == 0 {
		return 0, nil
	}
	for len(b.rest) == 0 && b.err == nil {
		b.rest, b.err = b.next()
	}
	if len(b.rest) == 0 {
		return 0, b.err
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *httpBody) next() ([]byte, error) {
	if b.part.Buffer == nil {
		b.part.Message = new(httpv1.ExchangeRequest)
		b.part.Buffer, _ = httpChunks.Get().(*[HTTPChunk]byte)
		if err := b.ask(); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	switch err := b.stream.RecvMsg(&b.part); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, io.ErrUnexpectedEOF // the client was cut off, and the request's context says so
	}
	if b.part.Chunk != nil {
		return b.part.Chunk, nil
	}
	m, _ := b.part.Message.(*httpv1.ExchangeRequest)
	for name, values := range FromHTTPHeaders(m.GetTrailer().GetHeaders()) {
		if _, announced := b.trailer[name]; announced {
			b.trailer[name] = values
		}
	}
	return m.GetChunk(), nil
}

// Close implements io.Closer: what follows is not read.
func (b *httpBody) Close() error { b.end(); return nil }

// end keeps a goroutine that the handler left behind from reading on.
func (b *httpBody) end() {
	b.over.Store(true)
	if b.mu.TryLock() { // else one waits for the next chunk, and keeps the buffer
		defer b.mu.Unlock()
		if b.part.Buffer != nil {
			httpChunks.Put(b.part.Buffer)
			b.part.Buffer, b.part.Chunk, b.rest = nil, nil, nil
		}
	}
}
