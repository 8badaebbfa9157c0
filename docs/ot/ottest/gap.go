package ottest

import "unicode/utf16"

// gap is a text in UTF-16 with a gap where it was edited last: another representation than the one that is tested, and as quick for who types.
type gap struct {
	before []uint16
	after  []uint16 // in reverse
}

func (g *gap) len() int { return len(g.before) + len(g.after) }

func (g *gap) at(i int) uint16 {
	if i < len(g.before) {
		return g.before[i]
	}
	return g.after[len(g.after)-1-(i-len(g.before))]
}

func (g *gap) move(to int) {
	for len(g.before) > to {
		g.after = append(g.after, g.before[len(g.before)-1])
		g.before = g.before[:len(g.before)-1]
	}
	for len(g.before) < to {
		g.before = append(g.before, g.after[len(g.after)-1])
		g.after = g.after[:len(g.after)-1]
	}
}

func (g *gap) insert(at int, text []uint16) {
	g.move(at)
	g.before = append(g.before, text...)
}

func (g *gap) remove(at, n int) {
	g.move(at)
	g.after = g.after[:len(g.after)-n]
}

func (g *gap) slice(from, to int) []uint16 {
	out := make([]uint16, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, g.at(i))
	}
	return out
}

// border is the next place to the left that isn't within a surrogate pair.
func (g *gap) border(at int) int {
	if at > 0 && at < g.len() && utf16.IsSurrogate(rune(g.at(at))) && g.at(at) >= 0xDC00 {
		return at - 1
	}
	return at
}

func (g *gap) text() string {
	return string(utf16.Decode(g.slice(0, g.len())))
}
