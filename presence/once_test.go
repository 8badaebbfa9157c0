package presence

import (
	"fmt"
	"testing"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// TestOnce: a change takes place once, whatever has been chosen since when it is repeated; one that comes behind a later one of its client changes nothing.
func TestOnce(t *testing.T) {
	everyEngine(t, func(t *testing.T, c *cluster) {
		p := c.start("presence-1", "presence-1~1")
		p.report().complete(p)
		set := func(client string, seq uint64, state presencev1.State) error {
			ctx := c.ctx("bob")
			if seq > 0 {
				ctx = rpc.WithMutation(ctx, client, seq)
			}
			_, err := p.api().SetStatus(ctx, &presencev1.SetStatusRequest{User: "bob", State: state})
			return err
		}
		is := func(what string, err error, state presencev1.State, private bool) {
			t.Helper()
			mine, failed := p.api().GetStatus(c.ctx("bob"), &presencev1.GetStatusRequest{User: "bob"})
			decided, broken := p.api().GetPrivacy(c.ctx("bob"), &presencev1.GetPrivacyRequest{User: "bob"})
			if err != nil || failed != nil || broken != nil || mine.GetChosen() != state || decided.GetPrivacy().GetHideLastSeen() != private {
				t.Errorf("%s: %v; bob has chosen %v, %v, and decided %v, %v", what, err, mine, failed, decided, broken)
			}
		}
		const busy, away, invisible = presencev1.State_STATE_BUSY, presencev1.State_STATE_AWAY, presencev1.State_STATE_INVISIBLE
		is("first", set("one", 5, busy), busy, false)
		is("then", set("one", 6, invisible), invisible, false)
		is("repeated", set("one", 6, invisible), invisible, false)
		is("the first again", set("one", 5, busy), invisible, false)
		is("held up", set("one", 4, away), invisible, false)
		if err := set("one", 6, busy); rpc.CodeOf(err) != edgev1.Code_CODE_CONFLICT {
			t.Errorf("another request of the same number: %v", err)
		}
		hide := func(seq uint64, hides bool) error {
			_, err := p.api().SetPrivacy(rpc.WithMutation(c.ctx("bob"), "one", seq), &presencev1.SetPrivacyRequest{User: "bob", Privacy: &presencev1.Privacy{HideLastSeen: hides}})
			return err
		}
		is("another kind of change", hide(3, true), invisible, true)
		is("and back", hide(7, false), invisible, false)
		is("that again", hide(3, true), invisible, false)
		is("another client", set("two", 1, away), away, false)
		is("without a number", set("", 0, busy), busy, false)
		is("without a number again", set("", 0, away), away, false)
		for i := range maxClients {
			is("many clients", set(fmt.Sprint("client-", i), 1, busy), busy, false)
		}
		var known int
		if err := p.server.db.QueryRow(t.Context(), `SELECT count(*) FROM presence_call WHERE method LIKE '%SetStatus'`).Scan(&known); err != nil || known != maxClients {
			t.Errorf("of %d clients it is known what they did last, want %d: %v", known, maxClients, err)
		}
		is("who is known still", set("client-0", 1, busy), busy, false)
	})
}
