package editors

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"plenum.internal/deploy/faults/versions"
	"plenum.internal/docs/ot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEditsLeaveMarksWhole: what people type fits the page, writes its mark once, and leaves all others as they are, whatever was typed before.
func TestEditsLeaveMarksWhole(t *testing.T) {
	form := regexp.MustCompile(`\[\d+\.\d+\]`)
	rapid.Check(t, func(r *rapid.T) {
		content, err := ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil)
		if err != nil {
			r.Fatal(err)
		}
		person := typist{rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))}
		written := map[string]bool{}
		for n := range rapid.IntRange(1, 60).Draw(r, "edits") {
			mark := versions.Mark(n%3, n)
			written[mark] = true
			edit, action, err := person.edit(pageOf(content), mark)
			if err == nil {
				err = content.Apply(edit)
			}
			if err != nil {
				r.Fatalf("%s %v of %v: %v", action, edit, content.Delta(), err)
			}
			text := string(utf16.Decode(pageOf(content)))
			if marks := form.FindAllString(text, -1); len(marks) != len(written) {
				r.Fatalf("after %d edits, the last %s %v, there are %q", len(written), action, edit, marks)
			}
			if rest := form.ReplaceAllString(text, ""); strings.ContainsAny(rest, "[]") {
				r.Fatalf("%s %v tears a mark: %q", action, edit, text)
			}
		}
	})
}

func TestALongTextIsMadeShorter(t *testing.T) {
	long, err := new(ot.Builder).Insert(strings.Repeat("a", 2*enough), nil).Delta()
	if err != nil {
		t.Fatal(err)
	}
	content, err := ot.NewDocument(long, ot.DefaultLimits(), nil)
	if err != nil {
		t.Fatal(err)
	}
	person := typist{rand.New(rand.NewPCG(1, 0))}
	for n := range 100 {
		edit, _, err := person.edit(pageOf(content), versions.Mark(0, n))
		if err == nil {
			err = content.Apply(edit)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := content.Len(); n > enough+100*versions.MarkLength {
		t.Errorf("it has %d code units", n)
	}
}

// TestWhereSomethingCanBeInserted: nowhere within a mark or a pair.
func TestWhereSomethingCanBeInserted(t *testing.T) {
	p := page(utf16.Encode([]rune("a[0.1]😀[2.13][1.1]")))
	for at, want := range map[int]int{0: 0, 1: 1, 2: 6, 5: 6, 6: 6, 7: 8, 8: 8, 9: 14, 14: 14, 15: 19, 19: 19} {
		if got := p.free(at); got != want {
			t.Errorf("at %d: %d, want %d", at, got, want)
		}
	}
}

func TestFillerIsWhatIsNoMark(t *testing.T) {
	p := page(utf16.Encode([]rune("ab[0.1]cd[0.2][0.3]ef")))
	got := p.filler(span{1, len(p)})
	want := []span{{1, 2}, {7, 9}, {19, 21}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v", got)
	}
	if own := p.own(0); len(own) != 3 || !own["[0.2]"] || len(p.own(1)) != 0 {
		t.Errorf("%v", own)
	}
}
