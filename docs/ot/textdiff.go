package ot

import "slices"

// editKind is what an edit does with its text.
type editKind int8

const (
	kept editKind = iota
	added
	removed
)

// edit is a part of a difference.
type edit struct {
	kind editKind
	text []uint16
}

// textDiff finds the difference between two texts in UTF-16. Which of the smallest differences it finds, and where it gives up to find the
// smallest, is part of the behaviour: clients with the original get the same.
type textDiff struct {
	effort  int
	bounded bool
}

// spend takes from the effort; false: there is none left.
func (t *textDiff) spend(steps int) bool {
	t.effort -= steps
	return !t.bounded || t.effort > 0
}

// diff gives edits that cut no surrogate pair, of two texts that are whole.
func (t *textDiff) diff(a, b []uint16) []edit {
	return cleaned(merged(t.parts(a, b), true))
}

// inner is the difference of parts of the texts; it may cut surrogate pairs.
func (t *textDiff) inner(a, b []uint16) []edit {
	return merged(t.parts(a, b), false)
}

// parts splits off what both begin and end with.
func (t *textDiff) parts(a, b []uint16) []edit {
	if slices.Equal(a, b) {
		if len(a) == 0 {
			return nil
		}
		return []edit{{kept, a}}
	}
	n := commonPrefix(a, b)
	prefix := a[:n]
	a, b = a[n:], b[n:]
	n = commonSuffix(a, b)
	suffix := a[len(a)-n:]
	a, b = a[:len(a)-n], b[:len(b)-n]

	var out []edit
	if len(prefix) > 0 {
		out = append(out, edit{kept, prefix})
	}
	out = append(out, t.middle(a, b)...)
	if len(suffix) > 0 {
		out = append(out, edit{kept, suffix})
	}
	return out
}

// middle is the difference of texts that neither begin nor end alike.
func (t *textDiff) middle(a, b []uint16) []edit {
	switch {
	case len(a) == 0:
		return []edit{{added, b}}
	case len(b) == 0:
		return []edit{{removed, a}}
	}
	long, short, change := b, a, added
	if len(a) > len(b) {
		long, short, change = a, b, removed
	}
	if i := newPattern(short).find(long, 0); i >= 0 {
		return []edit{{change, long[:i]}, {kept, short}, {change, long[i+len(short):]}}
	}
	if len(short) == 1 {
		return []edit{{removed, a}, {added, b}}
	}
	if h, ok := t.half(long, short); ok {
		if len(a) <= len(b) {
			h.longHead, h.shortHead = h.shortHead, h.longHead
			h.longTail, h.shortTail = h.shortTail, h.longTail
		}
		out := t.inner(h.longHead, h.shortHead)
		out = append(out, edit{kept, h.common})
		return append(out, t.inner(h.longTail, h.shortTail)...)
	}
	return t.bisect(a, b)
}

// half is a part that both texts have and that is at least half as long as the longer one, with what stands around it.
type half struct {
	longHead, longTail   []uint16
	shortHead, shortTail []uint16
	common               []uint16
}

// half looks for a common half; a seed of it has to begin in the second or the third quarter. It saves time, and may miss the smallest difference.
func (t *textDiff) half(long, short []uint16) (half, bool) {
	if len(long) < 4 || len(short)*2 < len(long) {
		return half{}, false
	}
	second, foundSecond := t.halfAt(long, short, (len(long)+3)/4)
	third, foundThird := t.halfAt(long, short, (len(long)+1)/2)
	if foundSecond && (!foundThird || len(second.common) > len(third.common)) {
		return second, true
	}
	return third, foundThird
}

// halfAt looks for a common half around the quarter of long that begins at i.
func (t *textDiff) halfAt(long, short []uint16, i int) (half, bool) {
	seed := newPattern(long[i : i+len(long)/4])
	var best half
	for j := seed.find(short, 0); j >= 0; j = seed.find(short, j+1) {
		after := commonPrefix(long[i:], short[j:])
		before := commonSuffix(long[:i], short[:j])
		if len(best.common) < before+after {
			best = half{
				longHead: long[:i-before], longTail: long[i+after:],
				shortHead: short[:j-before], shortTail: short[j+after:],
				common: short[j-before : j+after],
			}
		}
		if !t.spend(before + after + 1) {
			break
		}
	}
	return best, len(best.common)*2 >= len(long)
}

// commonPrefix is how much two texts begin alike, less a half of a pair at its end.
func commonPrefix(a, b []uint16) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n > 0 && isHigh(a[n-1]) {
		n--
	}
	return n
}

// commonSuffix is how much two texts end alike, less a half of a pair at its start.
func commonSuffix(a, b []uint16) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	if n > 0 && isLow(a[len(a)-n]) {
		n--
	}
	return n
}

// pattern is a text that is looked for, as Knuth, Morris and Pratt do it.
type pattern struct {
	text    []uint16
	borders []int32 // for each beginning, how long its longest proper end is with which the text begins too
}

func newPattern(text []uint16) pattern {
	p := pattern{text, make([]int32, len(text))}
	for i, k := 1, int32(0); i < len(text); i++ {
		k = p.step(k, text[i])
		p.borders[i] = k
	}
	return p
}

// step is how much of the pattern matches after another code unit, where k of it did before.
func (p pattern) step(k int32, u uint16) int32 {
	for k > 0 && (int(k) == len(p.text) || p.text[k] != u) {
		k = p.borders[k-1]
	}
	if p.text[k] == u {
		k++
	}
	return k
}

// find is where the pattern, which isn't empty, is found for the first time, at or after from; -1 if it isn't.
func (p pattern) find(text []uint16, from int) int {
	k := int32(0)
	for i := from; i < len(text); i++ {
		if k = p.step(k, text[i]); int(k) == len(p.text) {
			return i + 1 - len(p.text)
		}
	}
	return -1
}

// overlap is the length of the longest end of a with which b begins.
func overlap(a, b []uint16) int {
	n := min(len(a), len(b))
	if n == 0 {
		return 0
	}
	p, k := newPattern(b[:n]), int32(0)
	for _, u := range a[len(a)-n:] {
		k = p.step(k, u)
	}
	return int(k)
}

func isHigh(u uint16) bool { return u&0xFC00 == 0xD800 }
func isLow(u uint16) bool  { return u&0xFC00 == 0xDC00 }
