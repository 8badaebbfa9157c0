package ot_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
)

// text is all text of a document without embeds.
func text(d ot.Delta) string {
	var b strings.Builder
	for _, op := range d.Ops() {
		b.WriteString(op.Text())
	}
	return b.String()
}

// replay applies a trace, and reports how many changes a second that were.
func replay(b *testing.B, base string, trace ottest.Trace) {
	limits := ot.DefaultLimits()
	content := must(new(ot.Builder).Insert(base, nil).Delta())
	var d *ot.Document
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		d = must(ot.NewDocument(content, limits, nil))
		b.StartTimer()
		for _, change := range trace.Changes {
			if err := d.Apply(change); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(trace.Changes))/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(float64(d.Leaves()), "leaves")
	if trace.Final != "" && text(d.Delta()) != trace.Final {
		b.Fatal("the text is another")
	}
}

// BenchmarkWrite: one person writes, 260,000 changes one after the other.
func BenchmarkWrite(b *testing.B) { replay(b, "", ottest.Write(1, 260_000)) }

// BenchmarkScatter: a megabyte of text, 100,000 changes at random places.
func BenchmarkScatter(b *testing.B) {
	base, trace := ottest.Scatter(1, 1<<20, 100_000)
	replay(b, base, trace)
}

// BenchmarkScatterSnapshots: the same with a clone after every tenth change, as for a service that writes snapshots far too often.
func BenchmarkScatterSnapshots(b *testing.B) {
	base, trace := ottest.Scatter(1, 1<<20, 100_000)
	d := must(ot.NewDocument(must(new(ot.Builder).Insert(base, nil).Delta()), ot.DefaultLimits(), nil))
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if n%10 == 0 {
			_ = d.Clone()
		}
		if n == len(trace.Changes) {
			b.StopTimer()
			d, n = must(ot.NewDocument(must(new(ot.Builder).Insert(base, nil).Delta()), ot.DefaultLimits(), nil)), 0
			b.StartTimer()
		}
		if err := d.Apply(trace.Changes[n]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkParse: a change as it comes from a client who types.
func BenchmarkParse(b *testing.B) {
	data := []byte(`{"ops":[{"retain":48213},{"insert":"x","attributes":{"bold":true}}]}`)
	limits := ot.DefaultLimits()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ot.Parse(data, limits); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTransform: one character over another, as in a server with many editors.
func BenchmarkTransform(b *testing.B) {
	x := must(new(ot.Builder).Retain(48213, nil).Insert("x", nil).Delta())
	y := must(new(ot.Builder).Retain(312, nil).Delete(1).Delta())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Transform(y, ot.Earlier, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOffline: 20,000 changes made offline are composed, then rebased over 1,000 of others.
func BenchmarkOffline(b *testing.B) {
	_, offline := ottest.Scatter(2, 200_000, 20_000)
	_, others := ottest.Scatter(3, 200_000, 1_000)
	b.Run("compose", func(b *testing.B) {
		for b.Loop() {
			must(ot.ComposeAll(offline.Changes, nil))
		}
	})
	change := must(ot.ComposeAll(offline.Changes, nil))
	b.Run("rebase", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := ot.Rebase(change, others.Changes, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWhole: what is done with all of a document at once, here one that was written with 260,000 changes.
func BenchmarkWhole(b *testing.B) {
	trace := ottest.Write(4, 260_000)
	d := must(ot.NewDocument(ot.Delta{}, ot.DefaultLimits(), nil))
	for _, change := range trace.Changes {
		if err := d.Apply(change); err != nil {
			b.Fatal(err)
		}
	}
	content := d.Delta()
	data := content.AppendJSON(nil)
	limits := ot.Unlimited()
	for name, f := range map[string]func(){
		"hash":  func() { d.Hash() },
		"delta": func() { d.Delta() },
		"json":  func() { d.AppendJSON(nil) },
		"parse": func() { must(ot.Parse(data, limits)) },
		"open":  func() { must(ot.NewDocument(content, limits, nil)) },
		"clone": func() { d.Clone() },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// BenchmarkDiff: two versions of a text of 100,000 characters with 500 edits between them, and two texts that have nothing in common.
func BenchmarkDiff(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	base, trace := ottest.Scatter(5, 100_000, 500)
	from := must(new(ot.Builder).Insert(base, nil).Delta())
	to := must(from.Compose(must(ot.ComposeAll(trace.Changes, nil)), nil))
	other := make([]byte, 100_000)
	for i := range other {
		other[i] = byte('a' + r.IntN(26))
	}
	for name, to := range map[string]ot.Delta{"edited": to, "different": must(new(ot.Builder).Insert(string(other), nil).Delta())} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(from.Diff(to, 100_000_000))
			}
		})
	}
}
