package doc

import (
	"errors"
	"slices"
	"time"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
)

// state is what a client knows of a document: inputs come as method calls, and each returns how what is shown has changed. It knows no clock, no
// file and no connection. A method that fails has changed nothing, but for errDiverged.
type state struct {
	epoch, version uint64       // of content; version 0: never read
	content        *ot.Document // what the server has
	shown          *ot.Document
	sent           *sent    // under way; nil: nothing is
	buffer         ot.Delta // what was typed since
	settled        settled
	refused        []Refused
	lastRefused    uint64 // the newest ID
	history        history
	presence       presence
}

// sent is the edit that is under way.
//
// Invariant: seq, base and request never change, since a repetition has to be the same request.
type sent struct {
	seq      uint64
	mutation uint64    // what its event will say
	since    time.Time // when it was sent first
	epoch    uint64
	base     uint64
	request  ot.Delta

	delta ot.Delta // to follow the state's version
	// The version that its answer told, and that version's epoch, where the events before it have not come; 0: no answer.
	answered, answeredEpoch uint64
}

// settled is the newest own edit that an answer settled, to be compared with its event.
type settled struct {
	version uint64
	delta   ot.Delta
}

// change is an event of the document: version, who did it, and what it did to the content, perhaps nothing.
type change struct {
	version  uint64
	mutation uint64
	actor    string
	edit     ot.Delta
}

// errDiverged says that this client and the server don't have the same content: it is to be read anew.
var errDiverged = errors.New("doc: the content differs from the server's")

func (s *state) pending() bool { return s.sent != nil || s.buffer.Count() > 0 }

// try says what would be shown after an edit, made by the rules for new ones.
func (s *state) try(edit ot.Delta) (*ot.Document, error) {
	limits := ot.DefaultLimits()
	limits.OperationBytes, limits.Ops = ot.Unlimited().OperationBytes, ot.Unlimited().Ops // what is long is sent in parts
	if err := edit.Check(limits); err != nil {
		return nil, err
	}
	next := s.shown.Clone()
	next.SetLimits(limits)
	if err := next.Apply(edit); err != nil {
		return nil, err
	}
	next.SetLimits(ot.Unlimited())
	return next, nil
}

// edit applies what was typed.
func (s *state) edit(edit ot.Delta) error {
	next := s.shown.Clone()
	if err := next.Apply(edit); err != nil {
		return err
	}
	buffer, err := s.buffer.Compose(edit, nil)
	if err != nil {
		return err
	}
	s.shown, s.buffer = next, buffer
	return nil
}

// send has the first of what was typed under way, as much as one operation may hold; rest is the remainder. Both are split's.
func (s *state) send(q *sent, rest ot.Delta) { s.sent, s.buffer = q, rest }

// event takes over what the log tells next.
func (s *state) event(e change) (ot.Delta, error) {
	if e.version <= s.version {
		if e.version == s.settled.version && !same(e.edit, s.settled.delta) {
			return ot.Delta{}, errDiverged
		}
		return ot.Delta{}, nil
	}
	if q := s.sent; q != nil && q.answered != 0 && q.answeredEpoch == s.epoch && q.answered < e.version {
		if err := s.settle(q.answered); err != nil {
			return ot.Delta{}, err
		}
	}
	q := s.sent
	if q == nil || q.mutation != e.mutation && (q.answered != e.version || q.answeredEpoch != s.epoch) {
		shown, err := s.theirs(e)
		if err == nil && q != nil && q.answeredEpoch == s.epoch && q.answered == s.version+1 { // its event says nothing new
			err = s.settle(q.answered)
		}
		return shown, err
	}
	if !same(e.edit, q.delta) {
		q.answered, q.answeredEpoch = e.version, s.epoch
		return ot.Delta{}, errDiverged
	}
	return ot.Delta{}, s.settle(e.version)
}

// same compares what two sides made of one edit.
func same(a, b ot.Delta) bool {
	a, err := a.Compose(ot.Delta{}, nil) // in normal form
	if err != nil {
		return false
	}
	b, err = b.Compose(ot.Delta{}, nil)
	return err == nil && a.Equal(b)
}

// theirs takes over an event of somebody else, or one that is no edit.
func (s *state) theirs(e change) (shown ot.Delta, err error) {
	if e.edit.Count() > 0 {
		if shown, err = s.remote(e.edit); err != nil {
			return ot.Delta{}, err
		}
	}
	s.version = e.version
	s.presence.passed(e)
	// An edit that was refused on a repetition had taken place after all.
	s.refused = slices.DeleteFunc(s.refused, func(r Refused) bool { return e.mutation != 0 && r.mutation == e.mutation })
	return shown, nil
}

// remote applies a change of the content, and transforms it and what is pending over each other.
func (s *state) remote(edit ot.Delta) (ot.Delta, error) {
	content := s.content.Clone()
	if err := content.Apply(edit); err != nil {
		return ot.Delta{}, err
	}
	var mine ot.Delta
	if s.sent != nil {
		mine = s.sent.delta
	}
	mine, after, err := ot.Rebase(mine, []ot.Delta{edit}, nil)
	if err != nil {
		return ot.Delta{}, err
	}
	buffer, after, err := ot.Rebase(s.buffer, after, nil)
	if err != nil {
		return ot.Delta{}, err
	}
	shown := s.shown.Clone()
	if err := shown.Apply(after[0]); err != nil {
		return ot.Delta{}, err
	}
	if s.sent != nil {
		s.sent.delta = mine
	}
	s.content, s.buffer, s.shown = content, buffer, shown
	s.history.changed(after[0])
	return after[0], nil
}

// settle ends what is under way: it is the server's content now.
func (s *state) settle(version uint64) error {
	content := s.content.Clone()
	if err := content.Apply(s.sent.delta); err != nil {
		return err
	}
	s.settled = settled{version, s.sent.delta}
	s.presence.passed(change{version: version, edit: s.sent.delta, actor: s.presence.me})
	s.content, s.version, s.sent = content, version, nil
	return nil
}

// answered takes over the answer to what is under way. Its event may have settled it before, or settles it later, in its turn.
func (s *state) answered(seq, epoch, version uint64) error {
	q := s.sent
	if q == nil || q.seq != seq {
		return nil
	}
	q.answered, q.answeredEpoch = version, epoch
	switch {
	case epoch != s.epoch: // the topic's reset is on its way
		return nil
	case version <= s.version: // its event was taken for somebody else's
		return errDiverged
	case version == s.version+1:
		return s.settle(version)
	}
	return nil
}

// takeBack has what is under way wait again, to be sent with another number: the server is known not to have done it.
func (s *state) takeBack() error {
	buffer, err := s.sent.delta.Compose(s.buffer, nil)
	if err != nil {
		return err
	}
	s.sent, s.buffer = nil, buffer
	return nil
}

// refuse takes what is under way out of what is shown, with all also what waits behind it, and keeps it. It reports false where there was nothing.
func (s *state) refuse(cause *client.Error, all bool, now time.Time) (ot.Delta, bool, error) {
	out, rest := ot.Delta{}, s.buffer
	r := Refused{Epoch: s.epoch, Version: s.version, Cause: cause, At: now}
	if s.sent != nil {
		out, r.mutation = s.sent.delta, s.sent.mutation
	}
	if all {
		var err error
		if out, err = out.Compose(rest, nil); err != nil {
			return ot.Delta{}, false, err
		}
		rest = ot.Delta{}
	}
	back, err := s.content.Invert(out)
	if err != nil {
		return ot.Delta{}, false, err
	}
	rest, after, err := ot.Rebase(rest, []ot.Delta{back}, nil)
	if err != nil {
		return ot.Delta{}, false, err
	}
	shown := s.shown.Clone()
	if err := shown.Apply(after[0]); err != nil {
		return ot.Delta{}, false, err
	}
	s.sent, s.buffer, s.shown = nil, rest, shown
	s.history.changed(after[0])
	if out.Count() == 0 {
		return after[0], false, nil
	}
	r.Delta = out
	s.keep(r)
	return after[0], true, nil
}

// keep adds to what was refused.
func (s *state) keep(r Refused) {
	s.lastRefused++
	r.ID = s.lastRefused
	s.refused = append(s.refused, r)
}

// forget drops what was refused.
func (s *state) forget(id uint64) {
	s.refused = slices.DeleteFunc(s.refused, func(r Refused) bool { return r.ID == id })
}

// diffEffort bounds how long a difference is looked for: about a second.
const diffEffort = 200_000_000

// reload takes over content that was read anew, and brings what is pending along: the difference to what was known is transformed over it as if
// somebody else had made it. What is under way has to be answered or taken back before.
func (s *state) reload(content *ot.Document, epoch, version uint64) (ot.Delta, error) {
	if s.version == 0 {
		s.content, s.shown, s.epoch, s.version = content, content.Clone(), epoch, version
		s.presence.clear(version)
		return ot.Delta{}, nil
	}
	if q := s.sent; q != nil && q.answered != 0 && (q.answeredEpoch != epoch || q.answered <= version) { // it is in there
		known := s.content.Clone()
		if err := known.Apply(q.delta); err != nil {
			return ot.Delta{}, err
		}
		s.content, s.sent = known, nil
	}
	edit, err := s.content.Delta().Diff(content.Delta(), diffEffort)
	if err != nil {
		return ot.Delta{}, err
	}
	shown, err := s.remote(edit)
	if err != nil {
		return ot.Delta{}, err
	}
	s.content, s.epoch, s.version, s.settled = content, epoch, version, settled{}
	s.presence.clear(version)
	return shown, nil
}
