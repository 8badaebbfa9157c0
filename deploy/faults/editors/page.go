package editors

import (
	"unicode/utf16"

	"plenum.internal/deploy/faults/versions"
	"plenum.internal/docs/ot"
)

// page is a content as who edits it sees it, in code units; an embed is a character that nobody types.
type page []uint16

// span is a part of a page.
type span struct{ from, to int }

const embed = 0xFFFC

func pageOf(d *ot.Document) page {
	p := make(page, 0, d.Len())
	for _, op := range d.Delta().Ops() {
		if op.Embed() != nil {
			p = append(p, embed)
			continue
		}
		for _, r := range op.Text() {
			p = utf16.AppendRune(p, r)
		}
	}
	return p
}

// marks are where edits have written their marks.
func (p page) marks() (out []span) {
	from := 0
	for at, unit := range p {
		switch unit {
		case '[':
			from = at
		case ']':
			out = append(out, span{from, at + 1})
		}
	}
	return out
}

// free is the first place, from one on, where something can be inserted: not within a mark, nor within a surrogate pair.
func (p page) free(at int) int {
	inside := false
	for i := at - 1; i >= 0 && i >= at-versions.MarkLength && p[i] != ']'; i-- {
		if p[i] == '[' {
			inside = true
			break
		}
	}
	for inside && at < len(p) {
		inside = p[at] != ']'
		at++
	}
	if at > 0 && at < len(p) && utf16.IsSurrogate(rune(p[at])) && p[at] >= 0xDC00 {
		at++
	}
	return at
}

// filler are the parts of a span that are no marks. Both its ends are free.
func (p page) filler(s span) (out []span) {
	at := s.from
	for _, m := range p[s.from:s.to].marks() {
		if mark := (span{s.from + m.from, s.from + m.to}); mark.from > at {
			out, at = append(out, span{at, mark.from}), mark.to
		} else {
			at = mark.to
		}
	}
	if at < s.to {
		out = append(out, span{at, s.to})
	}
	return out
}

// own are the marks of a client that stand on the page.
func (p page) own(client int) map[string]bool {
	out := map[string]bool{}
	for _, m := range p.marks() {
		if mark := string(utf16.Decode(p[m.from:m.to])); versions.Author(mark) == client {
			out[mark] = true
		}
	}
	return out
}
