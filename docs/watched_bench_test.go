package docs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// BenchmarkLooking has 50 people type four times a second each into one document, and signal where they are each time, for ten seconds, while nobody looks at
// who is in it, while all 50 do, and while 200 do. It tells how long their edits take, what they are told, and how much of a core all of it takes: people's and
// readers' side, too.
func BenchmarkLooking(b *testing.B) {
	const people, each, pause = 50, 40, 250 * time.Millisecond
	for _, lookers := range []int{0, people, 4 * people} {
		b.Run(fmt.Sprint(lookers), func(b *testing.B) {
			w := listening(b, meshtest.SQLite(b))
			w.identity, w.chat = nil, nil
			w.start()
			ada := w.person("u0")
			doc := ada.create(strings.Repeat("a line of a document that people write.\n", 500))
			ada.share(doc, everybody, editor)
			var looking sync.WaitGroup
			var told, news atomic.Int64
			var sights []*sight
			for i := range lookers {
				sights = append(sights, w.person(fmt.Sprint("u", i)).looks(doc, nil))
			}
			for _, s := range sights {
				s.until("a first update", func() bool { return s.overview() != nil })
				looking.Go(func() {
					for s.next() == nil {
						told.Add(1)
					}
					news.Add(int64(s.news))
				})
			}
			var took []time.Duration
			var mu sync.Mutex
			before := cpu()
			for b.Loop() {
				var typing sync.WaitGroup
				for i := range people {
					u, r := w.person(fmt.Sprint("u", i)), rand.New(rand.NewPCG(1, uint64(i)))
					u.seq = uint64(time.Now().UnixNano()) & (1<<50 - 1)
					typing.Go(func() {
						tick := time.NewTicker(pause)
						defer tick.Stop()
						version, at := uint64(2), r.IntN(19_000)
						for range each {
							<-tick.C
							begun := time.Now()
							res, err := u.submit(doc, version, fmt.Sprintf(`{"ops":[{"retain":%d},{"insert":"x"}]}`, at))
							if err != nil {
								b.Error(err)
								return
							}
							mu.Lock()
							took = append(took, time.Since(begun))
							mu.Unlock()
							version, at = res.GetVersion(), at+1
							u.signal(doc, &docsv1.Presence{Version: version, Anchor: uint32(at), Head: uint32(at), Typing: true})
						}
					})
				}
				typing.Wait()
			}
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(100*(cpu()-before).Seconds()/seconds, "%core")
			for _, s := range sights {
				s.stop()
			}
			looking.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(told.Load())/seconds, "frames/s")
			b.ReportMetric(float64(news.Load())/seconds, "entries/s")
		})
	}
}

// cpu is what the process has taken of cores.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
