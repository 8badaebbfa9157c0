package onlookers

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/sights"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// watcher is somebody who looks at who is here.
type watcher struct {
	o      *Onlookers
	person *check.Person
	names  map[string]string // of those whom they look at, by their ids
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex // guards all below
	seen     map[string]sights.Look
	old      bool // it is said that what is shown may be old
	sights   []sights.Sight
	glances  []sights.Glance
	failed   error // why nothing more comes
	complete chan struct{}
}

func newWatcher(o *Onlookers, p *check.Person) *watcher {
	return &watcher{o: o, person: p, names: map[string]string{}, seen: map[string]sights.Look{}, complete: make(chan struct{})}
}

// look begins to watch people, and returns when all of them are shown.
func (w *watcher) look(ctx context.Context, at []*comer) error {
	q := &presencev1.People{}
	for _, c := range at {
		w.names[c.id] = c.handle
		q.Users = append(q.Users, c.id)
	}
	params, err := proto.Marshal(q)
	if err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	sub, err := w.person.Client.Follow(ctx, "presence.people/me", client.WithParams(params))
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // until close
	w.stop = stop
	w.done.Go(func() {
		defer sub.Close()
		for {
			u, err := sub.Next(running)
			if w.take(u.View, err); err != nil {
				return
			}
		}
	})
	w.done.Go(func() { w.sample(running) })
	select {
	case <-w.complete:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s is not shown everybody: %w", w.person.Handle, ctx.Err())
	}
}

// take notes what a view tells.
func (w *watcher) take(v *edgev1.View, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = err
		return
	}
	if v == nil {
		return
	}
	told := map[string]sights.Look{}
	if v.GetSnapshot() {
		w.old = false
		for id := range w.seen {
			told[id] = sights.Nothing
		}
	}
	for _, e := range v.GetEntries() {
		if e.GetKey() == "~" {
			w.old = !e.GetRemoved()
			continue
		}
		told[e.GetKey()] = looks(e)
	}
	w.glance(v.GetStale())
	now := w.o.now()
	for id, as := range told {
		if w.names[id] == "" || w.seen[id] == as {
			continue
		}
		w.seen[id] = as
		w.sights = append(w.sights, sights.Sight{At: now, Person: w.names[id], As: as})
	}
	if len(w.seen) == len(w.names) {
		select {
		case <-w.complete:
		default:
			close(w.complete)
		}
	}
}

// looks is what an entry shows somebody as.
func looks(e *edgev1.Entry) sights.Look {
	m := &presencev1.Entry{}
	if e.GetRemoved() || proto.Unmarshal(e.GetBody(), m) != nil {
		return sights.Nothing
	}
	switch m.GetStatus().GetState() {
	case presencev1.State_STATE_UNSPECIFIED:
		return sights.Unknown
	case presencev1.State_STATE_OFFLINE:
		return sights.Offline
	default:
		return sights.Present
	}
}

// glance notes whether what is shown is said to be true. w.mu is held.
func (w *watcher) glance(stale bool) {
	live := !stale && !w.old && w.failed == nil && w.person.Client.State().Connected
	if n := len(w.glances); n == 0 || w.glances[n-1].Live != live {
		w.glances = append(w.glances, sights.Glance{At: w.o.now(), Live: live})
	}
}

// sample notes when the connection breaks. When it is there again, the next view says what is true.
func (w *watcher) sample(ctx context.Context) {
	tick := time.NewTicker(sampling)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		if !w.person.Client.State().Connected || w.failed != nil {
			w.glance(true)
		}
		w.mu.Unlock()
	}
}

func (w *watcher) history() sights.Watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sights.Watcher{Name: w.person.Handle, Sights: slices.Clone(w.sights), Glances: slices.Clone(w.glances)}
}

func (w *watcher) close() {
	if w.stop != nil {
		w.stop()
		w.done.Wait()
	}
	w.person.Close()
}
