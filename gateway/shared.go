package gateway

import (
	"slices"
	"sync"

	"plenum.internal/gateway/internal/heads"
)

// shared are the topics of bundles, each list kept once for all sessions of a user that follow the same: the phone follows what the
// laptop does.
type shared struct {
	mu    sync.Mutex // guards all below, and followed.by
	lists map[heads.Name]*followed
}

// followed is such a list: the numbers of the topics, ascending. Invariant: it never changes.
type followed struct {
	refs []uint32
	by   int // bundles
}

// share returns the list of others with the same log, or begins one; nil: theirs is another.
func (s *shared) share(log heads.Name, refs []uint32) *followed {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lists[log]
	switch {
	case list == nil:
		list = &followed{refs: refs}
		s.lists[log] = list
	case !slices.Equal(list.refs, refs):
		return nil
	}
	list.by++
	return list
}

// leave ends the sharing: the list is no longer to be read.
func (s *shared) leave(log heads.Name, list *followed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list.by--; list.by == 0 {
		delete(s.lists, log)
	}
}

// take ends the sharing and returns a list that may be changed: the last one's own, a copy for the others. It is copied before the last one
// can know to be the last.
func (s *shared) take(log heads.Name, list *followed) (refs []uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list.by--; list.by > 0 {
		return slices.Clone(list.refs)
	}
	delete(s.lists, log)
	return list.refs
}
