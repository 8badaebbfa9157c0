package docs

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/docs/awareness"
	"plenum.internal/docs/ot"
	"plenum.internal/mesh/bus"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// watched is the awareness of an open document while somebody looks at it, and a little longer. A goroutine beside the session's knows what people signal and
// what is committed, and shows it once a second to each of those who look.
type watched struct {
	*session
	lookers int // the session's goroutine alone knows
	signals chan bus.Message
	over    chan struct{} // closed when it ends before the session does
	wake    chan struct{} // of one: there is news

	mu    sync.Mutex // guards the two below
	news  []committed
	looks map[*looker]struct{} // with those who have left a moment ago

	// All below belongs to its own goroutine.
	state   *awareness.State
	content *ot.Document            // of the state's version
	made    map[entry]*edgev1.Entry // of the last tick: what has not changed is the same to all
	took    map[string]int          // signals, since the last tick, by whose they are
	taken   int                     // of them all
	deaf    time.Time               // signals could not be heard, as of the last tick that found it so; zero: none has
}

// committed is an event behind those that the state has come to.
type committed struct {
	version uint64
	body    []byte
	timeMs  int64
	content *ot.Document // behind it
}

// entry is one by all that it says.
type entry struct{ key, body string }

// Limits of awareness; those of who looks stand in lookers.go.
const (
	maxNews      = 4096             // events that wait for the goroutine; with more it begins anew
	maxSignals   = 1000             // of a document in a second; more are dropped, as signals may be, …
	maxSignalsOf = 100              // and those of one person, who would keep the others out
	signalQueue  = 256              // of them wait
	watchGap     = time.Second      // between two updates
	watchLinger  = 30 * time.Second // after the last has looked: who comes back goes on
	pastTime     = 5 * time.Second  // for reading what happened before somebody looked
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
		w = newWatched(x, x.stored.Clone())
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

func newWatched(x *session, content *ot.Document) *watched {
	return &watched{
		session: x, content: content, signals: make(chan bus.Message, signalQueue), over: make(chan struct{}), wake: make(chan struct{}, 1),
		looks: map[*looker]struct{}{}, took: map[string]int{},
	}
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

// run keeps watching until nobody looks any more, or the document has ended here: then another one goes on with it.
func (w *watched) run(version, floor, epoch uint64) {
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

// firstTick is the first moment at which people are told who is in a document. These moments are its own, and don't depend on when anybody has begun to look.
func firstTick(document string, now time.Time) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(document))
	return now.Add(watchGap - time.Duration((now.UnixNano()+int64(h.Sum32()))%int64(watchGap)))
}

// keep shows what is new.
func (w *watched) keep() {
	at := firstTick(w.id, time.Now())
	tick := time.NewTimer(time.Until(at))
	defer tick.Stop()
	var err error
	for {
		if err != nil {
			w.s.logger.Error("the awareness of a document ended", "workspace", w.workspace, "document", w.id, "error", err)
			w.tell(func() { w.unwatch(w) })
			return
		}
		select {
		case m := <-w.signals: // who signals has done what was committed before, of which this may be told by the wake alone
			if err = w.take(); err == nil {
				w.hear(m)
			}
		case <-w.wake:
			err = w.take()
		case <-tick.C:
			if err = w.take(); err == nil {
				err = w.tick(at)
			}
			at = at.Add(time.Since(at).Truncate(watchGap) + watchGap)
			tick.Reset(time.Until(at))
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
	from := max(floor, version-min(version, awareness.Past))
	state := awareness.New(from)
	state.Erase(floor)
	ctx, cancel := context.WithTimeout(w.s.working, pastTime)
	defer cancel()
	var err error
	if from < version {
		err = w.s.log.Range(ctx, w.workspace, w.topic(), &edgev1.Cursor{Epoch: epoch, Offset: from}, version, func(rec *topicv1.Record) error {
			e := rec.GetEvent()
			a, err := actOf(e.GetOffset(), e.GetBody(), e.GetTimeMs()) // of a comment that was deleted there is no body
			if err == nil {
				state.Pass(a)
			}
			return err
		})
	}
	if err != nil {
		w.s.logger.Warn("what happened in a document just now can't be read", "workspace", w.workspace, "document", w.id, "error", err)
		state = awareness.New(version)
		state.Erase(version)
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
	a = awareness.Act{Version: version, User: e.GetActor(), Kind: awareness.KindOf(e), Bytes: len(body), Floor: e.GetHistoryErased().GetFloor(), Time: time.UnixMilli(timeMs)}
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
	now := time.Now()
	for _, told := range awareness.Parse(m.Data) {
		if user := told.User(); w.taken < maxSignals && w.took[user] < maxSignalsOf {
			w.taken++
			w.took[user]++
			w.state.Hear(told, now)
		} else {
			w.s.metrics.unheard.Inc()
		}
	}
}

// hears reports whether signals come in.
func (s *Server) hears() bool { return s.bus != nil && s.bus.Connected() }

// tick shows all who look what there is to be seen: to those the same who see the same.
func (w *watched) tick(at time.Time) error {
	clear(w.took)
	w.taken = 0
	if !w.s.hears() {
		w.deaf = at
	}
	all := w.present(at)
	if len(all) == 0 {
		return nil
	}
	type sight struct {
		since   awareness.Since
		partial bool
	}
	alike := w.state.Alike(at)
	ask := awareness.Ask{Content: &counted{w.content, map[int]int{}}, Scored: w.s.scored(w.s.working, w.workspace)}
	before := w.made
	w.made = make(map[entry]*edgev1.Entry, len(before))
	seen := map[sight][]*edgev1.Entry{}
	for _, l := range all {
		one := sight{alike(l.since), at.Sub(l.began) < awareness.Settled || at.Sub(w.deaf) < awareness.Settled}
		entries := seen[one]
		if entries == nil {
			ask.Since, ask.Partial = one.since, one.partial
			var err error
			if entries, err = w.entries(at, ask, before); err != nil {
				return err
			}
			seen[one] = entries
		}
		w.show(l, entries, at)
	}
	return nil
}

// entries are those of a view, ascending by key.
func (w *watched) entries(at time.Time, ask awareness.Ask, before map[entry]*edgev1.Entry) (list []*edgev1.Entry, err error) {
	for key, m := range w.state.Entries(at, ask) {
		body, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("docs: tell who is in a document: %w", err)
		}
		k := entry{key, string(body)}
		e := w.made[k]
		if e == nil {
			if e = before[k]; e == nil {
				e = &edgev1.Entry{Key: key, Body: body}
			}
			w.made[k] = e
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *edgev1.Entry) int { return strings.Compare(a.GetKey(), b.GetKey()) })
	return list, nil
}

// counted is a content whose lines are counted once for all who look.
type counted struct {
	*ot.Document
	lines map[int]int // by place
}

// Lines are those that some places stand in, which ascend.
func (c *counted) Lines(places []int) []int {
	var unknown []int
	for _, at := range places {
		if _, known := c.lines[at]; !known {
			unknown = append(unknown, at)
		}
	}
	for i, line := range c.Document.Lines(unknown) {
		c.lines[unknown[i]] = line
	}
	lines := make([]int, len(places))
	for i, at := range places {
		lines[i] = c.lines[at]
	}
	return lines
}
