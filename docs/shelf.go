package docs

import (
	"maps"
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
	who   person // for whom it was made
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

// put may have to take another one off: the oldest of whoever has most there.
func (s *shelf[T]) put(k bookKey, who person, what T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(s.books, func(_ bookKey, b book[T]) bool { return now.After(b.until) })
	if _, there := s.books[k]; !there && len(s.books) >= keepMost {
		delete(s.books, s.least(who))
	}
	s.books[k] = book[T]{what, who, now.Add(keepTime)}
}

// least is what goes for one more of somebody's.
func (s *shelf[T]) least(who person) (k bookKey) {
	has := map[person]int{who: 1}
	for _, b := range s.books {
		has[b.who]++
	}
	var found book[T]
	for other, b := range s.books {
		if n, most := has[b.who], has[found.who]; found.until.IsZero() || n > most || n == most && b.until.Before(found.until) {
			k, found = other, b
		}
	}
	return k
}
