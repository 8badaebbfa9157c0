package doc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The times of Run.
const (
	tryAgain    = time.Second            // after the server could not use what was sent
	signalEvery = 100 * time.Millisecond // the least time between two signals
	signalAgain = 15 * time.Second       // a cursor that stays is told again
	typingFor   = 3 * time.Second
	crowded     = time.Second // until a call that found no room is tried again
)

// presenceKey is the key of the signals.
const presenceKey = "presence"

// talk is what Run's goroutine knows.
type talk struct {
	*Document
	ctx     context.Context //nolint:containedctx // of Run: it bounds the tasks
	tasks   sync.WaitGroup
	sub     *client.Subscription
	answers chan reply

	calling uint64             // seq of the edit whose answer is waited for; 0: none is
	giveUp  context.CancelFunc // ends that call
	stale   bool               // the content is to be read anew, once what is under way is answered
	behind  uint64             // nothing is sent before the content is of this version
	pause   time.Time          // nothing new is sent before
	over    error              // the topic's last word

	toldAt time.Time // the last signal
	told   *docsv1.Presence
}

type reply struct {
	seq  uint64
	body []byte
	err  error
}

// Run keeps the document as the server has it, and sends what was typed, until ctx ends: then it returns nil. Otherwise it returns why there is
// no use in going on; a *client.Error where the server said it. What was typed and not sent stays in the file, unless the server said that it
// will never take it: then it is in Refused.
func (d *Document) Run(ctx context.Context) error {
	d.mu.Lock()
	again := d.running || d.closed
	d.running, d.ended = true, nil
	d.mu.Unlock()
	if again {
		return errors.New("doc: Run was called twice, or after Close")
	}
	inner, cancel := context.WithCancel(ctx)
	t := &talk{Document: d, ctx: inner, answers: make(chan reply, 1), giveUp: func() {}}
	err := t.run()
	cancel()
	t.tasks.Wait()
	if ctx.Err() != nil {
		err = nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running = false; err != nil {
		d.ended = err
	} else {
		d.ended = context.Canceled
	}
	if !d.closed {
		err = errors.Join(err, d.save())
	}
	d.moved()
	return err
}

func (t *talk) run() error {
	if t.Status().Version == 0 {
		if err := t.reread(); err != nil {
			return err
		}
	}
	at := t.Status()
	var err error
	topic := "docs.document/" + t.cfg.Document
	if t.sub, err = t.cfg.Client.Follow(t.ctx, topic, client.From(&edgev1.Cursor{Epoch: at.Epoch, Offset: at.Version})); err != nil {
		return err
	}
	defer t.sub.Close()
	updates, ended := make(chan client.Update), make(chan error, 1)
	t.tasks.Go(func() {
		for {
			u, err := t.sub.Next(t.ctx)
			if err != nil {
				ended <- err
				return
			}
			select {
			case updates <- u:
			case <-t.ctx.Done():
				return
			}
		}
	})
	for {
		if again, err := t.advance(); err != nil {
			return err
		} else if again {
			continue
		}
		timer := time.NewTimer(time.Until(sooner(t.present(), t.pause)))
		select {
		case u := <-updates:
			err = t.update(u)
		case r := <-t.answers:
			err = t.answer(r)
		case t.over = <-ended:
			ended = nil
		case <-t.wake:
		case <-timer.C:
		case <-t.ctx.Done():
			err = t.ctx.Err()
		}
		if timer.Stop(); err != nil {
			return err
		}
	}
}

// advance does what can be done now. It reports true where more may be possible at once.
func (t *talk) advance() (bool, error) {
	t.mu.Lock()
	underWay := t.sent
	t.mu.Unlock()
	switch {
	case t.calling != 0:
		if underWay == nil || underWay.seq != t.calling { // its event has settled it: the answer says nothing new
			t.giveUp()
		}
		return false, nil
	case t.over != nil:
		return false, t.leave()
	case t.stale:
		t.stale = false
		return true, t.reread()
	}
	q, err := t.next()
	if q == nil || err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	t.calling, t.giveUp = q.Seq, cancel
	t.tasks.Go(func() {
		defer cancel()
		for {
			body, err := t.cfg.Client.Repeat(ctx, *q)
			if e, ok := errors.AsType[*client.Error](err); ok && e.Code == edgev1.Code_CODE_TOO_MANY_CALLS {
				select {
				case <-time.After(crowded):
					continue
				case <-ctx.Done():
				}
			}
			t.answers <- reply{q.Seq, body, err}
			return
		}
	})
	return false, nil
}

// next is the call for what is under way or, where nothing is, for what was typed: then that is written down before.
func (t *talk) next() (*client.Call, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state
	if s.sent != nil && t.cfg.Now().Sub(s.sent.since) > client.OutboxAge { // servers don't know the number for ever
		cause := &client.Error{Code: edgev1.Code_CODE_OUTCOME_UNKNOWN, Reason: "client.TOO_OLD",
			Message: "This edit waited for more than 30 days for its answer. Look whether it is there, and make it anew if it is not."}
		if err := t.reject(cause, false); err != nil {
			return nil, err
		}
	}
	if s.sent != nil && s.sent.answered != 0 { // done: the events up to there are on their way
		return nil, nil
	}
	if s.sent == nil {
		if s.buffer.Count() == 0 || s.version < t.behind || time.Now().Before(t.pause) {
			return nil, nil
		}
		seq, err := t.cfg.Client.Outbox().Number()
		if err != nil {
			return nil, err
		}
		first, rest, err := split(s.buffer, sendBytes, sendOps)
		if err != nil {
			return nil, err
		}
		q := &keptSent{Seq: seq, SinceMs: t.cfg.Now().UnixMilli(), Epoch: s.epoch, Base: s.version, Request: delta{first}, Rest: delta{rest}}
		if err := t.save(record{Sent: q}); err != nil {
			return nil, fmt.Errorf("keep what is sent: %w", err)
		}
		s.send(q.sent(t.sender), rest)
	}
	body, err := proto.Marshal(&docsv1.SubmitRequest{Document: t.cfg.Document, Epoch: s.sent.epoch, Base: s.sent.base, Delta: s.sent.request.JSON()})
	if err != nil {
		return nil, err
	}
	return &client.Call{Method: docsv1.DocsService_Submit_FullMethodName, Body: body, Seq: s.sent.seq}, nil
}

// answer takes over the answer to what is under way.
func (t *talk) answer(r reply) error {
	t.calling = 0
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.state
	if s.sent == nil || s.sent.seq != r.seq {
		return nil // settled by its event
	}
	if r.err == nil {
		var res docsv1.SubmitResponse
		if err := proto.Unmarshal(r.body, &res); err != nil {
			return err
		}
		if err := s.answered(r.seq, res.GetEpoch(), res.GetVersion()); err != nil {
			return t.mend(err)
		}
		t.moved()
		return t.later(record{Answer: &answer{r.seq, res.GetEpoch(), res.GetVersion()}}, 0)
	}
	e, ok := errors.AsType[*client.Error](r.err)
	switch {
	case !ok || e.Code < 100 || e.Code > 199:
		return r.err // the client has stopped
	case e.Reason == "docs.BASE_TOO_OLD", e.Reason == "docs.FUTURE":
		// It was not done. Once the content is newer it can be: by following the log, or where the log is another one, by reading anew.
		if err := t.waitAgain(); err != nil {
			return err
		}
		if e.Reason == "docs.FUTURE" {
			t.stale = true
			return nil
		}
		return t.lookAhead()
	case e.Code == edgev1.Code_CODE_NOT_FOUND, e.Code == edgev1.Code_CODE_PERMISSION_DENIED, e.Reason == "docs.TRASHED":
		return t.reject(e, true) // nor what waits behind it
	}
	if e.Code == edgev1.Code_CODE_INVALID_ARGUMENT {
		t.stale = true // such an edit is not made of what the server has
	}
	return t.reject(e, false)
}

// waitAgain has what is under way wait to be sent with another number. It needs the lock.
func (t *talk) waitAgain() error {
	if err := t.save(record{Back: true}); err != nil {
		return err
	}
	t.pause = time.Now().Add(tryAgain)
	return t.takeBack()
}

// lookAhead finds out how far the content is behind. It needs the lock, and gives it up meanwhile.
func (t *talk) lookAhead() error {
	t.mu.Unlock()
	defer t.mu.Lock()
	res, err := docsv1.NewDocsServiceClient(t.cfg.Client).GetDocument(t.ctx, &docsv1.GetDocumentRequest{Document: t.cfg.Document})
	if err != nil {
		return err
	}
	t.behind = res.GetDocument().GetVersion()
	return nil
}

// reject takes what is under way out of what is shown. It needs the lock.
func (t *talk) reject(cause *client.Error, all bool) error {
	now := t.cfg.Now().Truncate(time.Millisecond)
	r := refusalOf(cause, all, now)
	if err := t.save(record{Refused: &r}); err != nil {
		return err
	}
	shown, kept, err := t.refuse(cause, all, now)
	if err != nil {
		return err
	}
	t.show(shown, "")
	if kept {
		t.rejected = cause
		if t.cfg.OnRefused != nil {
			t.cfg.OnRefused(t.refused[len(t.refused)-1])
		}
	}
	t.moved()
	return nil
}

// show tells the program how what is shown has changed. It needs the lock.
func (t *talk) show(shown ot.Delta, actor string) {
	if shown.Count() == 0 {
		return
	}
	move := func(n int) int { return shown.TransformPosition(n, ot.Earlier) }
	t.anchor, t.head = move(t.anchor), move(t.head)
	if t.cfg.OnChange != nil {
		t.cfg.OnChange(Change{shown, t.version, actor})
	}
}

// mend has the content read anew after it turned out to differ from the server's.
func (t *talk) mend(err error) error {
	t.cfg.Log.Warn("the document is read anew", "document", t.cfg.Document, "cause", err)
	t.stale = true
	return nil
}

// update takes over what the topic told.
func (t *talk) update(u client.Update) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.Reset != nil {
		t.stale = true
	}
	if s := u.Signal; s.GetKey() == presenceKey {
		var p docsv1.Presence
		if proto.Unmarshal(s.GetBody(), &p) == nil {
			t.presence.heard(s.GetFrom(), &p, t.cfg.Now())
		}
	}
	for _, e := range u.Events {
		if t.stale { // it is in what will be read
			return nil
		}
		c, err := parse(e)
		if err != nil {
			return t.mend(err)
		}
		known := t.version
		shown, err := t.event(c)
		if err != nil {
			return t.mend(err)
		}
		t.show(shown, c.actor)
		if t.version == known {
			continue
		}
		t.moved()
		if err := t.later(record{Events: []told{{c.version, c.mutation, delta{c.edit}}}}, len(e.GetBody())); err != nil {
			return err
		}
	}
	if t.file != nil && t.file.Size > 2*t.basis+compactAfter {
		if err := t.compact(); err != nil { // the old file goes on
			t.cfg.Log.Warn("the document's file can't be made shorter", "file", t.cfg.File, "error", err)
		}
	}
	return nil
}

// parse reads an event. One whose content was deleted for ever takes its place only.
func parse(e *edgev1.Event) (change, error) {
	c := change{version: e.GetOffset(), mutation: e.GetMutation()}
	var body docsv1.DocumentEvent
	if err := proto.Unmarshal(e.GetBody(), &body); err != nil {
		return c, err
	}
	text := body.GetEdited().GetDelta()
	if created := body.GetCreated(); created != nil {
		text = created.GetDelta()
	}
	c.actor = body.GetActor()
	if text == "" {
		return c, nil
	}
	var err error
	c.edit, err = ot.Parse([]byte(text), ot.Unlimited())
	return c, err
}

// reread reads the content anew, brings what is pending along, and follows from there. Nothing that is under way waits for its answer.
func (t *talk) reread() error {
	content, at, err := Read(t.ctx, t.cfg.Client, t.cfg.Document, 0)
	if err != nil {
		t.over = err
		if t.sub == nil {
			return err
		}
		return nil
	}
	if err := t.renew(content, at); err != nil || t.sub == nil {
		return err
	}
	return t.sub.Resume(t.ctx, at)
}

// renew takes over content that was read anew.
func (t *talk) renew(content *ot.Document, at *edgev1.Cursor) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.version == 0
	shown, err := t.reload(content, at.GetEpoch(), at.GetOffset())
	if err != nil {
		return err
	}
	t.behind, t.past = 0, true
	if first {
		close(t.ready)
	}
	t.show(shown, "")
	t.moved()
	return t.compact()
}

// leave ends: the topic has said its last word. Where that means that nothing will ever be taken, what is pending is refused.
func (t *talk) leave() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := errors.AsType[*client.Error](t.over)
	final := ok && (e.Code >= 100 && e.Code < 200 || e.Code == edgev1.Code_CODE_REVOKED || e.Code == edgev1.Code_CODE_TOPIC_GONE)
	if final && t.pending() {
		if err := t.reject(e, true); err != nil {
			return err
		}
	}
	return t.over
}

// present tells others where the user is, where that is news, and returns when to look again.
func (t *talk) present() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	p := &docsv1.Presence{Left: true}
	if t.pointing {
		p = t.tell(t.anchor, t.head)
		p.Typing = t.cfg.Now().Sub(t.typedAt) < typingFor
	}
	news := t.told != nil || t.pointing
	if news && t.told != nil {
		moved := p.GetAnchor() != t.told.GetAnchor() || p.GetHead() != t.told.GetHead() || p.GetTyping() != t.told.GetTyping() || p.GetLeft() != t.told.GetLeft()
		news = moved || !p.GetLeft() && now.Sub(t.toldAt) >= signalAgain
	}
	if news && now.Sub(t.toldAt) >= signalEvery {
		if body, err := proto.Marshal(p); err == nil {
			_ = t.sub.Signal(t.ctx, presenceKey, body) // one that is lost is told again
		}
		t.told, t.toldAt, news = p, now, false
	}
	switch {
	case news:
		return t.toldAt.Add(signalEvery)
	case p.GetTyping():
		return now.Add(typingFor)
	case t.pointing:
		return t.toldAt.Add(signalAgain)
	}
	return now.Add(time.Hour)
}

// sooner returns the earlier of two times; a second one that is past is none.
func sooner(a, b time.Time) time.Time {
	if b.After(time.Now()) && b.Before(a) {
		return b
	}
	return a
}
