package topic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const incarnation = 7

func newRing(count int) *topic.Ring {
	return topic.NewRing("w", "a.b/c", incarnation, topic.RingLimits{Count: count})
}

func grow(t *testing.T, r *topic.Ring, n int) {
	t.Helper()
	for range n {
		if _, err := r.Append(&topicv1.Record{Event: &edgev1.Event{Body: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
	}
}

// heard collects what a Tail says.
type heard struct {
	offsets []uint64
	head    *edgev1.Cursor
	reset   *edgev1.Error
	block   <-chan struct{} // if set, what send waits for
}

func (h *heard) send(r *topicv1.TailResponse) error {
	if h.block != nil {
		<-h.block
	}
	for _, rec := range r.GetRecords() {
		h.offsets = append(h.offsets, rec.GetEvent().GetOffset())
	}
	if r.GetHead() != nil {
		h.head = r.GetHead()
	}
	h.reset = r.GetReset_()
	return nil
}

func upTo(from, to uint64) (out []uint64) {
	for at := from; at <= to; at++ {
		out = append(out, at)
	}
	return out
}

func TestRingReplays(t *testing.T) {
	r := newRing(5)
	grow(t, r, 8)
	for name, c := range map[string]struct {
		after *edgev1.Cursor
		max   uint32
		want  []uint64
		reset edgev1.Code
	}{
		"from the floor":       {nil, 0, upTo(4, 8), 0},
		"from a cursor":        {&edgev1.Cursor{Epoch: incarnation, Offset: 6}, 0, upTo(7, 8), 0},
		"at the head":          {&edgev1.Cursor{Epoch: incarnation, Offset: 8}, 0, nil, 0},
		"below the floor":      {&edgev1.Cursor{Epoch: incarnation, Offset: 2}, 0, nil, edgev1.Code_CODE_RESET_FLOOR},
		"ahead":                {&edgev1.Cursor{Epoch: incarnation, Offset: 9}, 0, nil, edgev1.Code_CODE_RESET_EPOCH},
		"of another owner":     {&edgev1.Cursor{Epoch: incarnation - 1, Offset: 6}, 0, nil, edgev1.Code_CODE_RESET_EPOCH},
		"more than was wanted": {nil, 200, nil, edgev1.Code_CODE_RESET_TOO_LONG},
	} {
		h := &heard{}
		if err := r.Tail(t.Context(), &topicv1.TailRequest{After: c.after, MaxBytes: c.max}, h.send); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(h.offsets, c.want) || h.reset.GetCode() != c.reset || h.head.GetOffset() != 8 || h.head.GetEpoch() != incarnation {
			t.Errorf("%s: %v, head %v, reset %v", name, h.offsets, h.head, h.reset)
		}
	}
	if g := r.Grant("a.b/me", true); g.GetHead().GetOffset() != 8 || g.GetFloor().GetOffset() != 3 || g.GetCanonical() != "a.b/c" || !g.GetSignal() {
		t.Errorf("%v", g)
	}
	if _, err := r.Append(&topicv1.Record{Event: &edgev1.Event{Body: make([]byte, topic.MaxRingBody+1)}}); rpc.CodeOf(err) != edgev1.Code_CODE_BODY_TOO_LARGE {
		t.Error(err)
	}
}

// Bytes bound a ring as well, but its newest record stays.
func TestRingIsBoundedByBytes(t *testing.T) {
	r := topic.NewRing("w", "a.b/c", incarnation, topic.RingLimits{Bytes: 100})
	grow(t, r, 3)
	if g := r.Grant("a.b/c", false); g.GetFloor().GetOffset() != 2 || g.GetCanonical() != "" {
		t.Errorf("%v", g)
	}
}

func TestRingIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(5)
		grow(t, r, 2)
		ctx, cancel := context.WithCancel(t.Context())
		block := make(chan struct{})
		all, slow := &heard{}, &heard{block: block}
		var ends [2]error
		done := make(chan struct{})
		for i, h := range []*heard{all, slow} {
			go func() {
				ends[i] = r.Tail(ctx, &topicv1.TailRequest{Follow: true}, h.send)
				done <- struct{}{}
			}()
		}
		synctest.Wait()
		for range 10 {
			grow(t, r, 1)
			synctest.Wait()
		}
		if !slices.Equal(all.offsets, upTo(1, 12)) {
			t.Errorf("%v", all.offsets)
		}
		close(block) // what the slow one has asked for is gone by now: it is told so, and nothing was kept for it
		<-done
		if !slices.Equal(slow.offsets, upTo(1, 2)) || slow.reset.GetCode() != edgev1.Code_CODE_RESET_FLOOR || ends[1] != nil {
			t.Errorf("%v, %v, %v", slow.offsets, slow.reset, ends[1])
		}
		cancel()
		<-done
		if !errors.Is(ends[0], context.Canceled) {
			t.Error(ends[0])
		}
	})
}

func TestRingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(5)
		h := &heard{}
		done := make(chan error)
		go func() { done <- r.Tail(t.Context(), &topicv1.TailRequest{Follow: true}, h.send) }()
		synctest.Wait()
		r.Close(rpc.Errorf(edgev1.Code_CODE_TOPIC_GONE, "a.GONE", "It has ended."))
		if err := <-done; err != nil || h.reset.GetCode() != edgev1.Code_CODE_TOPIC_GONE {
			t.Errorf("%v, %v", err, h.reset)
		}
		if _, err := r.Append(&topicv1.Record{}); rpc.CodeOf(err) != edgev1.Code_CODE_TOPIC_GONE {
			t.Error(err)
		}
	})
}

// What was redacted is gone from the ring; what somebody is just sending stays as it was when it was taken.
func TestRingRedacts(t *testing.T) {
	r := newRing(5)
	grow(t, r, 3)
	var before []*topicv1.Record
	read := func(into *[]*topicv1.Record) {
		_ = r.Tail(t.Context(), &topicv1.TailRequest{}, func(res *topicv1.TailResponse) error {
			*into = append(*into, res.GetRecords()...)
			return nil
		})
	}
	read(&before)
	if _, err := r.Append(&topicv1.Record{Redacts: []uint64{2, 99, 0}}); err != nil {
		t.Fatal(err)
	}
	var after []*topicv1.Record
	read(&after)
	if text := fmt.Sprintf("%s %s %s", after[0].GetEvent().GetBody(), after[1].GetEvent().GetBody(), before[1].GetEvent().GetBody()); text != "x  x" {
		t.Errorf("%q", text)
	}
}
