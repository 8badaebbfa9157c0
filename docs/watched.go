package docs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// watched is the awareness of an open document while somebody looks at it, and a little longer. A goroutine beside the session's makes the view's
// entries of what people signal and of what is committed, once a second.
type watched struct {
	*session
	lookers int // the session's goroutine alone knows
	view    *topic.View
	signals chan bus.Message
	ready   chan struct{} // closed when the view has its first entries
	over    chan struct{} // closed when it ends before the session does
	wake    chan struct{} // of one: there is news

	mu   sync.Mutex // guards news
	news []committed

	// All below belongs to its own goroutine.
	state   *awareness.State
	content *ot.Document // of the state's version
	shown   map[string]bool
	took    int       // signals, since the last update
	since   time.Time // signals have been listened to without a break
}

// committed is an event behind those that the state has come to.
type committed struct {
	version uint64
	body    []byte
	timeMs  int64
	content *ot.Document // behind it
}

// Limits of awareness.
const (
	maxWatched  = 2000             // documents of a process; …
	maxLookers  = 20_000           // and who looks at them
	maxNews     = 4096             // events that wait for the goroutine; with more it begins anew
	maxSignals  = 1000             // of a document in a second; more are dropped, as signals may be
	signalQueue = 256              // of them wait
	watchGap    = time.Second      // between two updates
	watchLinger = 30 * time.Second // after the last has looked: who comes back goes on
	pastEvents  = 1000             // that are read for what happened before somebody looked
	pastTime    = 5 * time.Second  // for reading them
)

// look has somebody look at who is in the document. Whoever is told no error ends it by unlook.
func (x *session) look(may func() error) (w *watched, err error) {
	if err := may(); err != nil {
		return nil, err
	}
	if w = x.watched; w == nil {
		if x.s.watching.Add(1) > maxWatched {
			x.s.watching.Add(-1)
			return nil, errWatched
		}
		w = &watched{
			session: x, view: topic.NewView(uint64(time.Now().UnixMilli()), topic.ViewLimits{}), signals: make(chan bus.Message, signalQueue),
			ready: make(chan struct{}), over: make(chan struct{}), wake: make(chan struct{}, 1), content: x.stored.Clone(), shown: map[string]bool{},
		}
		x.watched = w
		version, floor, epoch := x.storedAt, x.cover.floor, x.epoch
		x.s.tasks.Go(func() {
			defer x.s.watching.Add(-1)
			w.run(version, floor, epoch)
		})
	}
	w.lookers++
	return w, nil
}

// unlook is for who has looked.
func (x *session) unlook(w *watched) {
	x.tell(func() {
		if w.lookers--; w.lookers == 0 {
			time.AfterFunc(watchLinger, func() {
				x.tell(func() {
					if w.lookers == 0 {
						x.unwatch(w)
					}
				})
			})
		}
	})
}

// unwatch ends what is watched; whoever looks comes back, and it begins anew.
func (x *session) unwatch(w *watched) {
	if x.watched == w {
		x.watched = nil
		close(w.over)
	}
}

// watch tells of what was committed. The session never waits for it.
func (x *session) watch(a *amendment) {
	w := x.watched
	w.mu.Lock()
	w.news = append(w.news, committed{a.version, a.body, a.timeMs, a.content.Clone()})
	full := len(w.news) > maxNews
	w.mu.Unlock()
	if full {
		x.unwatch(w)
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run keeps the view until nobody looks any more, or the document has ended here: then another one goes on with it.
func (w *watched) run(version, floor, epoch uint64) {
	defer w.view.Close(errAway)
	subject := bus.SignalSubject(w.workspace, w.topic())
	if w.s.bus != nil {
		sub, err := w.s.bus.Subscribe(subject, w.signals)
		if err != nil {
			w.s.logger.Warn("who is in a document can't be heard", "workspace", w.workspace, "document", w.id, "error", err)
			w.tell(func() { w.unwatch(w) })
			return
		}
		defer sub.Unsubscribe()
	}
	w.state = w.past(version, floor, epoch)
	w.keep()
}

// keep keeps the view up to date.
func (w *watched) keep() {
	w.since = time.Now()
	tick := time.NewTicker(watchGap)
	defer tick.Stop()
	err := w.update(time.Now())
	close(w.ready)
	for {
		if err != nil {
			w.s.logger.Error("the awareness of a document ended", "workspace", w.workspace, "document", w.id, "error", err)
			w.tell(func() { w.unwatch(w) })
			return
		}
		select {
		case m := <-w.signals:
			w.hear(m)
		case <-w.wake:
			err = w.take()
		case <-tick.C:
			if err = w.take(); err == nil {
				err = w.update(time.Now())
			}
		case <-w.over:
			return
		case <-w.ended:
			return
		case <-w.adrift:
			return
		}
	}
}

// past is a state of what happened before somebody looked; where that can't be read, of nothing.
func (w *watched) past(version, floor, epoch uint64) *awareness.State {
	from := max(floor, version-min(version, pastEvents))
	state := awareness.New(from)
	ctx, cancel := context.WithTimeout(w.s.working, pastTime)
	defer cancel()
	var err error
	if from < version {
		err = w.s.log.Range(ctx, w.workspace, w.topic(), &edgev1.Cursor{Epoch: epoch, Offset: from}, version, func(rec *topicv1.Record) error {
			e := rec.GetEvent()
			if len(e.GetBody()) == 0 { // of a comment that was deleted
				return nil
			}
			a, err := actOf(e.GetOffset(), e.GetBody(), e.GetTimeMs())
			if err == nil {
				state.Pass(a)
			}
			return err
		})
	}
	if err != nil {
		w.s.logger.Warn("what happened in a document just now can't be read", "workspace", w.workspace, "document", w.id, "error", err)
		state = awareness.New(version)
	}
	state.Reach(version)
	return state
}

// actOf reads an event.
func actOf(version uint64, body []byte, timeMs int64) (a awareness.Act, err error) {
	e := &docsv1.DocumentEvent{}
	if err := proto.Unmarshal(body, e); err != nil {
		return a, fmt.Errorf("docs: event %d: %w", version, err)
	}
	a = awareness.Act{Version: version, User: e.GetActor(), Kind: awareness.KindOf(e), Bytes: len(body), Time: time.UnixMilli(timeMs)}
	text := e.GetEdited().GetDelta()
	if c := e.GetCreated(); c != nil {
		text = c.GetDelta()
	}
	if text != "" {
		if a.Edit, err = ot.Parse([]byte(text), ot.Unlimited()); err != nil {
			return a, fmt.Errorf("docs: event %d: %w", version, err)
		}
	}
	return a, nil
}

// take takes over what was committed.
func (w *watched) take() error {
	w.mu.Lock()
	news := w.news
	w.news = nil
	w.mu.Unlock()
	for _, n := range news {
		a, err := actOf(n.version, n.body, n.timeMs)
		if err != nil {
			return err
		}
		w.state.Pass(a)
		w.content = n.content
	}
	return nil
}

// hear takes over what a gateway has published.
func (w *watched) hear(m bus.Message) {
	if w.took++; w.took > maxSignals {
		w.s.metrics.unheard.Inc()
		return
	}
	now := time.Now()
	for _, told := range awareness.Parse(m.Data) {
		w.state.Hear(told, now)
	}
}

// hears reports whether signals come in.
func (s *Server) hears() bool { return s.bus != nil && s.bus.Connected() }

// update makes the view what is known.
func (w *watched) update(now time.Time) error {
	w.took = 0
	if !w.s.hears() {
		w.since = now
	}
	entries := w.state.Entries(now, awareness.Ask{
		Content: w.content, Scored: w.s.scored(w.s.working, w.workspace), Partial: now.Sub(w.since) < awareness.Settled,
	})
	var list []*edgev1.Entry // what is removed first, so that there is room
	for key := range w.shown {
		if entries[key] == nil {
			list = append(list, &edgev1.Entry{Key: key, Removed: true})
			delete(w.shown, key)
		}
	}
	for key, e := range entries {
		body, err := (proto.MarshalOptions{Deterministic: true}).Marshal(e)
		if err != nil {
			return fmt.Errorf("docs: tell who is in a document: %w", err)
		}
		w.shown[key] = true
		list = append(list, &edgev1.Entry{Key: key, Body: body})
	}
	return w.view.Change(list) //nolint:wrapcheck // the view's own
}
