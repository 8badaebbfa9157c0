package chat

import (
	"database/sql"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// nobody is a connection that isn't used.
type nobody struct{ grpc.ClientConnInterface }

// TestLog holds chat's planner to what every log promises.
func TestLog(t *testing.T) {
	channel := func(n int) string { return fmt.Sprint("channel-", n%10) }
	topictest.Exercise(t, topictest.Subject{
		Prepare: func(t testing.TB, db *sqldb.DB) {
			migrations, err := Migrations()
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Migrate(t.Context(), migrations); err != nil {
				t.Fatal(err)
			}
			err = db.Write(t.Context(), func(tx *sql.Tx) error {
				for c := range 10 {
					if err := exec(t.Context(), tx, `INSERT INTO chat_channel (workspace, id, kind, name, topic, purpose, history, posting, archived, creator,
						created_ms, members, people, sealed) VALUES ('w', $1, 2, $1, '', '', 1, 1, false, '', 0, $2, '', 0)`, channel(c), topictest.Users); err != nil {
						return err
					}
					for n := range topictest.Users {
						if err := exec(t.Context(), tx, `INSERT INTO chat_member (workspace, channel, user_id, role, guest, joined_ms, joined_offset, visible_from)
							VALUES ('w', $1, $2, 1, false, 0, 0, 0)`, channel(c), topictest.User(n)); err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		Log: func(t testing.TB, db *sqldb.DB) *topic.Log {
			s, err := New(DefaultConfig(), Deps{DB: db, Self: nobody{}, Identity: nobody{}})
			if err != nil {
				t.Fatal(err)
			}
			return s.log
		},
		Mutation: func(n int) topic.Mutation {
			caller := auth.Caller{Claims: auth.Claims{Workspace: "w", User: topictest.User(n), Kind: auth.KindPerson, Permissions: []string{mayPost}}}
			req := &chatv1.SendRequest{Channel: channel(n), Text: fmt.Sprint("message ", n)}
			return topic.Mutation{Workspace: "w", Route: channel(n), Request: req, Op: &send{caller: caller, req: req}}
		},
		Answer: func(int) proto.Message { return &chatv1.SendResponse{} },
	})
}
