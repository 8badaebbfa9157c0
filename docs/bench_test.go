package docs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// BenchmarkSubmit has one client type a document, with some edits under way at a time, each behind the one before it: over gRPC, durable.
func BenchmarkSubmit(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			trace := ottest.Write(1, b.N)
			b.ResetTimer()
			doc := w.person("ada").replay(trace)
			b.StopTimer()
			if got := w.person("ada").text(doc); got != trace.Final {
				b.Errorf("another text of %d bytes", len(got))
			}
			b.ReportMetric(float64(len(trace.Changes))/b.Elapsed().Seconds(), "edits/s")
		})
	}
}

// BenchmarkSubmitAmongSuggestions has one client type where as many suggestions are open as there can be: of a few words each, or of as many bytes as
// all may have together, each all over the document; and where there are none.
func BenchmarkSubmitAmongSuggestions(b *testing.B) {
	const length = 500_000
	r := rand.New(rand.NewPCG(1, 1))
	suggestions := map[string][]string{"none": nil}
	for range MaxOpenSuggestions {
		suggestions["many"] = append(suggestions["many"], replace(r.IntN(length-10), 8, "another word"))
	}
	for range MaxOpenSuggested / (MaxSuggestion + 8<<10) {
		var d ot.Builder
		n := MaxSuggestion / len(`{"insert":"x"},{"retain":123},`)
		for range n {
			d.Insert("x", nil).Retain(length/n, nil)
		}
		suggestions["long"] = append(suggestions["long"], must(d.Delta())(b).JSON())
	}
	for name, list := range suggestions {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, meshtest.SQLite(b))
			ada := w.person("ada")
			doc := ada.create(strings.Repeat("x", length))
			for _, delta := range list {
				must(ada.suggest(doc, 1, delta))(b)
			}
			head, begin := ada.head(doc), length/3
			edits := make([]ot.Delta, b.N)
			for i := range edits {
				edits[i] = must(new(ot.Builder).Retain(begin+i, nil).Insert("y", nil).Delta())(b)
			}
			b.ResetTimer()
			ada.types(doc, head, edits)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "edits/s")
		})
	}
}

// replay makes a document of a trace.
func (u *user) replay(trace ottest.Trace) (document string) {
	document = u.create("")
	u.types(document, 1, trace.Changes)
	return document
}

// types edits a document, with some edits under way at a time, each behind the one before it.
func (u *user) types(document string, base uint64, edits []ot.Delta) {
	u.tb.Helper()
	const window = 64
	slots := make(chan struct{}, window)
	var wg sync.WaitGroup
	first := u.seq
	for i, edit := range edits {
		slots <- struct{}{}
		q := &docsv1.SubmitRequest{Document: document, Base: base + uint64(i), Delta: edit.JSON()}
		if i > 0 {
			q.AfterSeq = first + uint64(i)
		}
		ctx := u.write()
		wg.Go(func() {
			if _, err := u.api.Submit(ctx, q); err != nil {
				u.tb.Error(err)
			}
			<-slots
		})
	}
	wg.Wait()
}

// BenchmarkOpen opens a document of 260,000 edits that nobody has open: until its first part is read.
func BenchmarkOpen(b *testing.B) {
	w := newWorld(b, meshtest.SQLite(b), func(c *Config) { c.Snapshot = 1 << 30 }) // its snapshot is written below, some edits before the end
	ada := w.person("ada")
	trace := ottest.Write(1, 260_000)
	last := len(trace.Changes) - DefaultConfig().Snapshot
	doc := ada.replay(ottest.Trace{Changes: trace.Changes[:last]})
	x := w.server.sessions()[0]
	content, version := ada.content(doc, 0)
	if err := w.server.writeVersion(b.Context(), x.docKey, x.term, versionRow{version: version, timeMs: time.Now().UnixMilli()}, content, stands{}); err != nil {
		b.Fatal(err)
	}
	for i, edit := range trace.Changes[last:] {
		if _, err := ada.submit(doc, uint64(1+last+i), edit.JSON()); err != nil {
			b.Fatal(err)
		}
	}
	var times []time.Duration
	for b.Loop() {
		b.StopTimer()
		x := w.server.sessions()[0]
		_ = x.do(b.Context(), func() error { x.broken = true; return nil }) // it ends without writing anything down
		<-x.gone
		begin := time.Now()
		b.StartTimer()
		if _, err := ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc}); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(len(trace.Final)), "bytes")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkEditors has 50 people edit one document five times a second each; b.N is how many edits they make together.
func BenchmarkEditors(b *testing.B) {
	w := newWorld(b, meshtest.SQLite(b))
	owner := w.person("owner")
	doc := owner.create("a beginning\n")
	owner.share(doc, everybody, editor)
	const people, pause = 50, 200 * time.Millisecond
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	b.ResetTimer()
	for i := range people {
		u := w.person(fmt.Sprint("p", i))
		wg.Go(func() {
			time.Sleep(pause * time.Duration(i) / people)
			base := uint64(2)
			for range max(1, b.N/people) {
				begin := time.Now()
				r, err := u.submit(doc, base, inserts("x"))
				if err != nil {
					b.Error(err)
					return
				}
				took := time.Since(begin)
				base = r.GetVersion()
				mu.Lock()
				times = append(times, took)
				mu.Unlock()
				time.Sleep(pause - took)
			}
		})
	}
	wg.Wait()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkAllow decides whether somebody may edit, in the session: by what is granted to them, to everybody, and to a channel of theirs, which is
// looked up once a second.
func BenchmarkAllow(b *testing.B) {
	w := peopled(b, meshtest.SQLite(b))
	w.start()
	u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
	w.channel("general", "ada", "cyn")
	w.settle()
	for _, c := range []struct {
		by, principal string
		who           *user
	}{{"own", "bob", u[1]}, {"everybody", everybody, u[1]}, {"channel", "channel/general", u[2]}} {
		b.Run(c.by, func(b *testing.B) {
			doc := u[0].create("")
			u[0].share(doc, c.principal, editor)
			x := must(w.server.session(b.Context(), docKey{"w", doc}))(b)
			who := must(w.verifier.Verify(b.Context(), c.who.token))(b)
			for b.Loop() {
				if err := x.do(b.Context(), func() error { return x.allowChange(who, editor) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
