package lane

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Whatever calls come and however they end: at most Executing run, one in a lane; what a lane executes with success is
// ascending in its sequence numbers when the client repeats a refused call before it goes on.
func TestLanesKeepOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Executing: rapid.IntRange(1, 4).Draw(t, "executing"), Total: 8, Lanes: 3}
		b := NewBoard[struct{}](limits)
		running := map[uint32]*Call[struct{}]{}
		waiting := map[uint32]*Call[struct{}]{}
		next := map[uint32]uint64{1: 1, 2: 1, 3: 1} // what the client sends next in a lane
		sent := map[uint32]uint64{}                 // last success
		id := uint32(0)
		run := func(c *Call[struct{}]) {
			for _, x := range running {
				if c.Lane != 0 && x.Lane == c.Lane {
					t.Fatalf("two of lane %d run", c.Lane)
				}
			}
			delete(waiting, c.ID)
			running[c.ID] = c
			if len(running) > limits.Executing {
				t.Fatalf("%d run", len(running))
			}
		}
		back := func(c *Call[struct{}]) { // refused with 200: the client begins again from there
			delete(waiting, c.ID)
			if c.Seq != 0 {
				next[c.Lane] = min(next[c.Lane], c.Seq)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if len(running)+len(waiting) > limits.Total || b.Idle() != (len(running)+len(waiting) == 0) {
					t.Fatal("the board's count is wrong")
				}
				if len(waiting) > 0 && len(running) == 0 {
					t.Fatal("calls wait for nothing")
				}
			},
			"call": func(t *rapid.T) {
				id++
				c := &Call[struct{}]{ID: id, Lane: rapid.Uint32Range(0, 3).Draw(t, "lane")}
				if c.Lane != 0 {
					c.Seq = next[c.Lane]
					next[c.Lane]++
				}
				switch v := b.Admit(c); v {
				case Run:
					run(c)
				case Wait:
					waiting[c.ID] = c
				case TooMany, Behind:
					back(c)
				default:
					t.Fatalf("verdict %d", v)
				}
			},
			"done": func(t *rapid.T) {
				if len(running) == 0 {
					return
				}
				ids := make([]uint32, 0, len(running))
				for id := range running {
					ids = append(ids, id)
				}
				slices.Sort(ids)
				c := running[rapid.SampledFrom(ids).Draw(t, "id")]
				code := rapid.SampledFrom([]edgev1.Code{0, 0, 0, 103, 200, 201}).Draw(t, "code")
				delete(running, c.ID)
				if code == 0 && c.Lane != 0 {
					if c.Seq != sent[c.Lane]+1 && sent[c.Lane] != 0 && c.Seq <= sent[c.Lane] {
						t.Fatalf("lane %d: %d after %d", c.Lane, c.Seq, sent[c.Lane])
					}
					sent[c.Lane] = c.Seq
				}
				if Breaks(code) {
					back(c)
				}
				start, behind := b.Done(c.ID, code)
				for _, x := range behind {
					if x.Lane != c.Lane || waiting[x.ID] == nil {
						t.Fatal("one of another lane, or that runs, was refused")
					}
					back(x)
				}
				for _, x := range start {
					run(x)
				}
			},
		})
	})
}

func TestVerdicts(t *testing.T) {
	b := NewBoard[struct{}](Limits{Executing: 1, Total: 3, Lanes: 1})
	admit := func(id, lane uint32, seq uint64) Verdict {
		return b.Admit(&Call[struct{}]{ID: id, Lane: lane, Seq: seq})
	}
	for _, s := range []struct {
		id, lane uint32
		seq      uint64
		want     Verdict
	}{
		{1, 1, 10, Run}, {1, 0, 0, SameID}, {2, 2, 20, BadLane}, {3, 1, 11, Wait}, {4, 0, 0, Wait}, {5, 0, 0, TooMany}, {6, 1, 12, TooMany},
		{7, 1, 13, Behind}, // 12 was refused with 202: nothing may overtake it
	} {
		if got := admit(s.id, s.lane, s.seq); got != s.want {
			t.Errorf("call %d: %d, want %d", s.id, got, s.want)
		}
	}
	next, behind := b.Done(1, edgev1.Code_CODE_UNAVAILABLE)
	if len(next) != 1 || next[0].ID != 4 || len(behind) != 1 || behind[0].ID != 3 {
		t.Fatalf("after 1: run %v, refuse %v", next, behind)
	}
	if v := admit(8, 1, 11); v != Behind {
		t.Errorf("11 may not overtake 10: %d", v)
	}
	if v := admit(9, 1, 10); v != Wait {
		t.Errorf("10 returns: %d", v)
	}
}
