package docs

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// BenchmarkSubmit has one client type a document, with some edits under way at a time, each behind the one before it: over gRPC, durable.
func BenchmarkSubmit(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, url(b))
			ada := w.person("ada")
			doc := ada.create("")
			trace := ottest.Write(1, b.N)
			const window = 64
			slots := make(chan struct{}, window)
			var wg sync.WaitGroup
			first := ada.seq
			b.ResetTimer()
			for i, edit := range trace.Changes {
				slots <- struct{}{}
				q := &docsv1.SubmitRequest{Document: doc, Base: uint64(1 + i), Delta: edit.JSON()}
				if i > 0 {
					q.AfterSeq = first + uint64(i)
				}
				ctx := ada.write()
				sent := make(chan struct{})
				wg.Go(func() {
					close(sent)
					if _, err := ada.api.Submit(ctx, q); err != nil {
						b.Error(err)
					}
					<-slots
				})
				<-sent
			}
			wg.Wait()
			b.StopTimer()
			if got := ada.text(doc); got != trace.Final {
				b.Errorf("another text of %d bytes", len(got))
			}
			b.ReportMetric(float64(len(trace.Changes))/b.Elapsed().Seconds(), "edits/s")
		})
	}
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
