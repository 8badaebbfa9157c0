// Package wire is the edge protocol's two encodings: plenum.v1.proto and plenum.v1.json.
package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The subprotocols, in the order of preference.
const (
	ProtoName = "plenum.v1.proto"
	JSONName  = "plenum.v1.json"
)

// MaxFrames is how many frames one message of a client may hold.
const MaxFrames = 64

// Encoding is one of the two.
type Encoding uint8

// The encodings.
const (
	Proto Encoding = iota
	JSON
)

// ErrMalformed is what no later frame can repair: the connection ends with 4300.
var ErrMalformed = errors.New("malformed message")

var errFrames = fmt.Errorf("%w: more than %d frames", ErrMalformed, MaxFrames)

// Types tells what the bytes of a domain are, where JSON has to show them. A nil descriptor means unknown: base64.
type Types interface {
	Request(method string) protoreflect.MessageDescriptor
	Response(method string) protoreflect.MessageDescriptor
	Event(topic string) protoreflect.MessageDescriptor
	Signal(topic string) protoreflect.MessageDescriptor
	Params(topic string) protoreflect.MessageDescriptor
	Badge(topic string) protoreflect.MessageDescriptor
}

// Frame is a client's frame. Err says why its body could not be read; the frame then stands without it.
type Frame struct {
	*edgev1.ClientFrame
	Err error
}

// Decode reads one message of a client. Frames of an unknown kind are left out. The error wraps ErrMalformed.
func Decode(e Encoding, data []byte, types Types) ([]Frame, error) {
	if e == JSON {
		return decodeJSON(data, types)
	}
	var m edgev1.ClientMessage
	if err := proto.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(m.Frames) > MaxFrames {
		return nil, errFrames
	}
	out := make([]Frame, 0, len(m.Frames))
	for _, f := range m.Frames {
		if f.GetFrame() != nil {
			out = append(out, Frame{ClientFrame: f})
		}
	}
	return out, nil
}

// Append adds a frame to a message. One encoded frame may stand in many messages: they are concatenations.
// method is that of the call that a Reply answers, which it doesn't name itself.
func Append(dst []byte, e Encoding, f *edgev1.ServerFrame, method string, types Types) []byte {
	if e == JSON {
		return appendJSON(dst, f, method, types)
	}
	o := proto.MarshalOptions{UseCachedSize: true}
	dst = protowire.AppendTag(dst, 1, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(proto.Size(f)))
	dst, err := o.MarshalAppend(dst, f)
	if err != nil { // a string that isn't UTF-8, which none of ours can be
		panic(fmt.Sprintf("wire: a frame can't be encoded: %v", err))
	}
	return dst
}

// String returns the last value on the wire of a top-level string field, as every parser would; empty where it is absent.
// The error wraps ErrMalformed.
func String(body []byte, field protowire.Number) (string, error) {
	var last []byte
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return "", fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		body = body[n:]
		if number == field && kind == protowire.BytesType {
			v, m := protowire.ConsumeBytes(body)
			if m < 0 {
				return "", fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(m))
			}
			last, body = v, body[m:]
			continue
		}
		if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
			return "", fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		body = body[n:]
	}
	return string(last), nil
}
