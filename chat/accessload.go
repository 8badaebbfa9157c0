package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"plenum.internal/mesh/topic"
)

const (
	loadKeys = 4096 // memberships in one load
	loadTime = 10 * time.Second
)

// view is what one person's grant is made of: a channel, their membership, and a head as of which, or of later, both were true.
type view struct {
	state topic.State
	ch    *channel // nil: there is none
	me    *member  // nil: not a member
}

// accessLoader reads access for all who ask at the same time: while one load reads, what is asked for gathers for the next. So a storm
// of sessions costs as many statements as loads fit into it, however many sessions it has.
//
// Invariant: a load begins to read after everybody who shares it has asked. So nobody is answered with what was before they asked.
type accessLoader struct {
	read  func(ctx context.Context, keys map[memberKey]struct{}) (map[channelKey]*held, error)
	cache *accessCache
	turn  chan struct{} // holds the one load that reads

	mu   sync.Mutex // guards next
	next *accessLoad
}

// accessLoad is one load: keys until it begins, then what it found.
type accessLoad struct {
	keys  map[memberKey]struct{}
	found map[channelKey]*held
	err   error
	done  chan struct{}
}

// load reads keys from the database.
func (l *accessLoader) load(ctx context.Context, keys []memberKey) (map[channelKey]*held, error) {
	b := l.join(ctx, keys)
	select {
	case <-b.done:
		return b.found, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join adds keys to the next load; who is the first of it starts it.
func (l *accessLoader) join(ctx context.Context, keys []memberKey) *accessLoad {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.next
	if b == nil || len(b.keys) >= loadKeys {
		b = &accessLoad{keys: map[memberKey]struct{}{}, done: make(chan struct{})}
		l.next = b
		go l.run(context.WithoutCancel(ctx), b) // it ends within loadTime of its turn, and serves others than the first, too
	}
	for _, k := range keys {
		b.keys[k] = struct{}{}
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
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	l.cache.begin(b.keys)
	b.found, b.err = l.read(ctx, b.keys)
	l.cache.finish(b.found)
}

// readAccess reads channels and memberships: a statement for the heads of each workspace's channels, and one for everything else.
//
// Invariant: heads are read before access, so that what is revoked in between lies behind the head, where the hub sees it.
func (s *Server) readAccess(ctx context.Context, keys map[memberKey]struct{}) (map[channelKey]*held, error) {
	found := make(map[channelKey]*held, len(keys))
	names := map[string][]string{}
	for k := range keys {
		if found[k.of()] == nil {
			found[k.of()] = &held{members: map[string]*member{}}
			names[k.workspace] = append(names[k.workspace], topicChannel+k.channel)
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
	channels, members, err := s.loadAccess(ctx, s.db.Query, keysOf(keys))
	if err != nil {
		return nil, err
	}
	for k := range keys {
		h := found[k.of()]
		h.ch, h.members[k.user] = channels[k.of()], members[k]
	}
	return found, nil
}
