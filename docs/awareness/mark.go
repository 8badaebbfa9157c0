package awareness

import (
	"cmp"
	"slices"
	"time"

	"plenum.internal/docs/ot"
)

// span is a range in code units; an empty one is where something was deleted.
type span struct{ from, to int }

// spansOf are the places that an edit has changed, in the content behind it.
func spansOf(edit ot.Delta) []span {
	var spans []span
	at := 0
	for _, op := range edit.Ops() {
		switch {
		case op.Action() == ot.Delete:
			spans = append(spans, span{at, at})
			continue
		case op.Action() == ot.Insert || op.Attributes() != nil || op.Embed() != nil:
			spans = append(spans, span{at, at + op.Len()})
		}
		at += op.Len()
	}
	return compact(spans)
}

// compact joins spans that meet and, until there are no more than maxSpans, those that are closest to each other.
func compact(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	if extra := len(out) - maxSpans; extra > 0 {
		gaps := make([]int, len(out)-1)
		for i := range gaps {
			gaps[i] = i + 1
		}
		slices.SortStableFunc(gaps, func(a, b int) int { return cmp.Compare(out[a].from-out[a-1].to, out[b].from-out[b-1].to) })
		closed := gaps[:extra]
		kept := out[:0]
		for i, s := range out {
			if slices.Contains(closed, i) {
				kept[len(kept)-1].to = s.to
				continue
			}
			kept = append(kept, s)
		}
		out = kept
	}
	return out
}

// mark is where somebody has edited in a stretch of time. All stretches begin at whole tens of seconds, so that a mark doesn't depend on since when anybody looks.
type mark struct {
	spans       []span
	first, last time.Time
}

// marks are those of one person, the newest last.
type marks []mark

// push adds a mark to the newest, if that is of the same stretch, or behind it.
func (m marks) push(n mark) marks {
	if i := len(m) - 1; i >= 0 && stretchOf(n.last) == stretchOf(m[i].first) {
		m[i].spans = compact(append(m[i].spans, n.spans...))
		m[i].last = n.last
		return m
	}
	m = append(m, n)
	return m[max(0, len(m)-maxMarks):]
}

// clone is a copy that may be moved on by itself.
func (m marks) clone() marks {
	c := slices.Clone(m)
	for i := range c {
		c[i].spans = slices.Clone(c[i].spans)
	}
	return c
}

// follow moves them over an edit: what is inserted at their edges isn't in them.
func (m marks) follow(edit ot.Delta) {
	for _, one := range m {
		for i, s := range one.spans {
			s.from, s.to = edit.TransformPosition(s.from, ot.Later), edit.TransformPosition(s.to, ot.Earlier)
			s.from = min(s.from, s.to) // of an empty one at which something was inserted
			one.spans[i] = s
		}
	}
}

// since are those that were edited since a time.
func (m marks) since(t time.Time) marks {
	i := slices.IndexFunc(m, func(one mark) bool { return one.last.After(t) })
	if i < 0 {
		return nil
	}
	return m[i:]
}
