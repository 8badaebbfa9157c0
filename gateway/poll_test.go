package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/meshtest/board"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// poll asks once, in the binary encoding.
func (s *system) poll(query string, frames ...*edgev1.ClientFrame) []*edgev1.ServerFrame {
	s.t.Helper()
	data, err := proto.Marshal(&edgev1.ClientMessage{Frames: frames})
	s.must(err)
	res, err := s.http().Post("http://plenum.test"+pathPoll+query, "application/proto", bytes.NewReader(data))
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	s.must(err)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/proto" {
		s.t.Fatalf("%d: %s", res.StatusCode, answer)
	}
	var m edgev1.ServerMessage
	s.must(proto.Unmarshal(answer, &m))
	return m.GetFrames()
}

// happened are the texts of a poll's events, and the cursor behind them.
func happened(frames []*edgev1.ServerFrame) (texts []string, cursor *edgev1.Cursor) {
	for _, f := range frames {
		for _, x := range f.GetSubscribed().GetSubscriptions() {
			cursor = x.GetStart()
		}
		for _, e := range f.GetEvents().GetEvents() {
			texts = append(texts, text(e))
			cursor = &edgev1.Cursor{Epoch: cursor.GetEpoch(), Offset: e.GetOffset()}
		}
	}
	return texts, cursor
}

// A poller sees every event once, in order, however its polls and the events lie to each other.
func TestPoll(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		me := func() *edgev1.ClientFrame { return hello(s.token("ada", 10*time.Minute)) }
		s.svc.Append("w", room, "one", nil)
		s.svc.Append("w", room, "two", nil)
		start := time.Now()
		texts, cursor := happened(s.poll("", me(), subscribe(1, events(room, 0))))
		if strings.Join(texts, " ") != "one two" || time.Since(start) > time.Second {
			t.Errorf("%v after %v", texts, time.Since(start))
		}
		// Nothing new: it waits as long as it was asked to, and says where it stands.
		texts, cursor = happened(s.poll("?wait=3000", me(), subscribe(1, &edgev1.Want{Topic: room, Cursor: cursor})))
		if len(texts) > 0 || cursor.GetOffset() != 2 || time.Since(start) < 3*time.Second || time.Since(start) > 4*time.Second {
			t.Errorf("%v, %v after %v", texts, cursor, time.Since(start))
		}
		// News end it at once.
		go func() {
			time.Sleep(5 * time.Second)
			s.svc.Append("w", room, "three", nil)
		}()
		start = time.Now()
		if texts, _ = happened(s.poll("", me(), subscribe(1, &edgev1.Want{Topic: room, Cursor: cursor}))); strings.Join(texts, " ") != "three" || time.Since(start) > 6*time.Second {
			t.Errorf("%v after %v", texts, time.Since(start))
		}
		synctest.Wait()
		if n := s.metric("sessions") + s.metric("subscribers"); n != 0 {
			t.Errorf("%v sessions and subscriptions are left", n)
		}
	})
}

// Who asks for much comes again: an answer has its length, and no event is left out.
func TestPollInParts(t *testing.T) {
	inBubble(t, func(c *Config) { c.Ring = 4096 }, func(t *testing.T, s *system) {
		for range 900 {
			s.svc.Append("w", room, strings.Repeat("x", 1000), nil)
		}
		cursor, n, polls := &edgev1.Cursor{Epoch: testsvc.Epoch}, 0, 0
		for ; n < 900 && polls < 5; polls++ {
			var texts []string
			texts, cursor = happened(s.poll("", hello(s.token("ada", 10*time.Minute)), subscribe(1, &edgev1.Want{Topic: room, Cursor: cursor})))
			n += len(texts)
		}
		if n != 900 || polls < 2 || polls > 3 {
			t.Errorf("%d events in %d polls", n, polls)
		}
	})
}

// Calls and signals go by the same way; without topics there is nothing to wait for.
func TestPollCalls(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("bob", events(room))
		start := time.Now()
		frames := s.poll("", hello(s.token("ada", 10*time.Minute)),
			inLane(ask(1, "Post", &testv1.PostRequest{Room: "a", Text: "hi"}), 1, 1), ask(2, "Echo", &testv1.EchoRequest{WaitMs: 300}))
		if time.Since(start) > time.Second {
			t.Errorf("answered after %v", time.Since(start))
		}
		replies := 0
		for _, f := range frames {
			if r := f.GetReply(); r != nil {
				if replies++; r.GetError() != nil {
					t.Errorf("%v", r)
				}
			}
		}
		if replies != 2 {
			t.Errorf("answers: %v", frames)
		}
		if got := c.texts(room, 1); got[0] != "hi" {
			t.Errorf("got %v", got)
		}
		s.poll("?wait=0", hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room)),
			&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: room, Key: "typing"}}})
		if f := c.next(); f.GetSignal().GetFrom() != "ada/session" {
			t.Errorf("no signal: %v", f)
		}
		c.close()
	})
}

// Who polls for where one topic stands waits, too, once they know.
func TestPollOfHeads(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Append("w", room, "one", nil)
		ask := func(cursor *edgev1.Cursor) (start *edgev1.Cursor, told []*edgev1.Head) {
			for _, f := range s.poll("?wait=3000", hello(s.token("ada", 10*time.Minute)), subscribe(1, &edgev1.Want{Topic: room, Mode: edgev1.Mode_MODE_HEADS, Cursor: cursor})) {
				for _, x := range f.GetSubscribed().GetSubscriptions() {
					start = x.GetStart()
				}
				told = append(told, f.GetHeads().GetHeads()...)
			}
			return start, told
		}
		start, told := ask(nil)
		if len(told) != 1 || told[0].GetOffset() != 1 || start == nil {
			t.Fatalf("%v, %v", start, told)
		}
		begun := time.Now()
		if again, told := ask(start); len(told) > 0 || !proto.Equal(again, start) || time.Since(begun) < 3*time.Second {
			t.Errorf("%v, %v after %v", again, told, time.Since(begun))
		}
		s.svc.Set(func(v *testsvc.Service) { v.Digest = true })
		go func() {
			time.Sleep(time.Second)
			s.svc.Append("w", room, "two", nil)
		}()
		if _, told := ask(start); len(told) != 1 || told[0].GetOffset() != 2 || told[0].GetTopic() != room {
			t.Errorf("what moved: %v", told)
		}
	})
}

// Each refusal has its number, in the answer or with a status.
func TestPollRefusals(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxSessions = 1 }, func(t *testing.T, s *system) {
		poll := func(query string, frames ...*edgev1.ClientFrame) []*edgev1.ServerFrame {
			synctest.Wait() // the one before has left, though its answer was read before that
			return s.poll(query, frames...)
		}
		last := func(frames []*edgev1.ServerFrame) edgev1.Code {
			return frames[len(frames)-1].GetGoodbye().GetError().GetCode()
		}
		if c := last(poll("", hello("x.y.z"))); c != edgev1.Code_CODE_TOKEN_REFUSED {
			t.Errorf("a forged token: %v", c)
		}
		if c := last(poll("", subscribe(1, events(room)))); c != edgev1.Code_CODE_MALFORMED {
			t.Errorf("no Hello: %v", c)
		}
		start := time.Now()
		if c := last(poll("")); c != edgev1.Code_CODE_MALFORMED || time.Since(start) > time.Second {
			t.Errorf("nothing: %v after %v", c, time.Since(start))
		}
		if c := last(poll("", hello(s.token("ada", -time.Minute)))); c != edgev1.Code_CODE_TOKEN_EXPIRED {
			t.Errorf("an old token: %v", c)
		}
		s.svc.Bar("ada", room, true)
		frames := poll("", hello(s.token("ada", time.Minute)), subscribe(1, events(room)))
		if x := frames[1].GetSubscribed().GetSubscriptions(); len(x) != 1 || x[0].GetError().GetCode() != edgev1.Code_CODE_NOT_FOUND {
			t.Errorf("what one may not see: %v", frames)
		}
		for query, want := range map[string]int{"?wait=60000": 400, "?wait=x": 400, "?wait=-1": 400, "?token=x": 400, "?bogus=1": 400} {
			res, err := s.http().Post("http://plenum.test"+pathPoll+query, "application/json", strings.NewReader("{}"))
			s.must(err)
			_ = res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%s: %d", query, res.StatusCode)
			}
		}
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded"} { // what a form could send from any page
			res, err := s.http().Post("http://plenum.test"+pathPoll, kind, strings.NewReader("{}"))
			s.must(err)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("%q: %d", kind, res.StatusCode)
			}
		}
		synctest.Wait() // a poll is counted until its handler has returned, which is after its answer
		c := s.signIn("bob")
		if c := last(poll("", hello(s.token("ada", time.Minute)))); c != edgev1.Code_CODE_OVERLOADED {
			t.Errorf("a full gateway: %v", c)
		}
		c.close()
	})
}

// Polls don't multiply what one may do: their buckets are the device's.
func TestPollRates(t *testing.T) {
	inBubble(t, func(c *Config) { c.Write.Burst = 3; c.Write.PerSecond = 0.1 }, func(t *testing.T, s *system) {
		var codes []edgev1.Code
		for i := range uint64(4) {
			for _, f := range s.poll("", hello(s.token("ada", 10*time.Minute)), inLane(ask(1, "Post", &testv1.PostRequest{Room: "a"}), 1, i+1)) {
				if r := f.GetReply(); r != nil {
					codes = append(codes, r.GetError().GetCode())
				}
			}
		}
		if len(codes) != 4 || codes[2] != 0 || codes[3] != edgev1.Code_CODE_RATE_LIMITED {
			t.Errorf("%v", codes)
		}
	})
}

// A client that sends its message slowly, or not at all, is not waited for.
func TestSlowMessage(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		body, w := io.Pipe()
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://plenum.test"+pathPoll, body)
		s.must(err)
		req.Header.Set("Content-Type", "application/json")
		res, err := s.http().Do(req)
		s.must(err)
		answer, _ := io.ReadAll(res.Body)
		_, _ = res.Body.Close(), w.Close()
		if !strings.Contains(string(answer), "CODE_SILENT") || time.Since(start) > 6*time.Second {
			t.Errorf("%s after %v", answer, time.Since(start))
		}
	})
}

// A view by polls: a snapshot, whole however long it is; then what has changed since the cursor; and nothing for who has it all.
func TestPollView(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		want := map[string]string{}
		for i := range 50 {
			want[fmt.Sprint(i)] = strings.Repeat("x", 4000)
			b.put(fmt.Sprint(i), want[fmt.Sprint(i)])
		}
		s := &sight{}
		poll := func(query string) {
			for _, f := range b.poll(query, hello(b.token("ada", 10*time.Minute)), subscribe(1, watch(nil, s.at))) {
				if v := f.GetView(); v != nil {
					s.see(b.system, v)
				}
			}
		}
		poll("?wait=0")
		if b.sees(s, want); s.snapshots != 1 || s.at == nil {
			t.Errorf("%+v", s)
		}
		start := time.Now()
		if poll("?wait=2000"); s.snapshots != 1 || time.Since(start) < 2*time.Second {
			t.Errorf("%+v after %v", s, time.Since(start))
		}
		b.remove("7")
		delete(want, "7")
		start = time.Now()
		if poll(""); s.snapshots != 1 || time.Since(start) > time.Second {
			t.Errorf("%+v after %v", s, time.Since(start))
		}
		b.sees(s, want)
		// Without its source it says so, and doesn't wait for ever.
		b.away(true)
		start = time.Now()
		if poll("?wait=0"); time.Since(start) > 15*time.Second {
			t.Errorf("%+v after %v", s, time.Since(start))
		}
		b.away(false)
	})
}

// Over a stream a view goes on by the id alone.
func TestStreamView(t *testing.T) {
	onBoard(t, board.Config{}, func(t *testing.T, b *boards) {
		b.put("a", "1")
		frames := func() []*edgev1.ClientFrame {
			return []*edgev1.ClientFrame{hello(b.token("ada", 10*time.Minute)), subscribe(1, watch(nil, nil))}
		}
		r := b.stream(pathEvents, "", frames())
		r.welcome()
		r.subscribed()
		v := r.next().GetView()
		if !v.GetSnapshot() || len(v.GetEntries()) != 1 {
			t.Fatalf("%v", v)
		}
		r.close()
		b.put("b", "2")
		r = b.stream(pathEvents, r.lastID, frames())
		r.welcome()
		r.subscribed()
		if v := r.next().GetView(); v.GetSnapshot() || len(v.GetEntries()) != 1 || v.GetEntries()[0].GetKey() != "b" {
			t.Errorf("%v", v)
		}
	})
}
