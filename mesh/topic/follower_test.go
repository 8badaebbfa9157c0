package topic_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	. "plenum.internal/mesh/topic"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func mustStart(t *testing.T, db, derived *sqldb.DB) *service {
	t.Helper()
	s, err := startService(db, derived)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop := s.stop
	s.stop = func() { once.Do(stop) }
	t.Cleanup(s.stop)
	return s
}

func fill(t *testing.T, l *Log, from, to int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for seq := from; seq < to; seq++ {
				if _, err := send(l, fmt.Sprint("p", (i+seq)%4), Key{fmt.Sprint("u", i), "fill", uint64(seq)}, fmt.Sprint(i, "/", seq)); err != nil {
					t.Errorf("%d/%d: %v", i, seq, err)
				}
			}
		})
	}
	wg.Wait()
}

// events counts those of pages and of their echoes.
func events(records []*topicv1.Record) (own, echoed int) {
	for _, r := range records {
		if strings.HasPrefix(r.GetTopic(), echoes) {
			echoed++
		} else {
			own++
		}
	}
	return own, echoed
}

// TestFollowersRace: two processes run the same follower.
func TestFollowersRace(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		one := mustStart(t, db, db)
		mustStart(t, openDB(t, url), openDB(t, url))
		fill(t, one.log, 1, 20)
		if own, echoed := events(settled(t, db, one.log)); own != 8*19 || echoed != own {
			t.Errorf("%d events, %d echoes", own, echoed)
		}
	})
}

// TestFollowerLosesCommits: its connection breaks during COMMIT, before or after that reached the server.
func TestFollowerLosesCommits(t *testing.T) {
	for name, forward := range map[string]bool{"before the server got it": false, "after the server got it": true} {
		t.Run(name, func(t *testing.T) {
			proxy, direct, through := proxied(t)
			db := openDB(t, direct)
			s := mustStart(t, db, openDB(t, through))
			trap := &meshtest.Trap{Match: []byte("commit"), Forward: forward, Times: 6}
			proxy.Set(trap)
			for seq := 1; seq < 20; seq++ { // by and by, or one transaction would take it all
				fill(t, s.log, seq, seq+1)
				time.Sleep(30 * time.Millisecond)
			}
			if own, echoed := events(settled(t, db, s.log)); own != 8*19 || echoed != own {
				t.Errorf("%d events, %d echoes", own, echoed)
			}
			sent := s.bus.take()
			for page := range 4 {
				echo := fmt.Sprint("of-p", page)
				states, err := s.log.States(t.Context(), "w", echoes+echo)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(publications(t, sent, echoes+echo)); n != int(states[0].Offset) {
					t.Errorf("%d of %d events of %s were published", n, states[0].Offset, echo)
				}
			}
			if trap.Sprung() < 6 {
				t.Errorf("only %d connections were cut", trap.Sprung())
			}
		})
	}
}

// TestFollowerRebuilds: a restore begins a new life of the history. The follower forgets what it derived and derives it anew.
func TestFollowerRebuilds(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		s := mustStart(t, db, db)
		fill(t, s.log, 1, 5)
		settled(t, db, s.log)
		s.stop()
		if _, err := bookSchema.BumpEpoch(t.Context(), db, time.Now()); err != nil {
			t.Fatal(err)
		}
		s = mustStart(t, db, db)
		fill(t, s.log, 5, 10)
		if own, echoed := events(settled(t, db, s.log)); own != 8*9 || echoed != 8*(9+4) {
			t.Errorf("%d events, %d echoes", own, echoed)
		}
	})
}

// TestFollowerWithoutReset ends with an error instead of going on with what was derived from another history.
func TestFollowerWithoutReset(t *testing.T) {
	db := openDB(t, meshtest.SQLite(t))
	l, _ := startLog(t, db)
	if _, err := send(l, "p", key(1), "x"); err != nil {
		t.Fatal(err)
	}
	f := follower(t, l, db, func(context.Context, *sql.Tx, []*topicv1.Record) error { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	<-f.Ready()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := bookSchema.BumpEpoch(t.Context(), db, time.Now()); err != nil {
		t.Fatal(err)
	}
	f = follower(t, l, db, func(context.Context, *sql.Tx, []*topicv1.Record) error { return nil })
	if err := f.Run(t.Context()); err == nil {
		t.Error("it went on")
	}
}

// TestFollowerRetries what its handler fails at, and keeps nothing of the failed attempt.
func TestFollowerRetries(t *testing.T) {
	db := openDB(t, meshtest.SQLite(t))
	l, _ := startLog(t, db)
	if _, err := send(l, "p", key(1), "x"); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	f := follower(t, l, db, func(ctx context.Context, tx *sql.Tx, records []*topicv1.Record) error {
		if err := seen(ctx, tx, l, records); err != nil {
			return err
		}
		if calls.Add(1) <= 3 {
			return errors.New("the handler fails")
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if own, echoed := events(settled(t, db, l)); own != 1 || echoed != 1 {
		t.Errorf("%d events, %d echoes", own, echoed)
	}
	cancel()
	wg.Wait()
	if calls.Load() < 4 {
		t.Errorf("%d calls", calls.Load())
	}
}

// follower of a log in the same process.
func follower(t *testing.T, l *Log, db *sqldb.DB, handle func(context.Context, *sql.Tx, []*topicv1.Record) error) *Follower {
	t.Helper()
	server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{Service: "book", Internal: map[string][]string{
		topicv1.TopicService_Follow_FullMethodName: {"book"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	topicv1.RegisterTopicServiceServer(server, NewServer(l, nil))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	f, err := NewFollower(FollowerConfig{Name: "seen", Service: "book", Prefix: "book"}, FollowerDeps{
		Source: topicv1.NewTopicServiceClient(server.Pipe("book")), DB: db, Handle: handle,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
