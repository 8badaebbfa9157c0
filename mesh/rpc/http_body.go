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

	mu    sync.Mutex // guards all below
	asked bool
	rest  []byte // of the chunk that came last
	err   error
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
	if !b.asked {
		b.asked = true
		if err := b.ask(); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	m := new(httpv1.ExchangeRequest)
	switch err := b.stream.RecvMsg(m); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, io.ErrUnexpectedEOF // the client was cut off, and the request's context says so
	}
	if m.GetTrailer() != nil {
		for name, values := range FromHTTPHeaders(m.GetTrailer().GetHeaders()) {
			if _, announced := b.trailer[name]; announced {
				b.trailer[name] = values
			}
		}
	}
	return m.GetChunk(), nil
}

// Close implements io.Closer: what follows is not read.
func (b *httpBody) Close() error { b.end(); return nil }

// end keeps a goroutine that the handler left behind from reading on.
func (b *httpBody) end() { b.over.Store(true) }
