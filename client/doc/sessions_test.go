package doc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/internal/journal"
	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// step is one thing that happens to one of the clients of a session, and how that client stands then. web/sdk/test/sessions.ts has the same.
type step struct {
	Client int    `json:"client"`
	Do     string `json:"do"`
	Now    int64  `json:"now"` // Unix milliseconds

	ClientID string     `json:"clientId,omitempty"` // open: whose numbers count
	Delta    string     `json:"delta,omitempty"`    // edit; read: the content
	Epoch    uint64     `json:"epoch,omitempty"`    // read, answer
	Version  uint64     `json:"version,omitempty"`  // likewise; answer docs.BASE_TOO_OLD: the newest
	Seq      uint64     `json:"seq,omitempty"`      // answer
	Code     int32      `json:"code,omitempty"`     // answer, stopped
	Reason   string     `json:"reason,omitempty"`   // likewise
	Events   []happened `json:"events,omitempty"`   // events
	From     string     `json:"from,omitempty"`     // signal
	Place    *placed    `json:"place,omitempty"`    // signal
	Anchor   int        `json:"anchor,omitempty"`   // point
	Head     int        `json:"head,omitempty"`     // point
	ID       uint64     `json:"id,omitempty"`       // forget

	Fails   *failure `json:"fails,omitempty"` // edit: the engine's error
	None    bool     `json:"none,omitempty"`  // undo, redo: there is nothing
	Call    *called  `json:"call,omitempty"`  // send
	Tells   *placed  `json:"tells,omitempty"` // point
	Changes []shown  `json:"changes,omitempty"`
	Stands  stands   `json:"stands"`
}

// happened is an event.
type happened struct {
	Version  uint64 `json:"version"`
	Mutation string `json:"mutation"`
	Actor    string `json:"actor"`
	Delta    string `json:"delta"` // "": it is no edit, or was deleted for ever
}

// placed is where a cursor is, at a version.
type placed struct {
	Version uint64 `json:"version"`
	Anchor  int    `json:"anchor"`
	Head    int    `json:"head"`
	Typing  bool   `json:"typing"`
	Left    bool   `json:"left"`
}

// called is an edit as it is sent.
type called struct {
	Seq   uint64 `json:"seq"`
	Epoch uint64 `json:"epoch"`
	Base  uint64 `json:"base"`
	Delta string `json:"delta"`
}

// shown is how what is shown has changed.
type shown struct {
	Delta   string `json:"delta"`
	Version uint64 `json:"version"`
	Actor   string `json:"actor"`
}

// stands is how a client stands. Hashes have 16 digits of theirs.
type stands struct {
	Epoch    uint64     `json:"epoch"`
	Version  uint64     `json:"version"`
	Content  string     `json:"content"`
	Shown    string     `json:"shown"`
	Sent     *sentThere `json:"sent,omitempty"`
	Buffer   string     `json:"buffer,omitempty"`
	Undo     int        `json:"undo,omitempty"`
	Redo     int        `json:"redo,omitempty"`
	Steps    string     `json:"steps,omitempty"` // hash of the steps of both, and of what is to be taken into them
	Refused  []string   `json:"refused,omitempty"`
	Rejected string     `json:"rejected,omitempty"`
	Stale    bool       `json:"stale,omitempty"`
	Pointed  [2]int     `json:"pointed"`
	Cursors  []there    `json:"cursors,omitempty"`
}

type sentThere struct {
	Seq      uint64 `json:"seq"`
	Base     uint64 `json:"base"`
	Delta    string `json:"delta"`
	Answered uint64 `json:"answered"`
}

type there struct {
	From   string `json:"from"`
	Anchor int    `json:"anchor"`
	Head   int    `json:"head"`
	Typing bool   `json:"typing"`
}

// player plays the steps of one client.
type player struct {
	*talk
	t       *testing.T
	cfg     Config
	dir     string
	now     time.Time
	id      string // of the client
	changes []shown
}

func newPlayer(t *testing.T) *player {
	p := &player{t: t, dir: t.TempDir()}
	p.cfg = Config{Document: "d", File: filepath.Join(p.dir, "d"), Now: func() time.Time { return p.now }, OnChange: func(c Change) {
		p.changes = append(p.changes, shown{c.Delta.JSON(), c.Version, c.Actor})
	}}
	t.Cleanup(func() {
		if p.talk != nil {
			_ = p.file.Close()
		}
	})
	return p
}

// open begins anew with what the file has, as a process does after it was killed.
func (p *player) open(id string) {
	if p.talk != nil {
		_ = p.file.Close()
	}
	if p.id != id {
		p.cfg.Client, p.id = named(p.t, filepath.Join(p.dir, id), id), id
	}
	document, err := Open(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.talk = &talk{Document: document, ctx: context.Background(), answers: make(chan reply, 1), giveUp: func() {}}
}

// named is a client that never runs, of an id, whose numbers begin with 1.
func named(t *testing.T, file, id string) *client.Client {
	t.Helper()
	j, err := journal.Open(file, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Append(append([]byte{1}, id...)), j.Close()); err != nil { // 1: the record of an outbox that holds its client_id
		t.Fatal(err)
	}
	outbox, err := client.OpenOutbox(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = outbox.Close() })
	if outbox.ClientID() != id {
		t.Fatal(outbox.ClientID())
	}
	c, err := client.New(client.Config{Server: "http://plenum.test", Tokens: noToken{}, Outbox: outbox})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play has a step happen, and fills in what comes of it.
func (p *player) play(s *step) {
	p.t.Helper()
	s.Fails, s.None, s.Call, s.Tells, s.Changes, s.Stands = nil, false, nil, nil, nil, stands{}
	p.changes, p.now = nil, time.UnixMilli(s.Now)
	if err := p.do(s); err != nil {
		p.t.Fatalf("%s: %v", mustJSON(s), err)
	}
	s.Changes = p.changes
	p.stands(&s.Stands)
}

func (p *player) do(s *step) error {
	switch s.Do {
	case "open":
		p.open(s.ClientID)
	case "read":
		p.stale = false
		content, err := ot.Parse([]byte(s.Delta), ot.Unlimited())
		if err != nil {
			return err
		}
		return p.renew(must(ot.NewDocument(content, ot.Unlimited(), nil)), &edgev1.Cursor{Epoch: s.Epoch, Offset: s.Version})
	case "edit":
		err := p.Edit(func(*ot.Document) (ot.Delta, error) { return ot.Parse([]byte(s.Delta), ot.Unlimited()) })
		if e, ok := errors.AsType[*ot.Error](err); ok {
			s.Fails, err = &failure{e.Kind, e.Op}, nil
		}
		return err
	case "undo":
		did, err := p.Undo()
		s.None = !did
		return err
	case "redo":
		did, err := p.Redo()
		s.None = !did
		return err
	case "send":
		p.pause = time.Time{}
		q, err := p.next()
		if q == nil || err != nil {
			return err
		}
		var body docsv1.SubmitRequest
		if err := proto.Unmarshal(q.Body, &body); err != nil {
			return err
		}
		s.Call = &called{q.Seq, body.GetEpoch(), body.GetBase(), body.GetDelta()}
	case "answer":
		return p.answered(s)
	case "events":
		var events []*edgev1.Event
		for _, e := range s.Events {
			events = append(events, e.event())
		}
		return p.update(client.Update{Events: events})
	case "signal":
		body := &docsv1.Presence{Version: s.Place.Version, Anchor: uint32(s.Place.Anchor), Head: uint32(s.Place.Head), Typing: s.Place.Typing, Left: s.Place.Left}
		return p.update(client.Update{Signal: &edgev1.Signal{Key: presenceKey, From: s.From, Body: must(proto.Marshal(body))}})
	case "reset":
		return p.update(client.Update{Reset: &client.Reset{}})
	case "stopped":
		p.over = &client.Error{Code: edgev1.Code(s.Code), Reason: s.Reason, Message: s.Reason}
		_ = p.leave()
	case "forget":
		return p.Forget(s.ID)
	case "point":
		p.Point(s.Anchor, s.Head)
		at := p.tell(s.Anchor, s.Head)
		s.Tells = &placed{at.GetVersion(), int(at.GetAnchor()), int(at.GetHead()), p.now.Sub(p.typedAt) < typingFor, false}
	default:
		return errors.New("no such step")
	}
	return nil
}

func (p *player) answered(s *step) error {
	if s.Reason == "docs.BASE_TOO_OLD" { // it asks for the newest version, and there is no connection here
		if p.sent == nil || p.sent.seq != s.Seq {
			return nil
		}
		p.behind = s.Version
		return p.waitAgain()
	}
	r := reply{seq: s.Seq, body: must(proto.Marshal(&docsv1.SubmitResponse{Epoch: s.Epoch, Version: s.Version}))}
	if s.Code != 0 {
		r.err = &client.Error{Code: edgev1.Code(s.Code), Reason: s.Reason, Message: s.Reason}
	}
	return p.answer(r)
}

func (e happened) event() *edgev1.Event {
	mutation := must(strconv.ParseUint(e.Mutation, 10, 64))
	body := &docsv1.DocumentEvent{Actor: e.Actor, Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: e.Delta}}}
	switch {
	case e.Delta == "" && e.Actor == "":
		return &edgev1.Event{Offset: e.Version, Mutation: mutation}
	case e.Delta == "":
		body.Event = &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: "U"}}
	}
	return &edgev1.Event{Offset: e.Version, Mutation: mutation, Body: must(proto.Marshal(body))}
}

func (p *player) stands(s *stands) {
	s.Epoch, s.Version = p.epoch, p.version
	s.Pointed = [2]int{p.anchor, p.head}
	if p.rejected != nil {
		s.Rejected = p.rejected.(*client.Error).Reason //nolint:errorlint // reject puts no other there
	}
	s.Stale = p.stale
	for _, r := range p.refused {
		s.Refused = append(s.Refused, fmt.Sprintf("%d %d/%d %s %s %v", r.ID, r.Epoch, r.Version, r.Cause.Reason, r.Delta.JSON(), r.mutation))
	}
	if p.version == 0 {
		return
	}
	s.Content, s.Shown = brief(p.content.Hash()), brief(p.shown.Hash())
	if q := p.sent; q != nil {
		s.Sent = &sentThere{q.seq, q.base, q.delta.JSON(), q.answered}
	}
	if p.buffer.Count() > 0 {
		s.Buffer = p.buffer.JSON()
	}
	h := &p.history
	s.Undo, s.Redo = len(h.undo), len(h.redo)
	if s.Undo+s.Redo > 0 {
		var text strings.Builder
		text.WriteString(h.since.JSON())
		for _, d := range append(h.undo[:s.Undo:s.Undo], h.redo...) {
			text.WriteString(d.JSON())
		}
		s.Steps = brief(sha256.Sum256([]byte(text.String())))
	}
	for _, c := range p.cursors(p.now) {
		s.Cursors = append(s.Cursors, there{c.From, c.Anchor, c.Head, c.Typing})
	}
}

func brief(hash [sha256.Size]byte) string { return hex.EncodeToString(hash[:8]) }

// Sessions are what they were recorded to be for the TypeScript client.
func TestRecordedSessions(t *testing.T) {
	rounds := *recordingRounds
	if rounds == 0 {
		rounds = 8
	}
	for i := range rounds {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			recorded(t, fmt.Sprintf("sessions/session-%02d.json", i), session(t, rand.New(rand.NewPCG(*recordingSeed, uint64(100+i)))))
		})
	}
}

// The TypeScript client's sessions come to the same here, step by step.
func TestTypescriptSessions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(*recordingsFrom, "session-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("there are none", err)
	}
	count := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var steps []step
			recording(t, filepath.Base(file), &steps)
			players := map[int]*player{}
			for i, s := range steps {
				if players[s.Client] == nil {
					players[s.Client] = newPlayer(t)
				}
				want := mustJSON(s)
				players[s.Client].play(&s)
				if got := mustJSON(s); got != want {
					t.Fatalf("step %d: recorded is\n%s\nhere it is\n%s", i+1, want, got)
				}
				count++
			}
		})
	}
	t.Logf("%d steps agree", count)
}

// recorder makes a session up.
type recorder struct {
	t     *testing.T
	r     *rand.Rand
	mix   ottest.Mix
	owner *owner
	now   int64
	crew  []*member
	steps []step
}

// member is a client of the session, with its network.
type member struct {
	*player
	n   int
	ids int     // how many client_ids it has had
	out *called // sent, and not answered
}

// session makes up a session of some clients, all of which end with what the owner has.
func session(t *testing.T, r *rand.Rand) []step {
	v := &recorder{t: t, r: r, owner: newOwner("the 😀 beginning\n"), now: 1_000_000_000_000}
	v.mix = ottest.Mix{Unicode: true, Attributes: r.IntN(4) > 0, Nested: r.IntN(2) == 0, Nulls: true, Embeds: r.IntN(4) > 0}
	for n := range 1 + r.IntN(3) {
		m := &member{player: newPlayer(t), n: n}
		v.crew = append(v.crew, m)
		v.restart(m)
		v.read(m)
	}
	for range 80 {
		v.now += int64(r.IntN(700))
		v.act(v.crew[r.IntN(len(v.crew))])
	}
	for range 3 {
		for _, m := range v.crew {
			v.drain(m)
		}
	}
	for _, m := range v.crew {
		if m.shown.Hash() != v.owner.hash() {
			t.Fatalf("client %d shows %q, the owner has %q", m.n, text(m.shown), text(v.owner.content))
		}
	}
	return v.steps
}

func (v *recorder) step(m *member, s step) step {
	v.t.Helper()
	s.Client, s.Now = m.n, v.now
	m.play(&s)
	v.steps = append(v.steps, s)
	return s
}

func (v *recorder) act(m *member) {
	switch n := v.r.IntN(100); {
	case n < 25:
		v.typeText(m)
	case n < 38:
		v.step(m, step{Do: "edit", Delta: v.mix.Change(v.r, m.shown.Delta(), 1+v.r.IntN(3)).JSON()})
	case n < 40:
		v.step(m, step{Do: "edit", Delta: shifted(v.r, v.mix.Change(v.r, m.shown.Delta(), 2))})
	case n < 47:
		v.step(m, step{Do: "undo"})
	case n < 51:
		v.step(m, step{Do: "redo"})
	case n < 63:
		v.send(m)
	case n < 71:
		v.arrive(m, v.r.IntN(4) > 0, "")
	case n < 82:
		v.follow(m, 1+v.r.IntN(4))
	case n < 87:
		v.point(m)
	case n < 90:
		v.restart(m)
	default:
		v.mishap(m, n)
	}
}

// mishap is what seldom happens.
func (v *recorder) mishap(m *member, n int) {
	o := v.owner
	switch n {
	case 90:
		if v.r.IntN(3) == 0 {
			m.ids++ // the outbox is lost
		}
		v.restart(m)
	case 91:
		o.floor = o.version() - uint64(v.r.IntN(3))
	case 92:
		o.rewrite(max(2, o.version()-uint64(v.r.IntN(3))))
		o.floor = 0
	case 93:
		v.arrive(m, true, []string{"docs.FORBIDDEN", "docs.TOO_LARGE", "docs.TRASHED", "docs.DOCUMENT", "docs.DELTA", "docs.FUTURE", "docs.BASE_TOO_OLD"}[v.r.IntN(7)])
	case 94:
		o.mu.Lock()
		o.append("eve", 0, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Renamed{Renamed: &docsv1.Renamed{Title: "U"}}}, ot.Delta{})
		o.mu.Unlock()
	case 95: // a comment that was deleted for ever
		o.mu.Lock()
		o.append("", 0, &docsv1.DocumentEvent{}, ot.Delta{})
		o.log[len(o.log)-1].Body = nil
		o.mu.Unlock()
	case 96:
		v.now += int64(v.r.IntN(40)) * 86_400_000
	case 97:
		if len(m.refused) > 0 {
			v.step(m, step{Do: "forget", ID: m.refused[0].ID})
		}
	case 98:
		v.step(m, step{Do: "stopped", Code: []int32{340, 341, 101, 300}[v.r.IntN(4)], Reason: "edge.REVOKED"})
		v.restart(m)
	case 99: // others type much
		for range 1 + v.r.IntN(4) {
			edit := v.mix.Change(v.r, o.content.Delta(), 1+v.r.IntN(3))
			o.mu.Lock()
			o.append("eve", uint64(v.r.Int64N(1<<62)), &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: edit.JSON()}}}, edit)
			o.mu.Unlock()
		}
	}
}

func (v *recorder) restart(m *member) {
	m.out = nil
	v.step(m, step{Do: "open", ClientID: fmt.Sprintf("client%d-%d", m.n, m.ids)})
}

func (v *recorder) read(m *member) {
	p := v.owner.read(&docsv1.ReadDocumentRequest{})
	v.step(m, step{Do: "read", Delta: p.GetDelta(), Epoch: p.GetEpoch(), Version: p.GetVersion()})
}

// typeText types a few characters one after the other.
func (v *recorder) typeText(m *member) {
	at := v.r.IntN(m.shown.Len() + 1)
	if m.shown.Cuts(at) {
		at++
	}
	for range 1 + v.r.IntN(3) {
		text := v.mix.Text(v.r)
		v.step(m, step{Do: "edit", Delta: insert(at, text).JSON()})
		at += insert(0, text).Length()
		v.now += int64(v.r.IntN(500))
	}
}

// send has something under way, or the same again, or reads anew where that is due.
func (v *recorder) send(m *member) {
	if m.stale && (m.sent == nil || m.sent.answered != 0) {
		v.read(m)
		return
	}
	if s := v.step(m, step{Do: "send"}); s.Call != nil {
		m.out = s.Call
	}
}

// arrive has what was sent come to the owner; its answer comes back, or not.
func (v *recorder) arrive(m *member, answered bool, refusal string) {
	q := m.out
	if q == nil {
		return
	}
	codes := map[string]edgev1.Code{"docs.FORBIDDEN": 102, "docs.TOO_LARGE": 104, "docs.TRASHED": 103, "docs.DOCUMENT": 101, "docs.DELTA": 100, "docs.FUTURE": 100, "docs.BASE_TOO_OLD": 103}
	if refusal != "" {
		v.owner.refuse = refused(codes[refusal], refusal)
	}
	body := must(proto.Marshal(&docsv1.SubmitRequest{Document: "d", Epoch: q.Epoch, Base: q.Base, Delta: q.Delta}))
	res, e := v.owner.submit(fmt.Sprint("p", m.n), m.id, q.Seq, body)
	v.owner.refuse = nil
	if !answered {
		return
	}
	m.out = nil
	s := step{Do: "answer", Seq: q.Seq, Epoch: res.GetEpoch(), Version: res.GetVersion(), Code: int32(e.GetCode()), Reason: e.GetReason()}
	if s.Reason == "docs.BASE_TOO_OLD" {
		s.Version = v.owner.version()
	}
	v.step(m, s)
}

// follow takes the next events, or learns that they can't be had.
func (v *recorder) follow(m *member, n int) {
	if m.stale {
		return
	}
	o := v.owner
	if m.epoch != o.epoch || m.version < o.floor || m.version > o.version() {
		v.step(m, step{Do: "reset"})
		return
	}
	s := step{Do: "events"}
	from := m.version - min(m.version, uint64(v.r.IntN(2))) // now and then one again
	for _, e := range o.log[from:min(int(from)+n, len(o.log))] {
		c, err := parse(e)
		if err != nil {
			v.t.Fatal(err)
		}
		h := happened{Version: c.version, Mutation: strconv.FormatUint(c.mutation, 10), Actor: c.actor}
		if c.edit.Count() > 0 {
			h.Delta = c.edit.JSON()
		}
		s.Events = append(s.Events, h)
	}
	if len(s.Events) > 0 {
		v.step(m, s)
	}
}

// point moves the user's cursor, and tells it to one of the others.
func (v *recorder) point(m *member) {
	s := v.step(m, step{Do: "point", Anchor: v.r.IntN(m.shown.Len() + 1), Head: v.r.IntN(m.shown.Len() + 1)})
	other := v.crew[v.r.IntN(len(v.crew))]
	if other == m {
		return
	}
	at := *s.Tells
	at.Left = v.r.IntN(8) == 0
	v.step(other, step{Do: "signal", From: fmt.Sprintf("p%d/s%d", m.n, v.r.IntN(2)), Place: &at})
}

func (v *recorder) drain(m *member) {
	v.owner.floor = 0
	for range 100 {
		v.send(m)
		v.arrive(m, true, "")
		v.follow(m, 1000)
		if m.version == v.owner.version() && m.epoch == v.owner.epoch && !m.stale && !m.pending() {
			return
		}
	}
	v.t.Fatalf("client %d does not come to rest: %+v", m.n, m.Status())
}
