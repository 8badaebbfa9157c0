package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/sqldb"
)

// TestReach: whether the database answers is known while all connections are in use, as soon as it does not, and when it does again.
func TestReach(t *testing.T) {
	url, proxy := through(t)
	db, err := sqldb.Open(t.Context(), sqldb.Config{URL: url, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	within := func(patience time.Duration, ask func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return ask(ctx)
	}
	var using sync.WaitGroup
	defer using.Wait()
	leave := make(chan struct{})
	defer close(leave)
	for _, use := range []func(context.Context, func(*sql.Tx) error) error{db.Write, db.Read} {
		used := make(chan struct{})
		using.Go(func() {
			_ = use(t.Context(), func(*sql.Tx) error { close(used); <-leave; return nil })
		})
		<-used
	}
	if err := within(200*time.Millisecond, db.Ping); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a connection is free: %v", err)
	}
	if err := within(5*time.Second, db.Reach); err != nil {
		t.Errorf("all are in use: %v", err)
	}
	proxy.Stall(true)
	if err := within(200*time.Millisecond, db.Reach); err == nil {
		t.Error("it does not answer, and seems to")
	}
	proxy.Stall(false)
	if err := within(5*time.Second, db.Reach); err != nil {
		t.Errorf("it answers again: %v", err)
	}
}
