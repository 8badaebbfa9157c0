package place

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// An id brings every topic back to where it stood, and nobody else.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z.]{1,8}/[A-Za-z0-9_-]{1,8}`), 1, 64, rapid.ID[string]).Draw(t, "topics")
		before, after := New(topics), New(topics)
		want := map[string]*edgev1.Cursor{}
		for _, name := range topics {
			if rapid.Bool().Draw(t, "told") {
				c := &edgev1.Cursor{Epoch: rapid.Uint64Range(1, 1<<53).Draw(t, "epoch"), Offset: rapid.Uint64Range(0, 1<<53).Draw(t, "offset")}
				before.Reach(name, c.GetEpoch(), c.GetOffset())
				want[name] = c
			}
		}
		id := string(before.AppendID(nil))
		if err := after.Restore(id); err != nil {
			t.Fatal(err)
		}
		for _, name := range topics {
			if got := after.At(name); !proto.Equal(got, want[name]) {
				t.Fatalf("%s stands at %v, not at %v", name, got, want[name])
			}
		}
		for _, other := range []*Set{New(topics[1:]), New(append(topics, "x/y"))} {
			if err := other.Restore(id); !errors.Is(err, ErrOther) {
				t.Fatalf("the id of other topics was taken: %v", err)
			}
		}
	})
}

// What is wanted of a topic is a part of what its id is for.
func TestWhatIsAskedMatters(t *testing.T) {
	topics := []string{"a/b", "c/d"}
	id := string(New(topics, []byte("x"), nil).AppendID(nil))
	if err := New(topics, []byte("x"), nil).Restore(id); err != nil {
		t.Error(err)
	}
	for _, other := range [][][]byte{nil, {[]byte("y"), nil}, {nil, []byte("x")}, {[]byte("x")}} {
		if err := New(topics, other...).Restore(id); !errors.Is(err, ErrOther) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestOrderMatters(t *testing.T) {
	if err := New([]string{"a/b", "c/d"}).Restore(string(New([]string{"c/d", "a/b"}).AppendID(nil))); !errors.Is(err, ErrOther) {
		t.Error("cursors were taken for another topic's")
	}
	if s := New([]string{"a/b", "c/d", "a/b"}); len(s.places) != 2 {
		t.Error("a topic has two places")
	}
}

func TestReach(t *testing.T) {
	s := New([]string{"a/b"})
	if !s.Reach("a/b", 7, 1) || s.Reach("a/b", 7, 1) || s.Reach("x/y", 7, 1) {
		t.Error("what is news was not told right")
	}
	if s.At("x/y") != nil {
		t.Error("a topic of no list has a cursor")
	}
}

// Sixty-four topics with cursors as they are in practice fit into a header with room to spare.
func TestSize(t *testing.T) {
	var topics []string
	for i := range 64 {
		topics = append(topics, "chat.channel/"+strings.Repeat("x", i+1))
	}
	s := New(topics)
	for _, name := range topics {
		s.Reach(name, 1_790_000_000, 1_000_000)
	}
	if n := len(s.AppendID(nil)); n > 1<<10 {
		t.Errorf("the id has %d bytes", n)
	}
}

func FuzzRestore(f *testing.F) {
	topics := []string{"a/b", "c/d"}
	f.Add(string(New(topics).AppendID(nil)))
	f.Add("")
	f.Add("AAAA\n")
	f.Fuzz(func(t *testing.T, id string) {
		s := New(topics)
		if err := s.Restore(id); err == nil {
			for _, name := range topics {
				s.At(name)
			}
			if again := New(topics); again.Restore(string(s.AppendID(nil))) != nil {
				t.Error("what was restored can't be packed")
			}
		}
	})
}
