package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"pgregory.net/rapid"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/meshtest/board/boardv1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// All views at a process share one stream. When it breaks they come back, a batch at a time; without a view it is closed, and opened again.
func TestViewsShareAStream(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		const many = 400
		b.put("a", "1")
		clients, sights := make([]*client, many), make([]*sight, many)
		for i := range many {
			clients[i], sights[i] = b.signIn(fmt.Sprint("u", i)), &sight{}
			clients[i].follow(1, watch(nil, nil))
			clients[i].look(sights[i])
		}
		if open, _ := b.tails(); open != many || b.streams() != 1 {
			t.Errorf("%d views by %d streams", open, b.streams())
		}
		b.sayings()
		time.Sleep(time.Second)
		b.cut()
		b.put("a", "2")
		for i, c := range clients {
			for sights[i].notes["a"] != "2" {
				c.look(sights[i])
			}
			if sights[i].snapshots != 1 {
				t.Errorf("%d sees %d snapshots", i, sights[i].snapshots)
			}
		}
		if open, _ := b.tails(); open != many || b.streams() != 1 {
			t.Errorf("after the break: %d views by %d streams", open, b.streams())
		}
		begins := 0
		all := b.sayings()
		for i, m := range all {
			if begins += m.begins; m.begins > looksBatch {
				t.Errorf("%d begin at once", m.begins)
			}
			if i > 0 && m.at.Sub(all[i-1].at) < looksGap {
				t.Errorf("%v between two messages", m.at.Sub(all[i-1].at))
			}
		}
		if begins != many || len(all) < 2 {
			t.Errorf("%d begin anew in %d messages", begins, len(all))
		}
		for _, c := range clients {
			c.close()
		}
		time.Sleep(looksLinger / 2)
		synctest.Wait()
		if open, _ := b.tails(); open != 0 || b.streams() != 1 {
			t.Errorf("without a view: %d by %d streams", open, b.streams())
		}
		time.Sleep(looksLinger)
		synctest.Wait()
		if n := b.streams(); n != 0 {
			t.Errorf("%d streams stay", n)
		}
		c := b.connect(nil)
		c.send(hello(b.token("u", 10*time.Minute)))
		c.next()
		c.follow(1, watch(nil, nil))
		b.sees(c.look(&sight{}), map[string]string{"a": "2"})
		for i := range uint32(15) {
			time.Sleep(looksLinger / 6)
			c.send(ask(i+1, "Echo", nil))
			c.next()
		}
		if open, begun := b.tails(); open != 1 || begun != 2*many+1 { // a quiet view is one
			t.Errorf("%d of %d views are open", open, begun)
		}
		c.close()
	})
}

// Who doesn't read keeps nobody waiting whose view comes by the same stream.
func TestSlowViewIsAlone(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		slow, c := b.signIn("slow"), b.signIn("u")
		for _, x := range []*client{slow, c} {
			x.follow(1, watch(nil, nil))
		}
		s := c.look(&sight{})
		long := strings.Repeat("x", 4000)
		for i := range 200 {
			begin := time.Now()
			text := fmt.Sprint(i, long)
			b.put(fmt.Sprint("k", i%20), text)
			for s.notes[fmt.Sprint("k", i%20)] != text {
				c.look(s)
			}
			if took := time.Since(begin); took > 2*viewPause {
				t.Fatalf("the other one is told after %v", took)
			}
		}
		c.close()
		slow.close()
	})
}

// A service may refuse one view of a stream, and the others don't hear of it: here its right is lost, there its parameters are nonsense.
func TestRefusedViewIsAlone(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		c, out := b.signIn("u"), b.signIn("out")
		for _, x := range []*client{c, out} {
			x.follow(1, watch(&boardv1.NotesParams{Prefix: "a"}, nil))
		}
		s := c.look(&sight{})
		out.look(&sight{})
		b.ban("out")
		if f := out.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
			t.Errorf("%v", f)
		}
		b.put("a", "2")
		b.sees(c.look(s), map[string]string{"a": "2"})
		if open, begun := b.tails(); open != 1 || begun != 2 || s.snapshots != 1 {
			t.Errorf("%d of %d views are open", open, begun)
		}
		c.close()
		out.close()
	})
}

// oneNode is where all services are.
type oneNode struct {
	Services
	cc grpc.ClientConnInterface
}

func (n oneNode) Conn(string, string) (grpc.ClientConnInterface, error) { return n.cc, nil }

// A view is begun once, and ended once if it was begun; who is given up before is not spoken of. Order and limits hold.
func TestWhatIsSaidOfViews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &Gateway{}
		cc := &boards{}
		g.deps.Services = oneNode{cc: cc}
		o := &lookout{g: g, cc: cc, kick: make(chan struct{}, 1), views: map[uint64]*looked{}}
		g.looks = looks{g: g, streams: map[grpc.ClientConnInterface]*lookout{cc: o}}
		var all []look
		begun, ended, said, over := map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}, map[uint64]bool{}
		next := func() bool {
			req := o.next()
			if len(req.GetBegins()) > looksBatch {
				t.Fatalf("%d begins", len(req.GetBegins()))
			}
			for _, x := range req.GetBegins() {
				if said[x.GetId()] || ended[x.GetId()] {
					t.Fatalf("%d is begun again, or after its end", x.GetId())
				}
				said[x.GetId()] = true
			}
			for _, id := range req.GetEnds() {
				if over[id] || !said[id] || !ended[id] {
					t.Fatalf("%d is ended again, or without a cause", id)
				}
				over[id] = true
			}
			return req != nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(t, "n") {
					x, err := g.looks.begin(&follower{x: &subscription{log: heads.Name{Topic: "t"}}}, "token", &topicv1.TailRequest{})
					if err != nil {
						t.Fatal(err)
					}
					begun[x.id] = true
					all = append(all, x)
				}
			},
			"end": func(t *rapid.T) {
				for range min(len(all), rapid.IntRange(1, 100).Draw(t, "n")) {
					i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
					all[i].end()
					all[i].end()
					ended[all[i].id] = true
					all = slices.Delete(all, i, i+1)
				}
			},
			"say": func(*rapid.T) { next() },
		})
		for next() {
		}
		for id := range begun {
			if !said[id] && !ended[id] || said[id] && ended[id] != over[id] {
				t.Fatalf("%d: said %v, ended %v, told of %v", id, said[id], ended[id], over[id])
			}
		}
	})
}
