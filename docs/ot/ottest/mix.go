package ottest

import (
	"strings"

	"plenum.internal/docs/ot"
)

// Source is where choices come from: a math/rand/v2.Rand with a seed, or a property test that shrinks.
type Source interface {
	IntN(n int) int // from 0 to n-1
}

// Mix says what random documents and changes are made of. The zero Mix is plain ASCII.
type Mix struct {
	Unicode    bool // emoji, combining marks, the placeholder U+0000
	Attributes bool
	Nested     bool // attributes with objects and lists
	Nulls      bool // changes that remove attributes
	Embeds     bool
	Notes      bool // embeds that Note changes, and changes of them
}

// All is everything.
func All() Mix {
	return Mix{Unicode: true, Attributes: true, Nested: true, Nulls: true, Embeds: true, Notes: true}
}

var plain = strings.Split("a b c ab xyz the and \n   A 0 1 . , !", " ")

var unicode = []string{"😀", "😁", "👍🏽", "e\u0301", "é", "日本", "ж", "\u0000", "\u2028", "𝒜𝒷", "👩‍👩‍👧", "\r\n", "\uFFFD", "\uE000"}

// Text is a short text that isn't empty.
func (m Mix) Text(s Source) string {
	var b strings.Builder
	for b.Len() == 0 || s.IntN(3) > 0 {
		if m.Unicode && s.IntN(3) == 0 {
			b.WriteString(unicode[s.IntN(len(unicode))])
		} else {
			b.WriteString(plain[s.IntN(len(plain))])
		}
	}
	return b.String()
}

var (
	names  = []string{"bold", "color", "link", "font-size", "é", "\uE000", "😀"}
	values = []string{`true`, `"red"`, `1`, `0`, `""`, `"a\"b"`, `false`, `1.5`}
	nested = []string{`{"a":1}`, `{"a":null}`, `{"a":1,"b":[1,{"c":2}]}`, `[]`, `{}`, `[1,null]`}
)

// Formats are attributes, mostly none. A change's may be nulls, a document's are not.
func (m Mix) Formats(s Source, change bool) *ot.Attributes {
	if !m.Attributes || s.IntN(2) == 0 {
		return nil
	}
	set := map[string]ot.Value{}
	for range 1 + s.IntN(3) {
		name := names[min(s.IntN(len(names)), s.IntN(len(names)))]
		choice := values[min(s.IntN(len(values)), s.IntN(len(values)))]
		switch s.IntN(3) {
		case 0:
			if change && m.Nulls {
				choice = "null"
			}
		case 1:
			if m.Nested {
				choice = nested[s.IntN(len(nested))]
			}
		}
		set[name] = must(ot.ParseValue([]byte(choice), 8))
	}
	return must(ot.NewAttributes(set))
}

// Embed is one that has no handler, or a note.
func (m Mix) Embed(s Source) *ot.Embed {
	if m.Notes && s.IntN(2) == 0 {
		inner := Mix{Unicode: m.Unicode, Attributes: m.Attributes}.Document(s, s.IntN(4))
		return must(ot.NewEmbed("note", note(inner)))
	}
	kind := []string{"image", "rule"}[s.IntN(2)]
	return must(ot.NewEmbed(kind, must(ot.ParseValue([]byte(values[s.IntN(len(values))]), 8))))
}

// Document is a random document of so many inserts, some of which join.
func (m Mix) Document(s Source, inserts int) ot.Delta {
	var b ot.Builder
	for range inserts {
		if (m.Embeds || m.Notes) && s.IntN(4) == 0 {
			b.InsertEmbed(m.Embed(s), m.Formats(s, false))
		} else {
			b.Insert(m.Text(s), m.Formats(s, false))
		}
	}
	return must(b.Delta())
}

// atom is what a change can't cut: a character, or an embed.
type atom struct {
	units int
	embed *ot.Embed
}

func atoms(document ot.Delta) []atom {
	var out []atom
	for _, op := range document.Ops() {
		if op.Embed() != nil {
			out = append(out, atom{1, op.Embed()})
		}
		for _, r := range op.Text() {
			if r > 0xFFFF {
				out = append(out, atom{units: 2})
			} else {
				out = append(out, atom{units: 1})
			}
		}
	}
	return out
}

// Change is a random change that can be applied to a document.
func (m Mix) Change(s Source, document ot.Delta, edits int) ot.Delta {
	var b ot.Builder
	rest := atoms(document)
	take := func() int { // some of what follows, in code units
		if len(rest) == 0 {
			return 0
		}
		n := 0
		for range 1 + s.IntN(min(len(rest), 5)) {
			n += rest[0].units
			rest = rest[1:]
		}
		return n
	}
	for range edits {
		switch s.IntN(6) {
		case 0:
			b.Insert(m.Text(s), m.Formats(s, false))
		case 1:
			if m.Embeds || m.Notes {
				b.InsertEmbed(m.Embed(s), m.Formats(s, false))
			}
		case 2:
			b.Delete(take())
		case 3, 4:
			b.Retain(take(), m.Formats(s, true))
		case 5:
			if len(rest) > 0 && rest[0].embed != nil && rest[0].embed.Type() == "note" {
				inner := m
				inner.Notes = false
				change := inner.Change(s, must(parseNote(rest[0].embed.Data())), 1+s.IntN(3))
				b.RetainEmbed(must(ot.NewEmbed("note", note(change))), m.Formats(s, true))
				rest = rest[1:]
			} else {
				b.Retain(take(), nil)
			}
		}
	}
	return must(b.Delta())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // a bug in this package
	}
	return v
}
