package ot

import "unicode/utf16"

// Diff is what makes the document other of the document d, as the original finds it: the text by Myers' algorithm, then cleaned up for people. A
// surrogate pair is never cut (the original's clean-up can move an edit into one).
//
// effort bounds the work, in steps of some nanoseconds; the worst case is the product of both lengths. Once it is spent, what is left is replaced as a
// whole: that is still right, only not small. 0 is without a bound.
func (d Delta) Diff(other Delta, effort int) (Delta, error) {
	from, err := d.flat()
	if err != nil {
		return Delta{}, err
	}
	to, err := other.flat()
	if err != nil {
		return Delta{}, err
	}
	t := textDiff{effort: effort, bounded: effort > 0}
	before, after := cursor{ops: d.ops}, cursor{ops: other.ops}
	var out Builder
	for _, e := range t.diff(from, to) {
		for left := len(e.text); left > 0; {
			n := left
			if e.kind != added {
				n = min(n, before.left())
			}
			if e.kind != removed {
				n = min(n, after.left())
			}
			left -= n
			if err := difference(e.kind, n, &before, &after, &out); err != nil {
				return Delta{}, err
			}
		}
	}
	return out.chopped(), nil
}

// difference turns n code units of an edit into operations. Both cursors have as many left in their operation.
func difference(kind editKind, n int, before, after *cursor, out *Builder) error {
	var old, now Op
	ok := true
	if kind != added {
		old, ok = before.take(n)
	}
	if kind != removed && ok {
		now, ok = after.take(n)
	}
	switch {
	case !ok:
		return splitPair(NoOp)
	case kind == added:
		out.push(now)
	case kind == removed:
		out.push(Op{action: Delete, n: n})
	case old.text == now.text && old.embed.Equal(now.embed):
		out.push(Op{action: Retain, n: n, attrs: old.attrs.Diff(now.attrs)})
	default: // embeds, which all look alike in the text
		out.push(now)
		out.push(Op{action: Delete, n: n})
	}
	return nil
}

// flat is a document's text in UTF-16, with U+0000 for each embed.
func (d Delta) flat() ([]uint16, error) {
	out := make([]uint16, 0, d.Length())
	for i, op := range d.ops {
		switch {
		case op.action != Insert:
			return nil, errorf(NotDocument, i, "a document has inserts only")
		case op.embed != nil:
			out = append(out, 0)
		default:
			for _, r := range op.text {
				out = utf16.AppendRune(out, r)
			}
		}
	}
	return out, nil
}
