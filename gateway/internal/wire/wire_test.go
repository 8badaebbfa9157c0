package wire

import (
	"bytes"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"plenum.internal/gateway/internal/testsvc/testv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// known knows the types of the test service everywhere.
type known struct{}

func (known) Request(string) protoreflect.MessageDescriptor {
	return (&testv1.PostRequest{}).ProtoReflect().Descriptor()
}
func (known) Response(string) protoreflect.MessageDescriptor {
	return (&testv1.PostResponse{}).ProtoReflect().Descriptor()
}
func (known) Event(string) protoreflect.MessageDescriptor {
	return (&testv1.Posted{}).ProtoReflect().Descriptor()
}
func (known) Signal(string) protoreflect.MessageDescriptor {
	return (&testv1.Typing{}).ProtoReflect().Descriptor()
}
func (known) Params(string) protoreflect.MessageDescriptor {
	return (&testv1.Typing{}).ProtoReflect().Descriptor()
}
func (known) Badge(string) protoreflect.MessageDescriptor {
	return (&testv1.Badge{}).ProtoReflect().Descriptor()
}

type unknown struct{}

func (unknown) Request(string) protoreflect.MessageDescriptor  { return nil }
func (unknown) Response(string) protoreflect.MessageDescriptor { return nil }
func (unknown) Event(string) protoreflect.MessageDescriptor    { return nil }
func (unknown) Signal(string) protoreflect.MessageDescriptor   { return nil }
func (unknown) Params(string) protoreflect.MessageDescriptor   { return nil }
func (unknown) Badge(string) protoreflect.MessageDescriptor    { return nil }

// Frames are concatenated: what Append wrote, a client reads as one ServerMessage.
func TestFramesConcatenate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var data []byte
		var want edgev1.ServerMessage
		for range rapid.IntRange(1, 5).Draw(t, "frames") {
			f := &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: "a.b/c"}}}
			for range rapid.IntRange(0, 3).Draw(t, "events") {
				f.GetEvents().Events = append(f.GetEvents().Events, &edgev1.Event{Offset: rapid.Uint64().Draw(t, "offset"), Body: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "body")})
			}
			data = Append(data, Proto, f, "", unknown{})
			want.Frames = append(want.Frames, f)
		}
		var got edgev1.ServerMessage
		if err := proto.Unmarshal(data, &got); err != nil || !proto.Equal(&got, &want) {
			t.Fatalf("%v: %v", err, &got)
		}
	})
}

// Every frame that JSON writes is what protojson reads, with the bodies of unknown types as base64 and those of known ones as JSON.
func TestJSONFramesAreProtoJSON(t *testing.T) {
	after := uint64(3)
	posted, _ := proto.Marshal(&testv1.Posted{Text: "a \"b\"\n"})
	frames := []*edgev1.ServerFrame{
		{Frame: &edgev1.ServerFrame_Events{Events: &edgev1.Events{Topic: "a.b/c", After: &after, Upto: 9, Events: []*edgev1.Event{
			{Offset: 1 << 60, Body: posted, TimeMs: -5, Mutation: 1<<64 - 1}, {Offset: 2},
		}}}},
		{Frame: &edgev1.ServerFrame_Heads{Heads: &edgev1.Heads{Topic: "a.b/c", Snapshot: true, Heads: []*edgev1.Head{
			{Topic: "x.y/z", Ref: 7, Offset: 5, Count: 4, Calls: 3, Redacted: 2, Epoch: 1, Badge: []byte{8, 1}}, {Ref: 8, Removed: true},
		}}}},
		{Frame: &edgev1.ServerFrame_View{View: &edgev1.View{Topic: "a.b/c", Snapshot: true, More: true, Entries: []*edgev1.Entry{
			{Key: "é\"", Body: []byte{8, 1}}, {Key: "b"}, {Key: "c", Removed: true},
		}}}},
		{Frame: &edgev1.ServerFrame_View{View: &edgev1.View{Topic: "a.b/c", At: &edgev1.Cursor{Epoch: 1 << 60, Offset: 9}, Stale: true}}},
		{Frame: &edgev1.ServerFrame_Signal{Signal: &edgev1.Signal{Topic: "a.b/c", Key: "é\"", From: "u/s", Body: []byte{8, 1}}}},
		{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: 3, Result: &edgev1.Reply_Body{Body: []byte{8, 1}}}}},
		{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: 3, Result: &edgev1.Reply_Error{Error: &edgev1.Error{Code: 101, Message: "no"}}}}},
		{Frame: &edgev1.ServerFrame_Goodbye{Goodbye: &edgev1.Goodbye{Error: &edgev1.Error{Code: 4100}}}},
	}
	for _, f := range frames {
		line := Append(nil, JSON, f, "m", unknown{})
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Errorf("not one line: %q", line)
		}
		var got edgev1.ServerFrame
		if err := protojson.Unmarshal(line, &got); err != nil || !proto.Equal(&got, f) {
			t.Errorf("%v\n%s\n%v\n%v", err, line, &got, f)
		}
		if line := Append(nil, JSON, f, "m", known{}); !json.Valid(line) {
			t.Errorf("%s", line)
		}
	}
	line := Append(nil, JSON, frames[0], "", known{})
	if !bytes.Contains(line, []byte(`{"text":"a \"b\"\n"}`)) && !bytes.Contains(line, []byte(`{"text": "a \"b\"\n"}`)) {
		t.Errorf("%s", line)
	}
}

// Both encodings say the same.
func TestDecodeAgrees(t *testing.T) {
	body, _ := proto.Marshal(&testv1.PostRequest{Room: "a", Text: "x"})
	frame := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: 4, Method: "m", Body: body, ClientSeq: 1 << 52, Lane: 2}}}
	binary, _ := proto.Marshal(&edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{frame, {}}})
	text := []byte(`{"call": {"id": 4, "method": "m", "client_seq": "4503599627370496", "lane": 2, "body": {"room": "a", "text": "x"}}}` + "\n\n" + `{"unheard":{"of":1}}`)
	for e, data := range map[Encoding][]byte{Proto: binary, JSON: text} {
		got, err := Decode(e, data, known{})
		if err != nil || len(got) != 1 || got[0].Err != nil || !proto.Equal(got[0].ClientFrame, frame) {
			t.Errorf("%d: %v %v", e, err, got)
		}
	}
}

// Parameters that can't be read are told apart from those that are absent, want by want.
func TestUnreadParams(t *testing.T) {
	line := []byte(`{"subscribe":{"id":1,"wants":[{"topic":"a.b/c","params":{"active":true}},{"topic":"a.b/d","params":{"active":3}},{"topic":"a.b/e"}]}}`)
	got, err := Decode(JSON, line, known{})
	if err != nil || len(got) != 1 {
		t.Fatal(err, got)
	}
	wants := got[0].GetSubscribe().GetWants()
	if wants[0].GetMode() == UnreadParams || !bytes.Equal(wants[0].GetParams(), []byte{8, 1}) {
		t.Errorf("%v", wants[0])
	}
	if wants[1].GetMode() != UnreadParams || !bytes.Contains(wants[1].GetParams(), []byte("active")) {
		t.Errorf("%v", wants[1])
	}
	if wants[2].GetMode() == UnreadParams || wants[2].GetParams() != nil {
		t.Errorf("%v", wants[2])
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"call":{"id":1,"method":"x","body":{"room":"a"}}}`))
	f.Add([]byte(`{"subscribe":{"id":1,"wants":[{"topic":"a.b/c","params":{"active":true}}]}}`))
	f.Add([]byte(`{"signal":{"topic":"a.b/c","body":{"active":true}}}`))
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range []Encoding{Proto, JSON} {
			for _, types := range []Types{known{}, unknown{}} {
				frames, err := Decode(e, data, types)
				if err != nil {
					continue
				}
				if len(frames) > MaxFrames {
					t.Fatalf("%d frames", len(frames))
				}
				for _, x := range frames {
					if x.GetFrame() == nil {
						t.Fatal("an empty frame")
					}
				}
			}
		}
	})
}

// The scanner sees what a parser sees, or both refuse.
func FuzzString(f *testing.F) {
	one, _ := proto.Marshal(&testv1.PostRequest{Room: "first", Text: "x"})
	two, _ := proto.Marshal(&testv1.PostRequest{Room: "last"})
	f.Add(append(one, two...))
	f.Add(protowire.AppendVarint(protowire.AppendTag(one, 1, protowire.VarintType), 7))
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := String(data, 1)
		var m testv1.PostRequest
		if perr := proto.Unmarshal(data, &m); perr != nil {
			return // it also checks what we don't look at
		}
		if err != nil {
			t.Fatalf("a parser reads it: %v", err)
		}
		if got != m.GetRoom() {
			t.Fatalf("scanned %q, parsed %q", got, m.GetRoom())
		}
	})
}
