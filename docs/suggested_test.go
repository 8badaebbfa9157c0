package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// byTheRule is a suggestion in normal form over an edit, by the rule of PROTOCOL.md §11a as a client may write it: operation by operation, and with
// the engine's Transform alone.
func byTheRule(suggestion, edit ot.Delta) (after ot.Delta, gone bool) {
	deleted := map[int]bool{} // code units of the content before
	at := 0
	for _, op := range edit.Ops() {
		if op.Action() == ot.Delete {
			for i := range op.Len() {
				deleted[at+i] = true
			}
		}
		if op.Action() != ot.Insert {
			at += op.Len()
		}
	}
	var left ot.Builder
	var ops []ot.Op // of the place at hand
	from, to, lost := 0, 0, false
	end := func() {
		goes := from < to || deleted[from-1] && deleted[from]
		for i := from; i < to; i++ {
			goes = goes && deleted[i]
		}
		switch {
		case len(ops) == 0:
		case goes:
			lost = lost || from < to
			left.Retain(to-from, nil)
		default:
			for _, op := range ops {
				put(&left, op)
			}
		}
		ops, from = nil, to
	}
	for _, op := range suggestion.Ops() {
		if op.Action() == ot.Retain && op.Attributes() == nil {
			end()
			put(&left, op)
			from, to = to+op.Len(), to+op.Len()
			continue
		}
		if ops = append(ops, op); op.Action() != ot.Insert {
			to += op.Len()
		}
	}
	end()
	rest, err := left.Delta()
	if err == nil {
		after, err = edit.Transform(rest, ot.Earlier, nil)
	}
	if err != nil {
		panic(err)
	}
	touches := false
	for _, op := range after.Ops() {
		touches = touches || op.Action() == ot.Delete || op.Attributes() != nil && op.Action() == ot.Retain
	}
	if after.Count() == 0 || lost && !touches || len(after.JSON()) > MaxSuggested {
		return ot.Delta{}, true
	}
	return after, false
}

func put(b *ot.Builder, op ot.Op) {
	switch {
	case op.Action() == ot.Delete:
		b.Delete(op.Len())
	case op.Action() == ot.Retain:
		b.Retain(op.Len(), op.Attributes())
	case op.Embed() != nil:
		b.InsertEmbed(op.Embed(), op.Attributes())
	default:
		b.Insert(op.Text(), op.Attributes())
	}
}

// rough is an edit of a content of a length as somebody may send it: in no normal form.
func rough(s source, length int) ot.Delta {
	var ops []string
	for range s.IntN(6) {
		n := 1 + s.IntN(4)
		if kind := s.IntN(4); kind == 0 {
			ops = append(ops, fmt.Sprintf(`{"insert":%q}`, "wxyz"[:n]))
		} else if length >= n {
			length -= n
			ops = append(ops, fmt.Sprintf([]string{`{"delete":%d}`, `{"retain":%d}`, `{"retain":%d,"attributes":{"bold":true}}`}[kind-1], n))
		}
	}
	edit, err := ot.Parse([]byte(`{"ops":[`+strings.Join(ops, ",")+"]}"), ot.Unlimited())
	if err != nil {
		s.t.Fatal(err)
	}
	return edit
}

// Spot by spot a suggestion becomes what the rule makes of it as a whole, over any edits, and through what is written down.
func TestSuggestionsFollowByTheRule(t *testing.T) {
	mix := ottest.All()
	mix.Notes = false
	rapid.Check(t, func(t *rapid.T) {
		s := source{t}
		content := mix.Document(s, 1+s.IntN(8))
		made, err := mix.Change(s, content, 1+s.IntN(8)).Compose(ot.Delta{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, want, gone := newSuggested(1, made), made, made.Count() == 0
		length := content.Length()
		for range 8 {
			edit := rough(s, length)
			length += edit.ChangeLength()
			before := want
			if !gone {
				want, gone = byTheRule(want, edit)
			}
			got.follow(reachOf(edit))
			if now := got.clone(); now.gone != gone || !now.delta().Equal(want) || now.gone && len(now.spots) > 0 {
				t.Fatalf("%v over %v is %v (gone: %v), want %v (%v)", before, edit, now.delta(), now.gone, want, gone)
			}
			if s.IntN(8) == 0 && !gone {
				stored, err := ot.Parse([]byte(want.JSON()), ot.Unlimited())
				if err != nil {
					t.Fatal(err)
				}
				got = newSuggested(1, stored)
			}
		}
	})
}

// A client that is written in JavaScript with quill-delta, by PROTOCOL.md §11a alone, knows the same of suggestions, byte for byte.
func TestSuggestionsInQuill(t *testing.T) {
	var questions bytes.Buffer
	var wants [][]string
	mix := ottest.All()
	mix.Notes = false
	r := rand.New(rand.NewPCG(1, 5))
	gone := 0
	for range 3000 {
		content := mix.Document(r, 1+r.IntN(8))
		s := newSuggested(1, mix.Change(r, content, 1+r.IntN(6)))
		if s.gone {
			continue
		}
		made := s.delta().JSON()
		var edits, want []string
		for range 4 {
			edit := mix.Change(r, content, r.IntN(5))
			var err error
			if content, err = content.Compose(edit, nil); err != nil {
				t.Fatal(err)
			}
			s.follow(reachOf(edit))
			edits, want = append(edits, edit.JSON()), append(want, s.delta().JSON())
			if s.gone {
				want[len(want)-1] = ""
			}
		}
		if s.gone {
			gone++
		}
		wants = append(wants, want)
		fmt.Fprintf(&questions, `{"f":"suggestion","a":%s,"edits":[%s]}`+"\n", made, strings.Join(edits, ","))
	}
	lines := strings.Split(questions.String(), "\n")
	node := exec.CommandContext(t.Context(), "node", "ot/oracle/oracle.js")
	node.Stdin, node.Stderr = &questions, os.Stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node ot/oracle/oracle.js, with quill-delta (.ci/node installs both): %v", err)
	}
	answers := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if len(answers) != len(wants) || gone < len(wants)/20 || gone > len(wants)/2 {
		t.Fatalf("%d answers, %d suggestions, of which %d gone", len(answers), len(wants), gone)
	}
	for i, line := range answers {
		var reply struct{ Answer []string }
		if err := json.Unmarshal(line, &reply); err != nil || !slices.Equal(reply.Answer, wants[i]) {
			t.Fatalf("%s\n ours:   %q\n theirs: %s", lines[i], wants[i], line)
		}
	}
}

// What a suggestion is for, and what becomes of it.
func TestSuggestionsAndTheirText(t *testing.T) {
	const text = "one two three four"
	bold := `"attributes":{"bold":true}`
	for name, c := range map[string]struct{ suggestion, edit, want string }{
		"deleted before":                {`{"retain":4},{"delete":3}`, `{"delete":4}`, `{"delete":3}`},
		"typed in what it deletes":      {`{"retain":4},{"delete":3}`, `{"retain":5},{"insert":"X"}`, `{"retain":4},{"delete":1},{"retain":1},{"delete":2}`},
		"part of it deleted":            {`{"retain":4},{"delete":3}`, `{"retain":5},{"delete":9}`, `{"retain":4},{"delete":1}`},
		"all of it deleted":             {`{"retain":4},{"delete":3}`, `{"retain":4},{"delete":3}`, ``},
		"all of it and more":            {`{"retain":4},{"insert":"2"},{"delete":3}`, `{"retain":3},{"delete":6}`, ``},
		"replaced by somebody else":     {`{"retain":4},{"insert":"2"},{"delete":3}`, `{"retain":4},{"insert":"zwei"},{"delete":3}`, ``},
		"the beginning of a word":       {`{"retain":4},{"insert":"2"},{"delete":3}`, `{"retain":3},{"delete":2}`, `{"retain":3},{"insert":"2"},{"delete":2}`},
		"inserts, and one side deleted": {`{"retain":4},{"insert":"2 "}`, `{"retain":4},{"delete":3}`, `{"retain":4},{"insert":"2 "}`},
		"the other side":                {`{"retain":4},{"insert":"2 "}`, `{"delete":4}`, `{"insert":"2 "}`},
		"both sides":                    {`{"retain":4},{"insert":"2 "}`, `{"retain":3},{"delete":2}`, ``},
		"both sides, by two operations": {`{"retain":4},{"insert":"2 "}`, `{"retain":3},{"delete":1},{"insert":"X"},{"delete":1}`, ``},
		"typed at its place":            {`{"retain":4},{"insert":"2 "}`, `{"retain":4},{"insert":"X"}`, `{"retain":5},{"insert":"2 "}`},
		"formats, and it was deleted":   {`{"retain":3,` + bold + `}`, `{"delete":3}`, ``},
		"formats as somebody did":       {`{"retain":3,` + bold + `}`, `{"retain":7,` + bold + `}`, ``},
		"formats otherwise":             {`{"retain":3,` + bold + `}`, `{"retain":7,"attributes":{"italic":true}}`, `{"attributes":{"bold":true},"retain":3}`},
		"a format that is there now":    {`{"retain":3,` + bold + `},{"insert":"!"}`, `{"retain":7,` + bold + `}`, `{"retain":3},{"insert":"!"}`},
		"one place of two":              {`{"delete":4},{"retain":4},{"insert":"3"},{"delete":5}`, `{"retain":7},{"delete":11}`, `{"delete":4}`},
		"all places":                    {`{"delete":4},{"retain":4},{"insert":"3"},{"delete":5}`, `{"delete":13}`, ``},
		"the last that it deletes":      {`{"delete":4},{"retain":4},{"insert":"3 "}`, `{"delete":4}`, ``},
		"what lies between":             {`{"delete":3},{"retain":4},{"insert":"X"}`, `{"retain":3},{"delete":4}`, `{"insert":"X"},{"delete":3}`},
		"nothing":                       {`{"delete":3}`, `{"retain":3}`, `{"delete":3}`},
	} {
		s := newSuggested(1, must(ot.Parse([]byte(`{"ops":[`+c.suggestion+`]}`), ot.Unlimited()))(t))
		edit := must(ot.Parse([]byte(`{"ops":[`+c.edit+`]}`), ot.Unlimited()))(t)
		content := must(ot.NewDocument(must(ot.Parse([]byte(inserts(text)), ot.Unlimited()))(t), ot.Unlimited(), nil))(t)
		before := s.delta()
		if err := content.Check(before); err != nil {
			t.Fatal(name, err)
		}
		if err := content.Apply(edit); err != nil {
			t.Fatal(name, err)
		}
		ref, gone := byTheRule(before, edit)
		s.follow(reachOf(edit))
		if got := s.delta().JSON(); got != `{"ops":[`+c.want+`]}` || s.gone != (c.want == "") || s.gone != gone || ref.JSON() != got {
			t.Errorf("%s: %s, gone: %v; by the rule %v, %v", name, got, s.gone, ref, gone)
		}
		if err := content.Apply(s.delta()); err != nil {
			t.Errorf("%s: it can't be accepted: %v", name, err)
		}
	}
}

// A suggestion that edits have cut up until it is too long is gone, by the same edit for everybody.
func TestSuggestionsThatBecomeTooLong(t *testing.T) {
	var b ot.Builder
	attributes := must(ot.ParseAttributes([]byte(`{"link":"`+strings.Repeat("x", 8000)+`"}`), 1))(t)
	s := newSuggested(1, must(b.Retain(1000, attributes).Delta())(t))
	rest, gone := s.delta(), false
	for place := 1; !gone; place += 2 {
		edit := must(ot.Parse([]byte(at(place, "x")), ot.Unlimited()))(t)
		long := len(rest.JSON())
		s.follow(reachOf(edit))
		if rest, gone = byTheRule(rest, edit); s.gone != gone || !s.delta().Equal(rest) {
			t.Fatalf("gone: %v after %d bytes; by the rule %v", s.gone, long, gone)
		}
		if gone && long < MaxSuggested-2*8100 || place > 100 {
			t.Fatalf("gone: %v after %d bytes and the edit at %d", gone, long, place)
		}
	}
}

// BenchmarkSuggestions has somebody type in a document with as many suggestions as there can be: of a few words each, or of as many bytes as all may
// have together, each all over the document.
func BenchmarkSuggestions(b *testing.B) {
	const length = 500_000
	r := rand.New(rand.NewPCG(1, 1))
	few := make([]suggested, MaxOpenSuggestions)
	for i := range few {
		var d ot.Builder
		few[i] = newSuggested(1, must(d.Retain(r.IntN(length), nil).Insert("another word", nil).Delete(8).Delta())(b))
	}
	var much []suggested
	for range MaxOpenSuggested / MaxSuggestion {
		var d ot.Builder
		n := MaxSuggestion / len(`{"insert":"x"},{"retain":123},`)
		for range n {
			d.Insert("x", nil).Retain(length/n, nil)
		}
		much = append(much, newSuggested(1, must(d.Delta())(b)))
	}
	word := []ot.Delta{must(ot.Parse([]byte(at(length/2, "x")), ot.Unlimited()))(b)}
	var words []ot.Delta
	for range 50 {
		words = append(words, must(ot.Parse([]byte(at(r.IntN(length), "x")), ot.Unlimited()))(b))
	}
	var d ot.Builder
	for range 30_000 {
		d.Retain(10, nil).Insert("x", nil)
	}
	everywhere := []ot.Delta{must(d.Delta())(b)}
	for name, list := range map[string][]suggested{"many": few, "long": much} {
		for what, edits := range map[string][]ot.Delta{"one types": word, "50 type": words, "everywhere": everywhere} {
			b.Run(name+"/"+what, func(b *testing.B) {
				all := make([]suggested, len(list))
				for i := 0; b.Loop(); i++ {
					if what == "everywhere" || all[0].id == 0 {
						b.StopTimer()
						for i := range list {
							all[i] = list[i].clone()
						}
						b.StartTimer()
					}
					at := reachOf(edits[i%len(edits)])
					for i := range all {
						all[i].follow(at)
					}
				}
			})
		}
	}
}
