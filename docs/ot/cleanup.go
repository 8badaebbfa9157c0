package ot

import "slices"

// merged brings edits into order: between two kept parts at most one removal and then one addition, what they have in common at their ends is
// kept, and an edit slides over a kept part that it repeats. whole makes sure that the result cuts no surrogate pair; the edits may.
func merged(edits []edit, whole bool) []edit {
	for again := true; again; {
		edits, again = slid(joined(edits, whole))
	}
	return edits
}

// gap is what lies between two kept parts.
type gap struct{ removed, added []uint16 }

// joined is the first half of merged.
func joined(edits []edit, whole bool) []edit {
	var out []edit // Invariant: ends with a kept part, or is empty, while the gap is open
	var g gap
	edits = append(slices.Clip(edits), edit{kept, nil})
	for i, e := range edits {
		last := i == len(edits)-1
		switch e.kind {
		case added:
			g.added = glued(g.added, e.text)
			continue
		case removed:
			g.removed = glued(g.removed, e.text)
			continue
		case kept:
			if len(e.text) == 0 && !last {
				continue
			}
		}
		if whole {
			out = g.takeHigh(out)
			if len(e.text) > 0 && isLow(e.text[0]) {
				g.removed, g.added = glued(g.removed, e.text[:1]), glued(g.added, e.text[:1])
				e.text = e.text[1:]
			}
			if len(e.text) == 0 && !last {
				continue // the gap goes on
			}
		}
		out, e.text = g.close(out, e.text)
		if n := len(out); n > 0 && out[n-1].kind == kept {
			out[n-1].text = glued(out[n-1].text, e.text)
		} else {
			out = append(out, e)
		}
		g = gap{}
	}
	if n := len(out); len(out[n-1].text) == 0 {
		out = out[:n-1]
	}
	return out
}

// takeHigh takes half of a pair from the end of the kept part before the gap. If nothing is left of that part, the gap before it is part of this one.
func (g *gap) takeHigh(out []edit) []edit {
	n := len(out)
	if n == 0 || len(out[n-1].text) == 0 || !isHigh(out[n-1].text[len(out[n-1].text)-1]) {
		return out
	}
	before := out[n-1].text
	stray := before[len(before)-1:]
	g.removed, g.added = glued(stray, g.removed), glued(stray, g.added)
	if out[n-1].text = before[:len(before)-1]; len(before) > 1 {
		return out
	}
	out = out[:n-1]
	if n = len(out); n > 0 && out[n-1].kind == added {
		g.added = glued(out[n-1].text, g.added)
		out = out[:n-1]
	}
	if n = len(out); n > 0 && out[n-1].kind == removed {
		g.removed = glued(out[n-1].text, g.removed)
		out = out[:n-1]
	}
	return out
}

// close puts the gap behind out, less what its removal and addition have in common at their ends, which goes to the kept parts around it.
func (g *gap) close(out []edit, next []uint16) ([]edit, []uint16) {
	if len(g.removed) > 0 && len(g.added) > 0 {
		if n := commonPrefix(g.added, g.removed); n > 0 {
			if len(out) == 0 {
				out = append(out, edit{kept, nil})
			}
			before := &out[len(out)-1]
			before.text = glued(before.text, g.added[:n])
			g.removed, g.added = g.removed[n:], g.added[n:]
		}
		if n := commonSuffix(g.added, g.removed); n > 0 {
			next = glued(g.added[len(g.added)-n:], next)
			g.removed, g.added = g.removed[:len(g.removed)-n], g.added[:len(g.added)-n]
		}
	}
	if len(g.removed) > 0 {
		out = append(out, edit{removed, g.removed})
	}
	if len(g.added) > 0 {
		out = append(out, edit{added, g.added})
	}
	return out, next
}

// slid slides single edits over the kept part before or after them where that part is a repetition: A<BA>C is <AB>AC. It reports whether any did.
func slid(edits []edit) ([]edit, bool) {
	moved := false
	for i := 1; i < len(edits)-1; i++ {
		before, e, after := &edits[i-1], &edits[i], &edits[i+1]
		if before.kind != kept || after.kind != kept {
			continue
		}
		switch n, m := len(e.text)-len(before.text), len(after.text); {
		case n >= 0 && slices.Equal(e.text[n:], before.text):
			e.text = glued(before.text, e.text[:n])
			after.text = glued(before.text, after.text)
			edits = slices.Delete(edits, i-1, i)
			moved = true
		case m <= len(e.text) && slices.Equal(e.text[:m], after.text):
			before.text = glued(before.text, after.text)
			e.text = glued(e.text[m:], after.text)
			edits = slices.Delete(edits, i+1, i+2)
			moved = true
		}
	}
	return edits, moved
}

// cleaned makes a difference readable: kept parts that are small against the edits around them go, edits move to the borders of words and
// lines, and what a removal and the addition after it overlap in is kept.
func cleaned(edits []edit) []edit {
	edits, changed := withoutTrifles(edits)
	if changed {
		edits = merged(edits, false)
	}
	return overlaps(aligned(edits))
}

// withoutTrifles replaces kept parts that are no longer than the edits on each side.
func withoutTrifles(edits []edit) ([]edit, bool) {
	changed := false
	var places []int // of the kept parts that may still go
	var candidate []uint16
	var before, after struct{ added, removed int } // lengths of the edits around the candidate
	for i := 0; i < len(edits); i++ {
		e := edits[i]
		switch e.kind {
		case kept:
			places = append(places, i)
			before, after = after, struct{ added, removed int }{}
			candidate = e.text
			continue
		case added:
			after.added += len(e.text)
		case removed:
			after.removed += len(e.text)
		}
		n := len(candidate)
		if n == 0 || n > max(before.added, before.removed) || n > max(after.added, after.removed) {
			continue
		}
		at := places[len(places)-1]
		edits[at].kind = added
		edits = slices.Insert(edits, at, edit{removed, candidate})
		places = places[:max(len(places)-2, 0)] // without this one, and the one before it, which is to be looked at again
		i = -1
		if len(places) > 0 {
			i = places[len(places)-1]
		}
		before, after = struct{ added, removed int }{}, struct{ added, removed int }{}
		candidate, changed = nil, true
	}
	return edits, changed
}

// aligned moves each single edit between two kept parts sideways to where its borders look best. It never moves into a surrogate pair; the
// original can.
func aligned(edits []edit) []edit {
	for i := 1; i < len(edits)-1; i++ {
		if edits[i-1].kind != kept || edits[i+1].kind != kept {
			continue
		}
		before, e, after := edits[i-1].text, edits[i].text, edits[i+1].text
		all := slices.Concat(before, e, after)
		n := len(e)
		at := len(before) - commonSuffix(before, e) // as far to the left as it goes
		best, bestScore := at, -1
		for ; ; at++ {
			if !cuts(all, at) && !cuts(all, at+n) {
				score := borderScore(all[:at], all[at:at+n]) + borderScore(all[at:at+n], all[at+n:])
				if score >= bestScore {
					best, bestScore = at, score
				}
			}
			if at+n >= len(all) || all[at] != all[at+n] {
				break
			}
		}
		if best == len(before) {
			continue
		}
		edits[i-1].text, edits[i].text, edits[i+1].text = all[:best], all[best:best+n], all[best+n:]
		if best == 0 {
			edits = slices.Delete(edits, i-1, i)
			i--
		}
		if best+n == len(all) {
			edits = slices.Delete(edits, i+1, i+2)
			i--
		}
	}
	return edits
}

// cuts reports that a place is within a surrogate pair.
func cuts(text []uint16, at int) bool {
	return at > 0 && at < len(text) && isHigh(text[at-1]) && isLow(text[at])
}

// overlaps keeps what ends a removal and begins the addition after it, or the other way round, if it is at least half of either.
func overlaps(edits []edit) []edit {
	for i := 1; i < len(edits); i++ {
		if edits[i-1].kind != removed || edits[i].kind != added {
			continue
		}
		gone, come := edits[i-1].text, edits[i].text
		n, m := overlap(gone, come), overlap(come, gone)
		switch {
		case n >= m && (2*n >= len(gone) || 2*n >= len(come)):
			edits[i-1].text, edits[i].text = gone[:len(gone)-n], come[n:]
			edits = slices.Insert(edits, i, edit{kept, come[:n]})
			i++
		case n < m && (2*m >= len(gone) || 2*m >= len(come)):
			edits[i-1] = edit{added, come[:len(come)-m]}
			edits[i] = edit{removed, gone[m:]}
			edits = slices.Insert(edits, i, edit{kept, gone[:m]})
			i++
		}
		i++
	}
	return edits
}

// glued is both texts in one, which shares memory with neither.
func glued(a, b []uint16) []uint16 {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	return slices.Concat(a, b)
}

// borderScore says how good a border between two texts is, from 0, within a word, to 6, at an end.
func borderScore(one, two []uint16) int {
	if len(one) == 0 || len(two) == 0 {
		return 6
	}
	a, b := one[len(one)-1], two[0]
	switch {
	case isLineBreak(a) && endsBlank(one), isLineBreak(b) && beginsBlank(two):
		return 5
	case isLineBreak(a), isLineBreak(b):
		return 4
	case !isWord(a) && !isSpace(a) && isSpace(b):
		return 3
	case isSpace(a), isSpace(b):
		return 2
	case !isWord(a), !isWord(b):
		return 1
	}
	return 0
}

func isWord(u uint16) bool {
	return u >= '0' && u <= '9' || u >= 'A' && u <= 'Z' || u >= 'a' && u <= 'z'
}

func isLineBreak(u uint16) bool { return u == '\n' || u == '\r' }

// isSpace is JavaScript's \s.
func isSpace(u uint16) bool {
	switch u {
	case ' ', '\t', '\n', '\v', '\f', '\r', 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return u >= 0x2000 && u <= 0x200A
}

// endsBlank reports an empty line at the end: two line feeds, perhaps with a carriage return between them.
func endsBlank(t []uint16) bool {
	n := len(t)
	return n >= 2 && t[n-1] == '\n' && (t[n-2] == '\n' || n >= 3 && t[n-2] == '\r' && t[n-3] == '\n')
}

// beginsBlank reports an empty line at the beginning, with carriage returns or without.
func beginsBlank(t []uint16) bool {
	for range 2 {
		if len(t) > 0 && t[0] == '\r' {
			t = t[1:]
		}
		if len(t) == 0 || t[0] != '\n' {
			return false
		}
		t = t[1:]
	}
	return true
}
