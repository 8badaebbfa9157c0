package topic_test

import (
	"context"
	"database/sql"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"plenum.internal/mesh/meshtest"
	. "plenum.internal/mesh/topic"
)

// More clients than a partition's memory holds, and retries of some of them behind many new ones in a batch: none takes place twice.
func TestRetriesBehindManyClients(t *testing.T) {
	const known, retries, batch = 1100, 40, 500
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		client := func(n int) Key { return Key{User: "u", ClientID: "c" + strconv.Itoa(n), Seq: 1} }
		var wg sync.WaitGroup
		for n := range known {
			wg.Go(func() {
				if _, err := mutate(l, mutation("p", client(n), "x", nothing)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()

		// What is queued behind a step that waits is the next batch.
		begun, release := make(chan struct{}), make(chan struct{})
		begin := sync.OnceFunc(func() { close(begun) })
		wg.Go(func() {
			_, err := mutate(l, mutation("p", client(-1), "x", func(ctx context.Context, tx *sql.Tx, s *Step) error {
				begin()
				<-release
				return nothing(ctx, tx, s)
			}))
			if err != nil {
				t.Error(err)
			}
		})
		<-begun
		queue := func(n int, o op) {
			before := l.Waiting()
			wg.Go(func() {
				if _, err := mutate(l, mutation("p", client(n), "x", o)); err != nil {
					t.Error(err)
				}
			})
			for l.Waiting() == before {
				runtime.Gosched()
			}
		}
		for n := range batch - retries {
			queue(known+n, nothing)
		}
		var twice atomic.Int32
		for n := range retries {
			queue(known-1-n, func(ctx context.Context, tx *sql.Tx, s *Step) error {
				twice.Add(1)
				return nothing(ctx, tx, s)
			})
		}
		close(release)
		wg.Wait()
		if n := twice.Load(); n > 0 {
			t.Errorf("%d of %d retries took place again", n, retries)
		}
	})
}
