package rpc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: one of each key at a time, and so many in all; who waits for their own key takes no room from others.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(2)
		var mu sync.Mutex // guards order
		var order []string
		worked := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(order)
		}
		work := func(key string) {
			end, err := turns.Take(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, key)
			mu.Unlock()
			time.Sleep(time.Second)
			end()
		}
		for _, key := range []string{"big", "big", "big", "small", "late"} {
			go work(key)
			synctest.Wait()
		}
		if want := []string{"big", "small"}; !slices.Equal(worked(), want) {
			t.Errorf("%q work, want %q", worked(), want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for _, key := range []string{"big", "new"} { // waits for its own, and for room
			if _, err := turns.Take(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", key, err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(worked()) != 5 || len(turns.keys) != 0 || len(turns.all) != 0 {
			t.Errorf("%q have worked; %d keys and %d turns are left", worked(), len(turns.keys), len(turns.all))
		}
	})
}
