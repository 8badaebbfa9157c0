package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// reader is a client of a stream.
type reader struct {
	s      *system
	res    *http.Response
	in     *bufio.Reader
	lastID string
	retry  string
	frames []*edgev1.ServerFrame
	beats  int
}

// stream begins a stream by POST, or by GET where frames is nil.
func (s *system) stream(path, lastID string, frames []*edgev1.ClientFrame) *reader {
	s.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if frames != nil {
		method, body = http.MethodPost, bytes.NewReader(lines(s, frames))
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://plenum.test"+path, body)
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := s.http().Do(req)
	s.must(err)
	s.t.Cleanup(func() { _ = res.Body.Close() })
	return &reader{s: s, res: res, in: bufio.NewReader(res.Body), lastID: lastID}
}

// lines writes frames as JSON does; the domain's values stay base64, as for types that aren't known.
func lines(s *system, frames []*edgev1.ClientFrame) []byte {
	var b []byte
	for _, f := range frames {
		line, err := protojson.Marshal(f)
		s.must(err)
		b = append(append(b, line...), '\n')
	}
	return b
}

// next is the next frame; nil: the stream has ended.
func (r *reader) next() *edgev1.ServerFrame {
	r.s.t.Helper()
	for len(r.frames) == 0 {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return nil
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			r.lastID = value
		case "retry":
			r.retry = value
		case ":":
			r.beats++
		case "data":
			r.frames = append(r.frames, readLine(r.s, value))
		}
	}
	f := r.frames[0]
	r.frames = r.frames[1:]
	return f
}

// readLine reads a frame as a client does that knows events alone: their bodies become those of Posted again.
func readLine(s *system, line string) *edgev1.ServerFrame {
	s.t.Helper()
	var frame map[string]any
	s.must(json.Unmarshal([]byte(line), &frame))
	if v, ok := frame["view"].(map[string]any); ok {
		for _, e := range v["entries"].([]any) {
			delete(e.(map[string]any), "body")
		}
	}
	if run, ok := frame["events"].(map[string]any); ok {
		for _, e := range run["events"].([]any) {
			e := e.(map[string]any)
			posted, _ := e["body"].(map[string]any)
			word, _ := posted["text"].(string)
			e["body"], _ = proto.Marshal(&testv1.Posted{Text: word})
		}
	}
	plain, err := json.Marshal(frame)
	s.must(err)
	f := &edgev1.ServerFrame{}
	s.must(protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(plain, f))
	return f
}

func (r *reader) welcome() *edgev1.Welcome {
	r.s.t.Helper()
	f := r.next()
	if f.GetWelcome() == nil {
		r.s.t.Fatalf("no welcome: %v", f)
	}
	return f.GetWelcome()
}

func (r *reader) subscribed() *edgev1.Subscription {
	r.s.t.Helper()
	f := r.next()
	if len(f.GetSubscribed().GetSubscriptions()) != 1 {
		r.s.t.Fatalf("not one Subscription: %v", f)
	}
	return f.GetSubscribed().GetSubscriptions()[0]
}

// answered waits until n wants are answered; what comes between the answers is kept.
func (r *reader) answered(n int) {
	r.s.t.Helper()
	var others []*edgev1.ServerFrame
	for n > 0 {
		f := r.next()
		if f == nil {
			r.s.t.Fatal("the stream has ended")
		}
		if f.GetSubscribed() == nil {
			others = append(others, f)
		}
		n -= len(f.GetSubscribed().GetSubscriptions())
	}
	r.frames = append(others, r.frames...)
}

// texts reads events until n have come.
func (r *reader) texts(n int) (out []string) {
	r.s.t.Helper()
	for len(out) < n {
		f := r.next()
		if f.GetEvents() == nil {
			r.s.t.Fatalf("after %v: %v", out, f)
		}
		for _, e := range f.GetEvents().GetEvents() {
			out = append(out, text(e))
		}
	}
	return out
}

func (r *reader) close() { _ = r.res.Body.Close() }

func TestEvents(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Append("w", room, "one", nil)
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room, 0))})
		if r.res.Header.Get("Content-Type") != "text/event-stream" || r.res.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers: %v", r.res.Header)
		}
		if l := r.welcome().GetLimits(); l.GetSubscriptions() != streamTopics {
			t.Errorf("limits: %v", l)
		}
		if x := r.subscribed(); x.GetError() != nil || x.GetStart().GetOffset() != 0 {
			t.Fatalf("subscribed: %v", x)
		}
		s.svc.Append("w", room, "two", nil)
		if got := r.texts(2); got[0] != "one" || got[1] != "two" {
			t.Errorf("got %v", got)
		}
		if n := s.metric("sessions"); n != 1 {
			t.Errorf("%v sessions", n)
		}
		if n := s.metric("subscribers"); n != 1 {
			t.Errorf("%v subscribers", n)
		}
		// The stream breaks; what is said meanwhile comes by the id alone, once.
		r.close()
		synctest.Wait()
		if n := s.metric("sessions"); n != 0 {
			t.Errorf("%v sessions of a client that has left", n)
		}
		s.svc.Append("w", room, "three", nil)
		r = s.stream(pathEvents, r.lastID, []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room, 0))})
		r.welcome()
		if x := r.subscribed(); x.GetStart().GetOffset() != 2 {
			t.Errorf("goes on from %v", x.GetStart())
		}
		if got := r.texts(1); got[0] != "three" {
			t.Errorf("got %v", got)
		}
	})
}

// Typed clients get each event's message as base64.
func TestBinaryEvents(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		data, err := proto.Marshal(&edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))}})
		s.must(err)
		res, err := s.http().Post("http://plenum.test"+pathEvents, "application/proto", bytes.NewReader(data))
		s.must(err)
		defer func() { _ = res.Body.Close() }()
		var m edgev1.ServerMessage
		for in := bufio.NewScanner(res.Body); len(m.GetFrames()) < 2 && in.Scan(); {
			if text, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				data, err := base64.StdEncoding.DecodeString(text)
				s.must(err)
				s.must(proto.UnmarshalOptions{Merge: true}.Unmarshal(data, &m))
			}
		}
		if f := m.GetFrames(); len(f) != 2 || f[0].GetWelcome() == nil || f[1].GetSubscribed() == nil {
			t.Errorf("%v", f)
		}
	})
}

// What a client of EventSource can do: follow, by a ticket, as long as its session lasts.
func TestTicket(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		tickets := &redeemer{s: s, user: "ada"}
		s.g.deps.Tickets = tickets
		url := pathEvents + "?ticket=plt_good&session=tab1&want=" + url.QueryEscape(room) + "&want=" +
			url.QueryEscape(`{"topic":"test.room/q","cursor":{"epoch":"7","offset":"0"},`+"\n"+`"types":["text"]}`)
		s.svc.Append("w", "test.room/q", "old", nil)
		r := s.stream(url, "", nil)
		r.welcome()
		r.answered(2)
		if got := r.texts(1); got[0] != "old" {
			t.Errorf("got %v", got)
		}
		// It is to come back before the token that its ticket gave ends, and needs nothing but the same URL and the id for it.
		start := time.Now()
		f := r.next()
		if g := f.GetGoodbye(); g.GetError().GetReason() != errRotated.Reason || r.retry == "" {
			t.Fatalf("the end: %v, retry %q", f, r.retry)
		}
		if after := time.Since(start); after > 9*time.Minute+30*time.Second || after < 9*time.Minute {
			t.Errorf("rotated after %v", after)
		}
		if r.next() != nil {
			t.Error("the stream goes on behind its end")
		}
		s.svc.Append("w", room, "meanwhile", nil)
		r = s.stream(url, r.lastID, nil)
		r.welcome()
		r.answered(2)
		if got := r.texts(1); got[0] != "meanwhile" {
			t.Errorf("got %v", got)
		}
		r.close()
		for name, want := range map[string]struct {
			err    error
			status int
		}{
			"refused":    {rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.SESSION_ENDED", "x"), http.StatusUnauthorized},
			"signed out": {rpc.Errorf(edgev1.Code_CODE_SESSION_REVOKED, "identity.WIPE", "x"), http.StatusUnauthorized},
			"away":       {rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.AWAY", "x"), http.StatusOK}, // or a browser would give up
		} {
			tickets.err = want.err
			r := s.stream(url, "", nil)
			if r.res.StatusCode != want.status {
				t.Errorf("%s: %d", name, r.res.StatusCode)
			}
			if want.status == http.StatusOK {
				if f := r.next(); f.GetGoodbye().GetError().GetCode() != edgev1.Code_CODE_OVERLOADED || r.retry != "2000" {
					t.Errorf("%s: %v, retry %s", name, f, r.retry)
				}
			}
			synctest.Wait()
			if n := s.g.sessions.Inside(); n != 0 {
				t.Errorf("%s: %d sessions are counted", name, n)
			}
		}
	})
}

type redeemer struct {
	s    *system
	user string
	err  error

	asked int
}

func (r *redeemer) Redeem(_ context.Context, q *authv1.RedeemRequest, _ ...grpc.CallOption) (*authv1.RedeemResponse, error) {
	r.asked++
	if r.err != nil || q.GetTicket() != "plt_good" {
		return nil, r.err
	}
	return &authv1.RedeemResponse{AccessToken: r.s.token(r.user, 10*time.Minute)}, nil
}

func TestEventSourceURLs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for query, want := range map[string]string{
			"token=x":                      "edge.TOKEN_IN_URL",
			"access_token=x":               "edge.TOKEN_IN_URL",
			"want=%7B":                     "edge.PARAMETER",
			"want=%7B%7D%7D,%7B%22call%22": "edge.PARAMETER",
			"want=%7B%22topic%22:1%7D":     "can't be read",
			"topics=a":                     "edge.PARAMETER",
			"want=%zz":                     "edge.PARAMETER",
			"ticket=plt_x":                 "edge.TICKET",
			"want=test.room/a":             "edge.TOKEN",
		} {
			res, err := s.http().Get("http://plenum.test" + pathEvents + "?" + query)
			s.must(err)
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if !strings.Contains(string(body), want) || res.StatusCode/100 != 4 {
				t.Errorf("%s: %d %s", query, res.StatusCode, body)
			}
		}
	})
}

// An id of other topics is no cursor: each topic says so, and none is silently begun anew.
func TestForeignID(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		for _, id := range []string{"AAAA", "%%%", strings.Repeat("A", 4000)} {
			r := s.stream(pathEvents, id, []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
			r.welcome()
			if x := r.subscribed(); x.GetError().GetReason() != errLastID.Reason {
				t.Errorf("%.10s: %v", id, x)
			}
			r.close()
		}
	})
}

// An id is of what was wanted, types and parameters too: where that stands says nothing to who wants something else.
func TestIDOfOtherTypes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		typed := events(room)
		typed.Types = []string{"text"}
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, typed)})
		r.welcome()
		r.subscribed()
		s.svc.Append("w", room, "one", nil)
		r.texts(1)
		r.close()
		for _, want := range []*edgev1.Want{typed, events(room)} {
			again := s.stream(pathEvents, r.lastID, []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, want)})
			again.welcome()
			if x := again.subscribed(); (x.GetError().GetReason() == errLastID.Reason) != (len(want.GetTypes()) == 0) {
				t.Errorf("%v: %v", want, x)
			}
			again.close()
		}
	})
}

// A topic that was reset stays reset until the client has loaded it: the same id doesn't begin it anew.
func TestResetStays(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		frames := func() []*edgev1.ClientFrame {
			return []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))}
		}
		r := s.stream(pathEvents, "", frames())
		r.welcome()
		r.subscribed()
		s.svc.Append("w", room, "one", nil)
		r.texts(1)
		s.svc.Restart()
		s.svc.Append("w", room, "two", nil)
		if f := r.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Fatalf("after a restore: %v", f)
		}
		r.close()
		r = s.stream(pathEvents, r.lastID, frames())
		r.welcome()
		if x := r.subscribed(); x.GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Errorf("begun anew: %v", x)
		}
	})
}

// A silent stream shows that it lives; its end is no break.
func TestBeatAndRotation(t *testing.T) {
	inBubble(t, func(c *Config) { c.StreamLife = time.Minute }, func(t *testing.T, s *system) {
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
		r.welcome()
		r.subscribed()
		start := time.Now()
		if f := r.next(); f.GetGoodbye().GetError().GetReason() != errRotated.Reason || f.GetGoodbye().GetError().GetRetryAfterMs() == 0 {
			t.Fatalf("the end: %v", f)
		}
		if r.beats < 3 || time.Since(start) > time.Minute {
			t.Errorf("%d comments in %v", r.beats, time.Since(start))
		}
	})
}

// The token's end is the stream's, for there is no Refresh; a revocation ends it at once.
func TestStreamEndsWithToken(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 2*time.Minute))})
		r.welcome()
		if f := r.next(); f.GetGoodbye().GetError().GetCode() != edgev1.Code_CODE_TOKEN_EXPIRED {
			t.Errorf("the end: %v", f)
		}
		r = s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
		r.welcome()
		r.subscribed()
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", IssuedBeforeMs: time.Now().UnixMilli() + 1, Wipe: true})
		if f := r.next(); f.GetGoodbye().GetError().GetCode() != edgev1.Code_CODE_SESSION_REVOKED || r.retry != "60000" {
			t.Errorf("the end: %v, retry %s", f, r.retry)
		}
	})
}

// A client that reads nothing loses the topic, and then the stream: what waits for it is bounded.
func TestSlowStream(t *testing.T) {
	inBubble(t, func(c *Config) { c.Limits.QueueBytes = 16 << 10 }, func(t *testing.T, s *system) {
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
		r.welcome()
		r.subscribed()
		for range 100 {
			s.svc.Append("w", room, strings.Repeat("x", 1000), nil)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		n, stopped := 0, false
		for f := r.next(); f != nil && !stopped; {
			n += len(f.GetEvents().GetEvents())
			if stopped = f.GetStopped().GetError().GetCode() == edgev1.Code_CODE_LAGGED; !stopped {
				f = r.next()
			}
		}
		if !stopped || n == 100 {
			t.Fatalf("%d events, and lagged: %v", n, stopped)
		}
		r.close()
		r = s.stream(pathEvents, r.lastID, []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
		r.welcome()
		r.subscribed()
		if got := len(r.texts(100 - n)); got != 100-n {
			t.Errorf("%d and %d of 100 events", n, got)
		}
	})
	inBubble(t, nil, func(t *testing.T, s *system) {
		r := s.stream(pathEvents, "", []*edgev1.ClientFrame{hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room))})
		r.welcome()
		r.subscribed()
		s.svc.Append("w", room, "x", nil) // nobody reads it
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.metric("sessions"); n != 0 {
			t.Errorf("%v sessions of a client that reads nothing", n)
		}
	})
}

func TestTypes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		want := events(room, 0)
		want.Types = []string{"text"}
		c := s.signIn("ada", subscribe(1, want))
		c.subscribed()
		s.svc.Append("w", room, "one", nil)
		s.svc.Append("w", room, "", func(r *topicv1.Record) { r.Event.Body = []byte{0x78, 1} }) // field 15
		s.svc.Append("w", room, "three", nil)
		if got := c.texts(room, 2); got[0] != "one" || got[1] != "three" {
			t.Errorf("got %v", got)
		}
		s.svc.Append("w", room, "", func(r *topicv1.Record) { r.Event.Body = []byte{0x78, 1} })
		if f := c.next(); len(f.GetEvents().GetEvents()) != 0 || f.GetEvents().GetUpto() != 4 || f.GetEvents().GetAfter() != 3 {
			t.Errorf("left out: %v", f)
		}
		want = events("test.room/q")
		want.Types = []string{"nonsense"}
		c.send(subscribe(2, want))
		if x := c.subscribed()["test.room/q"]; x.GetError().GetField() != "types" {
			t.Errorf("nonsense: %v", x)
		}
		c.close()
	})
}

// A bundle's list that the client has already is not sent again.
func TestKnownBundle(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		s.svc.Members("ada", &edgev1.Head{Topic: room, Epoch: testsvc.Epoch, Offset: 1, Count: 1}, &edgev1.Head{Topic: "test.room/q", Epoch: testsvc.Epoch})
		s.svc.Append("w", room, "one", nil)
		mine := &edgev1.Want{Topic: "test.mine/me"} // its mode is its class's
		c := s.signIn("ada", subscribe(1, mine))
		start := c.subscribed()["test.mine/me"].GetStart()
		if f := c.next(); !f.GetHeads().GetSnapshot() || start.GetOffset() == 0 || start.GetOffset() > maxSeq {
			t.Fatalf("snapshot: %v, %v", f, start)
		}
		mine.Cursor = start
		c.send(subscribe(2, mine))
		if x := c.subscribed()["test.mine/me"]; !proto.Equal(x.GetStart(), start) {
			t.Errorf("the same list has another number: %v", x)
		}
		s.svc.Append("w", room, "two", nil)
		s.svc.Set(func(v *testsvc.Service) { v.Digest = true })
		s.svc.Append("w", room, "three", nil)
		f := c.next()
		if h := f.GetHeads(); h.GetSnapshot() || len(h.GetHeads()) != 1 || h.GetHeads()[0].GetTopic() != room || h.GetHeads()[0].GetOffset() != 3 {
			t.Errorf("what moved: %v", f)
		}
		s.svc.Members("ada", &edgev1.Head{Topic: room, Epoch: testsvc.Epoch, Offset: 3, Count: 3}, &edgev1.Head{Topic: "test.room/q", Epoch: testsvc.Epoch})
		c.send(subscribe(3, mine))
		c.subscribed()
		if f := c.next(); !f.GetHeads().GetSnapshot() {
			t.Errorf("another list: %v", f)
		}
		c.close()
	})
}
