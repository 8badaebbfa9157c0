package heads

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type noted map[uint32]int

func (n noted) Moved(topic uint32) { n[topic]++ }

// Against a model: each follower is told of exactly the topics on its list that moved, a number means one topic at a time, and
// nothing is left when all are gone.
func TestIndexTellsExactlyTheFollowers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := New()
		type list struct {
			noted noted
			on    map[Name]uint32
		}
		lists := map[uint32]*list{}
		latest := map[Name]uint64{} // what the index knows, also while nobody follows
		name := func(t *rapid.T) Name {
			return Name{"w", fmt.Sprint("chat.channel/", rapid.IntRange(0, 5).Draw(t, "topic"))}
		}
		slot := func(t *rapid.T) (uint32, *list) {
			if len(lists) == 0 {
				return 0, nil
			}
			s := rapid.SampledFrom(slices.Sorted(maps.Keys(lists))).Draw(t, "slot")
			return s, lists[s]
		}
		followed := func(n Name) bool {
			for _, l := range lists {
				if _, ok := l.on[n]; ok {
					return true
				}
			}
			return false
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				numbers := map[uint32]Name{}
				for _, l := range lists {
					for n, topic := range l.on {
						if other, ok := numbers[topic]; ok && other != n {
							t.Fatalf("number %d is %v and %v", topic, n, other)
						}
						numbers[topic] = n
						got, h := x.Head(topic)
						if got != n || h.GetOffset() != latest[n] || h.GetRef() != topic {
							t.Fatalf("%v: %v at %v, want %d", n, got, h, latest[n])
						}
					}
				}
				if x.Size() != len(numbers) {
					t.Fatalf("%d topics, %d are followed", x.Size(), len(numbers))
				}
			},
			"join": func(t *rapid.T) {
				l := &list{noted{}, map[Name]uint32{}}
				s := x.Join(l.noted)
				if lists[s] != nil {
					t.Fatal("a slot was given twice")
				}
				lists[s] = l
			},
			"leave": func(t *rapid.T) {
				s, l := slot(t)
				if l == nil {
					return
				}
				x.Leave(s, slices.Collect(maps.Values(l.on)))
				delete(lists, s)
			},
			"follow": func(t *rapid.T) {
				s, l := slot(t)
				n := name(t)
				if l == nil || l.on[n] != 0 {
					return
				}
				l.on[n] = x.Follow(s, n)
			},
			"unfollow": func(t *rapid.T) {
				s, l := slot(t)
				n := name(t)
				if l != nil && l.on[n] != 0 {
					x.Unfollow(s, l.on[n])
					delete(l.on, n)
				}
			},
			"move": func(t *rapid.T) {
				n := name(t)
				offset := rapid.Uint64Range(1, 20).Draw(t, "offset")
				news := followed(n) && offset > latest[n]
				for _, l := range lists {
					clear(l.noted)
				}
				x.Move(n, &edgev1.Head{Offset: offset})
				for s, l := range lists {
					if topic, on := l.on[n]; news && on {
						if l.noted[topic] != 1 || len(l.noted) != 1 {
							t.Fatalf("slot %d was told %v", s, l.noted)
						}
					} else if len(l.noted) != 0 {
						t.Fatalf("slot %d was told %v of nothing", s, l.noted)
					}
				}
				latest[n] = max(latest[n], offset)
			},
		})
	})
}

func TestHeadsOfALaterLifeWin(t *testing.T) {
	var h position
	for i, s := range []struct {
		head *edgev1.Head
		news bool
	}{
		{&edgev1.Head{Epoch: 1, Offset: 9, Count: 5}, true}, {&edgev1.Head{Epoch: 1, Offset: 9, Count: 5}, false},
		{&edgev1.Head{Epoch: 2, Offset: 3, Count: 1}, true}, {&edgev1.Head{Epoch: 1, Offset: 10}, false},
	} {
		if h.raise(s.head) != s.news {
			t.Errorf("step %d: news is not %v", i, s.news)
		}
	}
	if h.offset != 3 || h.count != 1 {
		t.Errorf("%+v", h)
	}
}

func TestConflator(t *testing.T) {
	start := time.Unix(100, 0)
	var c Conflator
	if len(c.Take()) != 0 {
		t.Error("nothing moved")
	}
	c.Note(1)
	if got := c.Take(); !slices.Equal(got, []uint32{1}) {
		t.Errorf("%v", got)
	}
	c.Told(start)
	c.Note(2)
	c.Note(3)
	c.Note(2)
	c.Drop(3)
	if !c.Last().Equal(start) {
		t.Errorf("told at %v", c.Last())
	}
	if got := c.Take(); !slices.Equal(got, []uint32{2}) {
		t.Errorf("%v", got)
	}
}

// What nobody followed is remembered for half a minute, and no more than so much of it.
func TestRecent(t *testing.T) {
	var r recent
	start := time.Unix(100, 0)
	name := func(i int) Name { return Name{"w", fmt.Sprint("chat.channel/", i)} }
	r.note(start, name(1), position{offset: 5})
	r.note(start.Add(recentTime), name(2), position{offset: 6})
	if r.take(name(1)).offset != 5 || r.take(name(1)).offset != 0 {
		t.Error("a topic is remembered until it is taken")
	}
	r.note(start.Add(2*recentTime), name(3), position{offset: 7})
	r.note(start.Add(3*recentTime), name(4), position{offset: 8})
	if r.take(name(2)).offset != 0 || r.take(name(3)).offset != 7 {
		t.Error("a topic is forgotten after a while")
	}
	for i := range 3 * recentMost {
		r.note(start.Add(3*recentTime), name(i), position{offset: 1})
	}
	if n := len(r.young) + len(r.old); n > recentMost {
		t.Errorf("%d topics", n)
	}
}
