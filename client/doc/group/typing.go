package group

import (
	"math/rand/v2"

	"plenum.internal/docs/ot"
)

// typing is somebody who writes: most edits are a letter behind the one before, some take a few back; now and then the cursor goes elsewhere, a
// sentence is deleted or made bold, a line pasted. The mix is that of ottest.Write.
type typing struct {
	cursor int // in what is shown
	word   int // letters left of the word that is being typed, the blank behind it included
	erase  int // letters left to take back
}

const letters = "eeeeetttaaaooiinnnssshhrrddlluucmwfgypbvk"

// rare are what takes more than a byte, or more than a code unit.
var rare = []string{"é", "ж", "日", "😀", "👩‍👩‍👧"}

var bold = func() *ot.Attributes {
	a, err := ot.NewAttributes(map[string]ot.Value{"bold": ot.Bool(true)})
	if err != nil {
		panic(err) // a constant
	}
	return a
}()

// next is an edit of what is shown, and never an empty one.
func (t *typing) next(shown *ot.Document, r *rand.Rand) ot.Delta {
	t.cursor = border(shown, min(t.cursor, shown.Len()))
	for {
		switch {
		case t.word > 0:
			return t.letter(r)
		case t.erase > 0 && t.cursor > 0:
			t.erase--
			return t.remove(shown, t.cursor-1)
		}
		t.erase = 0
		switch p := r.IntN(1000); {
		case p < 820:
			t.word = 2 + r.IntN(12)
		case p < 880:
			t.erase = 1 + r.IntN(4)
		case p < 960:
			t.cursor = border(shown, min(max(0, t.cursor+r.IntN(400)-200), shown.Len()))
		case p < 975:
			t.cursor = border(shown, r.IntN(shown.Len()+1))
		case p < 985 && t.cursor > 0:
			return t.remove(shown, t.cursor-1-r.IntN(60))
		case p < 995 && t.cursor > 0:
			from := border(shown, max(0, t.cursor-1-r.IntN(60)))
			return built(new(ot.Builder).Retain(from, nil).Retain(t.cursor-from, bold))
		default:
			return t.insert(words(r, 4+r.IntN(20)))
		}
	}
}

// letter is the next one of a word.
func (t *typing) letter(r *rand.Rand) ot.Delta {
	switch t.word = max(0, t.word-1); {
	case t.word == 0 && r.IntN(20) == 0:
		return t.insert("\n")
	case t.word == 0:
		return t.insert(" ")
	case r.IntN(100) == 0:
		return t.insert(rare[r.IntN(len(rare))])
	}
	i := r.IntN(len(letters))
	return t.insert(letters[i : i+1])
}

func (t *typing) insert(text string) ot.Delta {
	d := built(new(ot.Builder).Retain(t.cursor, nil).Insert(text, nil))
	t.cursor += d.ChangeLength()
	return d
}

// remove deletes from a place up to the cursor.
func (t *typing) remove(shown *ot.Document, from int) ot.Delta {
	from = border(shown, max(0, from))
	d := built(new(ot.Builder).Retain(from, nil).Delete(t.cursor - from))
	t.cursor = from
	return d
}

// border is a place that is not inside of a surrogate pair: the one before, else.
func border(shown *ot.Document, at int) int {
	if shown.Cuts(at) {
		return at - 1
	}
	return at
}

func words(r *rand.Rand, n int) string {
	var out []byte
	for range n {
		for range 1 + r.IntN(9) {
			out = append(out, letters[r.IntN(len(letters))])
		}
		out = append(out, ' ')
	}
	return string(out)
}

func built(b *ot.Builder) ot.Delta {
	d, err := b.Delta()
	if err != nil {
		panic(err) // no edit here can be invalid
	}
	return d
}

// Beginning is a text to begin a document with, a delta of about so many characters.
func Beginning(seed uint64, length int) string {
	if length == 0 {
		return built(new(ot.Builder)).JSON()
	}
	r := rand.New(rand.NewPCG(seed, 5))
	var b ot.Builder
	for n := 0; n < length; {
		line := words(r, 6+r.IntN(10)) + "\n"
		b.Insert(line[:min(len(line), length-n)], nil)
		n += len(line)
	}
	return built(&b).JSON()
}
