package crowd

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/doc/group"
	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const firstVersion = 7

// desk is a document with two editors in a crowd, and the server that they would talk to.
type desk struct {
	*Crowd
	t      *testing.T
	server *group.Text
	a, b   *Editor
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	texts := make([]*group.Text, 2)
	for i := range texts {
		var err error
		if texts[i], err = group.NewText(firstVersion, group.Beginning(1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	c := New(Config{})
	c.Measure()
	d := &Document{ID: "d", Epoch: 1, Text: texts[0]}
	return &desk{c, t, texts[1], c.AddEditor(&account.Account{}, d, 1, false), c.AddEditor(&account.Account{}, d, 2, false)}
}

// commit has the server take what an editor has under way.
func (d *desk) commit(by *Editor) edge.Event {
	d.t.Helper()
	s := by.m.unacked[len(by.m.unacked)-1]
	q := s.body.(*docsv1.SubmitRequest)
	delta, err := d.server.Follow(q.GetBase(), q.GetDelta())
	if err != nil {
		d.t.Fatal(err)
	}
	body := d.body(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta}}})
	version, _, _, _ := d.server.Content()
	e := edge.Event{Offset: version + 1, Mutation: client.Mutation(by.m.clientID, s.seq), Body: body}
	if err := d.server.Take(e.Offset, e.Mutation, e.Body); err != nil {
		d.t.Fatal(err)
	}
	return e
}

func (d *desk) body(m proto.Message) []byte {
	d.t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	return data
}

// answer is the reply to what an editor has under way, or had.
func (d *desk) answer(to *Editor, s *send, version uint64) {
	d.t.Helper()
	to.m.calls[1] = s
	to.m.replied(&edgev1.Reply{Id: 1, Result: &edgev1.Reply_Body{Body: d.body(&docsv1.SubmitResponse{Version: version, Epoch: 1})}})
}

func (d *desk) tell(to *Editor, e edge.Event) { to.m.Event([]byte("docs.document/d"), e) }

func (d *desk) counts(what string, acked, seen int64, diverged uint64) {
	d.t.Helper()
	if a, s, n := d.Ack.Total().TotalCount(), d.Deliver.Total().TotalCount(), d.Counts.Diverged.Load(); a != acked || s != seen || n != diverged {
		d.t.Errorf("%s: %d edits are acknowledged, %d seen, %d editors diverged; want %d, %d, %d: %v", what, a, s, n, acked, seen, diverged, d.Refusals())
	}
}

// One edit is under way at a time; what is typed meanwhile follows it, as one. Each is acknowledged once, by its answer or its event, whichever is
// first, and seen by the others.
func TestEditor(t *testing.T) {
	d := newDesk(t)
	for range 3 {
		d.a.Type(time.Now())
	}
	if n := len(d.a.m.unacked); n != 1 || d.a.m.Unacked() != 3 || d.settled() {
		t.Fatalf("%d are under way, %d have no answer", n, d.a.m.Unacked())
	}
	first := d.commit(d.a)
	s := d.a.m.unacked[0]
	d.answer(d.a, s, first.Offset)
	d.counts("answered", 1, 0, 0)
	if n := len(d.a.m.unacked); n != 0 {
		t.Error("the next is sent before the event of the one before has come")
	}
	d.tell(d.a, first)
	d.counts("and told", 1, 0, 0)
	if n := len(d.a.m.unacked); n != 1 || d.a.m.Unacked() != 2 {
		t.Fatalf("%d are under way, %d have no answer", n, d.a.m.Unacked())
	}
	d.b.Type(time.Now())
	second := d.commit(d.b)
	d.tell(d.b, first)
	d.counts("told to the other", 1, 1, 0)
	d.tell(d.b, second)
	d.counts("told before it is answered", 2, 1, 0)
	d.answer(d.b, d.b.m.calls[1], second.Offset)
	third := d.commit(d.a)
	for _, e := range []edge.Event{second, third} {
		d.tell(d.a, e)
	}
	d.tell(d.b, third)
	d.counts("in the end", 4, 4, 0)
	if d.Offered.Load() != 4 || d.Answered.Load() != 4 || d.a.m.Unacked()+d.b.m.Unacked() != 0 {
		t.Errorf("%d were due, %d took place", d.Offered.Load(), d.Answered.Load())
	}
	version, _, _, hash := d.server.Content()
	for _, ed := range []*Editor{d.a, d.b} {
		ed.Compare(version, hash[:])
	}
	d.counts("compared", 4, 4, 0)
	if acked := d.Acked.Read()["docs.document/d"]; acked != third.Offset {
		t.Errorf("%d is acknowledged", acked)
	}
	d.Leave(d.Acked.Read())
	if f := d.Counts.Read(); !f.Clean() || f.Events != 6 {
		t.Errorf("%+v", f)
	}
}

// What a server can do wrong is found, once for each editor to whom it is done.
func TestDiverged(t *testing.T) {
	for name, fault := range map[string]func(d *desk){
		"another edit than was sent": func(d *desk) {
			d.a.Type(time.Now())
			e := d.commit(d.a)
			e.Body = d.body(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: `{"ops":[{"insert":"no"}]}`}}})
			d.tell(d.a, e)
		},
		"another edit than others were told": func(d *desk) {
			d.a.Type(time.Now())
			e := d.commit(d.a)
			d.tell(d.a, e)
			e.Body = d.body(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: `{"ops":[{"insert":"no"}]}`}}})
			d.tell(d.b, e)
		},
		"answered with a later version": func(d *desk) {
			for range 2 { // the second waits, and for good
				d.a.Type(time.Now())
			}
			e := d.commit(d.a)
			d.answer(d.a, d.a.m.unacked[0], e.Offset+1)
			d.tell(d.a, e)
			if len(d.a.m.unacked) > 0 {
				d.t.Error("an edit of something that isn't the document is sent")
			}
		},
		"answered with another version behind its event": func(d *desk) {
			d.a.Type(time.Now())
			e := d.commit(d.a)
			s := d.a.m.unacked[0]
			d.tell(d.a, e)
			d.answer(d.a, s, e.Offset+1)
		},
		"its event is somebody else's": func(d *desk) {
			d.a.Type(time.Now())
			e := d.commit(d.a)
			e.Mutation++
			d.tell(d.a, e)
			d.answer(d.a, d.a.m.unacked[0], e.Offset)
		},
		"passed over": func(d *desk) {
			for range 2 {
				d.a.Type(time.Now())
				e := d.commit(d.a)
				d.tell(d.a, e)
				if e.Offset > firstVersion+1 {
					d.tell(d.b, e)
				}
			}
		},
		"in the end": func(d *desk) {
			_, _, _, hash := d.server.Content()
			hash[0]++
			d.a.Compare(firstVersion, hash[:])
		},
		"in the end, an older version": func(d *desk) {
			_, _, _, hash := d.server.Content()
			d.a.Compare(firstVersion+1, hash[:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			fault(d)
			if n := d.Counts.Diverged.Load(); n != 1 || d.Counts.Read().Clean() {
				t.Errorf("%d diverged: %v", n, d.Refusals())
			}
			for _, ed := range []*Editor{d.a, d.b} {
				ed.Type(time.Now()) // who has lost the document takes no part any more
			}
			if n := d.Unsent.Load(); n != 1 {
				t.Errorf("%d could not type", n)
			}
		})
	}
	d := newDesk(t)
	d.a.Type(time.Now())
	e := d.commit(d.a)
	d.tell(d.a, e)
	e.Offset++
	d.tell(d.a, e)
	if f := d.Counts.Read(); f.Doubled != 1 || f.Diverged != 0 {
		t.Errorf("an edit that stands twice: %+v", f)
	}
}

// Edits that wait are charged as if they were answered now, and there is room for so many.
func TestEditorsWait(t *testing.T) {
	d := newDesk(t)
	due := time.Now().Add(time.Millisecond)
	for range maxUnacked + 3 { // one is under way, the last two find no room
		d.a.Type(due)
	}
	if n := d.Unsent.Load(); n != 2 {
		t.Errorf("%d found no room", n)
	}
	d.Charge(due.Add(3 * time.Second))
	if h := d.Ack.Total(); h.TotalCount() != maxUnacked+3 || h.ValueAtQuantile(50) < 2_900_000 {
		t.Errorf("%d, half of them within %d us", h.TotalCount(), h.ValueAtQuantile(50))
	}
}

// An edit that the server refuses for good is told, and nothing more is sent.
func TestRefusedEdit(t *testing.T) {
	d := newDesk(t)
	d.a.Type(time.Now())
	d.a.m.calls[1] = d.a.m.unacked[0]
	d.a.m.replied(&edgev1.Reply{Id: 1, Result: &edgev1.Reply_Error{Error: &edgev1.Error{Code: edgev1.Code_CODE_PERMISSION_DENIED, Reason: "docs.FORBIDDEN"}}})
	d.a.Type(time.Now())
	if d.Failed.Load() != 1 || d.Refusals()["docs.FORBIDDEN"] != 1 || len(d.a.m.unacked) != 0 || d.a.m.Unacked() != 1 {
		t.Errorf("%d failed, %v, %d are under way", d.Failed.Load(), d.Refusals(), len(d.a.m.unacked))
	}
}

// Where somebody types is told ten times a second at most, and by who points alone.
func TestPoints(t *testing.T) {
	d := newDesk(t)
	now := time.Now()
	d.a.points = true
	var p docsv1.Presence
	if where := d.a.where(now); proto.Unmarshal(where, &p) != nil || p.GetVersion() != firstVersion || !p.GetTyping() || p.GetAnchor() > 100 {
		t.Errorf("%v", &p)
	}
	if d.a.where(now.Add(pointEvery-1)) != nil || d.a.where(now.Add(pointEvery)) == nil || d.b.where(now) != nil {
		t.Error("told too often, or not often enough, or by who doesn't point")
	}
}
