package presence

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// TestCursor: whatever becomes of a view, who comes back with one of its cursors is known to hold what there is if they do, and only then.
func TestCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, c := map[string]string{}, cursor{}
		var at *edgev1.Cursor
		known := map[*edgev1.Cursor]map[string]string{} // what was held there
		send := func(u *edgev1.View) {
			err := c.send(u, func(res *topicv1.TailResponse) error {
				at = res.GetView().GetAt()
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if at.GetEpoch() == 0 || at.GetEpoch() >= 1<<53 || at.GetOffset() == 0 { // none, or what JSON can't keep
				t.Fatalf("at %v", at)
			}
			known[at] = maps.Clone(now)
		}
		send(&edgev1.View{Snapshot: true})
		key, body := rapid.SampledFrom([]string{"a", "b", "c", "~"}), rapid.SampledFrom([]string{"", "1", "2"})
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				key, removed := key.Draw(t, "key"), rapid.Bool().Draw(t, "removed")
				was, is := now[key]
				old := &edgev1.Entry{Key: key, Body: []byte(was), Removed: !is}
				e := &edgev1.Entry{Key: key, Removed: removed}
				if delete(now, key); !removed {
					now[key] = body.Draw(t, "body")
					e.Body = []byte(now[key])
				}
				c.held += hash(e) - hash(old)
				send(&edgev1.View{Entries: []*edgev1.Entry{e}})
			},
			"come back": func(t *rapid.T) {
				all := slices.SortedFunc(maps.Keys(known), func(a, b *edgev1.Cursor) int { return strings.Compare(a.String(), b.String()) })
				from := rapid.SampledFrom(all).Draw(t, "from")
				again := cursor{held: c.held}
				if got, want := again.resume(from), maps.Equal(known[from], now); got != want {
					t.Fatalf("who held %v comes back to %v: they hold it: %t", known[from], now, got)
				} else if c = again; got {
					at = from
					send(&edgev1.View{})
					if !proto.Equal(at, from) {
						t.Fatalf("they are at %v, not at %v", at, from)
					}
					return
				}
				send(&edgev1.View{Snapshot: true})
			},
		})
	})
}

// TestThereAndBack: what changes and is again as it was told is not told anew.
func TestThereAndBack(t *testing.T) {
	s := newStage()
	s.move([]string{"ada", "bob"}, nil)
	s.connect(1, "bob")
	v := &view{watcher: newWatcher(0), who: personKey{"w", "ada"}, users: []string{"bob"}}
	if err := s.refresh(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	told, held := s.news(v), v.held
	s.choose("bob", presencev1.State_STATE_AWAY)
	s.choose("bob", presencev1.State_STATE_UNSPECIFIED)
	if again := s.news(v); len(told) != 1 || len(again) != 0 || v.held != held {
		t.Errorf("told %v, and then %v", told, again)
	}
}
