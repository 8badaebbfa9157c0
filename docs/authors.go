package docs

import (
	"slices"
	"strings"
)

const maxAuthors = 50

// authors are who edited between two versions: some of them, if they are very many.
type authors struct {
	users []string // ascending
	more  bool
}

func (a *authors) add(user string) {
	i, found := slices.BinarySearch(a.users, user)
	switch {
	case found || user == "":
	case len(a.users) == maxAuthors:
		a.more = true
	default:
		a.users = slices.Insert(a.users, i, user)
	}
}

func (a *authors) merge(b authors) {
	a.users = slices.Clone(a.users)
	for _, user := range b.users {
		a.add(user)
	}
	a.more = a.more || b.more
}

// String is how they are stored: no id has a blank or a plus in it.
func (a authors) String() string {
	s := strings.Join(a.users, " ")
	if a.more {
		s += " +"
	}
	return s
}

func parseAuthors(s string) (a authors) {
	a.users = strings.Fields(s)
	if n := len(a.users); n > 0 && a.users[n-1] == "+" {
		a.users, a.more = a.users[:n-1], true
	}
	return a
}
