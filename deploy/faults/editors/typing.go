package editors

import (
	"math/rand/v2"
	"strings"

	"plenum.internal/docs/ot"
)

// What people do to a text. Each of it writes a mark, too.
const (
	typed     = "typing"
	pasted    = "paste"
	formatted = "format"
	deleted   = "deletion"
	pulsed    = "pulse"
)

// The sizes of edits, in code units.
const (
	reach   = 40     // what is formatted or deleted at once
	paste   = 600    // the longest paste
	enough  = 20_000 // a longer text is made shorter
	shorter = 4000   // by so much at once
)

// typist makes edits.
type typist struct{ *rand.Rand }

// edit makes one of a page, with a mark in it. Nobody deletes a mark or writes into one: so whatever becomes of it was done by those who transform.
func (t typist) edit(p page, mark string) (edit ot.Delta, action string, err error) {
	var b ot.Builder
	switch dice := t.IntN(100); {
	case len(p) > enough:
		action = deleted
		t.remove(&b, p, shorter, mark)
	case dice < 60 || len(p) < reach:
		action = typed
		t.place(&b, p).Insert(mark+t.words(1+t.IntN(2)), nil)
	case dice < 68:
		action = pasted
		t.place(&b, p).Insert(mark+t.words(1+t.IntN(paste/6)), nil)
		if t.IntN(3) == 0 {
			b.InsertEmbed(picture, nil)
		}
	case dice < 82:
		action = formatted
		s := t.span(p, reach)
		b.Retain(s.from, nil).Retain(s.to-s.from, formats[t.IntN(len(formats))]).Insert(mark, nil)
	default:
		action = deleted
		t.remove(&b, p, reach, mark)
	}
	edit, err = b.Delta()
	return edit, action, err
}

// place goes to where something is inserted: where others do so, too, or anywhere.
func (t typist) place(b *ot.Builder, p page) *ot.Builder {
	at := t.IntN(len(p) + 1)
	switch t.IntN(6) {
	case 0:
		at = 0
	case 1:
		at = len(p)
	}
	return b.Retain(p.free(at), nil)
}

// span is a part of the page of up to so many code units.
func (t typist) span(p page, most int) span {
	from := p.free(t.IntN(len(p) + 1))
	return span{from, p.free(min(len(p), from+1+t.IntN(most)))}
}

// remove deletes what is no mark.
func (t typist) remove(b *ot.Builder, p page, most int, mark string) {
	s := t.span(p, most)
	b.Retain(s.from, nil).Insert(mark, nil)
	at := s.from
	for _, f := range p.filler(s) {
		b.Retain(f.from-at, nil).Delete(f.to - f.from)
		at = f.to
	}
}

// words are some, none of which has a bracket.
func (t typist) words(n int) string {
	var out strings.Builder
	for range n {
		out.WriteString(vocabulary[t.IntN(len(vocabulary))])
	}
	return out.String()
}

var vocabulary = strings.Split("the ,draft ,says ,a ,b, ,\n,weiß ,日本 ,😀,👩‍👩‍👧,𝒜𝒷,e\u0301,never ,again ", ",")

var (
	picture = must(ot.NewEmbed("image", ot.Text("https://pictures.example/1")))
	formats = []*ot.Attributes{
		format(`{"bold":true}`), format(`{"bold":null}`), format(`{"color":"red"}`), format(`{"color":"blue","italic":true}`),
		format(`{"color":null,"italic":null}`), format(`{"link":"https://plenum.example"}`), format(`{"header":1}`),
	}
)

func format(text string) *ot.Attributes { return must(ot.ParseAttributes([]byte(text), 1)) }

// must is for what is written above.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
