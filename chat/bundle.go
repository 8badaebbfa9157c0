package chat

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	// maxBundle is how many channels one person's bundle shows.
	maxBundle = 5000
	// When everybody comes back at once, bundles are read a few at a time: all of them together would each take so long that nobody
	// waits for the end. Who finds bundleQueue before him is told to come back.
	bundleReads = 4
	bundleQueue = 1024
	bundleRetry = 2 * time.Second
	bundleTime  = 10 * time.Second // for waiting and reading
)

var errBundles = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "chat.BUSY", "Too many people come at the same time. Ask again in a moment.")

// bundleLoads are bundles that are about to be read, by the person: who opens the same from several devices at once, or comes back with
// all of them, has it read once. The entries are shared: nobody changes them.
//
// Invariant: a bundle is read after everybody who shares it has asked. So nobody is answered with what was before they asked.
type bundleLoads struct {
	turns turnstile

	mu   sync.Mutex // guards next
	next map[personKey]*bundleLoad
}

type personKey struct{ workspace, user string }

type bundleLoad struct {
	members []*edgev1.Head
	err     error
	done    chan struct{}
}

// bundle is where all of a person's channels stand for them, as of what was derived.
func (s *Server) bundle(ctx context.Context, caller auth.Caller) ([]*edgev1.Head, error) {
	k, b := personKey{caller.Workspace, caller.User}, &s.bundles
	b.mu.Lock()
	load := b.next[k]
	if load == nil {
		load = &bundleLoad{done: make(chan struct{})}
		b.next[k] = load
		go s.loadBundle(context.WithoutCancel(ctx), k, load) // it ends within bundleTime, and serves others than the first, too
	}
	b.mu.Unlock()
	select {
	case <-load.done:
		return load.members, load.err
	case <-ctx.Done():
		return nil, errBundles.RetryIn(bundleRetry + rand.N(bundleRetry)).Because(ctx.Err())
	}
}

// loadBundle waits for its turn, and reads.
func (s *Server) loadBundle(ctx context.Context, k personKey, load *bundleLoad) {
	defer close(load.done)
	ctx, cancel := context.WithTimeout(ctx, bundleTime)
	defer cancel()
	leave, err := s.bundles.turns.enter(ctx)
	s.bundles.mu.Lock()
	delete(s.bundles.next, k)
	s.bundles.mu.Unlock()
	if err != nil {
		load.err = err
		return
	}
	defer leave()
	load.members, load.err = s.readBundle(ctx, k)
}

// readBundle reads by one statement.
func (s *Server) readBundle(ctx context.Context, k personKey) ([]*edgev1.Head, error) {
	var members []*edgev1.Head
	m := &mine{marker: &chatv1.Marker{}, head: &edgev1.Head{}, role: chatv1.ChannelRole_CHANNEL_ROLE_MEMBER} // of each row, which has it all
	err := each(ctx, s.db.Query, readBundle, []any{k.workspace, k.user, maxBundle}, func(r *sql.Rows) error {
		var level int64
		if err := r.Scan(&m.head.Topic, &m.kind, &m.marker.Offset, &m.marker.Version, &m.marker.Count, &m.marker.Calls, &m.muted, &level, &m.mentions,
			&m.head.Epoch, &m.head.Offset, &m.head.Count, &m.head.Calls, &m.head.Redacted); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		m.head.Topic, m.level = topicChannel+m.head.GetTopic(), chatv1.NotifyLevel(level)
		h, err := m.entry()
		if err == nil {
			members = append(members, h)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("chat: read a bundle: %w", err)
	}
	return members, nil
}

// turnstile lets a few pass at the same time, and so many wait.
type turnstile struct {
	inside  chan struct{}
	waiting chan struct{}
}

func newTurnstile(inside, waiting int) turnstile {
	return turnstile{make(chan struct{}, inside), make(chan struct{}, inside+waiting)}
}

// enter waits its turn, in order; who entered must leave.
func (t turnstile) enter(ctx context.Context) (leave func(), err error) {
	select {
	case t.waiting <- struct{}{}:
	default:
		return nil, errBundles.RetryIn(bundleRetry + rand.N(bundleRetry))
	}
	select {
	case t.inside <- struct{}{}:
		return func() { <-t.inside; <-t.waiting }, nil
	case <-ctx.Done():
		<-t.waiting
		return nil, errBundles.RetryIn(bundleRetry + rand.N(bundleRetry)).Because(ctx.Err())
	}
}
