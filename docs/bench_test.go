package docs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
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
	ada.openings(b, doc)
	b.ReportMetric(float64(len(trace.Final)), "bytes")
}

// BenchmarkOpenLong opens a document of 100,000 characters and 1,000,000 edits all over it, whose versions were written down and thinned out
// as ever, and the newest of them almost as many edits ago as one can be.
func BenchmarkOpenLong(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			ada := w.person("ada")
			base, trace := ottest.Scatter(1, 100_000, 1_000_000)
			last := len(trace.Changes) - DefaultConfig().Snapshot + 1
			doc := ada.create(base)
			ada.writeTrace(doc, 1, trace.Changes[:last])
			w.stop() // the last edits are written down
			w.start(func(c *Config) { c.Snapshot, c.Version = 1<<30, time.Hour })
			ada.writeTrace(doc, uint64(1+last), trace.Changes[last:])
			ada.openings(b, doc)
			if content, version := ada.content(doc, 0); version != 1_000_001 || content.Len() < 90_000 {
				b.Errorf("version %d, %d code units", version, content.Len())
			}
		})
	}
}

// openings opens a document over and over.
func (u *user) openings(b *testing.B, doc string) {
	b.Helper()
	var times []time.Duration
	for b.Loop() {
		b.StopTimer()
		if all := u.server.sessions(); len(all) > 0 {
			_ = all[0].do(b.Context(), func() error { all[0].broken = true; return nil }) // it ends without writing anything down
			<-all[0].gone
		}
		begin := time.Now()
		b.StartTimer()
		must(u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: doc}))(b)
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdle has 10,000 documents of 10,000 characters open, and nobody uses them: what each takes of memory, and how long after the last use
// the last is closed.
func BenchmarkIdle(b *testing.B) {
	const documents = 10_000
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			ada := w.person("ada")
			text := ottest.Write(1, 6000).Final
			for len(text) < 10_000 {
				text += text
			}
			text = text[:strings.LastIndexByte(text[:10_000], ' ')]
			docs := make([]string, documents)
			for i := range docs {
				docs[i] = ada.create(text)
			}
			for b.Loop() {
				before := memory()
				var wg errgroup.Group
				wg.SetLimit(32)
				for _, doc := range docs {
					wg.Go(func() error {
						_, err := ada.api.ReadDocument(ada.read(), &docsv1.ReadDocumentRequest{Document: doc})
						return err
					})
				}
				if err := wg.Wait(); err != nil {
					b.Fatal(err)
				}
				last := time.Now()
				all := w.server.sessions()
				if len(all) != documents {
					b.Fatalf("%d documents are open", len(all))
				}
				b.ReportMetric(float64(memory()-before)/documents/1024, "KiB/document")
				for _, x := range all {
					<-x.gone
				}
				b.ReportMetric(time.Since(last).Seconds(), "closed-s")
			}
		})
	}
}

// BenchmarkBesideSnapshots edits a document while 1,000 others, made within a second or two, are written down: what an edit waits then.
func BenchmarkBesideSnapshots(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			const documents = 1000
			w := newWorld(b, url(b), func(c *Config) { c.Version = 8 * time.Second })
			ada := w.person("ada")
			one, text := ada.create("x"), strings.Repeat("a line of text\n", 700)
			version := must(ada.submit(one, 1, inserts("x")))(b).GetVersion()
			var others errgroup.Group
			others.SetLimit(32)
			for range documents {
				doc := ada.create(text)
				others.Go(func() error {
					_, err := w.server.session(b.Context(), docKey{"w", doc}) // a document that was made is to be written down, too
					return err
				})
			}
			if err := others.Wait(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				var times []time.Duration
				for written := 0; written < documents; {
					begin := time.Now()
					version = must(ada.submit(one, version, inserts("x")))(b).GetVersion()
					took := time.Since(begin)
					if written > 0 {
						times = append(times, took)
					}
					if err := w.db.QueryRow(b.Context(), `SELECT count(*) FROM docs_version WHERE document <> $1`, one).Scan(&written); err != nil {
						b.Fatal(err)
					}
				}
				slices.Sort(times)
				b.ReportMetric(float64(len(times)), "edits")
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
				b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "max-ms")
			}
		})
	}
}

// memory is what the program holds.
func memory() int64 {
	for range 2 { // what has a finaliser goes with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// BenchmarkEditors has 50 people edit one document five times a second each; b.N is how many edits they make together.
func BenchmarkEditors(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) { benchmarkEditors(b, newWorld(b, url(b))) })
	}
}

func benchmarkEditors(b *testing.B, w *world) {
	b.Helper()
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

// BenchmarkStaleEdits has somebody edit a document while another one has as many edits under way as they may from five devices, all of them long and of
// a base far behind: how long the first waits for an answer.
func BenchmarkStaleEdits(b *testing.B) {
	w := newWorld(b, meshtest.SQLite(b))
	ada, bob := w.person("ada"), w.person("bob")
	doc := ada.create(strings.Repeat("0123456789", 600))
	ada.share(doc, "bob", editor)
	head := uint64(2)
	for ; head < 1000; head++ {
		must(ada.submit(doc, head, at(int(head), "x")))(b)
	}
	stale := stretched(190)
	ctx, stop := context.WithCancel(ada.read())
	var flood sync.WaitGroup
	var now, stored, busy atomic.Uint64
	now.Store(head)
	for device := range 5 {
		var seq atomic.Uint64
		for range 32 {
			flood.Go(func() {
				for ctx.Err() == nil {
					ctx := rpc.WithMutation(ctx, fmt.Sprint("device-", device), seq.Add(1))
					_, err := w.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: now.Load() - 950, Delta: stale})
					if err == nil {
						stored.Add(1)
						continue
					}
					busy.Add(1)
					if e := rpc.FromError(err); e.GetRetryAfterMs() > 0 {
						select {
						case <-time.After(time.Duration(e.GetRetryAfterMs()) * time.Millisecond):
						case <-ctx.Done():
						}
					}
				}
			})
		}
	}
	var times []time.Duration
	begun := time.Now()
	for b.Loop() {
		begin := time.Now()
		r, err := bob.submit(doc, now.Load(), inserts("y"))
		times = append(times, time.Since(begin))
		if err != nil {
			b.Logf("refused: %v", rpc.FromError(err))
			continue
		}
		now.Store(r.GetVersion())
	}
	b.ReportMetric(float64(stored.Load())/time.Since(begun).Seconds(), "stale/s")
	b.ReportMetric(float64(busy.Load())/time.Since(begun).Seconds(), "busy/s")
	stop()
	flood.Wait()
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}
