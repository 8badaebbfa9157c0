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

// TestFollowRooms: who is in which channel is told, and then who comes and who goes.
func TestFollowRooms(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		anna, bob, other := w.person("w1", "anna", plain), w.person("w1", "bob", plain), w.person("w2", "other", plain)
		w.settle()
		shared, apart := anna.public("shared"), other.public("apart")
		anna.add(shared, bob)
		stream := must(chatv1.NewAcquaintanceServiceClient(w.rpc.Pipe("presence")).FollowRooms(t.Context(), &chatv1.FollowRoomsRequest{}))(t)
		members := map[string][]string{}
		take := func() (complete bool) {
			res := must(stream.Recv())(t)
			for _, r := range res.GetRooms() {
				k := r.GetWorkspace() + "/" + r.GetChannel()
				members[k] = slices.DeleteFunc(members[k], func(user string) bool { return slices.Contains(r.GetLeft(), user) })
				for _, user := range r.GetMembers() {
					if !slices.Contains(members[k], user) {
						members[k] = append(members[k], user)
					}
				}
				slices.Sort(members[k])
			}
			return res.GetComplete()
		}
		until := func(what, workspace, channel string, want ...*user) {
			var ids []string
			for _, u := range want {
				ids = append(ids, u.id)
			}
			slices.Sort(ids)
			for !slices.Equal(members[workspace+"/"+channel], ids) {
				take()
			}
			t.Log(what)
		}
		for !take() {
		}
		equal(t, "of another workspace", members["w2/"+apart], []string{other.id})
		until("both", "w1", shared, anna, bob)
		must(w.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: shared}))(t)
		until("one has left", "w1", shared, anna)
		bob.join(shared)
		until("he is back", "w1", shared, anna, bob)
		fresh := bob.public("fresh")
		until("a new one", "w1", fresh, bob)
		direct := must(w.api.OpenDirect(anna.write(), &chatv1.OpenDirectRequest{Users: []string{bob.id}}))(t).GetChannel()
		until("a direct one", "w1", direct, anna, bob)
	})
}
