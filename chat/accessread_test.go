package chat

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// However many channels somebody is in, and whatever they are there, grants are made of what stands in the database.
func TestMembershipsForGrants(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		r := rand.New(rand.NewPCG(1, 2))
		counts := map[string]int{"none": 0, "few": 3, "some": 40, "many": 400}
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			for user, n := range counts {
				for i := range n {
					_, err := tx.ExecContext(t.Context(), `INSERT INTO chat_member (workspace, channel, user_id, role, guest, joined_ms, joined_offset, visible_from)
						VALUES ('w1', $1, $2, $3, false, 1, 2, $4)`, fmt.Sprint("c", i), user, 1+r.IntN(3), r.IntN(2)*r.IntN(1000))
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var asks []*asked
		for user, n := range counts {
			for range 2 { // devices
				a := &asked{workspace: "w1", user: user, channels: []string{"unknown", "c0", "c0"}}
				for range r.IntN(20) {
					a.channels = append(a.channels, fmt.Sprint("c", r.IntN(n+5)))
				}
				asks = append(asks, a)
			}
		}
		asks = append(asks, &asked{workspace: "w2", user: "many", channels: []string{"c0"}})
		if err := w.server.readMembers(t.Context(), asks); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, a := range asks {
			for i, ch := range a.channels {
				var role chatv1.ChannelRole
				var from uint64
				err := w.db.QueryRow(t.Context(), `SELECT role, visible_from FROM chat_member WHERE workspace = $1 AND channel = $2 AND user_id = $3`,
					a.workspace, ch, a.user).Scan(&role, &from)
				switch m := a.members[i]; {
				case err != nil && m != nil:
					t.Errorf("%s in %s is %v: %v", a.user, ch, m, err)
				case err == nil && (m == nil || m.role != role || m.from != from):
					t.Errorf("%s in %s is %v, not %v from %d", a.user, ch, m, role, from)
				case err == nil:
					found++
				}
			}
		}
		if found < 10 {
			t.Errorf("only %d memberships were compared", found)
		}
	})
}
