package topic_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func key(seq uint64) Key { return Key{User: "u", ClientID: "c", Seq: seq} }

func wantCode(t *testing.T, err error, code edgev1.Code, reason string) {
	t.Helper()
	if e := rpc.FromError(err); e.GetCode() != code || e.GetReason() != reason {
		t.Errorf("got %v, want %v %s", err, code, reason)
	}
}

func tail(t *testing.T, l *Log, page string, after *edgev1.Cursor) ([]*topicv1.Record, *edgev1.Error) {
	t.Helper()
	var records []*topicv1.Record
	var reset *edgev1.Error
	err := l.Tail(context.Background(), "w", pages+page, after, 0, func(r *topicv1.TailResponse) error {
		records = append(records, r.GetRecords()...)
		reset = r.GetReset_()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, reset
}

func bodies(records []*topicv1.Record) string {
	var s []string
	for _, r := range records {
		s = append(s, fmt.Sprintf("%d:%s", r.GetEvent().GetOffset(), r.GetEvent().GetBody()))
	}
	return strings.Join(s, " ")
}

func TestRetries(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		first, err := send(l, "p", key(1), "one")
		if err != nil || !slices.Equal(first, []uint64{1}) {
			t.Fatal(first, err)
		}
		if again, err := send(l, "p", key(1), "one"); err != nil || !slices.Equal(again, first) {
			t.Errorf("the retry got %v, %v", again, err)
		}
		_, err = send(l, "p", key(1), "other")
		wantCode(t, err, edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED")
		if second, err := send(l, "p", key(2), "two"); err != nil || !slices.Equal(second, []uint64{2}) {
			t.Errorf("got %v, %v", second, err)
		}
		if records, _ := tail(t, l, "p", nil); bodies(records) != "1:one 2:two" {
			t.Errorf("the topic holds %s", bodies(records))
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if o, err := send(l, "p", key(3), "three"); err != nil || !slices.Equal(o, []uint64{3}) {
					t.Errorf("got %v, %v", o, err)
				}
			})
		}
		wg.Wait()
	})
}

// digestsOf returns the digests among messages, by partition.
func digestsOf(t *testing.T, messages []published) map[string][]*topicv1.Digest {
	t.Helper()
	all := map[string][]*topicv1.Digest{}
	for _, m := range messages {
		if !strings.HasPrefix(m.subject, "plenum._.digest.") {
			continue
		}
		d := &topicv1.Digest{}
		if err := proto.Unmarshal(m.data, d); err != nil {
			t.Fatal(err)
		}
		all[m.subject] = append(all[m.subject], d)
	}
	return all
}

// holes reports whether a sequence of digests begins late or has a hole.
func holes(t *testing.T, messages []published) bool {
	t.Helper()
	for _, ds := range digestsOf(t, messages) {
		for i, d := range ds {
			if d.GetSequence() != uint64(i+1) {
				return true
			}
		}
	}
	return false
}

// TestKeysWithoutRows: a mutation that had no effect is remembered; one that was refused is not.
func TestKeysWithoutRows(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		first, err := mutate(l, mutation("p", key(1), "x", nothing))
		if err != nil || len(first) != 1 {
			t.Fatal(first, err)
		}
		if again, err := mutate(l, mutation("p", key(1), "x", say(note("p", "x")))); err != nil || !slices.Equal(again, first) {
			t.Errorf("the retry got %v, %v", again, err)
		}
		_, err = mutate(l, mutation("p", key(1), "y", nothing))
		wantCode(t, err, edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED")
		_, err = mutate(l, mutation("p", key(2), "z", refuse))
		wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "book.CLOSED")
		if o, err := send(l, "p", key(2), "z"); err != nil || !slices.Equal(o, []uint64{1}) {
			t.Errorf("after the refusal: %v, %v", o, err)
		}
		if err := l.Prune(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= 2; seq++ {
			_, err = mutate(l, mutation("p", key(seq), "x", nothing))
			wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD")
		}
		if _, err := send(l, "p", key(3), "new"); err != nil {
			t.Error(err)
		}
		if _, err := send(l, "p", Key{User: "u", ClientID: "other", Seq: 1}, "new"); err != nil {
			t.Error(err)
		}
	})
}

// TestPruneKeepsYoungKeys: only what is old enough goes, and a second pruning goes on where the first stopped.
func TestPruneKeepsYoungKeys(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		for seq := uint64(1); seq <= 3; seq++ {
			if _, err := send(l, "p", key(seq), "text"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Millisecond)
		cut := time.Now()
		time.Sleep(2 * time.Millisecond)
		if _, err := send(l, "p", key(4), "text"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := l.Prune(t.Context(), cut); err != nil {
				t.Fatal(err)
			}
			_, err := send(l, "p", key(3), "text")
			wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD")
			if o, err := send(l, "p", key(4), "text"); err != nil || !slices.Equal(o, []uint64{4}) {
				t.Errorf("got %v, %v", o, err)
			}
		}
	})
}

// Keys without rows are forgotten in parts, too, and none is left out where a part ends.
func TestPruneOfManyKeys(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		l, _ := startLog(t, openDB(t, url))
		const keys = 2100 // a part is 1,000
		var wg sync.WaitGroup
		for seq := uint64(1); seq <= keys; seq++ {
			wg.Go(func() {
				if err := l.Mutate(t.Context(), mutation("p", key(seq), "x", nothing), nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * time.Millisecond)
		if err := l.Prune(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= keys; seq += 50 {
			err := l.Mutate(t.Context(), mutation("p", key(seq), "x", nothing), nil)
			wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD")
		}
		err := l.Mutate(t.Context(), mutation("p", key(keys), "x", nothing), nil)
		wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD")
	})
}

func TestBadMutations(t *testing.T) {
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(c *Config, _ *Deps) { c.MaxBody = 10 })
	for _, c := range []struct {
		name   string
		change func(*Mutation)
		code   edgev1.Code
	}{
		{"no workspace", func(m *Mutation) { m.Workspace = "" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a dot in the workspace", func(m *Mutation) { m.Workspace = "a.b" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"no route", func(m *Mutation) { m.Route = "" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a key without number", func(m *Mutation) { m.Key.Seq = 0 }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a number beyond 2^53", func(m *Mutation) { m.Key.Seq = 1 << 53 }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a client that isn't printable", func(m *Mutation) { m.Key.ClientID = "c\xff" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a user that is no id", func(m *Mutation) { m.Key.User = "a b" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a key without user", func(m *Mutation) { m.Key.User = "" }, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a body too large", func(m *Mutation) { m.Op = say(note("p", "12345678901")) }, edgev1.Code_CODE_BODY_TOO_LARGE},
		{"a topic of another route", func(m *Mutation) { m.Op = say(note("q", "x")) }, edgev1.Code_CODE_INTERNAL},
		{"no topic", func(m *Mutation) { m.Op = say(Entry{Topic: "book.page"}) }, edgev1.Code_CODE_INTERNAL},
		{"a redaction of the future", func(m *Mutation) { m.Op = say(Entry{Topic: pages + "p", Redacts: []uint64{1}}) }, edgev1.Code_CODE_INTERNAL},
	} {
		m := mutation("p", key(1), "x", nothing)
		c.change(&m)
		if err := l.Mutate(t.Context(), m, nil); rpc.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if o, err := send(l, "p", key(1), "good"); err != nil || !slices.Equal(o, []uint64{1}) {
		t.Errorf("after all that: %v, %v", o, err)
	}
}

// TestPrunesByItself: after its life a key is refused, and a younger one is not.
func TestPrunesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(c *Config, _ *Deps) { c.KeyLife, c.PruneGap = 35*time.Minute, time.Minute })
		if _, err := send(l, "p", key(1), "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(34 * time.Minute)
		if o, err := send(l, "p", key(1), "x"); err != nil || !slices.Equal(o, []uint64{1}) {
			t.Errorf("after 34 minutes: %v, %v", o, err)
		}
		time.Sleep(3 * time.Minute)
		_, err := send(l, "p", key(1), "x")
		wantCode(t, err, edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD")
	})
}

// TestTransact: a job's events are published after its COMMIT; a failed job leaves nothing.
func TestTransact(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		b := &recorder{}
		l, _ := startLog(t, openDB(t, url), func(_ *Config, d *Deps) { d.Bus = b })
		job := func(fail error) error {
			return l.Transact(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				appends := []Append{
					{Workspace: "w", Route: "q", Entries: []Entry{note("q", "two")}},
					{Workspace: "w", Route: "p", Entries: []Entry{note("p", "one")}},
				}
				if err := l.Append(ctx, tx, appends); err != nil {
					return err
				}
				if len(publications(t, b.take(), pages+"p")) > 0 {
					t.Error("published before COMMIT")
				}
				return fail
			})
		}
		failed := errors.New("the job fails")
		if err := job(failed); !errors.Is(err, failed) {
			t.Errorf("got %v", err)
		}
		if out := publications(t, b.take(), pages+"p"); len(out) > 0 {
			t.Errorf("a failed job published %s", bodies(out))
		}
		if err := job(nil); err != nil {
			t.Fatal(err)
		}
		sent := b.take()
		if p, q := publications(t, sent, pages+"p"), publications(t, sent, pages+"q"); bodies(p) != "1:one" || bodies(q) != "1:two" {
			t.Errorf("published %s and %s", bodies(p), bodies(q))
		}
		err := l.Append(t.Context(), nil, nil)
		if err == nil {
			t.Error("Append went without a transaction's context")
		}
	})
}

// TestWrongTables: a log doesn't start on tables that are not as its schema says, and says so.
func TestWrongTables(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		db := openDB(t, url)
		cfg := DefaultConfig("book")
		cfg.Schema = Schema{Prefix: "book", Extra: []Column{{Name: "colour", Type: "text", Value: func(*Row) any { return nil }}}}
		l, err := NewLog(cfg, Deps{DB: db, Planner: &book{dialect: db.Dialect()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "book_log") || !strings.Contains(err.Error(), "colour") {
			t.Errorf("it ended with %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	db := openDB(t, meshtest.SQLite(t))
	for name, change := range map[string]func(*Config, *Deps){
		"no service":         func(c *Config, _ *Deps) { c.Service = "" },
		"a prefix with SQL":  func(c *Config, _ *Deps) { c.Schema.Prefix = "x; DROP" },
		"a column of a type": func(c *Config, _ *Deps) { c.Schema.Extra = []Column{{Name: "x", Type: "json"}} },
		"an empty batch":     func(c *Config, _ *Deps) { c.Batch = 0 },
		"a small queue":      func(c *Config, _ *Deps) { c.Queue = 1 },
		"no time":            func(c *Config, _ *Deps) { c.Timeout = 0 },
		"no database":        func(_ *Config, d *Deps) { d.DB = nil },
		"no planner":         func(_ *Config, d *Deps) { d.Planner = nil },
	} {
		cfg, deps := DefaultConfig("book"), Deps{DB: db, Planner: &book{}}
		change(&cfg, &deps)
		if _, err := NewLog(cfg, deps); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
