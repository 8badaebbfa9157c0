package ottest

import (
	"math/rand/v2"
	"unicode/utf16"

	"plenum.internal/docs/ot"
)

// Trace is how one person edits a document, change by change.
type Trace struct {
	Changes []ot.Delta
	Final   string // the text after all of them
}

// Write makes a trace: somebody writes from nothing, as people do. Most changes are a character typed where the last one was, some take a few
// back; now and then the cursor goes elsewhere, a word is deleted or made bold, a sentence moved, a page pasted.
func Write(seed uint64, changes int) Trace {
	w := writer{r: rand.New(rand.NewPCG(seed, 1)), limit: changes}
	w.bold, _ = ot.NewAttributes(map[string]ot.Value{"bold": ot.Bool(true)})
	for !w.full() {
		w.act()
	}
	return Trace{w.changes, w.text.text()}
}

// Scatter makes a trace over a text of ASCII of a length: each change is a character or two inserted or deleted, anywhere.
func Scatter(seed uint64, length, changes int) (string, Trace) {
	w := writer{r: rand.New(rand.NewPCG(seed, 2)), limit: changes}
	base := make([]byte, length)
	for i := range base {
		base[i] = letters[w.r.IntN(len(letters))]
	}
	return string(base), w.scatter(string(base))
}

const letters = "eeeeetttaaaooiinnnssshhrrddlluucmwfgypbvk      ,.\n"

var rare = []string{"é", "ü", "ж", "日", "本", "😀", "👩‍👩‍👧", "e\u0301", "𝒜", "\u00a0"}

type writer struct {
	r       *rand.Rand
	text    gap
	cursor  int
	changes []ot.Delta
	bold    *ot.Attributes
	limit   int
}

func (w *writer) add(b *ot.Builder) {
	d, err := b.Delta()
	if err != nil {
		panic(err) // the writer makes no invalid change
	}
	w.changes = append(w.changes, d)
}

func (w *writer) full() bool { return len(w.changes) >= w.limit }

// act is one thing that somebody does: a change, or some.
func (w *writer) act() {
	switch p := w.r.IntN(1000); {
	case p < 700:
		for range 1 + w.r.IntN(12) {
			w.insert(w.word(1))
		}
		w.insert(" ")
	case p < 820:
		for range 1 + w.r.IntN(4) {
			w.erase(w.cursor-1, w.cursor)
		}
	case p < 900:
		w.cursor = w.text.border(min(max(0, w.cursor+w.r.IntN(400)-200), w.text.len()))
	case p < 930:
		w.cursor = w.text.border(w.r.IntN(w.text.len() + 1))
	case p < 960:
		w.erase(w.cursor-w.r.IntN(40), w.cursor)
	case p < 980:
		w.embolden(w.cursor-w.r.IntN(60), w.cursor)
	case p < 992:
		w.relocate(w.cursor-w.r.IntN(200), w.cursor)
	default:
		w.insert(w.word(20 + w.r.IntN(1500)))
	}
}

// word is so many characters, as they come in texts; a few take more than one code unit.
func (w *writer) word(n int) string {
	var out []byte
	for range n {
		if w.r.IntN(50) == 0 {
			out = append(out, rare[w.r.IntN(len(rare))]...)
		} else {
			out = append(out, letters[w.r.IntN(len(letters))])
		}
	}
	return string(out)
}

func (w *writer) insert(s string) {
	if w.full() {
		return
	}
	var b ot.Builder
	b.Retain(w.cursor, nil).Insert(s, nil)
	w.add(&b)
	units := utf16.Encode([]rune(s))
	w.text.insert(w.cursor, units)
	w.cursor += len(units)
}

func (w *writer) erase(from, to int) {
	from = w.text.border(max(from, 0))
	if from >= to || w.full() {
		return
	}
	var b ot.Builder
	b.Retain(from, nil).Delete(to - from)
	w.add(&b)
	w.text.remove(from, to-from)
	w.cursor = from
}

func (w *writer) embolden(from, to int) {
	from = w.text.border(max(from, 0))
	if from >= to || w.full() {
		return
	}
	var b ot.Builder
	b.Retain(from, nil).Retain(to-from, w.bold)
	w.add(&b)
}

// relocate cuts a part out and pastes it elsewhere, in one change.
func (w *writer) relocate(from, to int) {
	from = w.text.border(max(from, 0))
	if from >= to || w.full() {
		return
	}
	part := w.text.slice(from, to)
	w.text.remove(from, to-from)
	at := w.text.border(w.r.IntN(w.text.len() + 1))
	w.text.insert(at, part)
	s := string(utf16.Decode(part))
	var b ot.Builder
	if at < from {
		b.Retain(at, nil).Insert(s, nil).Retain(from-at, nil).Delete(to - from)
	} else {
		b.Retain(from, nil).Delete(to-from).Retain(at-from, nil).Insert(s, nil)
	}
	w.add(&b)
	w.cursor = at + len(part)
}

func (w *writer) scatter(base string) Trace {
	n := len(base)
	for !w.full() {
		var b ot.Builder
		at := w.r.IntN(n)
		b.Retain(at, nil)
		if size := 1 + w.r.IntN(2); w.r.IntN(2) == 0 && at+size <= n {
			b.Delete(size)
			n -= size
		} else {
			b.Insert("xy"[:size], nil)
			n += size
		}
		w.add(&b)
	}
	return Trace{Changes: w.changes}
}
