package docs

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"plenum.internal/docs/ot"
)

// anchor is the range that a thread stands at, in code units.
type anchor struct {
	thread   uint64
	from, to int
}

// anchors are where a document's threads stand as of a version.
//
// A range moves with its text. Its start goes behind what is inserted at its place, and its end stays before: what is typed at the edges
// is not what was commented on. A range that has become empty is dropped, for its text is gone.
type anchors struct {
	at     uint64    // the version
	starts []*anchor // ascending by from; invariant: edits move places without changing their order
	ends   []*anchor // the same ones, ascending by to
}

// add takes one in, as of the same version.
func (a *anchors) add(n anchor) {
	i, _ := slices.BinarySearchFunc(a.starts, n.from, func(o *anchor, from int) int { return o.from - from })
	a.starts = slices.Insert(a.starts, i, &n)
	i, _ = slices.BinarySearchFunc(a.ends, n.to, func(o *anchor, to int) int { return o.to - to })
	a.ends = slices.Insert(a.ends, i, &n)
}

// follow takes them to the next version.
func (a *anchors) follow(version uint64, edit ot.Delta) {
	a.at = version
	if len(a.starts) == 0 || edit.Count() == 0 {
		return
	}
	sweep(edit, ot.Later, a.starts, func(o *anchor) *int { return &o.from })
	sweep(edit, ot.Earlier, a.ends, func(o *anchor) *int { return &o.to })
	gone := func(o *anchor) bool { return o.from >= o.to }
	if slices.ContainsFunc(a.starts, gone) {
		a.starts = slices.DeleteFunc(a.starts, gone)
		a.ends = slices.DeleteFunc(a.ends, gone)
	}
}

// sweep moves ascending places over an edit as TransformPosition moves each, in one go: an edit of many operations would cost as much for each
// place. Pending are the places that lie at or before the operation, or were deleted before it: an insert there may still move them.
func sweep(edit ot.Delta, priority bool, pending []*anchor, place func(*anchor) *int) {
	before, after := 0, 0 // how far the operations have come, in the content before and after the edit
	settle := func(below int) {
		for len(pending) > 0 && *place(pending[0]) < below {
			p := place(pending[0])
			*p = after + max(0, *p-before)
			pending = pending[1:]
		}
	}
	for _, op := range edit.Ops() {
		switch op.Action() {
		case ot.Retain:
			settle(before + op.Len())
			before, after = before+op.Len(), after+op.Len()
		case ot.Delete:
			before += op.Len()
		case ot.Insert:
			if priority == ot.Earlier {
				settle(before + 1)
			}
			after += op.Len()
		}
	}
	settle(math.MaxInt)
}

// over moves a range over an edit; false: its text is gone.
func (n *anchor) over(edit ot.Delta) bool {
	n.from, n.to = edit.TransformPosition(n.from, ot.Later), edit.TransformPosition(n.to, ot.Earlier)
	return n.from < n.to
}

// of returns where a thread stands; nil: it is orphaned.
func (a *anchors) of(thread uint64) *anchor {
	i := slices.IndexFunc(a.starts, func(o *anchor) bool { return o.thread == thread })
	if i < 0 {
		return nil
	}
	return a.starts[i]
}

// text is how they are stored.
func (a *anchors) text() string {
	list := make([][3]uint64, 0, len(a.starts))
	for _, o := range a.starts {
		list = append(list, [3]uint64{o.thread, uint64(o.from), uint64(o.to)})
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // numbers can be encoded
	}
	return string(text)
}

func parseAnchors(at uint64, text string) (a anchors, err error) {
	var list [][3]uint64
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return a, fmt.Errorf("docs: anchors of %d: %w", at, err)
	}
	a.at = at
	for _, o := range list {
		a.add(anchor{o[0], int(o[1]), int(o[2])})
	}
	return a, nil
}
