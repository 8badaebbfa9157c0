package edge

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Event is one event of a topic, as it stands in the message.
type Event struct {
	Offset   uint64
	TimeMs   int64
	Mutation uint64
	Body     []byte
	After    uint64 // the offset that it follows, if HasAfter; else Offset-1
	HasAfter bool
	Last     bool   // of its frame
	Upto     uint64 // of the frame, with its last event; 0: Offset
}

// Numbers of fields in edge.proto.
const (
	fieldFrames      = 1 // of ServerMessage
	fieldEventsFrame = 4 // of ServerFrame
	fieldTopic       = 1 // of Events, and the following three
	fieldEvents      = 2
	fieldAfter       = 3
	fieldUpto        = 4
	fieldOffset      = 1 // of Event, and the following three
	fieldBody        = 2
	fieldTime        = 3
	fieldMutation    = 4
)

var errWire = errors.New("a message of the server can't be read")

// scan walks a ServerMessage; events are handed over without being decoded into messages.
func scan(data []byte, event func(topic []byte, e Event), frame func(*edgev1.ServerFrame)) error {
	return fields(data, func(n protowire.Number, kind protowire.Type, _ uint64, value []byte) error {
		if n != fieldFrames || kind != protowire.BytesType {
			return nil
		}
		if num, _, size := protowire.ConsumeTag(value); size > 0 && num == fieldEventsFrame {
			inner, m := protowire.ConsumeBytes(value[size:])
			if m < 0 || size+m != len(value) {
				return errWire
			}
			return scanEvents(inner, event)
		}
		var f edgev1.ServerFrame
		if err := proto.Unmarshal(value, &f); err != nil {
			return fmt.Errorf("decode a frame: %w", err)
		}
		frame(&f)
		return nil
	})
}

// scanEvents walks an Events twice: what stands behind the events belongs to them.
func scanEvents(data []byte, event func(topic []byte, e Event)) error {
	var topic []byte
	var e Event
	var upto uint64
	left := 0
	err := fields(data, func(n protowire.Number, kind protowire.Type, number uint64, value []byte) error {
		switch {
		case n == fieldTopic && kind == protowire.BytesType:
			topic = value
		case n == fieldEvents && kind == protowire.BytesType:
			left++
		case n == fieldAfter && kind == protowire.VarintType:
			e.After, e.HasAfter = number, true
		case n == fieldUpto && kind == protowire.VarintType:
			upto = number
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fields(data, func(n protowire.Number, kind protowire.Type, _ uint64, value []byte) error {
		if n != fieldEvents || kind != protowire.BytesType {
			return nil
		}
		e.Offset, e.Body, e.TimeMs, e.Mutation = 0, nil, 0, 0
		err := fields(value, func(n protowire.Number, _ protowire.Type, number uint64, value []byte) error {
			switch n {
			case fieldOffset:
				e.Offset = number
			case fieldBody:
				e.Body = value
			case fieldTime:
				e.TimeMs = int64(number)
			case fieldMutation:
				e.Mutation = number
			}
			return nil
		})
		if err != nil {
			return err
		}
		if left--; left == 0 {
			e.Last, e.Upto = true, upto
		}
		event(topic, e)
		e.After, e.HasAfter = e.Offset, true
		return nil
	})
}

// fields calls f for each field of a message: number holds a varint's or a fixed field's value, value a string's or message's.
func fields(data []byte, f func(n protowire.Number, kind protowire.Type, number uint64, value []byte) error) error {
	for len(data) > 0 {
		n, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return errWire
		}
		data = data[size:]
		var number uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			number, size = protowire.ConsumeVarint(data)
		case protowire.Fixed64Type:
			number, size = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(data)
		default:
			size = protowire.ConsumeFieldValue(n, kind, data)
		}
		if size < 0 {
			return errWire
		}
		data = data[size:]
		if err := f(n, kind, number, value); err != nil {
			return err
		}
	}
	return nil
}
