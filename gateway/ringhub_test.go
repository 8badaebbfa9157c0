package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/meshtest/board/boardv1"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The owner's memory replays what came before anybody followed; all who follow share one stream; it ends some time after they have left.
func TestRingIsReplayed(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.post(numbers(1, 5)...)
		first, second := b.signIn("u"), b.signIn("v")
		x := first.follow(1, events(wall))
		if x.GetStart().GetOffset() != 5 || x.GetHead().GetOffset() != 5 || x.GetHead().GetEpoch() == 0 {
			t.Fatalf("%v", x)
		}
		epoch := x.GetHead().GetEpoch()
		second.follow(1, &edgev1.Want{Topic: wall, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: 2}})
		if got, _ := second.posts(3); !slices.Equal(got, numbers(3, 5)) {
			t.Errorf("%v", got)
		}
		b.post(numbers(6, 7)...)
		for _, c := range []*client{first, second} {
			if got, _ := c.posts(2); !slices.Equal(got, numbers(6, 7)) {
				t.Errorf("%v", got)
			}
		}
		if open, begun := b.tails(); open != 1 || begun != 2 { // and what lay before the run was read once
			t.Errorf("%d streams, %d reads in all", open, begun)
		}
		first.close()
		second.close()
		time.Sleep(DefaultConfig().Linger + time.Second)
		if open, _ := b.tails(); open != 0 {
			t.Errorf("%d streams are left", open)
		}
	})
}

// Through the edge: a call posts, the follower gets it; JSON shows the event's body, and HEADS is not offered.
func TestRingOverTheEdge(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u", subscribe(1, events(wall)))
		c.subscribed()
		body, _ := proto.Marshal(&boardv1.PostRequest{Board: "b", Text: "hello"})
		for range 2 { // the second is a retry
			c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: 1, Method: "plenum.board.v1.BoardService/Post", ClientSeq: 1, Body: body}}})
			var events int
			for f := c.next(); f.GetReply() == nil; f = c.next() {
				events++
			}
			if events > 1 {
				t.Errorf("%d events", events)
			}
		}
		c.send(subscribe(2, &edgev1.Want{Topic: wall, Mode: edgev1.Mode_MODE_HEADS}, &edgev1.Want{Topic: wall + "2", Params: []byte{10, 0}}))
		for _, x := range c.answers(2) {
			if x.GetError().GetCode() != edgev1.Code_CODE_UNSUPPORTED {
				t.Errorf("%v", x)
			}
		}
		c.close()

		j := b.json("u", `{"subscribe":{"id":1,"wants":[{"topic":"board.wall/b"}]}}`)
		j.until(`"subscribed"`)
		b.post("as text")
		if line := j.until(`"events"`); !strings.Contains(line, `"text":"as text"`) {
			t.Error(line)
		}
		j.close()
	})
}

// Whatever breaks and whenever, each who follows gets each record once and in order.
func TestBrokenStreamsLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total := rapid.IntRange(3, 25).Draw(rt, "posts")
		breaks := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "cut", "away", "join"}), total, total).Draw(rt, "breaks")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 400), total, total).Draw(rt, "pauses")
		onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
			type reader struct {
				c    *client
				from int
			}
			readers := []reader{{b.signIn("u"), 0}}
			epoch := readers[0].c.follow(1, events(wall)).GetHead().GetEpoch()
			for i := range total {
				switch breaks[i] {
				case "cut":
					b.cut()
				case "away":
					b.away(true)
					time.AfterFunc(300*time.Millisecond, func() { b.away(false) })
				case "join":
					c, from := b.signIn("v"), i/2
					c.send(subscribe(1, &edgev1.Want{Topic: wall, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: uint64(from)}}))
					if f := c.next(); f.GetSubscribed().GetSubscriptions()[0].GetError() != nil {
						c.close() // away: it would come again
						break
					} else if f.GetSubscribed() == nil {
						rt.Fatalf("%v", f)
					}
					readers = append(readers, reader{c, from})
				}
				b.post(fmt.Sprint(i + 1))
				time.Sleep(time.Duration(pauses[i]) * time.Millisecond)
			}
			for _, r := range readers {
				if got, _ := r.c.posts(total - r.from); !slices.Equal(got, numbers(r.from+1, total)) {
					rt.Errorf("from %d: %v", r.from, got)
				}
				r.c.send(ask(1, "Echo", nil))
				if f := r.c.next(); f.GetReply() == nil {
					rt.Errorf("too much: %v", f)
				}
				r.c.close()
			}
		})
	})
}

// Another incarnation has another history: who follows is told so, and who comes with an old cursor, too.
func TestOwnerRestarts(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		old := c.follow(1, events(wall)).GetHead()
		b.post("1")
		c.posts(1)
		b.restart(board.Config{})
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Fatalf("%v", f)
		}
		if x := c.follow(2, &edgev1.Want{Topic: wall, Cursor: old}); x.GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Errorf("%v", x)
		}
		if x := c.follow(3, events(wall)); x.GetHead().GetEpoch() <= old.GetEpoch() || x.GetHead().GetOffset() != 0 {
			t.Errorf("%v", x)
		}
		b.post("anew")
		if got, _ := c.posts(1); got[0] != "anew" {
			t.Error(got)
		}
		c.close()
	})
}

// A new incarnation that a hub has not heard of yet is learned from a subscriber's grant.
func TestNewOwnerIsLearnedFromAGrant(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		c.follow(1, events(wall))
		b.mu.Lock()
		stop := b.stop
		b.stop = nil // the old one goes on: its streams don't break
		b.mu.Unlock()
		b.restart(board.Config{})
		other := b.signIn("v")
		other.follow(1, events(wall))
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Errorf("%v", f)
		}
		b.post("1")
		other.posts(1)
		stop()
		c.close()
		other.close()
	})
}

// What the owner no longer keeps can't be replayed: not to who comes back, and not to a hub whose stream was broken for too long.
func TestRingFloor(t *testing.T) {
	limits := board.Config{Wall: topic.RingLimits{Count: 5}}
	onBoard(t, limits, func(t *testing.T, b *boards) {
		b.post(numbers(1, 10)...)
		c := b.signIn("u")
		epoch := c.follow(1, events(wall)).GetHead().GetEpoch()
		if x := c.follow(2, &edgev1.Want{Topic: wall, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: 3}}); x.GetError().GetCode() != edgev1.Code_CODE_RESET_FLOOR {
			t.Errorf("%v", x)
		}
		c.follow(3, events(wall))
		b.away(true)
		b.post(numbers(11, 20)...)
		b.away(false)
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_FLOOR {
			t.Errorf("%v", f)
		}
		c.follow(4, events(wall))
		b.post("21")
		c.posts(1)
		c.close()
	})
}

// Who reads too slowly is stopped behind what waits, and goes on from their cursor.
func TestSlowOnARing(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		epoch := c.follow(1, events(wall)).GetHead().GetEpoch()
		long := strings.Repeat("x", 4000)
		const posts = 200
		for range posts {
			b.post(long)
			time.Sleep(time.Millisecond)
		}
		n, at := 0, uint64(0)
		for f := c.next(); ; f = c.next() {
			if f.GetStopped() != nil {
				if f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_LAGGED || n == 0 || n == posts {
					t.Fatalf("after %d: %v", n, f)
				}
				break
			}
			for _, e := range f.GetEvents().GetEvents() {
				n, at = n+1, e.GetOffset()
			}
		}
		c.follow(2, &edgev1.Want{Topic: wall, Cursor: &edgev1.Cursor{Epoch: epoch, Offset: at}})
		if got, _ := c.posts(posts - n); len(got) != posts-n {
			t.Errorf("%d of %d", len(got), posts-n)
		}
		c.close()
	})
}

// Who loses the right to read is given what lies before, and nothing behind.
func TestRemovedFromARing(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c, other := b.signIn("u"), b.signIn("v")
		c.follow(1, events(wall))
		other.follow(1, events(wall))
		b.post("1")
		b.ban("u")
		b.post("3")
		if got, at := c.posts(2); got[0] != "1" || at.GetOffset() != 2 { // the removal is told
			t.Errorf("%v up to %v", got, at)
		}
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
			t.Errorf("%v", f)
		}
		if got, _ := other.posts(3); got[2] != "3" {
			t.Errorf("%v", got)
		}
		if x := c.follow(2, events(wall)); x.GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("%v", x)
		}
		c.close()
		other.close()
	})
}

// Signals pass by NATS, while the owner is heard: for else nobody knows who still may send and get them.
func TestSignalsOnARing(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c, other := b.signIn("u"), b.signIn("v")
		c.follow(1, events(wall))
		other.follow(1, events(wall))
		wave := func() {
			time.Sleep(time.Second)
			c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: wall, Key: "wave"}}})
			time.Sleep(100 * time.Millisecond)
		}
		wave()
		if f := other.next(); f.GetSignal().GetFrom() != "u/session" {
			t.Errorf("%v", f)
		}
		b.away(true)
		wave()
		b.away(false)
		time.Sleep(5 * time.Second)
		b.post("behind")
		c.posts(1)
		other.posts(1) // first: the signal of before was kept back
		wave()
		if f := other.next(); f.GetSignal() == nil {
			t.Errorf("%v", f)
		}
		c.close()
		other.close()
	})
}

// An owner that is away refuses who comes; who is there goes on when it is back.
func TestOwnerAway(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		c.follow(1, events(wall))
		b.away(true)
		other := b.signIn("v")
		if x := other.follow(1, events(wall)); x.GetError().GetCode() != edgev1.Code_CODE_UNAVAILABLE {
			t.Errorf("%v", x)
		}
		time.Sleep(20 * time.Second)
		b.away(false)
		b.post("1")
		begin := time.Now()
		c.posts(1)
		if took := time.Since(begin); took > 2*readRetryMax {
			t.Errorf("after %v", took)
		}
		c.close()
		other.close()
		synctest.Wait()
	})
}
