package crowd

import (
	"bytes"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/client/doc/group"
	"plenum.internal/loadtest/internal/account"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Document is one that editors of a crowd edit.
type Document struct {
	ID    string
	Epoch uint64      // of its topic
	Text  *group.Text // as it is when they come
}

// documentKind is the kind of topic of a document.
const documentKind = "docs.document/"

// pointEvery is the least time between two signals of where somebody is, as clients keep it.
const pointEvery = 100 * time.Millisecond

// presenceKey is the key of those signals.
const presenceKey = "presence"

// Editor is a member that edits one document (PROTOCOL.md section 11a). The member's lock guards it.
type Editor struct {
	m        *Member
	document *Document
	replica  *group.Editor
	points   bool      // it tells others where it is
	pointed  time.Time // when it did so last
	under    *send     // that the replica has under way
	answered uint64    // version that its answer told; 0: none has come
	settled  struct {  // the one before
		seq, version uint64
	}
	broken bool // its document is not the server's
}

// AddEditor makes a member that edits a document, and says where it is if it points.
func (c *Crowd) AddEditor(acc *account.Account, d *Document, seed uint64, points bool) *Editor {
	ed := &Editor{document: d, replica: d.Text.Join(seed), points: points}
	topic, at := documentKind+d.ID, &edgev1.Cursor{Epoch: d.Epoch, Offset: ed.replica.Version()}
	ed.m = c.Add(acc, &edgev1.Want{Topic: topic, Mode: edgev1.Mode_MODE_EVENTS, Cursor: at})
	ed.m.editor = ed
	t := ed.m.topics[topic]
	t.begun, t.epoch = true, d.Epoch // it has read the document
	t.reader.Start(at.GetOffset())
	return ed
}

// Cut is Member's.
func (ed *Editor) Cut() { ed.m.Cut() }

// Type makes an edit, which was due at a time. It is sent at once, or, while another one is under way, behind that. It doesn't wait.
func (ed *Editor) Type(due time.Time) {
	m := ed.m
	m.crowd.Offered.Add(1)
	m.mu.Lock()
	if ed.broken || len(ed.replica.Waiting()) >= maxUnacked {
		m.mu.Unlock()
		m.crowd.noRoom(due)
		return
	}
	if err := ed.replica.Type(due); err != nil {
		ed.broke(err)
	}
	s, where := ed.next(), ed.where(due)
	m.mu.Unlock()
	if s != nil {
		m.transmit(s)
	}
	if where != nil {
		m.Signal(documentKind+ed.document.ID, presenceKey, where)
	}
}

// next has what waits under way, if nothing is. It needs the lock.
func (ed *Editor) next() *send {
	if ed.broken || !ed.replica.Ready() {
		return nil
	}
	m := ed.m
	m.seq++
	base, delta, due := ed.replica.Send(client.Mutation(m.clientID, m.seq))
	s := &send{due: due, seq: m.seq, method: docsv1.DocsService_Submit_FullMethodName[1:]}
	s.body = &docsv1.SubmitRequest{Document: ed.document.ID, Epoch: ed.document.Epoch, Base: base, Delta: delta}
	s.took = func(body []byte) error { return ed.took(s, body) }
	m.unacked = append(m.unacked[:len(m.unacked):len(m.unacked)], s)
	ed.under, ed.answered = s, 0
	return s
}

// where is a signal of where the editor is; nil: it was told a moment ago. It needs the lock.
func (ed *Editor) where(now time.Time) []byte {
	if !ed.points || now.Sub(ed.pointed) < pointEvery {
		return nil
	}
	ed.pointed = now
	version, at := ed.replica.Place()
	body, err := proto.Marshal(&docsv1.Presence{Version: version, Anchor: uint32(at), Head: uint32(at), Typing: true})
	if err != nil {
		return nil // it can't be lost otherwise than by the network, which may do so
	}
	return body
}

var errOtherVersion = errors.New("an edit was answered with another version than its event has")

// took takes over an answer. It needs the lock.
func (ed *Editor) took(s *send, body []byte) error {
	var res docsv1.SubmitResponse
	if err := proto.Unmarshal(body, &res); err != nil {
		return err //nolint:wrapcheck // counted alone
	}
	ed.m.crowd.Acked.Note(documentKind+ed.document.ID, res.GetVersion())
	switch {
	case ed.under == s && res.GetVersion() <= ed.replica.Version(), // its event was somebody else's
		ed.settled.seq == s.seq && ed.settled.version != res.GetVersion():
		ed.broke(errOtherVersion)
	case ed.under == s:
		ed.answered = res.GetVersion()
	}
	return nil
}

// told takes over an event of the document. It needs the lock.
func (ed *Editor) told(version, mutation uint64, body []byte, now time.Time) {
	if ed.broken {
		return
	}
	m := ed.m
	what, err := ed.replica.Event(version, mutation, body)
	if what.Twice {
		m.crowd.Counts.Doubled.Add(1)
	}
	if err != nil {
		ed.broke(err)
		return
	}
	if !what.Own {
		for _, due := range what.Due {
			if m.crowd.counts(due) {
				m.crowd.Deliver.Record(m.n, now.Sub(due))
			}
		}
		return
	}
	s := ed.under
	ed.settled.seq, ed.settled.version, ed.under = s.seq, version, nil
	if ed.answered != 0 && ed.answered != version {
		ed.broke(errOtherVersion)
	}
	m.over(s, true)
	m.crowd.Acked.Note(documentKind+ed.document.ID, version)
	if s := ed.next(); s != nil {
		go m.transmit(s) // the reading goroutine may not wait for a write
	}
}

// broke counts that the document is not the server's any more. It needs the lock.
func (ed *Editor) broke(why error) {
	if ed.broken {
		return
	}
	ed.broken = true
	ed.replica.Leave()
	ed.m.crowd.Counts.Diverged.Add(1)
	ed.m.crowd.refused(why.Error())
}

var errOtherContent = errors.New("in the end, the editor's content is not the server's")

// Compare holds the editor's content to what the server has: a version, and its hash.
func (ed *Editor) Compare(version uint64, hash []byte) {
	ed.m.mu.Lock()
	defer ed.m.mu.Unlock()
	if own, ok := ed.replica.At(version); !ok || !bytes.Equal(own[:], hash) {
		ed.broke(errOtherContent)
	}
}
