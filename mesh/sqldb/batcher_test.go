package sqldb_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/mesh/sqldb"
)

// TestBatchesShareACommit: what comes while a commit is under way goes together in the next, in order.
func TestBatchesShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var batches [][]int
		b := sqldb.NewBatcher(sqldb.BatcherConfig{MaxBatch: 4}, func(_ context.Context, batch []int) error {
			time.Sleep(time.Second)
			batches = append(batches, append([]int(nil), batch...))
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running, waiting sync.WaitGroup
		running.Go(func() { _ = b.Run(ctx) })
		for i := range 7 {
			waiting.Go(func() {
				if err := b.Submit(ctx, i); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		waiting.Wait()
		cancel()
		running.Wait()
		if want := [][]int{{0}, {1, 2, 3, 4}, {5, 6}}; !equal(batches, want) {
			t.Fatalf("batches %v, want %v", batches, want)
		}
		if err := b.Submit(t.Context(), 8); !errors.Is(err, sqldb.ErrStopped) {
			t.Fatalf("after the end: %v", err)
		}
	})
}

func equal(a, b [][]int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sqldb.NewBatcher(sqldb.BatcherConfig{Queue: 2}, func(context.Context, []int) error { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 { // nobody runs: they wait
			go func() { _ = b.Submit(ctx, 1) }()
		}
		synctest.Wait()
		if err := b.Submit(ctx, 1); !errors.Is(err, sqldb.ErrOverloaded) {
			t.Fatalf("third of two: %v", err)
		}
		cancel()
	})
}

// TestEachIsAnsweredOnce: with any sizes, failures and an end at any time, each request is committed at most once and told
// what its batch met; one that was told success was committed.
func TestEachIsAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(rt, "requests")
		size := rapid.IntRange(1, 8).Draw(rt, "batch")
		failEvery := rapid.IntRange(2, 5).Draw(rt, "fail")
		stopAfter := rapid.IntRange(0, 40).Draw(rt, "stop")
		synctest.Test(t, func(t *testing.T) {
			committed, calls := map[int]int{}, 0
			failure := errors.New("this batch fails")
			ctx, cancel := context.WithCancel(t.Context())
			b := sqldb.NewBatcher(sqldb.BatcherConfig{MaxBatch: size, Queue: 100}, func(_ context.Context, batch []int) error {
				time.Sleep(time.Millisecond)
				if calls++; calls == stopAfter {
					cancel()
				}
				if len(batch) > size {
					t.Errorf("a batch of %d, at most %d", len(batch), size)
				}
				if calls%failEvery == 0 {
					return failure
				}
				for _, q := range batch {
					committed[q]++
				}
				return nil
			})
			var running, waiting sync.WaitGroup
			running.Go(func() { _ = b.Run(ctx) })
			answers := make([]error, n)
			for i := range n {
				waiting.Go(func() { answers[i] = b.Submit(t.Context(), i) })
			}
			waiting.Go(func() { time.Sleep(time.Second); cancel() })
			waiting.Wait()
			running.Wait()
			for i, err := range answers {
				if err != nil && !errors.Is(err, failure) && !errors.Is(err, sqldb.ErrStopped) {
					t.Errorf("%d: %v", i, err)
				}
				if want := map[bool]int{true: 1}[err == nil]; committed[i] != want {
					t.Errorf("%d was told %v and committed %d times", i, err, committed[i])
				}
			}
		})
	})
}

// TestCallersThatGo: who leaves the queue is never committed, who leaves a commit under way is told that nobody knows.
func TestCallersThatGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var committed []string
		b := sqldb.NewBatcher(sqldb.BatcherConfig{MaxBatch: 8}, func(_ context.Context, batch []string) error {
			time.Sleep(time.Minute)
			committed = append(committed, batch...)
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.Run(ctx) })
		submit := func(q string, patience time.Duration) *error {
			err := new(error)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				*err = b.Submit(ctx, q)
			})
			synctest.Wait()
			return err
		}
		underWay := submit("under way", time.Second)
		queued := submit("queued", time.Second)
		patient := submit("patient", time.Hour)
		over := submit("over before", 0)
		time.Sleep(3 * time.Minute)
		cancel()
		wg.Wait()
		if !errors.Is(*underWay, sqldb.ErrUnknownOutcome) || !errors.Is(*underWay, context.DeadlineExceeded) {
			t.Errorf("under way: %v", *underWay)
		}
		for _, err := range []error{*queued, *over} {
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sqldb.ErrUnknownOutcome) {
				t.Errorf("queued: %v", err)
			}
		}
		if *patient != nil || !slices.Equal(committed, []string{"under way", "patient"}) {
			t.Errorf("%v; committed: %q", *patient, committed)
		}
	})
}

// TestPanickingCommit: the panic goes on to whoever runs the batcher; those that wait are told that nobody knows.
func TestPanickingCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sqldb.NewBatcher(sqldb.BatcherConfig{}, func(context.Context, []int) error { panic("a defect") })
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = b.Run(t.Context())
		})
		if err := b.Submit(t.Context(), 1); !errors.Is(err, sqldb.ErrUnknownOutcome) {
			t.Errorf("in its batch: %v", err)
		}
		wg.Wait()
		if err := b.Submit(t.Context(), 1); !errors.Is(err, sqldb.ErrStopped) {
			t.Errorf("afterwards: %v", err)
		}
	})
}
