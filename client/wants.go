package client

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// wants is what is followed, by topic.
type wants map[string]*want

// want is a topic that is followed.
type want struct {
	*edgev1.Want        // its cursor is how far the session was told
	id           uint32 // of the session's Subscribe
	order        int    // within it
	told         bool   // the session knows that it has begun
}

func (ws wants) add(s *edgev1.Subscribe) {
	for i, w := range s.GetWants() {
		ws[w.GetTopic()] = &want{Want: proto.CloneOf(w), id: s.GetId(), order: i}
	}
}

// frames says all wants, in the order in which the session said them: where there are too many, the first ones stay.
func (ws wants) frames() (out []*edgev1.ClientFrame) {
	all := slices.SortedFunc(maps.Values(ws), func(a, b *want) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.order, b.order)) })
	id := uint32(0)
	for some := range slices.Chunk(all, maxWants) {
		id++
		s := &edgev1.Subscribe{Id: id}
		for _, w := range some {
			s.Wants = append(s.Wants, proto.CloneOf(w.Want))
		}
		out = append(out, &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Subscribe{Subscribe: s}})
	}
	return out
}

// begin notes where a topic begins.
func (w *want) begin(start *edgev1.Cursor, stream bool) {
	w.told = true
	switch {
	case start == nil: // of a VIEW
	case w.GetMode() != edgev1.Mode_MODE_HEADS:
		// The own cursor stands, as in the session: what is repeated is skipped, what is left out is noticed as a hole.
		if w.Cursor == nil || w.Cursor.GetEpoch() != start.GetEpoch() {
			w.Cursor = start
		}
	case stream: // the list follows, and may be cut off: the next stream is to tell it anew
		w.Cursor = nil
	default: // a poll's answer is taken whole, with the list
		w.Cursor = start
	}
}

// see notes how far a view was told.
func (w *want) see(m *edgev1.View) {
	if m.GetAt() != nil {
		w.Cursor = m.GetAt()
	}
}

// reach notes how far events go. Where they leave a hole the session subscribes anew.
func (w *want) reach(m *edgev1.Events) {
	upto := m.GetUpto()
	if n := len(m.GetEvents()); n > 0 {
		upto = max(upto, m.GetEvents()[n-1].GetOffset())
	}
	if upto > w.Cursor.GetOffset() {
		w.Cursor = &edgev1.Cursor{Epoch: w.Cursor.GetEpoch(), Offset: upto}
	}
}
