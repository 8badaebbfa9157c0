package topic_test

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

//go:embed testdata/book.sql
var bookSQL []byte

var bookSchema = Schema{Prefix: "book", Extra: []Column{
	{Name: "shelf", Type: "text", Default: "''", Value: func(r *Row) any { s, _ := r.Extra.(string); return s }},
}}

// book is a service as small as can be: an op is a function that plans its step.
type book struct {
	dialect sqldb.Dialect
	fail    func([]*Step) error // may be nil
}

type op func(ctx context.Context, tx *sql.Tx, s *Step) error

func (b *book) Plan(ctx context.Context, tx *sql.Tx, steps []*Step) error {
	for _, s := range steps {
		if err := s.Op.(op)(ctx, tx, s); err != nil {
			return err
		}
	}
	if b.fail != nil {
		return b.fail(steps)
	}
	return nil
}

func (b *book) Insert(ctx context.Context, tx *sql.Tx, rows []Row) error {
	return bookSchema.InsertRows(ctx, tx, b.dialect, rows)
}

// say appends entries; the answer lists their offsets.
func say(entries ...Entry) op {
	return func(_ context.Context, _ *sql.Tx, s *Step) error {
		s.Entries = entries
		s.Answer = func(rows []Row) proto.Message {
			l := &structpb.ListValue{}
			for _, r := range rows {
				l.Values = append(l.Values, structpb.NewNumberValue(float64(r.Offset)))
			}
			return l
		}
		return nil
	}
}

func refuse(_ context.Context, _ *sql.Tx, s *Step) error {
	s.Err = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "book.CLOSED", "The book is closed.")
	return nil
}

// nothing plans no entry; the answer is the time.
func nothing(_ context.Context, _ *sql.Tx, s *Step) error {
	s.Answer = func([]Row) proto.Message {
		return &structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(float64(s.Now.UnixNano()))}}
	}
	return nil
}

const pages = "book.page/"

func note(page, text string) Entry {
	return Entry{Topic: pages + page, Body: []byte(text), Countable: true, Extra: "a"}
}

// mutation of a page whose request is its text.
func mutation(page string, key Key, request string, o op) Mutation {
	return Mutation{Workspace: "w", Route: page, Key: key, Request: structpb.NewStringValue(request), Op: o}
}

func send(l *Log, page string, key Key, text string) ([]uint64, error) {
	return mutate(l, mutation(page, key, text, say(note(page, text))))
}

func mutate(l *Log, m Mutation) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer := &structpb.ListValue{}
	err := l.Mutate(ctx, m, answer)
	var offsets []uint64
	for _, v := range answer.GetValues() {
		offsets = append(offsets, uint64(v.GetNumberValue()))
	}
	return offsets, err
}

// openDB opens a database with the book's tables.
func openDB(t testing.TB, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(context.Background(), sqldb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	own := fstest.MapFS{
		"00002_book.sql":   {Data: bookSQL},
		"00003_cursor.sql": {Data: []byte("-- +goose Up\n" + FollowerSQL("book") + DerivedSQL("book"))},
	}
	all, err := bookSchema.Migrations(own, "00001_log.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(context.Background(), all); err != nil {
		t.Fatal(err)
	}
	return db
}

// recorder is a bus that keeps what is published; lose decides what is lost.
type recorder struct {
	mu       sync.Mutex
	messages []published
	lose     func(subject string) bool
}

type published struct {
	subject string
	data    []byte
}

func (r *recorder) Publish(subject string, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lose != nil && r.lose(subject) {
		return fmt.Errorf("lost")
	}
	r.messages = append(r.messages, published{subject, data})
	return nil
}

func (r *recorder) take() []published {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.messages
	r.messages = nil
	return m
}

type option func(*Config, *Deps)

// startLog runs a log until the test ends, or until stop is called.
func startLog(t testing.TB, db *sqldb.DB, options ...option) (l *Log, stop func()) {
	t.Helper()
	cfg := DefaultConfig("book")
	cfg.Schema = bookSchema
	deps := Deps{DB: db, Planner: &book{dialect: db.Dialect()}}
	for _, o := range options {
		o(&cfg, &deps)
	}
	l, err := NewLog(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	select {
	case <-l.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return l, stop
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
