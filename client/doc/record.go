package doc

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// record is one input of the state as it stands in the file: played again in their order, they make the same state. One field is set.
type record struct {
	State   *kept     `json:"state,omitempty"` // all that counts; what stands before it is past
	Edit    *delta    `json:"edit,omitempty"`  // of what is shown
	Sent    *keptSent `json:"sent,omitempty"`
	Events  []told    `json:"events,omitempty"`
	Answer  *answer   `json:"answer,omitempty"`
	Refused *refusal  `json:"refused,omitempty"`
	Back    bool      `json:"back,omitempty"` // what is under way waits again
	Forget  uint64    `json:"forget,omitempty"`
}

// kept is a state.
type kept struct {
	ClientID    string        `json:"client_id"`
	Document    string        `json:"document"`
	Epoch       uint64        `json:"epoch"`
	Version     uint64        `json:"version"`
	Content     delta         `json:"content"`
	Sent        *keptSent     `json:"sent,omitempty"` // its rest is the buffer
	Buffer      delta         `json:"buffer"`
	Refused     []keptRefused `json:"refused,omitempty"`
	LastRefused uint64        `json:"last_refused,omitempty"`
}

// keptSent is what went under way, and what stayed behind.
type keptSent struct {
	Seq     uint64 `json:"seq"`
	SinceMs int64  `json:"since_ms"`
	Epoch   uint64 `json:"epoch"`
	Base    uint64 `json:"base"`
	Request delta  `json:"request"`
	Rest    delta  `json:"rest"`
	// Of a state: transformed to follow its version, and the answer if it came.
	Delta  *delta  `json:"delta,omitempty"`
	Answer *answer `json:"answer,omitempty"`
}

type told struct {
	Version  uint64 `json:"version"`
	Mutation uint64 `json:"mutation,omitempty"`
	Edit     delta  `json:"edit"`
}

type answer struct {
	Seq     uint64 `json:"seq"`
	Epoch   uint64 `json:"epoch"`
	Version uint64 `json:"version"`
}

type refusal struct {
	Code    int32  `json:"code"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Field   string `json:"field,omitempty"`
	All     bool   `json:"all,omitempty"`
	AtMs    int64  `json:"at_ms"`
}

type keptRefused struct {
	refusal
	ID       uint64 `json:"id"`
	Epoch    uint64 `json:"epoch"`
	Version  uint64 `json:"version"`
	Delta    delta  `json:"delta"`
	Mutation uint64 `json:"mutation,omitempty"`
}

func refusalOf(e *client.Error, all bool, at time.Time) refusal {
	return refusal{int32(e.Code), e.Reason, e.Message, e.Field, all, at.UnixMilli()}
}

func (r refusal) cause() *client.Error {
	return &client.Error{Code: edgev1.Code(r.Code), Reason: r.Reason, Message: r.Message, Field: r.Field}
}

// delta is a Delta in JSON.
type delta struct{ ot.Delta }

func (d delta) MarshalJSON() ([]byte, error) { return d.AppendJSON(nil), nil }

func (d *delta) UnmarshalJSON(data []byte) (err error) {
	d.Delta, err = ot.Parse(data, ot.Unlimited())
	return err
}

// read applies what one record of the file holds: inputs that were written together.
func (d *Document) read(data []byte) error {
	var all []record
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for _, r := range all {
		if err := d.play(r); err != nil {
			return err
		}
	}
	return nil
}

// play applies a record that was read back.
func (d *Document) play(r record) error {
	s := d.state
	if r.State != nil {
		return d.restore(r.State)
	}
	if s.version == 0 {
		return errors.New("the content is missing")
	}
	switch {
	case r.Edit != nil:
		return s.edit(r.Edit.Delta)
	case r.Sent != nil:
		s.send(r.Sent.sent(d.sender), r.Sent.Rest.Delta)
	case r.Answer != nil:
		return harmless(s.answered(r.Answer.Seq, r.Answer.Epoch, r.Answer.Version))
	case r.Refused != nil:
		_, _, err := s.refuse(r.Refused.cause(), r.Refused.All, time.UnixMilli(r.Refused.AtMs))
		return err
	case r.Back:
		if s.sent == nil {
			return errors.New("nothing was under way")
		}
		return s.takeBack()
	case r.Forget != 0:
		s.forget(r.Forget)
	default:
		for _, e := range r.Events {
			if _, err := s.event(change{version: e.Version, mutation: e.Mutation, edit: e.Edit.Delta}); harmless(err) != nil {
				return err
			}
		}
	}
	return nil
}

// harmless passes on what makes a record unreadable. That the state has diverged is found again when the document is followed.
func harmless(err error) error {
	if errors.Is(err, errDiverged) {
		return nil
	}
	return err
}

func (q *keptSent) sent(clientID string) *sent {
	out := &sent{seq: q.Seq, mutation: client.Mutation(clientID, q.Seq), since: time.UnixMilli(q.SinceMs), epoch: q.Epoch, base: q.Base, request: q.Request.Delta, delta: q.Request.Delta}
	if q.Delta != nil {
		out.delta = q.Delta.Delta
	}
	if q.Answer != nil {
		out.answered, out.answeredEpoch = q.Answer.Version, q.Answer.Epoch
	}
	return out
}

// restore takes over a state that was kept.
func (d *Document) restore(k *kept) error {
	if k.Document != d.cfg.Document {
		return fmt.Errorf("it keeps document %s, not %s", k.Document, d.cfg.Document)
	}
	content, err := ot.NewDocument(k.Content.Delta, ot.Unlimited(), nil)
	if err != nil {
		return err
	}
	s := &state{epoch: k.Epoch, version: k.Version, content: content, shown: content.Clone(), buffer: k.Buffer.Delta, lastRefused: k.LastRefused, presence: d.presence}
	s.presence.clear(k.Version)
	if k.Sent != nil {
		s.sent = k.Sent.sent(k.ClientID)
		if err := s.shown.Apply(s.sent.delta); err != nil {
			return err
		}
	}
	if err := s.shown.Apply(s.buffer); err != nil {
		return err
	}
	for _, r := range k.Refused {
		s.refused = append(s.refused, Refused{ID: r.ID, Epoch: r.Epoch, Version: r.Version, Delta: r.Delta.Delta, Cause: r.cause(), At: time.UnixMilli(r.AtMs), mutation: r.Mutation})
	}
	d.state, d.sender = s, k.ClientID
	return nil
}

// keep is the state for the file.
func (d *Document) keep() record {
	s := d.state
	k := &kept{ClientID: d.sender, Document: d.cfg.Document, Epoch: s.epoch, Version: s.version, Content: delta{s.content.Delta()}, Buffer: delta{s.buffer}, LastRefused: s.lastRefused}
	if q := s.sent; q != nil {
		k.Sent = &keptSent{Seq: q.seq, SinceMs: q.since.UnixMilli(), Epoch: q.epoch, Base: q.base, Request: delta{q.request}, Delta: &delta{q.delta}}
		if q.answered != 0 {
			k.Sent.Answer = &answer{q.seq, q.answeredEpoch, q.answered}
		}
	}
	for _, r := range s.refused {
		k.Refused = append(k.Refused, keptRefused{refusalOf(r.Cause, false, r.At), r.ID, r.Epoch, r.Version, delta{r.Delta}, r.mutation})
	}
	return record{State: k}
}
