package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// decodeJSON reads one frame a line: {"call":{"id":1,"method":"…","body":{…}}}.
func decodeJSON(data []byte, types Types) ([]Frame, error) {
	var out []Frame
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(out) == MaxFrames {
			return nil, errFrames
		}
		f, err := decodeLine(line, types)
		if err != nil {
			return nil, fmt.Errorf("%w: frame %d: %w", ErrMalformed, len(out)+1, err)
		}
		if f.GetFrame() != nil {
			out = append(out, f)
		}
	}
	return out, nil
}

// What is unknown is left out, but a frame without any costs one reading.
var (
	strict  = protojson.UnmarshalOptions{RecursionLimit: 100}
	lenient = protojson.UnmarshalOptions{RecursionLimit: 100, DiscardUnknown: true}
)

// UnknownMode is that of a Want whose mode has a name that isn't known.
const UnknownMode edgev1.Mode = -1

// UnreadParams is the mode of a Want whose params could not be read; in their place stands, as text, what is wrong with them.
const UnreadParams edgev1.Mode = -2

// keepModes puts UnknownMode where a name was left out: it must not be taken for an absent one.
func keepModes(line []byte, s *edgev1.Subscribe) {
	var frame struct {
		Subscribe struct {
			Wants []struct{ Mode any }
		}
	}
	if s == nil || json.Unmarshal(line, &frame) != nil {
		return
	}
	for i, w := range frame.Subscribe.Wants {
		name, named := w.Mode.(string)
		if _, known := edgev1.Mode_value[name]; named && !known && i < len(s.GetWants()) {
			s.Wants[i].Mode = UnknownMode
		}
	}
}

// decodeLine takes the domain's values out of the frame, reads the frame, and puts them back as bytes.
func decodeLine(line []byte, types Types) (Frame, error) {
	f := Frame{ClientFrame: &edgev1.ClientFrame{}}
	var frame map[string]json.RawMessage
	if err := json.Unmarshal(line, &frame); err != nil {
		return f, err //nolint:wrapcheck // wrapped above
	}
	var body json.RawMessage
	var params []json.RawMessage
	for _, kind := range []string{"call", "signal"} {
		if _, ok := frame[kind]; ok {
			var err error
			if frame[kind], body, err = cut(frame[kind], "body"); err != nil {
				return f, err
			}
		}
	}
	if sub, ok := frame["subscribe"]; ok {
		var err error
		if frame["subscribe"], params, err = cutParams(sub); err != nil {
			return f, err
		}
	}
	if body != nil || params != nil {
		var err error
		if line, err = json.Marshal(frame); err != nil {
			return f, err //nolint:wrapcheck // wrapped above
		}
	}
	if strict.Unmarshal(line, f.ClientFrame) != nil {
		if err := lenient.Unmarshal(line, f.ClientFrame); err != nil {
			return f, explained(line, err)
		}
		keepModes(line, f.GetSubscribe())
	}
	switch x := f.GetFrame().(type) {
	case *edgev1.ClientFrame_Call:
		x.Call.Body, f.Err = toProto(body, types.Request(x.Call.GetMethod()))
	case *edgev1.ClientFrame_Signal:
		x.Signal.Body, f.Err = toProto(body, types.Signal(x.Signal.GetTopic()))
	case *edgev1.ClientFrame_Subscribe:
		for i, w := range x.Subscribe.GetWants() {
			if i < len(params) && params[i] != nil {
				var err error
				if w.Params, err = toProto(params[i], types.Params(w.GetTopic())); err != nil {
					w.Mode, w.Params = UnreadParams, []byte(err.Error())
				}
			}
		}
	}
	return f, nil
}

// cut takes one field out of an object.
func cut(object json.RawMessage, field string) (rest, value json.RawMessage, err error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, nil, err //nolint:wrapcheck // wrapped above
	}
	value, ok := m[field]
	if !ok {
		return object, nil, nil
	}
	delete(m, field)
	rest, err = json.Marshal(m)
	return rest, value, err //nolint:wrapcheck // wrapped above
}

func cutParams(subscribe json.RawMessage) (rest json.RawMessage, params []json.RawMessage, err error) {
	if !bytes.Contains(subscribe, []byte(`"params"`)) {
		return subscribe, nil, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(subscribe, &m); err != nil {
		return nil, nil, err //nolint:wrapcheck // wrapped above
	}
	var wants []json.RawMessage
	if err := json.Unmarshal(m["wants"], &wants); err != nil {
		return nil, nil, err //nolint:wrapcheck // wrapped above
	}
	params = make([]json.RawMessage, len(wants))
	for i := range wants {
		if wants[i], params[i], err = cut(wants[i], "params"); err != nil {
			return nil, nil, err
		}
	}
	if m["wants"], err = json.Marshal(wants); err != nil {
		return nil, nil, err //nolint:wrapcheck // wrapped above
	}
	rest, err = json.Marshal(m)
	return rest, params, err //nolint:wrapcheck // wrapped above
}

// toProto reads a domain's value. Of an unknown type it is base64.
func toProto(value json.RawMessage, d protoreflect.MessageDescriptor) ([]byte, error) {
	switch {
	case len(value) == 0 || bytes.Equal(value, []byte("null")):
		return nil, nil
	case d == nil:
		var b []byte
		err := json.Unmarshal(value, &b)
		return b, err //nolint:wrapcheck // goes to the client as one text
	}
	return FromJSON(value, d)
}

// FromJSON transcodes the proto3 JSON of a message to its binary form. Unknown fields are refused.
func FromJSON(value []byte, d protoreflect.MessageDescriptor) ([]byte, error) {
	m := dynamicpb.NewMessage(d)
	if err := (protojson.UnmarshalOptions{RecursionLimit: 100}).Unmarshal(value, m); err != nil {
		return nil, explained(value, err) // goes to the client as one text
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m) //nolint:wrapcheck // likewise
}

// ToJSON transcodes the binary form of a message to proto3 JSON.
func ToJSON(dst, value []byte, d protoreflect.MessageDescriptor) ([]byte, error) {
	m := dynamicpb.NewMessage(d)
	if err := proto.Unmarshal(value, m); err != nil {
		return dst, err //nolint:wrapcheck // says all there is
	}
	return protojson.MarshalOptions{}.MarshalAppend(dst, m) //nolint:wrapcheck // likewise
}

// appendJSON writes the frame's line. Frames with a domain's values are written by hand, the others by protojson.
func appendJSON(dst []byte, f *edgev1.ServerFrame, method string, types Types) []byte {
	switch x := f.GetFrame().(type) {
	case *edgev1.ServerFrame_Reply:
		if b, ok := x.Reply.GetResult().(*edgev1.Reply_Body); ok {
			dst = append(dst, `{"reply":{"id":`...)
			dst = strconv.AppendUint(dst, uint64(x.Reply.GetId()), 10)
			dst = appendValue(append(dst, `,"body":`...), b.Body, types.Response(method))
			return append(dst, "}}\n"...)
		}
	case *edgev1.ServerFrame_Events:
		return appendEvents(dst, x.Events, types.Event(x.Events.GetTopic()))
	case *edgev1.ServerFrame_Heads:
		return appendHeads(dst, x.Heads, types.Badge(x.Heads.GetTopic()))
	case *edgev1.ServerFrame_View:
		return appendView(dst, x.View, types.Event(x.View.GetTopic()))
	case *edgev1.ServerFrame_Signal:
		dst = appendString(append(dst, `{"signal":{"topic":`...), x.Signal.GetTopic())
		dst = appendString(append(dst, `,"key":`...), x.Signal.GetKey())
		dst = appendString(append(dst, `,"from":`...), x.Signal.GetFrom())
		dst = appendValue(append(dst, `,"body":`...), x.Signal.GetBody(), types.Signal(x.Signal.GetTopic()))
		return append(dst, "}}\n"...)
	}
	dst, err := protojson.MarshalOptions{}.MarshalAppend(dst, f)
	if err != nil {
		panic(fmt.Sprintf("wire: a frame can't be encoded: %v", err))
	}
	return append(dst, '\n')
}

func appendEvents(dst []byte, e *edgev1.Events, d protoreflect.MessageDescriptor) []byte {
	dst = appendString(append(dst, `{"events":{"topic":`...), e.GetTopic())
	dst = append(dst, `,"events":[`...)
	for i, x := range e.GetEvents() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendUint(append(dst, `{"offset":`...), x.GetOffset())
		dst = appendValue(append(dst, `,"body":`...), x.GetBody(), d)
		dst = appendInt(append(dst, `,"timeMs":`...), x.GetTimeMs())
		if x.GetMutation() != 0 {
			dst = appendUint(append(dst, `,"mutation":`...), x.GetMutation())
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if e.After != nil {
		dst = appendUint(append(dst, `,"after":`...), e.GetAfter())
	}
	if e.GetUpto() != 0 {
		dst = appendUint(append(dst, `,"upto":`...), e.GetUpto())
	}
	return append(dst, "}}\n"...)
}

func appendHeads(dst []byte, h *edgev1.Heads, d protoreflect.MessageDescriptor) []byte {
	dst = appendString(append(dst, `{"heads":{"topic":`...), h.GetTopic())
	if h.GetSnapshot() {
		dst = append(dst, `,"snapshot":true`...)
	}
	dst = append(dst, `,"heads":[`...)
	for i, x := range h.GetHeads() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		if x.GetTopic() != "" {
			dst = append(appendString(append(dst, `"topic":`...), x.GetTopic()), ',')
		}
		dst = strconv.AppendUint(append(dst, `"ref":`...), uint64(x.GetRef()), 10)
		dst = appendUint(append(dst, `,"offset":`...), x.GetOffset())
		dst = appendUint(append(dst, `,"count":`...), x.GetCount())
		if x.GetCalls() != 0 {
			dst = appendUint(append(dst, `,"calls":`...), x.GetCalls())
		}
		if x.GetRedacted() != 0 {
			dst = appendUint(append(dst, `,"redacted":`...), x.GetRedacted())
		}
		if x.GetEpoch() != 0 {
			dst = appendUint(append(dst, `,"epoch":`...), x.GetEpoch())
		}
		if x.GetRemoved() {
			dst = append(dst, `,"removed":true`...)
		}
		if x.Badge != nil {
			dst = appendValue(append(dst, `,"badge":`...), x.GetBadge(), d)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}}\n"...)
}

func appendView(dst []byte, v *edgev1.View, d protoreflect.MessageDescriptor) []byte {
	dst = appendString(append(dst, `{"view":{"topic":`...), v.GetTopic())
	if v.GetSnapshot() {
		dst = append(dst, `,"snapshot":true`...)
	}
	dst = append(dst, `,"entries":[`...)
	for i, x := range v.GetEntries() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"key":`...), x.GetKey())
		if x.GetRemoved() {
			dst = append(dst, `,"removed":true}`...)
			continue
		}
		dst = append(appendValue(append(dst, `,"body":`...), x.GetBody(), d), '}')
	}
	dst = append(dst, ']')
	if v.GetMore() {
		dst = append(dst, `,"more":true`...)
	}
	if v.At != nil {
		dst = appendUint(append(dst, `,"at":{"epoch":`...), v.GetAt().GetEpoch())
		dst = append(appendUint(append(dst, `,"offset":`...), v.GetAt().GetOffset()), '}')
	}
	if v.GetStale() {
		dst = append(dst, `,"stale":true`...)
	}
	return append(dst, "}}\n"...)
}

// appendValue writes a domain's value; what its descriptor can't read is written as base64, like a value of an unknown type.
func appendValue(dst, value []byte, d protoreflect.MessageDescriptor) []byte {
	if d != nil {
		if out, err := ToJSON(dst, value, d); err == nil {
			return out
		}
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

func appendUint(dst []byte, v uint64) []byte { // proto3 JSON writes 64 bits as a string
	return append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
}

func appendInt(dst []byte, v int64) []byte {
	return append(strconv.AppendInt(append(dst, '"'), v, 10), '"')
}

// appendString writes a string; what is no plain ASCII is left to encoding/json.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string always can be
			}
			return append(dst, b...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
