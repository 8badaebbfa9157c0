package gateway

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/rpc"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// book is a process that is told of sessions, and writes down what it hears.
type book struct {
	rosterv1.UnimplementedRosterServiceServer

	mu       sync.Mutex                      // guards all below
	here     map[uint64]*rosterv1.Connection // by the stream that tells now
	deeds    []*rosterv1.Deed
	acts     []*rosterv1.Act
	ended    []*rosterv1.Ended
	heeded   []uint64
	complete int                           // how often all was told
	mute     bool                          // whether people are shown isn't known
	hides    map[string]bool               // people
	answers  chan *rosterv1.ReportResponse // of the stream
	streams  int
	silence  time.Duration // the longest
	heard    time.Time
	stop     chan struct{} // ends the stream
}

func (b *book) Report(stream grpc.BidiStreamingServer[rosterv1.ReportRequest, rosterv1.ReportResponse]) error {
	b.mu.Lock()
	b.streams++
	b.here, b.heard, b.stop = map[uint64]*rosterv1.Connection{}, time.Now(), make(chan struct{})
	b.answers = make(chan *rosterv1.ReportResponse, 100)
	stop, answers := b.stop, b.answers
	b.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		for {
			q, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			b.note(q)
		}
	}()
	for {
		select {
		case res := <-answers:
			if err := stream.Send(res); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-stop:
			return away
		}
	}
}

func (b *book) note(q *rosterv1.ReportRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silence = max(b.silence, time.Since(b.heard))
	b.heard = time.Now()
	for _, c := range q.GetOpened() {
		b.here[c.GetNumber()] = c
		b.answer(c)
	}
	for _, n := range q.GetClosed() {
		delete(b.here, n)
	}
	b.deeds, b.acts = append(b.deeds, q.GetDeeds()...), append(b.acts, q.GetActs()...)
	b.ended, b.heeded = append(b.ended, q.GetEnded()...), append(b.heeded, q.GetHidden()...)
	if q.GetComplete() != 0 {
		b.complete++
	}
}

// answer tells whether a connection's person is shown. The lock is held.
func (b *book) answer(c *rosterv1.Connection) {
	res := &rosterv1.ReportResponse{}
	switch {
	case b.mute:
		return
	case b.hides[c.GetUser()]:
		res.Hidden = []uint64{c.GetNumber()}
	default:
		res.Shown = []uint64{c.GetNumber()}
	}
	b.answers <- res
}

// hide has it told that somebody hides, or doesn't any more.
func (b *book) hide(user string, hides bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mute = false; b.hides == nil {
		b.hides = map[string]bool{}
	}
	b.hides[user] = hides
	for _, c := range b.here {
		if c.GetUser() == user {
			b.answer(c)
		}
	}
}

// cut ends the stream.
func (b *book) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.stop)
}

// people are those who are here, with how long they did nothing.
func (b *book) people() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, n := range slices.Sorted(maps.Keys(b.here)) {
		c := b.here[n]
		idle := "not said"
		if c.IdleS != nil {
			idle = fmt.Sprint(c.GetIdleS())
		}
		all = append(all, fmt.Sprintf("%s/%s/%s idle %s", c.GetWorkspace(), c.GetUser(), c.GetSession(), idle))
	}
	return strings.Join(all, ", ")
}

// done is what was told to have been done since it was asked last.
func (b *book) done() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	said := func(by string, kinds []edgev1.Doing, ago uint32) {
		for _, k := range kinds {
			by += " " + strings.TrimPrefix(k.String(), "DOING_")
		}
		all = append(all, fmt.Sprintf("%s %ds ago", by, ago))
	}
	for _, d := range b.deeds {
		said("session", d.GetKinds(), d.GetAgoS())
	}
	for _, a := range b.acts {
		said(fmt.Sprintf("%s/%s/%s", a.GetWorkspace(), a.GetUser(), a.GetDevice()), a.GetKinds(), a.GetAgoS())
	}
	b.deeds, b.acts = nil, nil
	return strings.Join(all, ", ")
}

// withBook runs a test with a system that tells a book of its sessions.
func withBook(t *testing.T, test func(*testing.T, *system, *book)) {
	t.Helper()
	withBookOf(t, nil, test)
}

func withBookOf(t *testing.T, change func(*Config), test func(*testing.T, *system, *book)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		roster := func(c *Config) {
			if c.Roster = "presence"; change != nil {
				change(c)
			}
		}
		s := newSystem(t, roster, func(s *system) (string, grpc.ClientConnInterface) {
			server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{
				Service: "presence", Verifier: s.verifier, Internal: map[string][]string{rosterv1.RosterService_Report_FullMethodName: {"gateway"}},
			})
			s.must(err)
			rosterv1.RegisterRosterServiceServer(server, b)
			s.run(server.Run)
			<-server.Ready()
			return "presence", server.Pipe("gateway")
		})
		test(t, s, b)
	})
}

func settle() {
	time.Sleep(2 * rosterGap)
	synctest.Wait()
}

// TestRoster: who signs in is told of, with what they did last, and who leaves; a stream that breaks is followed by another one, which begins with
// all who are here then.
func TestRoster(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		expect := func(what, want string) {
			t.Helper()
			settle()
			if got := b.people(); got != want {
				t.Errorf("%s: here are %s, want %s", what, got, want)
			}
		}
		expect("nobody", "")
		ada := s.signIn("ada")
		bob := s.signIn("bob")
		expect("both", "w/ada/session idle 0, w/bob/session idle 0")
		time.Sleep(10 * time.Second)
		b.cut()
		time.Sleep(time.Second)
		expect("after a break", "w/ada/session idle 10, w/bob/session idle 10")
		bob.close()
		expect("bob has gone", "w/ada/session idle 10")
		ada.close()
		expect("nobody is left", "")
		time.Sleep(time.Minute)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.complete != 2 || b.streams != 2 {
			t.Errorf("all was told %d times, by %d streams", b.complete, b.streams)
		}
		if b.silence > rosterSilence+2*rosterGap {
			t.Errorf("the longest silence was %v", b.silence)
		}
	})
}

// TestEnded: of who is signed out, or deactivated, it is told at once, whether or not they have a session here, and not of who is to refresh.
func TestEnded(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		ada, bob := s.signIn("ada"), s.signIn("bob")
		settle()
		now := time.Now().Add(time.Second).UnixMilli()
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", IssuedBeforeMs: now})
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "bob", Device: "d-bob", IssuedBeforeMs: now, Ends: true})
		s.identity.Revoke(&authv1.Revocation{Workspace: "w", User: "cyn", IssuedBeforeMs: now, Ends: true})
		ada.end()
		bob.end()
		settle()
		b.mu.Lock()
		defer b.mu.Unlock()
		var got []string
		for _, e := range b.ended {
			got = append(got, e.GetWorkspace()+"/"+e.GetUser()+"/"+e.GetDevice())
		}
		if got, want := strings.Join(got, " "), "w/bob/d-bob w/cyn/"; got != want || len(b.here) > 0 {
			t.Errorf("told %q, want %q; %d are here", got, want, len(b.here))
		}
	})
}

// TestIdleNotSaid: who doesn't say for how long nothing was done is told of so, also when all is told anew, until something is done.
func TestIdleNotSaid(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		expect := func(what, want string) {
			t.Helper()
			settle()
			if got := b.people(); got != want {
				t.Errorf("%s: here are %s, want %s", what, got, want)
			}
		}
		f := hello(s.token("ada", 10*time.Minute))
		f.GetHello().IdleS = nil
		ada := s.connect(nil)
		ada.send(f)
		ada.next()
		expect("at first", "w/ada/session idle not said")
		time.Sleep(10 * time.Second)
		b.cut()
		time.Sleep(time.Second)
		expect("after a break", "w/ada/session idle not said")
		ada.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 1, Active: true}}})
		ada.next()
		settle()
		if got := b.done(); got != "session 0s ago" {
			t.Errorf("told %q", got)
		}
		time.Sleep(5 * time.Second)
		b.cut()
		time.Sleep(time.Second)
		expect("after another break", "w/ada/session idle 5")
		ada.close()
	})
}

// alive lets time go by in which clients give signs of life, and nothing else.
func alive(d time.Duration, clients ...*client) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for _, c := range clients {
			c.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 2}}})
			c.next()
		}
		time.Sleep(min(20*time.Second, time.Until(end)))
	}
}

// TestActivity: what a person does is told at once after a while, and then once a minute, of each kind; when a minute is over it is told when something
// was done last, if it was within it. Signs of life that a client gives by itself are no activity.
func TestActivity(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		ada := s.signIn("ada")
		active := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 1, Active: true}}}
		write := func(seq uint64) *edgev1.ClientFrame {
			return inLane(ask(uint32(seq), "Post", &testv1.PostRequest{Room: "a"}), 0, seq)
		}
		step := func(what, want string, after time.Duration, frames ...*edgev1.ClientFrame) {
			t.Helper()
			if alive(after, ada); len(frames) > 0 {
				ada.send(frames...)
				ada.next()
			}
			settle()
			if got := b.done(); got != want {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		step("at once", "", 0, active)
		step("pings alone", "", deedGap/2)
		step("keys", "", 0, active)
		step("the minute is over", "session 29s ago", deedGap/2+minuteGap)
		step("nothing was done meanwhile", "", deedGap+minuteGap)
		step("keys after a while", "session 0s ago", 0, active)
		step("a document, too", "session WRITE 0s ago", deedGap/6, write(1))
		step("it goes on", "", deedGap/6, write(2))
		step("the minute is over again", "session 39s ago", deedGap*2/3+minuteGap)
		step("the next one, too", "", deedGap+minuteGap)
		step("a document after a while", "session WRITE 0s ago", 0, write(3))
		step("a read", "", deedGap+minuteGap, ask(7, "Echo", &testv1.EchoRequest{Text: "x"}))
		ada.close()
		alive(2 * deedGap)
		s.g.roster.mu.Lock()
		defer s.g.roster.mu.Unlock()
		if n := len(s.g.roster.minutes); n > 0 {
			t.Errorf("%d minutes are kept of who has gone", n)
		}
	})
}

// TestOutside: what is done by calls outside of sessions, and in sessions that last for one request, is told of the device, as rarely.
func TestOutside(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		settle()
		token := s.token("ada", 10*time.Minute)
		call := func(method, body string, header ...string) {
			t.Helper()
			res, data := s.request("POST", "/plenum.test.v1.TestService/"+method, body, append(header, "Content-Type", asJSON, "Authorization", "Bearer "+token)...)
			if res.StatusCode != 200 {
				t.Fatalf("%s: %v %s", method, res.Status, data)
			}
		}
		write := func(seq string) {
			t.Helper()
			call("Post", `{"room":"a"}`, "Plenum-Client-Id", "c", "Plenum-Client-Seq", seq)
		}
		expect := func(what, want string) {
			t.Helper()
			settle()
			if got := b.done(); got != want {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		call("Echo", `{}`)
		expect("a read", "")
		write("1")
		expect("a call", "w/ada/d-ada WRITE 0s ago")
		time.Sleep(deedGap / 2)
		s.poll("?wait=0", hello(token), inLane(ask(1, "Post", &testv1.PostRequest{Room: "a"}), 0, 2))
		expect("a poll soon after", "")
		time.Sleep(deedGap/2 + minuteGap)
		expect("the minute is over", "w/ada/d-ada 30s ago")
		s.poll("?wait=0", hello(token), inLane(ask(1, "Post", &testv1.PostRequest{Room: "a"}), 0, 3))
		expect("a poll of another minute", "w/ada/d-ada WRITE 0s ago")
		time.Sleep(3 * deedGap)
		expect("the minute is over", "w/ada/d-ada 59s ago")
		r := s.g.roster
		r.mu.Lock()
		if len(r.others) > 0 || len(r.minutes) > 0 {
			t.Errorf("%d devices and %d minutes are kept of who does nothing", len(r.others), len(r.minutes))
		}
		for i := range maxOutsiders {
			r.others[outsider{device: fmt.Sprint(i)}] = &deeds{}
		}
		r.mu.Unlock()
		write("4")
		expect("there is no room", "")
		r.mu.Lock()
		clear(r.others)
		r.minutes = make([]minute, maxMinutes-1, maxMinutes)
		for i := range r.minutes {
			r.minutes[i] = minute{over: r.g.alarms.now() + time.Hour}
		}
		who := outsider{"w", "ada", "d-ada"}
		for range 2 {
			r.others[who] = &deeds{}
			r.toldOf(r.g.alarms.now(), r.others[who], minute{device: who})
		}
		if len(r.others) > 0 || len(r.minutes) != maxMinutes {
			t.Errorf("%d devices are kept behind which there is no minute", len(r.others))
		}
		r.minutes = nil
		r.mu.Unlock()
	})
}

// TestWhoSignals: what somebody signals passes while it is known that they are shown, and not else. What was known stays while nothing is told; in all
// sessions of a person it is the same.
func TestWhoSignals(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		bob := s.open("bob", events(room))
		defer bob.close()
		settle()
		b.mu.Lock()
		b.mute = true
		b.mu.Unlock()
		ada := s.open("ada", events(room))
		n := 0
		expect := func(what string, by *client, passes bool) {
			t.Helper()
			settle()
			n++
			by.send(typing(room, fmt.Sprint(n%signalKeys)))
			settle()
			if bob.send(ask(1, "Echo", nil)); (bob.next().GetSignal() != nil) != passes {
				t.Errorf("%s: a signal passes: %t", what, !passes)
			}
			if passes {
				bob.reply(1, nil)
			}
		}
		expect("it is not known", ada, false)
		b.hide("ada", false)
		expect("shown", ada, true)
		b.hide("ada", true)
		expect("hidden", ada, false)
		other := s.open("ada", events(room))
		expect("hidden in another session", other, false)
		b.hide("ada", false)
		expect("shown in another session", other, true)
		b.mu.Lock()
		b.mute = true
		number := uint64(0)
		for _, c := range b.here {
			number = max(number, c.GetNumber())
		}
		b.mu.Unlock()
		b.cut()
		expect("nobody tells", ada, true)
		other.close()
		settle()
		b.mu.Lock()
		b.answers <- &rosterv1.ReportResponse{Hidden: []uint64{number, number + 1000}} // of what has ended, and never was
		b.mu.Unlock()
		expect("the other session has ended", ada, true)
		s.poll("?wait=0", hello(s.token("ada", 10*time.Minute)), subscribe(1, events(room)), typing(room, "poll"))
		if f := bob.next(); f.GetSignal().GetKey() != "poll" {
			t.Errorf("a poll beside a session: %v", f)
		}
		ada.close()
		settle()
		ada = s.open("ada", events(room))
		defer ada.close()
		expect("come again, and not known", ada, false)
		dropped := s.metric("signals_dropped_total")
		ada.send(typing(room, "x"))
		if settle(); s.metric("signals_dropped_total") != dropped+1 {
			t.Error("it isn't counted")
		}
	})
}

// TestParting: who hides leaves topics by the same signal as who closes the connection, once, where they have signalled in a way that a client leaves by. That it
// is heeded that they hide is told as soon as that a session has ended.
func TestParting(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		bob := s.open("bob", events(room))
		defer bob.close()
		here := func(left bool) *edgev1.ClientFrame {
			body, _ := proto.Marshal(&testv1.Typing{Active: !left, Left: left})
			return &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Signal{Signal: &edgev1.Signal{Topic: room, Key: "here", Body: body}}}
		}
		expect := func(what, want string) {
			t.Helper()
			settle()
			var got strings.Builder
			for bob.send(ask(1, "Echo", nil)); ; {
				f := bob.next().GetSignal()
				if f == nil {
					break
				}
				m := &testv1.Typing{}
				if err := proto.Unmarshal(f.GetBody(), m); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&got, "%s %s %t ", f.GetFrom(), f.GetKey(), m.GetLeft())
			}
			if strings.TrimSpace(got.String()) != want {
				t.Errorf("%s: %q, want %q", what, got.String(), want)
			}
		}
		hide := func(hides bool) {
			b.hide("ada", hides)
			settle()
		}
		const comes, goes = "ada/session here false", "ada/session here true"
		ada := s.open("ada", events(room))
		settle()
		ada.send(typing(room, "typing"))
		expect("something else is signalled", "ada/session typing false")
		hide(true)
		expect("who hasn't come doesn't leave", "")
		hide(false)
		ada.send(here(false))
		expect("ada comes", comes)
		hide(true)
		expect("ada hides", goes)
		ada.send(here(true), here(false))
		expect("ada is hidden", "")
		hide(true)
		expect("ada hides again", "")
		ada.close()
		expect("ada closes while hidden", "")
		hide(false)
		ada = s.open("ada", events(room))
		settle()
		ada.send(here(false))
		expect("ada is back", comes)
		ada.close()
		expect("ada closes", goes)
		ada = s.open("ada", events(room))
		settle()
		ada.send(here(false))
		expect("ada is back once more", comes)
		ada.send(here(true))
		expect("ada leaves", goes)
		hide(true)
		expect("who has left hides", "")
		hide(false)
		ada.send(here(false))
		expect("ada comes again", comes)
		_ = ada.ws.CloseNow()
		expect("ada is torn off", goes)
		ada = s.open("ada", events(room))
		settle()
		ada.send(here(false))
		expect("ada is there", comes)
		for _, x := range s.g.people.all() {
			if x.from == "ada/session" {
				x.expel(errDraining)
			}
		}
		expect("the gateway ends the session", "")
		b.mu.Lock()
		defer b.mu.Unlock()
		if want := []uint64{2, 2, 2, 4}; !slices.Equal(b.heeded, want) {
			t.Errorf("heeded: %v, want %v", b.heeded, want)
		}
	})
}

// TestHomeElsewhere: what another process than somebody's home tells of them counts for nothing.
func TestHomeElsewhere(t *testing.T) {
	r := newRoster(&Gateway{})
	home, other := &teller{}, &teller{}
	a := &attendance{of: &session{}, number: 1, home: home, showing: &atomic.Int32{}}
	a.of.box.close()
	r.all[1] = a
	for _, step := range []struct {
		by   *teller
		what showing
		want showing
	}{{other, shown, untold}, {home, shown, shown}, {other, hidden, shown}, {home, hidden, hidden}, {other, shown, hidden}} {
		r.learn(step.by, []uint64{1}, step.what)
		if got := showing(a.showing.Load()); got != step.want {
			t.Errorf("told %d by its home: %t; it is %d, want %d", step.what, step.by == home, got, step.want)
		}
	}
}

// TestWhereFrom: a session is told of with its device, its age, and the country that a proxy tells; nobody else is believed in that.
func TestWhereFrom(t *testing.T) {
	change := func(c *Config) { c.Proxies, c.CountryHeader = []string{"10.0.0.0/8"}, "CF-IPCountry" }
	withBookOf(t, change, func(t *testing.T, s *system, b *book) {
		for _, c := range []struct {
			from, want string
			said       []string
		}{
			{"10.1.2.3", "NO", []string{"NO"}}, {"192.0.2.7", "", []string{"NO"}}, {"10.1.2.3", "", nil}, {"10.1.2.3", "", []string{"XX"}}, {"10.1.2.3", "", []string{"T1"}},
			{"10.1.2.3", "", []string{"no"}}, {"10.1.2.3", "", []string{"NOR"}}, {"10.1.2.3", "", []string{"N"}}, {"10.1.2.3", "", []string{"NO", "DE"}}, {"10.1.2.3", "", []string{"ÅL"}},
		} {
			x := s.connectBy(s.httpFrom(c.from), http.Header{"Cf-Ipcountry": c.said, "User-Agent": {"one\xff/2"}})
			x.send(hello(s.token("ada", 10*time.Minute)))
			x.next()
			alive(10*time.Second, x)
			b.cut()
			time.Sleep(time.Second)
			settle()
			b.mu.Lock()
			for _, told := range b.here {
				if told.GetCountry() != c.want || told.GetDevice() != "d-ada" || told.GetAgeS() != 10 || told.GetAgent() != "test/1 one/2" {
					t.Errorf("%q from %s: told %v", c.said, c.from, told)
				}
			}
			if len(b.here) != 1 {
				t.Errorf("%d sessions", len(b.here))
			}
			b.mu.Unlock()
			x.close()
			settle()
		}
	})
	for name, header := range map[string]string{"no proxies": "CF-IPCountry", "no header": "CF IPCountry"} {
		c := DefaultConfig()
		if c.CountryHeader = header; name == "no header" {
			c.Proxies = []string{"10.0.0.0/8"}
		}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "country_header") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
