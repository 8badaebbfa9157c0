package rpc

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// Invoke calls a method whose request and response types the caller doesn't know: encoded bytes in, encoded bytes out.
// method is "plenum.chat.v1.ChatService/Send", with or without a leading slash.
func Invoke(ctx context.Context, cc grpc.ClientConnInterface, method string, body []byte, opts ...grpc.CallOption) ([]byte, error) {
	if method == "" || method[0] != '/' {
		method = "/" + method
	}
	var answer []byte
	err := cc.Invoke(ctx, method, body, &answer, append(opts, grpc.ForceCodecV2(rawCodec{}))...)
	return answer, err
}

// rawCodec passes encoded messages through. Its name is proto's, for that is what goes over the wire.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("raw codec: %T is not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	p, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("raw codec: %T is not a pointer to bytes", v)
	}
	*p = data.Materialize()
	return nil
}

// serverCodec is gRPC's own for proto, but for requests that are to note their fault, and for chunks of HTTP.
type serverCodec struct{ encoding.CodecV2 }

// request is where a unary request goes, and what was wrong with it.
type request struct {
	into  any
	fault error
}

func (c serverCodec) Unmarshal(data mem.BufferSlice, v any) error {
	switch to := v.(type) {
	case *request:
		to.fault = c.CodecV2.Unmarshal(data, to.into)
		return nil
	case *HTTPPart:
		if to.take(data) {
			return nil
		}
		return c.CodecV2.Unmarshal(data, to.Message)
	}
	return c.CodecV2.Unmarshal(data, v)
}
