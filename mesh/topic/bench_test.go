package topic_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"plenum.internal/mesh/meshtest"
	. "plenum.internal/mesh/topic"
)

// BenchmarkMutate sends single rows with keys, durably, from 2,000 goroutines to 200 topics; an operation is one send.
func BenchmarkMutate(b *testing.B) {
	for engine, url := range map[string]func(testing.TB) string{"sqlite": meshtest.SQLite, "postgres": meshtest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			bus := &recorder{lose: func(string) bool { return true }}
			l, _ := startLog(b, openDB(b, url(b)), func(_ *Config, d *Deps) { d.Bus = bus })
			const senders = 2000
			var left atomic.Int64
			run := func(n int, client string) {
				left.Store(int64(n))
				var wg sync.WaitGroup
				for i := range senders {
					wg.Go(func() {
						page := fmt.Sprint("p", i%200)
						user := fmt.Sprint("user-", i)
						for seq := uint64(1); left.Add(-1) >= 0; seq++ {
							body := []byte("The quick brown fox jumps over the lazy dog, and back again.")
							m := Mutation{Workspace: "w", Route: page, Key: Key{user, client, seq}, Request: structpb.NewStringValue(string(body)),
								Op: say(Entry{Topic: pages + page, Body: body, Countable: true})}
							if err := l.Mutate(context.Background(), m, &structpb.ListValue{}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
			run(20000, "warm")
			b.ResetTimer()
			run(b.N, "client-000000000000000")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
		})
	}
}
