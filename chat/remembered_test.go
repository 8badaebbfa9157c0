package chat

import (
	"testing"

	"plenum.internal/mesh/meshtest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// TestNothingStaleIsRemembered: what one process remembers of a partition never outlives what another process has done there, nor what it
// has done itself.
func TestNothingStaleIsRemembered(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		ada, bob := w.person("w1", "ada", plain), w.person("w1", "bob", plain)
		w.settle()
		ch := ada.public("ch")
		bob.join(ch)
		other := w.replica(url)
		req := &chatv1.SendRequest{Channel: ch, Text: "x"}
		say := func(at *world) (uint64, error) {
			r, err := at.api.Send(bob.write(), req)
			return r.GetOffset(), err
		}
		for i, change := range []func(at *world){
			func(at *world) {
				must(at.api.RemoveMember(ada.write(), &chatv1.RemoveMemberRequest{Channel: ch, User: bob.id}))(t)
			},
			func(at *world) {
				must(at.api.LeaveChannel(bob.write(), &chatv1.LeaveChannelRequest{Channel: ch}))(t)
			},
		} {
			for _, at := range []*world{other, w} {
				for range 3 { // read, remembered, used
					must(say(w))(t)
				}
				change(at)
				if _, err := say(w); err == nil {
					t.Errorf("%d: who is no member sends", i)
				}
				must(at.api.JoinChannel(bob.write(), &chatv1.JoinChannelRequest{Channel: ch}))(t)
				if _, err := say(w); err != nil {
					t.Errorf("%d: a member does not send: %v", i, err)
				}
			}
		}
		// A key that the other process has used.
		must(say(w))(t)
		first := must(say(other))(t)
		again := must(w.api.Send(bob.again(), req))(t)
		if again.GetOffset() != first {
			t.Errorf("sent at %d, and again at %d", first, again.GetOffset())
		}
		_, err := w.api.Send(bob.again(), &chatv1.SendRequest{Channel: ch, Text: "y"})
		refused(t, err, "topic.KEY_REUSED")
		// One below the newest that was never used is no retry.
		bob.seq += 10
		newest := must(w.api.Send(bob.again(), req))(t).GetOffset()
		bob.seq -= 5
		if at := must(w.api.Send(bob.again(), req))(t).GetOffset(); at != newest+1 {
			t.Errorf("sent at %d, after %d", at, newest)
		}
	})
}
