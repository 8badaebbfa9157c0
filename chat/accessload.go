package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"plenum.internal/mesh/topic"
)

const (
	loadKeys = 4096 // memberships in one load, but for those of the last who joins it
	loadTime = 10 * time.Second
)

// view is what one person's grant is made of: a channel, their membership, and a head as of which, or of later, both were true.
type view struct {
	state topic.State
	ch    *channel // nil: there is none
	me    *member  // nil: not a member
}

// asked is what one person wants to know: what they are in some channels of their workspace.
type asked struct {
	workspace, user string
	channels        []string
	members         []*member // what a load found, for each of channels; nil: not a member
}

// accessLoader reads access for all who ask at the same time: while one load reads, what is asked for gathers for the next. So a storm
// of sessions costs as many statements as loads fit into it, however many sessions it has.
//
// Invariant: a load begins to read after everybody who shares it has asked. So nobody is answered with what was before they asked.
type accessLoader struct {
	// read answers each asked, and returns the channels.
	read  func(ctx context.Context, asks []*asked) (map[channelKey]*held, error)
	cache *accessCache
	turn  chan struct{} // holds the one load that reads

	mu   sync.Mutex // guards next
	next *accessLoad
}

// accessLoad is one load: what is asked until it begins, then what it found.
type accessLoad struct {
	asks  []*asked
	keys  int // memberships that are asked for
	waits int // who waits for it; guarded by the loader's mu
	found map[channelKey]*held
	err   error
	done  chan struct{}
}

// load answers what is asked from the database, and returns the channels.
func (l *accessLoader) load(ctx context.Context, asks ...*asked) (map[channelKey]*held, error) {
	b := l.join(ctx, asks)
	select {
	case <-b.done:
		return b.found, b.err
	case <-ctx.Done():
		l.mu.Lock()
		b.waits--
		l.mu.Unlock()
		return nil, ctx.Err()
	}
}

// join adds to the next load; who is the first of it starts it.
func (l *accessLoader) join(ctx context.Context, asks []*asked) *accessLoad {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.next
	if b == nil || b.keys >= loadKeys {
		b = &accessLoad{done: make(chan struct{})}
		l.next = b
		go l.run(context.WithoutCancel(ctx), b) // it ends within loadTime of its turn, and serves others than the first, too
	}
	b.waits++
	for _, a := range asks {
		b.asks, b.keys = append(b.asks, a), b.keys+len(a.channels)
	}
	return b
}

func (l *accessLoader) run(ctx context.Context, b *accessLoad) {
	defer close(b.done)
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.mu.Lock()
	if l.next == b {
		l.next = nil
	}
	gone := b.waits == 0
	l.mu.Unlock()
	if gone { // all of them, while the database was slow
		b.err = context.DeadlineExceeded
		return
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	l.cache.begin(b.asks)
	if b.found, b.err = l.read(ctx, b.asks); b.err != nil {
		b.found = nil // of members it may say that they are none
	}
	l.cache.finish(b.asks, b.found)
}

// readAccess reads channels and memberships: a statement for the heads of each workspace's channels, one for the channels, and one for
// the memberships of everybody who is in few others.
//
// Invariant: heads are read before access, so that what is revoked in between lies behind the head, where the hub sees it.
func (s *Server) readAccess(ctx context.Context, asks []*asked) (map[channelKey]*held, error) {
	found := map[channelKey]*held{}
	names := map[string][]string{}
	for _, a := range asks {
		for _, ch := range a.channels {
			if k := (channelKey{a.workspace, ch}); found[k] == nil {
				found[k] = &held{}
				names[a.workspace] = append(names[a.workspace], topicChannel+ch)
			}
		}
	}
	for workspace, list := range names {
		states, err := s.log.States(ctx, workspace, list...)
		if err != nil {
			return nil, fmt.Errorf("chat: read heads: %w", err)
		}
		for _, st := range states {
			found[channelKey{workspace, topic.ID(st.Topic)}].state = st
		}
	}
	if err := s.readRules(ctx, found); err != nil {
		return nil, err
	}
	return found, s.readMembers(ctx, asks)
}
