package gateway

import (
	"slices"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// members are the topics that a bundle follows, and what of each was told last. Eight bytes for each, since there may be very many.
type members struct {
	refs  []uint32 // ascending
	told  []uint32 // the lower half of the offset
	epoch uint64   // the latest life of any
}

func (m *members) grow(n int) {
	m.refs, m.told = make([]uint32, 0, n), make([]uint32, 0, n)
}

func (m *members) has(ref uint32) bool {
	_, ok := slices.BinarySearch(m.refs, ref)
	return ok
}

func (m *members) add(ref uint32, h *edgev1.Head) {
	i, _ := slices.BinarySearch(m.refs, ref)
	m.refs, m.told = slices.Insert(m.refs, i, ref), slices.Insert(m.told, i, uint32(h.GetOffset()))
	m.epoch = max(m.epoch, h.GetEpoch())
}

func (m *members) remove(ref uint32) {
	i, _ := slices.BinarySearch(m.refs, ref)
	m.refs, m.told = slices.Delete(m.refs, i, i+1), slices.Delete(m.told, i, i+1)
}

// tell notes what the client is told of a member.
func (m *members) tell(h *edgev1.Head) {
	i, _ := slices.BinarySearch(m.refs, h.GetRef())
	m.told[i] = uint32(h.GetOffset())
	m.epoch = max(m.epoch, h.GetEpoch())
}

// forget notes that the client was not told after all.
func (m *members) forget(h *edgev1.Head) {
	if i, ok := slices.BinarySearch(m.refs, h.GetRef()); ok {
		m.told[i] = uint32(h.GetOffset()) - 1
	}
}

// news tells whether a head is beyond what was told. Offsets compare by their difference, which is far below 2^31.
func (m *members) news(h *edgev1.Head) bool {
	i, ok := slices.BinarySearch(m.refs, h.GetRef())
	return ok && h.GetEpoch() > 0 && (h.GetEpoch() > m.epoch || int32(uint32(h.GetOffset())-m.told[i]) > 0)
}

// older tells whether a head is before what was told.
func (m *members) older(h *edgev1.Head) bool {
	i, ok := slices.BinarySearch(m.refs, h.GetRef())
	return ok && h.GetEpoch() <= m.epoch && int32(uint32(h.GetOffset())-m.told[i]) < 0
}

// later orders heads of one topic.
func later(x, y *edgev1.Head) bool {
	return x.GetEpoch() > y.GetEpoch() || x.GetEpoch() == y.GetEpoch() && x.GetOffset() > y.GetOffset()
}
