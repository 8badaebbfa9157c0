package chat

import (
	"slices"
	"testing"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Guests meet who is, or was, in a channel that they are a member of now.
func TestWhomGuestsMeet(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, carl := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w1", "carl", plain)
		gast, other := w.person("w1", "gast", guest), w.person("w2", "other", plain)
		boss := w.person("w1", "boss", owner)
		w.settle()
		shared, without := anna.public("shared"), anna.public("without")
		anna.add(shared, bob)
		anna.add(without, carl)
		boss.join(shared)
		boss.add(shared, gast)
		api := chatv1.NewAcquaintanceServiceClient(w.rpc.Pipe("identity"))
		met := func() []string {
			w.settle()
			var asked, handles []string
			all := []*user{anna, bob, carl, boss, other}
			for _, u := range all {
				asked = append(asked, u.id)
			}
			res := must(api.ListMet(t.Context(), &chatv1.ListMetRequest{Workspace: "w1", User: gast.id, Others: asked}))(t)
			for _, u := range all {
				if slices.Contains(res.GetMet(), u.id) {
					handles = append(handles, u.handle)
				}
			}
			return handles
		}
		equal(t, "in the channel", met(), []string{"anna", "bob", "boss"})
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: shared}))(t)
		equal(t, "with one who left, whose messages are read", met(), []string{"anna", "bob", "boss"})
		must(w.api.LeaveChannel(gast.write(), &chatv1.LeaveChannelRequest{Channel: shared}))(t)
		equal(t, "after leaving", met(), nil)

		_, err := api.ListMet(t.Context(), &chatv1.ListMetRequest{Others: make([]string, MaxMet+1)})
		refused(t, err, "chat.BAD_FIELD")
		_, err = chatv1.NewAcquaintanceServiceClient(w.rpc.Pipe("gateway")).ListMet(gast.read(), &chatv1.ListMetRequest{})
		refused(t, err, "rpc.NO_METHOD")
	})
}
