package ot_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// A document under random changes is what composing them gives, and hashes like one that is made of that at once; clones stay as they were.
func TestDocumentIsTheComposition(t *testing.T) {
	each(t, func(t *testing.T, m ottest.Mix, r *rand.Rand) {
		embeds := ottest.Embeds()
		for range 3 {
			content := m.Document(r, r.IntN(300))
			d, err := ot.NewDocument(content, ot.DefaultLimits(), embeds)
			if err != nil {
				t.Fatal(err)
			}
			type snapshot struct {
				document *ot.Document
				content  ot.Delta
			}
			var snapshots []snapshot
			for i := range 120 {
				change := m.Change(r, content, r.IntN(40))
				if i%40 == 39 { // most of it goes
					change = m.Change(r, content, 3).Concat(must(new(ot.Builder).Retain(1, nil).Delta()))
					change = must(ot.Delta{}.Compose(change, embeds))
				}
				inverse := must(change.Invert(content, embeds))
				if got := must(d.Invert(change)); !got.Equal(inverse) {
					t.Fatalf("inverse of %v: %v, want %v", change, got, inverse)
				}
				if err := d.Apply(change); err != nil {
					t.Fatal(err)
				}
				content = must(content.Compose(change, embeds))
				compare(t, d, content)
				switch i % 10 {
				case 0:
					snapshots = append(snapshots, snapshot{d.Clone(), content})
				case 5: // the clone goes on, and d is what stays
					c := d.Clone()
					snapshots = append(snapshots, snapshot{d, content})
					d = c
				}
			}
			for _, s := range snapshots {
				compare(t, s.document, s.content)
			}
		}
	})
}

func compare(t *testing.T, d *ot.Document, content ot.Delta) {
	t.Helper()
	got := d.Delta()
	if !got.Equal(content) {
		t.Fatalf("the document is\n%v, want\n%v", got, content)
	}
	if d.Len() != content.Length() {
		t.Fatalf("its length is %d, want %d", d.Len(), content.Length())
	}
	if h := sha256.Sum256(content.AppendJSON(nil)); d.Hash() != h {
		t.Fatalf("the hash of %v isn't that of its JSON", content)
	}
	if string(d.AppendJSON(nil)) != content.JSON() {
		t.Fatal("JSON differs")
	}
	if err := d.Verify(); err != nil {
		t.Fatal(err)
	}
}

// Parts of a document are the parts of its content.
func TestDocumentSlice(t *testing.T) {
	each(t, func(t *testing.T, m ottest.Mix, r *rand.Rand) {
		content := m.Document(r, 400)
		d := must(ot.NewDocument(content, ot.DefaultLimits(), nil))
		for range 500 {
			from := r.IntN(content.Length() + 1)
			to := from + r.IntN(content.Length()+10-from)
			want, err := content.Slice(from, to)
			got, err2 := d.Slice(from, to)
			if (err == nil) != (err2 == nil) || err == nil && !got.Equal(want) {
				t.Fatalf("%d to %d: %v %v, want %v %v", from, to, got, err2, want, err)
			}
		}
	})
}

// A change that can't be applied leaves the document as it is, whatever of it could be.
func TestRefusedChangesDoNothing(t *testing.T) {
	limits := ot.DefaultLimits()
	limits.DocumentUnits, limits.Embeds, limits.AttributeBytes, limits.DocumentFormat, limits.EmbedBytes = 40, 2, 40, 130, 200
	content := delta(t, `[{"insert":"ab😀","attributes":{"bold":true}},{"insert":{"note":{"ops":[{"insert":"n"}]}}},{"insert":"cd"},{"insert":{"image":"x"}}]`)
	for _, c := range []struct {
		kind   ot.Kind
		op     int
		change string
	}{
		{ot.PastEnd, 1, `[{"delete":1},{"retain":8}]`},
		{ot.PastEnd, 1, `[{"insert":"x"},{"delete":9}]`},
		{ot.SplitPair, 0, `[{"retain":3},{"insert":"x"}]`},
		{ot.SplitPair, 1, `[{"retain":2},{"delete":1}]`},
		{ot.SplitPair, 1, `[{"insert":"x"},{"retain":3,"attributes":{"bold":null}}]`},
		{ot.DocumentFull, ot.NoOp, `[{"insert":"` + strings.Repeat("x", 33) + `"}]`},
		{ot.DocumentFull, ot.NoOp, `[{"insert":{"image":"y"}}]`},
		{ot.DocumentFull, ot.NoOp, `[{"retain":5},{"delete":2},{"insert":{"image":"y"}}]`},
		{ot.DocumentFull, ot.NoOp, `[{"retain":8,"attributes":{"color":"` + strings.Repeat("x", 15) + `"}}]`},
		{ot.TooLarge, 1, `[{"insert":"x"},{"retain":2,"attributes":{"color":"` + strings.Repeat("x", 20) + `"}}]`},
		{ot.TooLarge, 1, `[{"retain":4},{"retain":{"note":{"ops":[{"insert":"` + strings.Repeat("x", 160) + `","attributes":{"a":1}}]}}}]`},
		{ot.EmbedMismatch, 0, `[{"retain":{"note":{"ops":[]}}}]`},
		{ot.EmbedMismatch, 1, `[{"retain":7},{"retain":{"note":{"ops":[]}}}]`},
		{ot.NoHandler, 1, `[{"retain":7},{"retain":{"image":"z"}}]`},
		{ot.HandlerFailed, 2, `[{"insert":"x"},{"retain":4},{"retain":{"note":5}}]`},
	} {
		d := must(ot.NewDocument(content, limits, ottest.Embeds()))
		wantError(t, c.kind, c.op, d.Check(delta(t, c.change)))
		wantError(t, c.kind, c.op, d.Apply(delta(t, c.change)))
		compare(t, d, content)
	}
	d := must(ot.NewDocument(content, limits, ottest.Embeds()))
	// One embed for another, and a paste for what was there: limits are for what comes out.
	for _, change := range []string{`[{"retain":7},{"delete":1},{"insert":{"image":"y"}}]`, `[{"insert":"` + strings.Repeat("x", 39) + `"},{"delete":8}]`} {
		if err := d.Apply(delta(t, change)); err != nil {
			t.Error(change, err)
		}
	}
}

// A stored document opens whatever its size; once limits are set, it can be made smaller, not larger.
func TestLoweredLimits(t *testing.T) {
	stored := `[{"insert":"` + strings.Repeat("x", 50) + `","attributes":{"color":"red"}},{"insert":{"image":1}},{"insert":{"image":2}}]`
	d := must(ot.NewDocument(must(ot.Parse([]byte(stored), ot.Unlimited())), ot.Unlimited(), nil))
	limits := ot.DefaultLimits()
	limits.DocumentUnits, limits.Embeds, limits.DocumentFormat = 10, 1, 5
	d.SetLimits(limits)
	for _, c := range []string{`[{"insert":"x"}]`, `[{"insert":{"image":1}},{"delete":1}]`, `[{"retain":1,"attributes":{"bold":true}}]`} {
		wantError(t, ot.DocumentFull, ot.NoOp, d.Apply(delta(t, c)))
	}
	for _, c := range []string{`[{"delete":20}]`, `[{"delete":1},{"insert":"y"}]`, `[{"retain":31},{"delete":1}]`} {
		if err := d.Apply(delta(t, c)); err != nil {
			t.Error(c, err)
		}
	}
}

// Whoever needs a handler says so, and whose it was; the original throws in the same places.
func TestMissingHandlers(t *testing.T) {
	base, there, other := delta(t, `[{"insert":"a"},{"insert":{"x":1}}]`), delta(t, `[{"retain":1},{"retain":{"x":1}}]`), delta(t, `[{"retain":{"y":1}}]`)
	o := &oracle{t: t}
	throws := func(kind ot.Kind, op int, err error, f string, a, b ot.Delta) {
		t.Helper()
		wantError(t, kind, op, err)
		o.ask(func(answer json.RawMessage, failure string) {
			if failure == "" {
				t.Errorf("the original made %s of %s %v and %v", answer, f, a, b)
			}
		}, f, `"a":%v,"b":%v,"priority":true`, a, b)
	}
	throws(ot.NoHandler, 1, second(base.Compose(there, nil)), "compose", base, there)
	throws(ot.NoHandler, 1, second(there.Compose(there, nil)), "compose", there, there)
	throws(ot.NoHandler, 1, second(there.Transform(there, ot.Earlier, nil)), "transform", there, there)
	throws(ot.NoHandler, 1, second(there.Invert(base, nil)), "invert", there, base)
	throws(ot.EmbedMismatch, 0, second(base.Compose(other, nil)), "compose", base, other)
	throws(ot.EmbedMismatch, 0, second(other.Invert(base, nil)), "invert", other, base)
	o.same(must(there.Transform(other, ot.Earlier, nil)), nil, "transform", `"a":%v,"b":%v,"priority":true`, there, other)
	o.run()
}

// A handler's own words are kept.
func TestHandlerFailure(t *testing.T) {
	d := must(ot.NewDocument(delta(t, `[{"insert":{"broken":1}}]`), ot.DefaultLimits(), ot.Embeds{"broken": broken{}}))
	if err := d.Apply(delta(t, `[{"retain":{"broken":2}}]`)); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

var errBroken = errors.New("broken")

type broken struct{ ottest.Note }

func (broken) Compose(ot.Value, ot.Value, bool) (ot.Value, error) { return ot.Value{}, errBroken }

// Whoever deletes all and writes anew, pastes at the limit, or formats everything leaves a sound tree.
func TestLargeChanges(t *testing.T) {
	limits := ot.DefaultLimits()
	d := must(ot.NewDocument(ot.Delta{}, limits, nil))
	const line = 33 // code units
	page := strings.Repeat("All work and no play 😀 makes é. ", 30_000)
	content := ot.Delta{}
	bold, _ := ot.ParseAttributes([]byte(`{"bold":true}`), 1)
	apply := func(b *ot.Builder) {
		t.Helper()
		change := must(b.Delta())
		if err := d.Apply(change); err != nil {
			t.Fatal(err)
		}
		content = must(content.Compose(change, nil))
		compare(t, d, content)
	}
	apply(new(ot.Builder).Insert(page, nil))
	n := d.Len()
	apply(new(ot.Builder).Retain(n/2/line*line, nil).Insert(page, bold))
	apply(new(ot.Builder).Retain(10*line, nil).Retain(n, bold))
	var stripes ot.Builder
	for range n / line {
		stripes.Retain(10, nil).Retain(10, bold).Retain(line-20, nil)
	}
	apply(&stripes)
	apply(new(ot.Builder).Retain(line, nil).Delete(2*n - 3*line))
	apply(new(ot.Builder).Delete(2*line).Insert("x", nil))
	apply(new(ot.Builder).Delete(d.Len()))
	apply(new(ot.Builder).Insert(page, nil))
}
