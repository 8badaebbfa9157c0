package docs

import (
	"sync"
	"time"
)

// shelf keeps what was made of a document's versions at hand for those who take it part by part. What is on it is never changed.
type shelf[T any] struct {
	mu    sync.Mutex // guards all below
	books map[bookKey]book[T]
}

type bookKey struct {
	docKey
	from, to uint64
}

type book[T any] struct {
	what  T
	until time.Time
}

func newShelf[T any]() *shelf[T] { return &shelf[T]{books: map[bookKey]book[T]{}} }

func (s *shelf[T]) get(k bookKey) (what T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.books[k]
	if ok && time.Now().After(b.until) {
		delete(s.books, k)
		ok = false
	}
	return b.what, ok
}

// put may have to take others off.
func (s *shelf[T]) put(k bookKey, what T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for other, b := range s.books {
		if now.After(b.until) || len(s.books) >= keepMost {
			delete(s.books, other)
		}
	}
	s.books[k] = book[T]{what, now.Add(keepTime)}
}
