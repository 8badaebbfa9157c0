package chat

import (
	"database/sql"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// TestRemovedWhileReading: who is removed after their right was looked up reads nothing that came after the removal: no message, no
// edit of an older one, no reaction, no member.
func TestRemovedWhileReading(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		w.settle()
		ch := anna.private("secret")
		anna.add(ch, bob)
		first := anna.send(ch, "first")
		caller := must(w.caller(bob))(t)
		err := w.server.reading(t.Context(), caller, ch, func(tx *sql.Tx, a access) error {
			removed := must(w.api.RemoveMember(anna.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: bob.id}))(t).GetOffset()
			anna.send(ch, "after")
			anna.add(ch, carl)
			must(w.api.EditMessage(anna.write(), &chatv1.EditMessageRequest{Channel: ch, Offset: first, Text: "edited"}))(t)
			must(w.api.AddReaction(anna.write(), &chatv1.AddReactionRequest{Channel: ch, Offset: first, Emoji: "👍"}))(t)

			res := &chatv1.HistoryResponse{}
			at := must(cursor(t.Context(), tx, a.ch))(t)
			if err := w.server.fill(t.Context(), page{tx: tx, a: a, limit: 50}, &chatv1.HistoryRequest{}, res); err != nil {
				return err
			}
			last := res.GetMessages()[len(res.GetMessages())-1]
			if at.GetOffset() >= removed || last.GetOffset() != first || last.GetText() != "first" || len(last.GetReactions()) > 0 {
				t.Errorf("removed at %d, bob reads %v up to %v", removed, last, at)
			}
			members := must(membersOf(t.Context(), tx, a.ch, "", 10))(t)
			if len(members) != 2 {
				t.Errorf("bob sees %v", members)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.api.History(bob.read(), &chatv1.HistoryRequest{Channel: ch})
		refused(t, err, "chat.CHANNEL")
	})
}
