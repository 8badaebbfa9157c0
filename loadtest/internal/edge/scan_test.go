package edge

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type seen struct {
	topic string
	e     Event
}

// What scan hands over is what decoding the whole message gives.
func TestScanIsDecoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &edgev1.ServerMessage{}
		var want []seen
		frames := 0
		for range rapid.IntRange(0, 4).Draw(t, "frames") {
			if rapid.Bool().Draw(t, "other") {
				m.Frames = append(m.Frames, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Reply{Reply: &edgev1.Reply{Id: 7}}})
				frames++
				continue
			}
			run := &edgev1.Events{Topic: rapid.String().Draw(t, "topic"), Upto: rapid.Uint64().Draw(t, "upto")}
			var after *uint64
			if rapid.Bool().Draw(t, "has after") {
				run.After = new(rapid.Uint64().Draw(t, "after"))
				after = run.After
			}
			for range rapid.IntRange(1, 3).Draw(t, "events") {
				ev := &edgev1.Event{
					Offset: rapid.Uint64().Draw(t, "offset"), TimeMs: rapid.Int64().Draw(t, "time"), Mutation: rapid.Uint64().Draw(t, "mutation"),
					Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
				}
				run.Events = append(run.Events, ev)
				e := Event{Offset: ev.GetOffset(), TimeMs: ev.GetTimeMs(), Mutation: ev.GetMutation(), Body: ev.GetBody()}
				if after != nil {
					e.After, e.HasAfter = *after, true
				}
				after = new(ev.GetOffset())
				want = append(want, seen{run.GetTopic(), e})
			}
			want[len(want)-1].e.Last, want[len(want)-1].e.Upto = true, run.GetUpto()
			m.Frames = append(m.Frames, &edgev1.ServerFrame{Frame: &edgev1.ServerFrame_Events{Events: run}})
		}
		data, err := proto.Marshal(m)
		if err != nil {
			t.Skip() // a topic that is no UTF-8
		}
		var got []seen
		err = scan(data, func(topic []byte, e Event) {
			e.Body = bytes.Clone(e.Body)
			got = append(got, seen{string(topic), e})
		}, func(*edgev1.ServerFrame) { frames-- })
		if err != nil || frames != 0 || len(got) != len(want) {
			t.Fatalf("%d of %d events, %d frames missing: %v", len(got), len(want), frames, err)
		}
		for i := range got {
			if !bytes.Equal(got[i].e.Body, want[i].e.Body) {
				t.Fatalf("event %d has another body", i)
			}
			got[i].e.Body, want[i].e.Body = nil, nil
			if got[i].topic != want[i].topic || got[i].e.Offset != want[i].e.Offset || got[i].e.After != want[i].e.After ||
				got[i].e.Last != want[i].e.Last || got[i].e.Upto != want[i].e.Upto || got[i].e.Mutation != want[i].e.Mutation || got[i].e.TimeMs != want[i].e.TimeMs {
				t.Fatalf("event %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add([]byte{0x0a, 0x03, 0x22, 0x01, 0x0a})
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = scan(data, func([]byte, Event) {}, func(*edgev1.ServerFrame) {})
	})
}
