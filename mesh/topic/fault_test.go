package topic_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	. "plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// proxied returns a fresh PostgreSQL database behind a proxy, and its URL by each way.
func proxied(t *testing.T) (p *meshtest.Proxy, direct, through string) {
	t.Helper()
	direct = meshtest.Postgres(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p = meshtest.StartProxy(t, u.Host)
	u.Host = p.Addr
	return p, direct, u.String()
}

// TestLostCommit: the connection breaks while COMMIT is under way, before or after it has reached the server. The key settles it: one
// effect, one answer, and gateways are made to look for what was not published.
func TestLostCommit(t *testing.T) {
	for name, forward := range map[string]bool{"before the server got it": false, "after the server got it": true} {
		t.Run(name, func(t *testing.T) {
			proxy, direct, through := proxied(t)
			openDB(t, direct)
			bus := &recorder{}
			l, _ := startLog(t, openDB(t, through), func(c *Config, d *Deps) { c.Writers, d.Bus = 2, bus })
			if _, err := send(l, "p0", key(1), "warm"); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			total := 0
			for round := range 5 {
				trap := &meshtest.Trap{Match: []byte("commit"), Forward: forward, Times: 2}
				proxy.Set(trap)
				for i := range 10 {
					total++
					wg.Go(func() {
						page, k := fmt.Sprint("p", 1+i%3), Key{User: fmt.Sprint("u", i), ClientID: "c", Seq: uint64(round + 1)}
						first, err := send(l, page, k, fmt.Sprint(round, "/", i))
						if err != nil {
							t.Errorf("%d/%d: %v", round, i, err)
							return
						}
						if again, err := send(l, page, k, fmt.Sprint(round, "/", i)); err != nil || !slices.Equal(again, first) {
							t.Errorf("%d/%d: the retry got %v, %v after %v", round, i, again, err, first)
						}
					})
				}
				wg.Wait()
				if trap.Sprung() == 0 {
					t.Fatal("no connection was cut")
				}
			}
			texts := map[string]int{}
			for _, r := range topictest.Check(t, l) {
				texts[string(r.GetEvent().GetBody())]++
			}
			delete(texts, "warm")
			for text, n := range texts {
				if n != 1 {
					t.Errorf("%s has %d effects", text, n)
				}
			}
			if len(texts) != total {
				t.Errorf("%d effects of %d mutations", len(texts), total)
			}
			if !holes(t, bus.take()) {
				t.Error("the digests don't make gateways look")
			}
		})
	}
}

// TestLostCommitOfAJob: whoever appends by Transact is told that the outcome isn't known, and gateways are made to look.
func TestLostCommitOfAJob(t *testing.T) {
	proxy, direct, through := proxied(t)
	openDB(t, direct)
	bus := &recorder{}
	l, _ := startLog(t, openDB(t, through), func(_ *Config, d *Deps) { d.Bus = bus })
	proxy.Set(&meshtest.Trap{Match: []byte("commit"), Forward: true, Times: 1})
	err := l.Transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return l.Append(ctx, tx, []Append{{Workspace: "w", Route: "p", Entries: []Entry{note("p", "one")}}})
	})
	wantCode(t, err, edgev1.Code_CODE_OUTCOME_UNKNOWN, "topic.OUTCOME_UNKNOWN")
	if records, _ := tail(t, l, "p", nil); bodies(records) != "1:one" {
		t.Errorf("the topic holds %s", bodies(records))
	}
	sent := bus.take()
	for deadline := time.Now().Add(5 * time.Second); !holes(t, sent); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the digests don't make gateways look")
		}
		sent = append(sent, bus.take()...)
	}
}

// TestUnknownOutcome: the database stays away after a lost COMMIT. The caller is told that the outcome isn't known, and its retry
// settles it.
func TestUnknownOutcome(t *testing.T) {
	proxy, direct, through := proxied(t)
	db := openDB(t, direct)
	l, _ := startLog(t, openDB(t, through), func(c *Config, _ *Deps) { c.Settle = 300 * time.Millisecond })
	// The trap lets COMMIT reach the server and swallows its answer; from then on nothing passes.
	proxy.Set(&meshtest.Trap{Match: []byte("commit"), Forward: true, Times: 1 << 30})
	_, err := send(l, "p", key(1), "one")
	wantCode(t, err, edgev1.Code_CODE_OUTCOME_UNKNOWN, "topic.OUTCOME_UNKNOWN")
	proxy.Set(nil)
	if offsets, err := send(l, "p", key(1), "one"); err != nil || !slices.Equal(offsets, []uint64{1}) {
		t.Errorf("the retry got %v, %v", offsets, err)
	}
	var n int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM book_log").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestLostCommitThenAway: the database goes away after the lost COMMIT, and comes back in time. The caller hears nothing of it.
func TestLostCommitThenAway(t *testing.T) {
	proxy, direct, through := proxied(t)
	openDB(t, direct)
	l, _ := startLog(t, openDB(t, through))
	for seq, forward := range []bool{false, true} {
		trap := &meshtest.Trap{Match: []byte("commit"), Forward: forward, Times: 1}
		proxy.Set(trap)
		var wg sync.WaitGroup
		wg.Go(func() {
			if offsets, err := send(l, "p", key(uint64(seq+1)), "x"); err != nil || !slices.Equal(offsets, []uint64{uint64(seq + 1)}) {
				t.Errorf("got %v, %v", offsets, err)
			}
		})
		for trap.Sprung() == 0 {
			time.Sleep(time.Millisecond)
		}
		proxy.Refuse(true)
		time.Sleep(200 * time.Millisecond)
		proxy.Refuse(false)
		wg.Wait()
	}
}

// TestDatabaseAway: sends are refused with a code of the 200s and go on by themselves when it is back.
func TestDatabaseAway(t *testing.T) {
	proxy, _, through := proxied(t)
	l, _ := startLog(t, openDB(t, through))
	if _, err := send(l, "p", key(1), "one"); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse(true)
	_, err := send(l, "p", key(2), "two")
	if code := rpc.CodeOf(err); code != edgev1.Code_CODE_UNAVAILABLE {
		t.Errorf("a send got %v", err)
	}
	if _, err := l.States(t.Context(), "w", pages+"p"); rpc.CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE {
		t.Errorf("a read got %v", err)
	}
	proxy.Refuse(false)
	if offsets, err := send(l, "p", key(2), "two"); err != nil || !slices.Equal(offsets, []uint64{2}) {
		t.Errorf("afterwards it got %v, %v", offsets, err)
	}
}

// TestStartWithoutDatabase: Run waits for the database.
func TestStartWithoutDatabase(t *testing.T) {
	proxy, _, through := proxied(t)
	db := openDB(t, through)
	proxy.Refuse(true)
	time.AfterFunc(200*time.Millisecond, func() { proxy.Refuse(false) })
	l, _ := startLog(t, db)
	if _, err := send(l, "p", key(1), "one"); err != nil {
		t.Error(err)
	}
}

// TestDiskFull: sends are refused with a code of the 200s, reads go on, and sends go on when there is room.
func TestDiskFull(t *testing.T) {
	db := openDB(t, meshtest.SQLite(t))
	l, _ := startLog(t, db)
	if _, err := send(l, "p", key(1), "one"); err != nil {
		t.Fatal(err)
	}
	room := func(pages int) {
		t.Helper()
		err := db.Write(t.Context(), func(tx *sql.Tx) error {
			var n int
			return tx.QueryRow(fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	room(1) // SQLite takes it for what the file has now
	big := string(make([]byte, 100<<10))
	_, err := send(l, "p", key(2), big)
	wantCode(t, err, edgev1.Code_CODE_UNAVAILABLE, "topic.DISK_FULL")
	if records, _ := tail(t, l, "p", nil); bodies(records) != "1:one" {
		t.Errorf("the topic holds %s", bodies(records))
	}
	room(1 << 30)
	if offsets, err := send(l, "p", key(2), big); err != nil || !slices.Equal(offsets, []uint64{2}) {
		t.Errorf("afterwards it got %v, %v", offsets, err)
	}
}

// TestOverload: a full queue answers at once.
func TestOverload(t *testing.T) {
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(c *Config, _ *Deps) { c.Batch, c.Queue = 1, 1 })
	begun, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := mutate(l, mutation("p", key(1), "", func(context.Context, *sql.Tx, *Step) error {
			close(begun)
			<-release
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	})
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := l.Mutate(ctx, mutation("p", key(2), "", nothing), nil)
	if rpc.CodeOf(err) != edgev1.Code_CODE_OUTCOME_UNKNOWN {
		t.Errorf("one that waits until its deadline got %v", err)
	}
	err = l.Mutate(t.Context(), mutation("p", key(3), "", nothing), nil)
	wantCode(t, err, edgev1.Code_CODE_UNAVAILABLE, "topic.OVERLOADED")
	close(release)
	wg.Wait()
}

// TestAStepBreaksDown: what panics fails alone, and can be tried again; what shares its transaction is committed.
func TestAStepBreaksDown(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		begun, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := mutate(l, mutation("p", key(1), "", func(context.Context, *sql.Tx, *Step) error {
				close(begun)
				<-release
				return nil
			}))
			if err != nil {
				t.Error(err)
			}
		})
		<-begun
		const others = 5
		for i := range uint64(others) {
			wg.Go(func() {
				if _, err := send(l, "p", key(2+i), "x"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			err := l.Mutate(t.Context(), mutation("p", key(20), "", func(context.Context, *sql.Tx, *Step) error { panic("a defect") }), nil)
			if rpc.CodeOf(err) != edgev1.Code_CODE_INTERNAL {
				t.Errorf("what breaks down got %v", err)
			}
		})
		for l.Waiting() < 2+others {
			time.Sleep(time.Millisecond)
		}
		close(release)
		wg.Wait()
		if _, err := send(l, "p", key(20), "again"); err != nil {
			t.Error(err)
		}
		if records, _ := tail(t, l, "p", nil); len(records) != others+1 {
			t.Errorf("the topic holds %s", bodies(records))
		}
	})
}
