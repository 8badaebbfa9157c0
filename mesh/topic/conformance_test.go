package topic_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
)

var noteSchema = topic.Schema{Prefix: "note"}

// notes is a service as small as can be: each mutation appends its text to the page of its route.
type notes struct{ dialect sqldb.Dialect }

func (notes) Plan(_ context.Context, _ *sql.Tx, steps []*topic.Step) error {
	for _, s := range steps {
		s.Entries = []topic.Entry{{Topic: "note.page/" + s.Route, Body: []byte(s.Op.(string)), Countable: true}}
		s.Answer = func(rows []topic.Row) proto.Message { return wrapperspb.UInt64(rows[0].Offset) }
	}
	return nil
}

func (n notes) Insert(ctx context.Context, tx *sql.Tx, rows []topic.Row) error {
	return noteSchema.InsertRows(ctx, tx, n.dialect, rows)
}

func TestExercise(t *testing.T) {
	topictest.Exercise(t, topictest.Subject{
		Prepare: func(t testing.TB, db *sqldb.DB) {
			migrations, err := noteSchema.Migrations(fstest.MapFS{}, "00001_log.sql")
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Migrate(context.Background(), migrations); err != nil {
				t.Fatal(err)
			}
		},
		Log: func(t testing.TB, db *sqldb.DB) *topic.Log {
			l, err := topic.NewLog(topic.DefaultConfig("note"), topic.Deps{DB: db, Planner: notes{db.Dialect()}})
			if err != nil {
				t.Fatal(err)
			}
			return l
		},
		Mutation: func(n int) topic.Mutation {
			text := fmt.Sprint("note ", n)
			return topic.Mutation{Workspace: "w", Route: fmt.Sprint("p", n%10), Request: structpb.NewStringValue(text), Op: text}
		},
		Answer: func(int) proto.Message { return &wrapperspb.UInt64Value{} },
	})
}
