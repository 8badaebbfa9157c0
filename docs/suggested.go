package docs

import (
	"slices"
	"sort"

	"plenum.internal/docs/ot"
)

// suggested is an open suggestion as of a version: its delta, spot by spot, so that an edit costs little but for the spots that it meets.
//
// It follows an edit as any operation does, but that a spot goes with its text: where the edit deletes all that the spot deletes or formats or, if it
// only inserts, what stands on both sides. Once nothing is left, or nothing of what it would delete or format, it is gone for good.
type suggested struct {
	id    uint64
	spots []spot // ascending. Invariant: all together in normal form, and none touches the next
	gone  bool   // then there are no spots
	// The spots from `behind` on stand `further` than they say: who goes on typing at one place moves none of them.
	behind, further int
}

// spot is what a delta does at one place: operations without a retain among them that changes nothing.
type spot struct {
	at    int // in code units of the content that the delta is for
	width int // how much of that content it deletes and formats
	grows int // by how much it makes it longer
	bytes int // as JSON; of an edit's not known
	delta ot.Delta
}

func (p spot) end() int { return p.at + p.width }

// touches reports that it deletes or formats something.
func (p spot) touches() bool { return p.width > 0 }

func spotsOf(delta ot.Delta) []spot {
	runs := delta.Runs()
	spots := make([]spot, len(runs))
	for i, r := range runs {
		spots[i] = spot{at: r.At, width: r.Delta.BaseLength(), grows: r.Delta.ChangeLength(), delta: r.Delta}
	}
	return spots
}

// join is the delta of spots, for a content that begins at a place.
func join(spots []spot, begin int) ot.Delta {
	runs := make([]ot.Run, len(spots))
	for i, p := range spots {
		runs[i] = ot.Run{At: p.at - begin, Delta: p.delta}
	}
	return ot.Join(runs...)
}

// reach is an edit, as suggestions are taken over it.
type reach struct {
	spots   []spot
	grown   []int     // by how much those before each have made the content longer
	deleted []stretch // ascending, none touches the next
}

// stretch is a range of code units.
type stretch struct{ from, to int }

func reachOf(edit ot.Delta) (r reach) {
	r.spots = spotsOf(edit)
	r.grown = make([]int, len(r.spots))
	for i, p := range r.spots {
		if i > 0 {
			r.grown[i] = r.grown[i-1] + r.spots[i-1].grows
		}
		at := p.at
		for _, op := range p.delta.Ops() {
			if op.Action() == ot.Insert {
				continue
			}
			from := at
			at += op.Len()
			if op.Action() != ot.Delete {
				continue
			}
			if n := len(r.deleted); n > 0 && r.deleted[n-1].to == from {
				r.deleted[n-1].to = at
			} else {
				r.deleted = append(r.deleted, stretch{from, at})
			}
		}
	}
	return r
}

// takes reports that a spot goes with its text.
func (r reach) takes(p spot) bool {
	i, _ := slices.BinarySearchFunc(r.deleted, p.at+1, func(d stretch, to int) int { return d.to - to }) // the first that ends behind its beginning
	if i == len(r.deleted) {
		return false
	}
	d := r.deleted[i]
	return d.from <= p.at && p.end() <= d.to && (p.touches() || d.from < p.at)
}

// newSuggested is a suggestion as of the version that its delta is of.
func newSuggested(id uint64, delta ot.Delta) suggested {
	delta, err := delta.Compose(ot.Delta{}, nil) // the normal form
	s := suggested{id: id}
	if err == nil {
		s.spots = weighed(spotsOf(delta))
	}
	s.gone = len(s.spots) == 0
	return s
}

// weighed notes how long spots are.
func weighed(spots []spot) []spot {
	for i, p := range spots {
		spots[i].bytes = len(p.delta.AppendJSON(nil))
	}
	return spots
}

// delta is what it does to the content of its version; nothing if it is gone.
func (s *suggested) delta() ot.Delta {
	s.settle()
	return join(s.spots, 0)
}

// at is where a spot stands.
func (s *suggested) at(i int) int {
	if i >= s.behind {
		return s.spots[i].at + s.further
	}
	return s.spots[i].at
}

// settle has all spots say where they stand.
func (s *suggested) settle() { s.move(len(s.spots), 0) }

// move has the spots from another one on stand further, and how far beyond what they stand now.
func (s *suggested) move(behind, further int) {
	for ; s.behind < behind; s.behind++ {
		s.spots[s.behind].at += s.further
	}
	for ; s.behind > behind; s.behind-- {
		s.spots[s.behind-1].at -= s.further
	}
	if s.further += further; behind == len(s.spots) {
		s.further = 0
	}
}

// clone can follow edits by itself.
func (s *suggested) clone() suggested {
	c := *s
	c.spots = slices.Clone(s.spots)
	return c
}

// follow takes it to the next version.
func (s *suggested) follow(edit reach) {
	if s.gone || len(edit.spots) == 0 {
		return
	}
	first := sort.Search(len(s.spots), func(i int) bool { return s.at(i)+s.spots[i].width >= edit.spots[0].at }) // those before end before the edit
	if first == len(s.spots) {
		return
	}
	if one := edit.spots[0]; len(edit.spots) == 1 && one.end() <= s.at(first) { // it meets none, as almost always
		s.move(first, one.grows)
		return
	}
	s.settle()
	out, own := s.spots[:first], true // in place, as long as no spot becomes several
	met, taken := false, false        // any spot, and some that would delete or format
	from := min(sort.Search(len(edit.spots), func(i int) bool { return edit.spots[i].end() > s.spots[first].at }), len(edit.spots)-1)
	shift, rest := edit.grown[from], edit.spots[from:] // by how much what lies before has become longer, and what doesn't
	for i := first; i < len(s.spots); i++ {
		p := &s.spots[i]
		for ; len(rest) > 0 && rest[0].end() <= p.at; rest = rest[1:] {
			shift += rest[0].grows
		}
		n := 0
		for n < len(rest) && rest[n].at <= p.end() {
			n++
		}
		switch {
		case n > 0 && edit.takes(*p):
			met, taken = true, taken || p.touches()
		case n > 0:
			met = true
			after := p.over(rest[:n], shift)
			if own && len(out)+len(after) > i+1 {
				out, own = append(make([]spot, 0, len(s.spots)+len(after)), out...), false
			}
			out = append(out, after...)
		default:
			if p.at += shift; own && len(out) == i {
				out = out[:i+1]
			} else {
				out = append(out, *p)
			}
		}
	}
	if s.spots = out; len(edit.deleted) > 0 {
		s.spots = apart(out)
	}
	s.behind = 0
	if met && (len(out) == 0 || taken && !slices.ContainsFunc(out, spot.touches) || s.tooLong()) {
		*s = suggested{id: s.id, gone: true}
	}
}

// over is what becomes of a spot by those of an edit that meet it, where all before has become longer by a shift.
func (p spot) over(met []spot, shift int) []spot {
	begin := min(p.at, met[0].at)
	delta, err := join(met, begin).Transform(join([]spot{p}, begin), ot.Earlier, nil)
	if err != nil { // it changes an embed: nothing that was accepted does
		return nil
	}
	after := weighed(spotsOf(delta))
	for i := range after {
		after[i].at += begin + shift
	}
	return after
}

// apart makes one spot of those that have come to touch, as the normal form wants it.
func apart(spots []spot) []spot {
	touch := func(i int) bool { return spots[i-1].end() >= spots[i].at }
	n := 1
	for n < len(spots) && !touch(n) {
		n++
	}
	if n >= len(spots) {
		return spots
	}
	out := spots[:n-1]
	for i := n - 1; i < len(spots); {
		one, end, bytes := spots[i], i+1, spots[i].bytes
		for ; end < len(spots) && touch(end); end++ {
			bytes += spots[end].bytes
		}
		if end > i+1 {
			one = spotsOf(join(spots[i:end], 0).Normal())[0]
			one.bytes = bytes
		}
		out, i = append(out, one), end
	}
	return out
}

// tooLong reports that edits have cut it into so many spots that it is longer than a suggestion may become.
func (s *suggested) tooLong() bool {
	const between = len(`{"retain":2147483647},`)
	most := 0
	for _, p := range s.spots {
		most += p.bytes + between
	}
	return most > MaxSuggested && len(s.delta().AppendJSON(nil)) > MaxSuggested
}
