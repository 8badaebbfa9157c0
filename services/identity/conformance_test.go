package identity

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	"plenum.internal/services/identity/sqlstore"
)

// TestLog holds identity's planner to what every log promises. An account belongs to one workspace, and each workspace has one log.
func TestLog(t *testing.T) {
	workspace := func(n int) string { return "of-" + topictest.User(n) }
	topictest.Exercise(t, topictest.Subject{
		Prepare: func(t testing.TB, db *sqldb.DB) {
			migrations, err := Migrations()
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Migrate(t.Context(), migrations); err != nil {
				t.Fatal(err)
			}
			err = sqlstore.New(db).Write(t.Context(), func(tx sqlstore.Tx) error {
				for n := range topictest.Users {
					if _, err := tx.AddWorkspace(t.Context(), sqlstore.Workspace{ID: workspace(n), Slug: workspace(n)}); err != nil {
						return err
					}
					if err := tx.AddPerson(t.Context(), sqlstore.Person{
						ID: topictest.User(n), Workspace: workspace(n), Handle: "owner", Role: identityv1.Role_ROLE_OWNER, Pseudonym: topictest.User(n),
					}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
		Log: func(t testing.TB, db *sqldb.DB) *topic.Log {
			cfg := DefaultConfig()
			cfg.Key, cfg.Generate = fuzzKey, true
			s, err := New(cfg, Deps{DB: db})
			if err != nil {
				t.Fatal(err)
			}
			return s.topics
		},
		Mutation: func(n int) topic.Mutation {
			handle := fmt.Sprint("group-", n)
			return topic.Mutation{
				Workspace: workspace(n), Route: workspace(n), Request: &identityv1.CreateGroupRequest{Handle: handle},
				Op: op{&createGroup{handle: handle, name: handle}, ""},
			}
		},
		Answer: func(int) proto.Message { return &identityv1.CreateGroupResponse{} },
	})
}
