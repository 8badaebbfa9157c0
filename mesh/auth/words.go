package auth

import (
	"strings"
	"sync"
)

// keptWords bounds the words, and the lists of them, that are kept to be shared.
const keptWords = 4096

// words are what many tokens say alike: workspaces, roles, permissions. Each token that is cached refers to one copy of them, for they are
// half of what it says. The zero value is ready.
type words struct {
	mu    sync.Mutex // guards all below
	one   map[string]string
	lists map[string][]string // by their words in a row
}

// share returns the claims of a token that was verified, with the copies that others have.
func (w *words) share(c Claims) Claims {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Workspace, c.Role, c.Kind, c.Permissions = w.word(c.Workspace), w.word(c.Role), Kind(w.word(string(c.Kind))), w.list(c.Permissions)
	return c
}

// keyID is the copy of a key's id.
func (w *words) keyID(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.word(id)
}

// word needs the lock.
func (w *words) word(s string) string {
	if known, ok := w.one[s]; ok {
		return known
	}
	if w.one == nil || len(w.one) >= keptWords {
		w.one = map[string]string{} // whoever has the old copies keeps them
	}
	s = strings.Clone(s)
	w.one[s] = s
	return s
}

// list needs the lock.
func (w *words) list(l []string) []string {
	key := strings.Join(l, "\x00")
	if known, ok := w.lists[key]; ok {
		return known
	}
	if w.lists == nil || len(w.lists) >= keptWords {
		w.lists = map[string][]string{}
	}
	w.lists[key] = l
	return l
}
