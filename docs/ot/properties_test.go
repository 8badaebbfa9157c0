package ot_test

import (
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// drawn lets rapid make the choices, so that it can look for a smaller case.
type drawn struct{ t *rapid.T }

func (d drawn) IntN(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "n") }

// property checks with every mix; f gets a random document and what makes changes for it.
func property(t *testing.T, f func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta)) {
	for name, m := range mixes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				s := drawn{t}
				f(t, m, s, m.Document(s, s.IntN(5)))
			})
		})
	}
}

func compose(t *rapid.T, ds ...ot.Delta) ot.Delta {
	t.Helper()
	var out ot.Delta
	for i, d := range ds {
		if i == 0 {
			out = d
			continue
		}
		var err error
		if out, err = out.Compose(d, ottest.Embeds()); err != nil {
			t.Fatalf("%v composed with %v: %v", out, d, err)
		}
		normal(t, out)
	}
	return out
}

func transform(t *rapid.T, a, b ot.Delta, priority bool) ot.Delta {
	t.Helper()
	d, err := a.Transform(b, priority, ottest.Embeds())
	if err != nil {
		t.Fatalf("%v over %v: %v", b, a, err)
	}
	normal(t, d)
	return d
}

func equal(t *rapid.T, a, b ot.Delta) {
	t.Helper()
	if !a.Equal(b) {
		t.Fatalf("%v\nisn't\n%v", a, b)
	}
}

// normal holds a result to the normal form.
func normal(t *rapid.T, d ot.Delta) {
	t.Helper()
	var before ot.Op
	for i, op := range d.Ops() {
		switch {
		case op.Len() <= 0:
			t.Fatalf("%v has an operation of no length", d)
		case i == 0:
		case before.Action() == ot.Delete && op.Action() != ot.Retain:
			t.Fatalf("%v has something behind a delete", d)
		case before.Action() == op.Action() && before.Embed() == nil && op.Embed() == nil && before.Attributes().Equal(op.Attributes()):
			t.Fatalf("%v has two operations that are one", d)
		}
		before = op
	}
	if d.Count() > 0 && before.Action() == ot.Retain && before.Embed() == nil && before.Attributes() == nil {
		t.Fatalf("%v ends with a bare retain", d)
	}
}

// TP1: two changes made at the same time come to the same, whichever is applied first.
func TestConvergence(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a, b := m.Change(s, base, s.IntN(6)), m.Change(s, base, s.IntN(6))
		equal(t, compose(t, base, a, transform(t, a, b, ot.Earlier)), compose(t, base, b, transform(t, b, a, ot.Later)))
	})
}

// Composing is associative, also of changes alone; on a document it is applying one after the other.
func TestAssociativity(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a := m.Change(s, base, s.IntN(6))
		after := compose(t, base, a)
		b := m.Change(s, after, s.IntN(6))
		c := m.Change(s, compose(t, after, b), s.IntN(6))
		want := compose(t, a, b, c)
		equal(t, compose(t, a, compose(t, b, c)), want)
		equal(t, compose(t, base, want), compose(t, base, a, b, c))
		all, err := ot.ComposeAll([]ot.Delta{base, a, b, c}, ottest.Embeds())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, all, compose(t, base, a, b, c))
	})
}

// A change and its inverse are nothing.
func TestInverse(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a := m.Change(s, base, s.IntN(6))
		inverse, err := a.Invert(base, ottest.Embeds())
		if err != nil {
			t.Fatal(err)
		}
		normal(t, inverse)
		equal(t, compose(t, base, a, inverse), base)
	})
}

// A document does what composing does, and fails where that can't be.
func TestDocumentModel(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		d, err := ot.NewDocument(base, ot.DefaultLimits(), ottest.Embeds())
		if err != nil {
			t.Fatal(err)
		}
		for range s.IntN(5) {
			change := m.Change(s, base, s.IntN(6))
			base = compose(t, base, change)
			if err := d.Apply(change); err != nil {
				t.Fatal(err)
			}
			equal(t, d.Delta(), base)
			if err := d.Verify(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A position is where a marker is that stood there: one that was inserted with the change's priority.
func TestPositionIsAMarker(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a := m.Change(s, base, s.IntN(6))
		at := s.IntN(base.Length() + 1)
		priority := s.IntN(2) == 0
		marker, err := new(ot.Builder).Retain(at, nil).Insert("|", nil).Delta()
		if err != nil {
			t.Fatal(err)
		}
		// The cursor stays before what is inserted at its place if the change was earlier: it is then as a marker that comes first.
		moved := transform(t, a, marker, !priority)
		want := 0
		for _, op := range moved.Ops() {
			if op.Action() == ot.Retain {
				want += op.Len()
			}
		}
		if got := a.TransformPosition(at, priority); got != want {
			t.Fatalf("%d over %v is %d, the marker is at %d", at, a, got, want)
		}
	})
}

// The difference of two documents makes one of the other.
func TestDiffMakesTheOther(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		other := m.Document(s, s.IntN(6))
		if s.IntN(2) == 0 {
			other = compose(t, base, m.Change(s, base, s.IntN(4)))
		}
		d, err := base.Diff(other, s.IntN(50)) // also with hardly any effort
		if err != nil {
			t.Fatal(err)
		}
		normal(t, d)
		equal(t, compose(t, base, d), other)
	})
}

// What is cut apart and put together is what it was, and lengths add up.
func TestSliceAndConcat(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a := m.Change(s, base, s.IntN(6))
		at := s.IntN(a.Length() + 1)
		head, err := a.Slice(0, at)
		if err != nil {
			return // within a surrogate pair
		}
		tail, err := a.Slice(at, ot.End)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, head.Concat(tail), a)
		if head.Length()+tail.Length() != a.Length() || head.ChangeLength()+tail.ChangeLength() != a.ChangeLength() {
			t.Fatalf("the lengths of %v and %v aren't those of %v", head, tail, a)
		}
		if after := compose(t, base, a); after.Length() != base.Length()+a.ChangeLength() {
			t.Fatalf("%v makes %v of %v", a, after, base)
		}
	})
}

// What was written is read again, and canonical.
func TestRoundTrip(t *testing.T) {
	property(t, func(t *rapid.T, m ottest.Mix, s drawn, base ot.Delta) {
		a := m.Change(s, base, s.IntN(6))
		again, err := ot.Parse(a.AppendJSON(nil), ot.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, again, a)
		if again.JSON() != a.JSON() {
			t.Fatalf("%s became %s", a.JSON(), again.JSON())
		}
		if err := a.Check(ot.DefaultLimits()); err != nil {
			t.Fatal(err)
		}
	})
}
