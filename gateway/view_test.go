package gateway

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/meshtest/board/boardv1"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func (b *boards) sees(s *sight, want map[string]string) {
	b.t.Helper()
	if !maps.Equal(s.notes, want) {
		b.t.Errorf("sees %v, not %v", s.notes, want)
	}
}

// A snapshot of what the parameters ask for, empty too, then what changes of it; in both encodings.
func TestViewIsTold(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a1", "one")
		b.put("b1", "other")
		c := b.signIn("u")
		if x := c.follow(1, watch(&boardv1.NotesParams{Prefix: "a"}, nil)); x.GetError() != nil || x.GetStart() != nil || x.GetHead() != nil {
			t.Errorf("%v", x)
		}
		s := c.look(&sight{})
		if s.snapshots != 1 || s.at.GetEpoch() == 0 {
			t.Errorf("%+v", s)
		}
		b.sees(s, map[string]string{"a1": "one"})
		time.Sleep(time.Second)
		begin := time.Now()
		b.put("a2", "two")
		b.sees(c.look(s), map[string]string{"a1": "one", "a2": "two"})
		if took := time.Since(begin); took > 20*time.Millisecond {
			t.Errorf("after quiet it took %v", took)
		}
		b.put("b2", "not seen")
		b.remove("a1")
		b.sees(c.look(s), map[string]string{"a2": "two"})
		if s.snapshots != 1 {
			t.Errorf("%+v", s)
		}
		if n := b.metric("views"); n != 1 {
			t.Errorf("%v views", n)
		}
		empty := b.signIn("v")
		empty.follow(1, watch(&boardv1.NotesParams{Prefix: "none"}, nil))
		if s := empty.look(&sight{}); s.snapshots != 1 || len(s.notes) != 0 {
			t.Errorf("%+v", s)
		}
		c.close()
		empty.close()

		j := b.json("u", `{"subscribe":{"id":1,"wants":[{"topic":"board.notes/b","params":{"prefix":"a"}}]}}`)
		if line := j.until(`"view"`); !strings.HasPrefix(line, `{"view":{"topic":"board.notes/b","snapshot":true,"entries":[{"key":"a2","body":{"author":"author","text":"two"}}],"at":{"epoch":"`) {
			t.Error(line)
		}
		b.remove("a2")
		if line := j.until(`"view"`); !strings.Contains(line, `"entries":[{"key":"a2","removed":true}],"at":`) {
			t.Error(line)
		}
		j.close()
		synctest.Wait()
		if n := b.metric("views"); n != 0 {
			t.Errorf("%v views are left", n)
		}
	})
}

// What changes all the time is told ten times a second; to who doesn't read, hardly at all, and then its newest state once.
func TestViewIsConflated(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		frames := b.metric("view_frames_total")
		go func() {
			for i := range 2000 {
				b.put("clock", fmt.Sprint(i))
				time.Sleep(time.Millisecond)
			}
		}()
		for s.notes["clock"] != "1999" {
			c.look(s)
		}
		if n := b.metric("view_frames_total") - frames; n < 18 || n > 22 {
			t.Errorf("%v frames in 2 s", n)
		}
		long := strings.Repeat("x", 4000)
		frames = b.metric("view_frames_total")
		const changes = 160
		for i := range changes { // and nobody reads
			b.put(fmt.Sprint("k", i%20), fmt.Sprint(i, long))
			time.Sleep(100 * time.Millisecond)
		}
		if n := b.metric("view_frames_total") - frames; n > 60 {
			t.Errorf("%v frames wait", n)
		}
		want := map[string]string{"clock": "1999"}
		for i := range 20 {
			want[fmt.Sprint("k", i)] = fmt.Sprint(changes-20+i, long)
		}
		for !maps.Equal(s.notes, want) {
			c.look(s)
		}
		if n := b.metric("view_frames_total") - frames; n > 70 || s.snapshots != 1 {
			t.Errorf("%v frames, %d snapshots", n, s.snapshots)
		}
		c.close()
	})
}

// A long list comes in parts, and is whole with the last one.
func TestViewInParts(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		want := map[string]string{}
		for i := range 60 {
			want[fmt.Sprint(i)] = strings.Repeat("x", 4000)
			b.put(fmt.Sprint(i), want[fmt.Sprint(i)])
		}
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		if b.sees(s, want); s.frames < 4 || s.snapshots != 1 {
			t.Errorf("%d frames", s.frames)
		}
		c.close()
	})
}

// Who comes back with a cursor is told what has changed since; with one that the source can't go on from, all.
func TestViewResumes(t *testing.T) {
	onBoard(t, board.Config{Notes: topic.ViewLimits{Removed: 1}}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		b.put("b", "1")
		b.put("c", "1")
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		c.close()
		b.put("a", "2")
		b.remove("b")
		back := b.signIn("u")
		back.follow(1, watch(nil, s.at))
		before := s.at
		if back.look(s); s.snapshots != 1 || s.frames != 2 {
			t.Errorf("%+v", s)
		}
		b.sees(s, map[string]string{"a": "2", "c": "1"})
		b.remove("a")
		b.remove("c") // which leaves no memory of what was removed before
		time.Sleep(time.Second)
		for name, at := range map[string]*edgev1.Cursor{"old": before, "of another source": {Epoch: 1, Offset: 1}} {
			back.close()
			back = b.signIn("u")
			back.follow(1, watch(nil, at))
			if s := back.look(&sight{}); s.snapshots != 1 || len(s.notes) != 0 {
				t.Errorf("%s: %+v", name, s)
			}
		}
		back.close()
	})
}

// While the source can't be asked for 2 s, that is told once; when it can, its end, and what has changed.
func TestViewGoesStale(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		b.cut()
		time.Sleep(time.Second) // that is soon over, and nothing is told
		if b.metric("view_frames_total") != 1 {
			t.Error("a short break was told")
		}
		begin := time.Now()
		b.away(true)
		if c.look(s); !s.stale || time.Since(begin) < viewStale || time.Since(begin) > viewStale+time.Second {
			t.Errorf("%+v after %v", s, time.Since(begin))
		}
		b.sees(s, map[string]string{"a": "1"})
		time.Sleep(20 * time.Second)
		b.away(false)
		if c.look(s); s.stale || s.snapshots != 1 || s.frames != 3 || time.Since(begin) > 25*time.Second+2*viewRetryMax {
			t.Errorf("%+v after %v", s, time.Since(begin))
		}
		b.away(true)
		time.Sleep(10 * time.Second)
		b.put("a", "2")
		if c.look(s); !s.stale {
			t.Errorf("%+v", s)
		}
		b.away(false)
		if c.look(s); s.stale || s.snapshots != 1 {
			t.Errorf("%+v", s)
		}
		b.sees(s, map[string]string{"a": "2"})
		c.close()
	})
}

// Another source begins with a snapshot.
func TestViewsSourceRestarts(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		old := s.at
		b.restart(board.Config{})
		b.put("b", "2")
		for s.notes["b"] == "" {
			c.look(s)
		}
		if s.snapshots < 2 || s.at.GetEpoch() <= old.GetEpoch() {
			t.Errorf("%+v", s)
		}
		b.sees(s, map[string]string{"b": "2"})
		c.close()
	})
}

func TestViewsParams(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.signIn("u")
		long, _ := proto.Marshal(&boardv1.NotesParams{Prefix: strings.Repeat("x", 40)})
		wants := []*edgev1.Want{
			{Topic: notes, Params: []byte("nonsense")},
			{Topic: notes + "2", Params: long},
			{Topic: notes + "3", Params: make([]byte, topic.MaxParams+1)},
			{Topic: notes + "4", Mode: edgev1.Mode_MODE_HEADS},
			{Topic: notes + "5", Mode: -2},
		}
		c.send(subscribe(1, wants...))
		got := map[string]*edgev1.Error{}
		for _, x := range c.answers(len(wants)) {
			got[x.GetTopic()] = x.GetError()
		}
		for i, want := range []struct {
			code  edgev1.Code
			field string
		}{
			{edgev1.Code_CODE_INVALID_ARGUMENT, "params"}, {edgev1.Code_CODE_INVALID_ARGUMENT, "params"}, {edgev1.Code_CODE_BODY_TOO_LARGE, "params"},
			{edgev1.Code_CODE_UNSUPPORTED, "mode"}, {edgev1.Code_CODE_INVALID_ARGUMENT, "params"},
		} {
			if e := got[wants[i].GetTopic()]; e.GetCode() != want.code || e.GetField() != want.field {
				t.Errorf("%d: %v", i, e)
			}
		}
		c.close()
		j := b.json("u", `{"subscribe":{"id":1,"wants":[{"topic":"board.notes/b","params":{"prefix":3}},{"topic":"board.notes/c","params":{"suffix":"a"}},{"topic":"board.wall/b","params":{"prefix":"a"}}]}}`)
		line := j.until(`"subscribed"`)
		if strings.Count(line, `"CODE_INVALID_ARGUMENT"`) != 2 || strings.Count(line, `"CODE_UNSUPPORTED"`) != 1 || !strings.Contains(line, "suffix") {
			t.Error(line)
		}
		j.close()
	})
}

// Two who want different parts of a topic in one call get each their own.
func TestParamsAreNotShared(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		b.put("b", "1")
		clients := map[string]*client{"a": b.signIn("u"), "b": b.signIn("v")}
		for prefix, c := range clients {
			c.send(subscribe(1, watch(&boardv1.NotesParams{Prefix: prefix}, nil)))
		}
		for prefix, c := range clients {
			c.subscribed()
			b.sees(c.look(&sight{}), map[string]string{prefix: "1"})
			c.close()
		}
	})
}

// Parameters are long: those of many who come at a time don't fit into one call, and need not.
func TestManyLongParams(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.lag = 20 * time.Millisecond // so that all come while the first are asked for
		const wants = 120
		var clients []*client
		for i := range 8 {
			clients = append(clients, b.signIn(fmt.Sprint("u", i)))
		}
		synctest.Wait()
		for i, c := range clients {
			var list []*edgev1.Want
			for j := 0; len(list) < wants; j++ {
				if topic.RouteKey("w", fmt.Sprint(j)) != topic.RouteKey("w", "b") {
					continue // another owner's
				}
				params := protowire.AppendTag(nil, 99, protowire.BytesType) // of a later version
				params = protowire.AppendBytes(params, fmt.Appendf(nil, "%8000d", i))
				list = append(list, &edgev1.Want{Topic: fmt.Sprint("board.notes/", j), Params: params})
			}
			c.send(subscribe(1, list...))
		}
		for _, c := range clients {
			for answered := 0; answered < wants; {
				for _, x := range c.next().GetSubscribed().GetSubscriptions() {
					if answered++; x.GetError() != nil {
						t.Fatalf("%v", x)
					}
				}
			}
			c.close()
		}
		if b.alone > 0 {
			t.Errorf("%d were asked for one by one, since a call was too long", b.alone)
		}
	})
}

// What is too much to wait is not kept: the view stops and says what to do.
func TestViewTooLarge(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		for i := range viewEntries + 1 {
			b.put(fmt.Sprint(i), "")
		}
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		f := c.next()
		if e := f.GetStopped().GetError(); e.GetCode() != edgev1.Code_CODE_RESET_TOO_LONG || e.GetReason() != "edge.VIEW_TOO_LARGE" || e.GetMessage() == "" {
			t.Fatalf("%v", f)
		}
		if open, _ := b.tails(); open != 0 || b.metric("views") != 0 || b.metric("subscribers") != 0 {
			t.Errorf("%d tails, %v views are left", open, b.metric("views"))
		}
		c.follow(2, watch(&boardv1.NotesParams{Prefix: "99"}, nil))
		if s := c.look(&sight{}); len(s.notes) != 11 {
			t.Errorf("%d", len(s.notes))
		}
		c.close()
	})
}

// Wanted again with other parameters, the old view is over; unsubscribed, its stream is.
func TestViewIsReplaced(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		b.put("b", "1")
		c := b.signIn("u")
		c.follow(1, watch(&boardv1.NotesParams{Prefix: "a"}, nil))
		b.sees(c.look(&sight{}), map[string]string{"a": "1"})
		c.follow(2, watch(&boardv1.NotesParams{Prefix: "b"}, nil))
		s := c.look(&sight{})
		b.sees(s, map[string]string{"b": "1"})
		b.put("a", "2")
		b.put("b", "2")
		b.sees(c.look(s), map[string]string{"b": "2"})
		if open, begun := b.tails(); open != 1 || begun != 2 {
			t.Errorf("%d of %d tails are open", open, begun)
		}
		c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{Topics: []string{notes}}}})
		if open, _ := b.tails(); open != 0 || b.metric("views") != 0 || b.metric("subscribers") != 0 {
			t.Errorf("%d tails, %v views are left", open, b.metric("views"))
		}
		b.put("b", "3")
		time.Sleep(time.Second)
		c.send(ask(1, "Echo", nil))
		if f := c.next(); f.GetReply() == nil {
			t.Errorf("%v", f)
		}
		c.close()
	})
}

// A session that ends, ends its views, also those whose source is away.
func TestViewsEndWithTheSession(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		for _, offline := range []bool{false, true} {
			c := b.signIn("u")
			c.follow(1, watch(nil, nil))
			c.look(&sight{})
			b.away(offline)
			synctest.Wait()
			c.close()
			if open, _ := b.tails(); open != 0 || b.metric("views") != 0 {
				t.Errorf("%d tails, %v views are left", open, b.metric("views"))
			}
		}
	})
}

// Who may no longer look is stopped; nobody is told anything of it behind that.
func TestRemovedFromAView(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		c.look(&sight{})
		time.Sleep(time.Second)
		b.ban("u")
		b.put("a", "2")
		if f := c.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_REVOKED {
			t.Errorf("%v", f)
		}
		if x := c.follow(2, watch(nil, nil)); x.GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("%v", x)
		}
		c.close()
	})
}

// A view outlives the token that it began with; the next stream is asked for with the token of then.
func TestViewOutlivesItsToken(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		c := b.connect(nil)
		c.send(hello(b.token("u", 30*time.Second)))
		c.next()
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		time.Sleep(20 * time.Second)
		c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Refresh{Refresh: &edgev1.Refresh{Token: b.token("u", 10*time.Minute)}}})
		if f := c.next(); f.GetRefreshed() == nil {
			t.Fatalf("%v", f)
		}
		go func() {
			time.Sleep(20 * time.Second)
			b.put("a", "1")
			time.Sleep(time.Second)
			b.cut()
			b.put("b", "1")
		}()
		for s.notes["b"] == "" {
			c.look(s)
		}
		if s.snapshots != 1 {
			t.Errorf("%+v", s)
		}
		c.close()
	})
}

// Too many views in all are refused, and told to come again.
func TestTooManyViews(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.g.cfg.MaxViews = 1
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		c.look(&sight{})
		other := b.signIn("v")
		if e := other.follow(1, watch(nil, nil)).GetError(); e.GetCode() != edgev1.Code_CODE_UNAVAILABLE || e.GetRetryAfterMs() == 0 {
			t.Errorf("%v", e)
		}
		c.close()
		synctest.Wait()
		other.follow(2, watch(nil, nil))
		other.look(&sight{})
		other.close()
	})
}

// What ends a Tail means what its number says.
func TestEndsOfAView(t *testing.T) {
	for code, want := range map[edgev1.Code]edgev1.Code{
		edgev1.Code_CODE_NOT_FOUND: edgev1.Code_CODE_REVOKED, edgev1.Code_CODE_PERMISSION_DENIED: edgev1.Code_CODE_REVOKED,
		edgev1.Code_CODE_INVALID_ARGUMENT: edgev1.Code_CODE_INVALID_ARGUMENT, edgev1.Code_CODE_TOPIC_GONE: edgev1.Code_CODE_TOPIC_GONE,
		edgev1.Code_CODE_UNAVAILABLE: 0, edgev1.Code_CODE_TOKEN_STALE: 0, edgev1.Code_CODE_TOKEN_REFUSED: 0, edgev1.Code_CODE_INTERNAL: 0,
		edgev1.Code_CODE_LAGGED: 0,
	} {
		if e := final(numbered(&edgev1.Error{Code: code})); (e == nil) != (want == 0) || e != nil && e.Code != want {
			t.Errorf("%v: %v", code, e)
		}
	}
}

// A service that breaks the contract is asked again, for a snapshot, and harms nobody.
func TestBrokenSource(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		c := b.signIn("u")
		c.follow(1, watch(nil, nil))
		s := c.look(&sight{})
		b.mangle(func(r *topicv1.TailResponse) { r.View.At = nil })
		b.put("a", "2")
		time.Sleep(time.Second)
		b.mangle(nil)
		for s.notes["a"] != "2" {
			c.look(s)
		}
		if s.snapshots != 2 {
			t.Errorf("%+v", s)
		}
		c.close()
	})
}
