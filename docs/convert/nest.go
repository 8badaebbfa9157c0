package convert

import (
	"slices"
)

// mark is a format that text is within.
type mark struct {
	name  markName
	value string // of a link, a colour, a script
}

type markName uint8

// The marks, the outermost first where nothing else decides. Code is none: no mark stands in it.
const (
	markLink markName = iota
	markBackground
	markColor
	markScript
	markUnderline
	markStrike
	markBold
	markItalic
)

func (s style) marks(dst []mark) []mark {
	for name, value := range [...]string{markLink: s.link, markBackground: s.background, markColor: s.color, markScript: s.script} {
		if value != "" {
			dst = append(dst, mark{markName(name), value})
		}
	}
	for i, on := range [...]bool{s.underline, s.strike, s.bold, s.italic} {
		if on {
			dst = append(dst, mark{markUnderline + markName(i), ""})
		}
	}
	return dst
}

// reachMost bounds how far is looked for the end of a mark: further away it isn't worth the time.
const reachMost = 16

// nest goes through the spans of a line and opens and closes marks so that they nest: those that go on longer are the outer ones.
func nest(spans []span, open, shut func(mark), show func(span)) {
	var stack, want, begin []mark
	for i, s := range spans {
		want = s.marks(want[:0])
		keep := 0
		for keep < len(stack) && s.within(stack[keep]) {
			keep++
		}
		for len(stack) > keep {
			shut(stack[len(stack)-1])
			stack = stack[:len(stack)-1]
		}
		begin = begin[:0]
		for _, m := range want {
			if !slices.Contains(stack, m) {
				begin = append(begin, m)
			}
		}
		if len(begin) > 1 {
			slices.SortStableFunc(begin, func(a, b mark) int { return reach(spans[i:], b) - reach(spans[i:], a) })
		}
		for _, m := range begin {
			open(m)
		}
		stack = append(stack, begin...)
		show(s)
	}
	for len(stack) > 0 {
		shut(stack[len(stack)-1])
		stack = stack[:len(stack)-1]
	}
}

// reach is for how many spans a mark goes on, up to reachMost.
func reach(spans []span, m mark) int {
	for n, s := range spans[:min(len(spans), reachMost)] {
		if !s.within(m) {
			return n
		}
	}
	return min(len(spans), reachMost)
}

func (s style) within(m mark) bool {
	switch m.name {
	case markLink:
		return s.link == m.value
	case markBackground:
		return s.background == m.value
	case markColor:
		return s.color == m.value
	case markScript:
		return s.script == m.value
	case markUnderline:
		return s.underline
	case markStrike:
		return s.strike
	case markBold:
		return s.bold
	case markItalic:
		return s.italic
	}
	return false
}
