package docs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic/topictest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// listening is a world that hears people's signals over a real bus.
func listening(tb testing.TB, url string) *world {
	cfg := bus.DefaultConfig()
	cfg.URLs = []string{meshtest.StartNATS(tb).URL}
	b, err := bus.Connect(tb.Context(), cfg, bus.Deps{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	w := peopled(tb, url)
	w.bus = b
	return w
}

// everyEngineListening runs a test on both databases.
func everyEngineListening(t *testing.T, test func(t *testing.T, w *world), change ...func(*Config)) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := listening(t, url)
		w.start(change...)
		test(t, w)
	})
}

// published is what a gateway publishes.
func published(tb testing.TB, document, from string, m *docsv1.Presence) []byte {
	tb.Helper()
	body, err := proto.Marshal(m)
	if err == nil {
		body, err = proto.Marshal(&topicv1.Publication{Signals: []*edgev1.Signal{{Topic: topicDocument + document, Key: awareness.SignalKey, From: from, Body: body}}})
	}
	if err != nil {
		tb.Error(err)
	}
	return body
}

// signal says where somebody is.
func (u *user) signal(document string, m *docsv1.Presence) {
	u.tb.Helper()
	if err := u.bus.Publish(bus.SignalSubject(u.workspace, topicDocument+document), published(u.tb, document, u.id+"/"+u.client, m)); err != nil {
		u.tb.Error(err)
	}
}

func (u *user) point(document string, version uint64, at uint32) {
	u.signal(document, &docsv1.Presence{Version: version, Anchor: at, Head: at})
}

// sight is what somebody sees of who is in a document.
type sight struct {
	tb     testing.TB
	stream interface {
		Recv() (*topicv1.TailResponse, error)
	}
	stop    context.CancelFunc
	entries map[string]*docsv1.Awareness
	at      *edgev1.Cursor
	news    int // keys told, in all
}

// looks looks at who is in a document, from a cursor on.
func (u *user) looks(document string, after *edgev1.Cursor) *sight {
	u.tb.Helper()
	ctx, cancel := context.WithTimeout(rpc.WithToken(context.WithoutCancel(u.tb.Context()), u.token), 30*time.Second)
	u.tb.Cleanup(cancel)
	stream := topictest.Look(u.tb, ctx, u.topics, &topicv1.TailRequest{Topic: topicAwareness + document, After: after})
	return &sight{tb: u.tb, stream: stream, stop: cancel, entries: map[string]*docsv1.Awareness{}}
}

// next takes over one update.
func (s *sight) next() error {
	for {
		res, err := s.stream.Recv()
		if err == nil {
			err = s.apply(res.GetView())
		}
		if err != nil || !res.GetView().GetMore() {
			return err
		}
	}
}

// apply takes over a part of one.
func (s *sight) apply(v *edgev1.View) error {
	if v.GetSnapshot() {
		clear(s.entries)
	}
	for _, e := range v.GetEntries() {
		s.news++
		if e.GetRemoved() {
			delete(s.entries, e.GetKey())
			continue
		}
		m := &docsv1.Awareness{}
		if err := proto.Unmarshal(e.GetBody(), m); err != nil {
			return err
		}
		s.entries[e.GetKey()] = m
	}
	if !v.GetMore() {
		s.at = v.GetAt()
	}
	return nil
}

// until takes updates over until it is as it is to be.
func (s *sight) until(what string, ok func() bool) {
	s.tb.Helper()
	for !ok() {
		if err := s.next(); err != nil {
			s.tb.Fatalf("%s: %v, after %v", what, rpc.FromError(err), s.entries)
		}
	}
}

// ends waits until it is stopped, and returns why.
func (s *sight) ends() error {
	for {
		if err := s.next(); err != nil {
			return err
		}
	}
}

func (s *sight) people() string {
	var all []string
	for key, e := range s.entries {
		if e.GetParticipant() != nil {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (s *sight) of(user string) *docsv1.Participant { return s.entries[user].GetParticipant() }
func (s *sight) overview() *docsv1.Overview         { return s.entries["#"].GetOverview() }

// Who may read a document sees who is in it, where, and what they do, by signals and by what is committed.
func TestWhoIsInADocument(t *testing.T) {
	everyEngineListening(t, func(t *testing.T, w *world) {
		p := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		w.settle()
		ada, bob, cyn := p[0], p[1], p[2]
		doc := ada.create(strings.Repeat("a line.\n", 50))
		ada.share(doc, bob.id, viewer)
		must(ada.submit(doc, 2, at(8, "before anybody looks. ")))(t)
		for _, u := range []*user{ada, bob, cyn} {
			g := must(u.topics.Open(u.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topicAwareness + doc}}}))(t).GetGrants()[0]
			if (g.GetError() == nil) != (u != cyn) || g.GetSignal() {
				t.Errorf("%s is granted %v", u.id, g)
			}
		}
		refused(t, "cyn looks", cyn.looks(doc, nil).ends(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")

		see := bob.looks(doc, nil)
		see.until("a first update", func() bool { return see.overview() != nil })
		if o := see.overview(); len(see.entries) != 1 || o.GetVersion() != 3 || !o.GetPartial() || o.GetPeople() != 0 || o.Score != nil {
			t.Errorf("in the beginning: %v", see.entries)
		}
		ada.point(doc, 3, 30)
		bob.point(doc, 2, 400)
		see.until("both are there", func() bool { return see.people() == "ada bob" })
		if a, b := see.of("ada"), see.of("bob"); a.GetHead() != 30 || a.GetEditingS() != 10 || a.GetEditedMs() == 0 || b.GetHead() != 422 || b.GetEditedMs() != 0 || a.GetStyle() != 0 {
			t.Errorf("ada %v, bob %v", a, b)
		}
		must(ada.submit(doc, 3, at(0, "more\n")))(t)
		ada.signal(doc, &docsv1.Presence{Version: 4, Anchor: 5, Head: 5, Typing: true})
		see.until("ada types", func() bool {
			return see.of("ada").GetTyping() && see.of("bob").GetHead() == 427 && see.overview().GetVersion() == 4 && see.of("ada").GetHead() == 5
		})
		ada.share(doc, cyn.id, editor)
		must(cyn.submit(doc, 5, at(5, "and more\n")))(t)
		cyn.point(doc, 6, 14)
		see.until("they are in each other's way", func() bool { return see.entries["!1"].GetConflict().GetSeverity() == docsv1.Severity_SEVERITY_HIGH })
		if c := see.entries["!1"].GetConflict(); fmt.Sprint(c.GetUsers()) != "[ada cyn]" {
			t.Errorf("%v", c)
		}
		// Who comes back is told what has changed.
		see.stop()
		ada.signal(doc, &docsv1.Presence{Left: true})
		again := bob.looks(doc, see.at)
		again.entries = see.entries
		again.until("ada has left", func() bool { return again.people() == "bob cyn" })
		if again.at.GetEpoch() != see.at.GetEpoch() {
			t.Errorf("from %v to %v", see.at, again.at)
		}
		ada.share(doc, bob.id, docsv1.Role_ROLE_UNSPECIFIED)
		refused(t, "bob may not read it any more", again.ends(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		// Another workspace's are nobody's here.
		stranger := w.somebody("other", "ada", auth.KindPerson)
		refused(t, "somebody else's", stranger.looks(doc, nil).ends(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		refused(t, "no document", ada.looks("", nil).ends(), edgev1.Code_CODE_NOT_FOUND, "docs.TOPIC")
	})
}

// What takes access away without being done to the document stops who looks, too.
func TestWhoLeavesAGroupLooksNoMore(t *testing.T) {
	everyEngineListening(t, func(t *testing.T, w *world) {
		w.group("g", "team", "bob")
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("x")
		eventually(t, "the group is known", func() bool {
			_, err := ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "group/g", Role: viewer})
			return err == nil
		})
		bob.becomes(doc, viewer)
		see := bob.looks(doc, nil)
		see.until("a first update", func() bool { return see.overview() != nil })
		w.regroup("g", nil, []string{"bob"})
		refused(t, "bob has left the group", see.ends(), edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
	})
}

// Styles and the score are there while the workspace has them told, and not before it says so or after it has said otherwise.
func TestTheWorkspaceHasScoresTold(t *testing.T) {
	everyEngineListening(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("x\n")
		see := ada.looks(doc, nil)
		point := func() {
			ada.point(doc, 1, 1)
			bob.point(doc, 1, 1)
		}
		see.until("a first update", func() bool { return see.overview() != nil })
		point()
		see.until("both are there", func() bool { return see.people() == "ada bob" })
		if see.overview().Score != nil || see.of("ada").GetStyle() != 0 {
			t.Errorf("told without being asked for: %v", see.entries)
		}
		for i, on := range []bool{true, false, true} {
			begun := time.Now()
			w.scores("w", on, uint64(i+1))
			see.until(fmt.Sprint("scores: ", on), func() bool {
				return (see.overview().Score != nil) == on && (see.of("ada").GetStyle() != 0) == on && (see.of("bob").GetStyle() != 0) == on
			})
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("told %v after %v", on, took)
			}
		}
		w.identity.anew()
		see.until("what identity has told is forgotten", func() bool { return see.overview().Score == nil })
	})
}

// scores has a workspace say whether it has scores told.
func (w *world) scores(workspace string, on bool, version uint64) {
	w.tells(workspace, &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_WorkspaceChanged{WorkspaceChanged: &identityv1.WorkspaceChanged{
		Workspace: &identityv1.Workspace{Id: workspace, CollaborationScore: on, Version: version},
	}}})
}

// Another process becomes the owner: who looks is told to come back, is refused nothing, and sees the same people there.
func TestLookingFollowsTheOwner(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := listening(t, url).several("a", "b")
		ada := ws[0].person("ada")
		doc := ada.create("text\n")
		must(ada.insistFor(doc, 1, "1", 100))(t)
		owner, other := ws[0], ws[1]
		if len(owner.server.sessions()) == 0 {
			owner, other = other, owner
		}
		refused(t, "at another process", ada.at(other).looks(doc, nil).ends(), edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY")
		see := ada.at(owner).looks(doc, nil)
		see.until("a first update", func() bool { return see.overview() != nil })
		ada.point(doc, 2, 3)
		see.until("ada is there", func() bool { return see.people() == "ada" })
		owner.others.leave(owner) // it is drained
		refused(t, "the document moves", see.ends(), edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY")
		for {
			next := ada.at(other).looks(doc, see.at)
			err := next.next()
			if rpc.CodeOf(err) == edgev1.Code_CODE_UNAVAILABLE {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if next.at.GetEpoch() == see.at.GetEpoch() || !next.overview().GetPartial() || next.people() != "" {
				t.Errorf("%v at %v, after %v", next.entries, next.at, see.at)
			}
			ada.point(doc, 2, 3)
			next.until("ada is there", func() bool { return next.people() == "ada" && next.of("ada").GetEditingS() == 10 })
			break
		}
	})
}

func (a *looks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// A document stays open while somebody looks, and is watched a little longer than that, not for ever; where too much happens it begins anew.
func TestLookingKeepsADocumentOpen(t *testing.T) {
	w := listening(t, meshtest.SQLite(t))
	w.start(func(c *Config) { c.Idle = time.Second })
	ada := w.person("ada")
	doc := ada.create("text\n")
	see := ada.looks(doc, nil)
	see.until("a first update", func() bool { return see.overview() != nil })
	x, begun := w.server.sessions()[0], time.Now()
	eventually(t, "it counts as used, though nothing is told", func() bool {
		var used time.Time
		if err := x.once(t.Context(), func() error { used = x.used; return nil }); err != nil {
			t.Fatal(err)
		}
		return used.Sub(begun) > time.Second/2
	})
	var watch *watched
	if err := x.once(t.Context(), func() error { watch = x.watched; return nil }); err != nil || watch == nil {
		t.Fatalf("the session has ended, or isn't watched: %v", err)
	}
	x.tell(func() { x.unwatch(watch) })
	refused(t, "too much has happened", see.ends(), edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY")
	see = ada.looks(doc, see.at)
	see.until("it begins anew", func() bool { return see.overview() != nil })
	see.stop()
	<-x.gone // it is idle
	eventually(t, "nothing is watched", func() bool { return w.server.watching.Load() == 0 && w.server.looking.count() == 0 })
}

// line is a bus that is there or not.
type line struct {
	Bus
	down atomic.Bool
}

func (l *line) Connected() bool { return !l.down.Load() }

// watching is a document that is watched without a session, in a bubble of its own.
type watching struct {
	*watched
	t    *testing.T
	wire *line
}

func newWatching(t *testing.T) *watching {
	wire := &line{}
	content := must(ot.NewDocument(must(ot.Parse([]byte(`{"ops":[{"insert":"one\ntwo\nthree\n"}]}`), ot.DefaultLimits()))(t), ot.DefaultLimits(), nil))(t)
	s := &Server{bus: wire, metrics: newMetrics(nil), logger: slog.New(slog.DiscardHandler), working: t.Context()}
	s.scores.of = map[string]scored{"w": {on: true, asked: time.Now().Add(24 * time.Hour)}}
	w := newWatched(&session{sessionID: sessionID{docKey{"w", "d"}, 1}, s: s, ended: make(chan struct{}), adrift: make(chan struct{})}, content)
	w.state = awareness.New(1)
	return &watching{w, t, wire}
}

func (w *watching) say(user string, m *docsv1.Presence) {
	w.signals <- bus.Message{Data: published(w.t, "d", user+"/s", m)}
}

// bystander is somebody who looks, and notes when they are told what.
type bystander struct {
	*sight
	*looker
	mu   sync.Mutex // guards told, and the sight
	told []string
	stop func()
}

func (w *watching) looks(user string, after *edgev1.Cursor, from time.Time) *bystander {
	b := &bystander{sight: &sight{tb: w.t, entries: map[string]*docsv1.Awareness{}}}
	b.looker = w.enter(user, after, from)
	over := make(chan struct{})
	b.stop = sync.OnceFunc(func() {
		close(over)
		synctest.Wait()
		w.leave(b.looker, time.Now())
	})
	go func() {
		for first := true; ; first = false {
			select {
			case <-b.kick:
			case <-over:
				return
			}
			if u := w.update(b.looker, first); u != nil {
				b.mu.Lock()
				b.told = append(b.told, fmt.Sprintf("%v %x", time.Now(), must(proto.MarshalOptions{Deterministic: true}.Marshal(u))(w.t)))
				if err := b.apply(u); err != nil {
					w.t.Error(err)
				}
				b.mu.Unlock()
			}
		}
	}()
	return b
}

// What is told changes with the time alone: who falls silent is gone, and the view is partial for half a minute after somebody has begun to look, or the bus was away.
func TestWhoFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t)
		go w.keep()
		defer close(w.over)
		see := w.looks("viewer", nil, time.Now().Add(firstWait))
		defer see.stop()
		after := func(wait time.Duration, people string, partial bool) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			see.mu.Lock()
			defer see.mu.Unlock()
			if see.people() != people || see.overview().GetPartial() != partial {
				t.Errorf("%v", see.entries)
			}
		}
		time.Sleep(time.Until(firstTick("d", time.Now().Add(firstWait)))) // they begin
		after(time.Millisecond, "", true)
		w.say("ada", &docsv1.Presence{Version: 1})
		w.say("bob", &docsv1.Presence{Version: 1})
		after(time.Second, "ada bob", true)
		after(29*time.Second, "ada bob", false)
		w.say("bob", &docsv1.Presence{Version: 1})
		after(44*time.Second, "ada bob", false)
		after(2*time.Second, "bob", false)
		w.say("bob", &docsv1.Presence{Left: true})
		after(time.Second, "", false)
		w.wire.down.Store(true)
		after(time.Second, "", true)
		w.wire.down.Store(false)
		after(28*time.Second, "", true)
		after(3*time.Second, "", false)
		for i := range 2 * maxSignals { // too many in a second
			w.say(fmt.Sprint("u", i), &docsv1.Presence{Left: true})
			synctest.Wait()
		}
		w.say("cyn", &docsv1.Presence{Version: 1})
		after(time.Second, "", false)
		w.say("cyn", &docsv1.Presence{Version: 1})
		after(time.Second, "cyn", false)
		for range 2 * maxSignals { // too many of one, which keep nobody else out
			w.say("cyn", &docsv1.Presence{Version: 1, Typing: true})
			synctest.Wait()
		}
		w.say("dan", &docsv1.Presence{Version: 1})
		after(time.Second, "cyn dan", false)
		if n := testutil.ToFloat64(w.s.metrics.unheard); n != 3*maxSignals-maxSignalsOf+1 {
			t.Errorf("%v signals were dropped", n)
		}
	})
}
