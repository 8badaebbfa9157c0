package ot_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// One person's 260,000 changes give exactly their text, in a tree that is no larger than it need be; changes of the same seed are the same.
func TestTrace(t *testing.T) {
	trace := ottest.Write(7, 260_000)
	d := must(ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil))
	for i, change := range trace.Changes {
		if err := d.Apply(change); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	if got := text(d.Delta()); got != trace.Final {
		t.Fatalf("%d bytes of text, want %d", len(got), len(trace.Final))
	}
	if err := d.Verify(); err != nil {
		t.Fatal(err)
	}
	if n := d.Leaves(); n > len(trace.Final)/300 {
		t.Errorf("%d leaves for %d bytes", n, len(trace.Final))
	}
	again := ottest.Write(7, 1000).Changes
	if !slices.EqualFunc(again, trace.Changes[:1000], ot.Delta.Equal) {
		t.Error("the same seed made another trace")
	}
}

// Random edits of a large text, against a text that is cut and glued.
func TestScatter(t *testing.T) {
	base, trace := ottest.Scatter(3, 1<<20, 5_000)
	d := must(ot.NewDocument(must(new(ot.Builder).Insert(base, nil).Delta()), ot.DefaultLimits(), nil))
	model := []byte(base)
	for _, change := range trace.Changes {
		if err := d.Apply(change); err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, op := range change.Ops() {
			switch op.Action() {
			case ot.Retain:
				at += op.Len()
			case ot.Insert:
				model = slices.Insert(model, at, []byte(op.Text())...)
				at += op.Len()
			case ot.Delete:
				model = slices.Delete(model, at, at+op.Len())
			}
		}
	}
	if text(d.Delta()) != string(model) {
		t.Fatal("the text is another")
	}
}

// Deleting bit by bit leaves no empty leaves behind, from whichever end or place it comes.
func TestShrinking(t *testing.T) {
	for _, from := range []int{0, 1, 2} {
		d := must(ot.NewDocument(must(new(ot.Builder).Insert(strings.Repeat("abcdefg 😀 ", 40_000), nil).Delta()), ot.DefaultLimits(), nil))
		for d.Len() > 22 {
			at := (d.Len() - 11) / 11 * from / 2 * 11
			if err := d.Apply(must(new(ot.Builder).Retain(at, nil).Delete(11).Delta())); err != nil {
				t.Fatal(err)
			}
			if n := d.Leaves(); n > d.Len()/200+3 {
				t.Fatalf("%d leaves for a length of %d", n, d.Len())
			}
		}
		if err := d.Verify(); err != nil {
			t.Fatal(err)
		}
	}
}

// Deleting most of every leaf, a little left in each, makes few leaves of many.
func TestThinning(t *testing.T) {
	d := must(ot.NewDocument(must(new(ot.Builder).Insert(strings.Repeat("abcdefg 😀 ", 40_000), nil).Delta()), ot.DefaultLimits(), nil))
	for at := d.Len() - 1100; at > 0; at -= 1100 {
		if err := d.Apply(must(new(ot.Builder).Retain(at, nil).Delete(1089).Delta())); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.Leaves(); n > d.Len()/200+3 {
		t.Errorf("%d leaves for a length of %d", n, d.Len())
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

// A text whose every other character is bold takes many leaves; once none is, it takes as few as it did.
func TestUnformatting(t *testing.T) {
	bold := must(ot.ParseAttributes([]byte(`{"bold":true}`), 1))
	none := must(ot.ParseAttributes([]byte(`{"bold":null}`), 1))
	d := must(ot.NewDocument(must(new(ot.Builder).Insert(strings.Repeat("ab", 50_000), nil).Delta()), ot.DefaultLimits(), nil))
	var stripes ot.Builder
	for range 50_000 {
		stripes.Retain(1, bold).Retain(1, nil)
	}
	if err := d.Apply(must(stripes.Delta())); err != nil || d.Delta().Count() != 100_000 {
		t.Fatal(err)
	}
	if n := d.Leaves(); n < 1000 {
		t.Fatalf("%d leaves are too few for the test", n)
	}
	if err := d.Apply(must(new(ot.Builder).Retain(100_000, none).Delta())); err != nil || d.Delta().Count() != 1 {
		t.Fatal(err)
	}
	if n := d.Leaves(); n > 250 {
		t.Errorf("%d leaves for a text of 100,000", n)
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

// Clones are read elsewhere while the document goes on.
func TestClonesElsewhere(t *testing.T) {
	trace := ottest.Write(9, 3_000)
	bold := must(ot.ParseAttributes([]byte(`{"bold":true}`), 1))
	d := must(ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil))
	var readers sync.WaitGroup
	for i, change := range trace.Changes {
		if i%50 == 0 {
			c := d.Clone()
			readers.Go(func() {
				before := c.Hash()
				if err := c.Apply(must(new(ot.Builder).Insert("x", bold).Delta())); err != nil {
					t.Error(err)
				}
				if err := c.Apply(must(new(ot.Builder).Delete(1).Delta())); err != nil || c.Hash() != before {
					t.Error("a clone isn't what it was", err)
				}
			})
		}
		if err := d.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
	if text(d.Delta()) != trace.Final {
		t.Error("the text is another")
	}
}
