package docs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// Whoever has much put on the shelf has their own taken off for more, the oldest first, and nobody else's; what nobody has come for is gone after a while.
func TestShelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf[string]()
		put := func(user string, n uint64) {
			s.put(bookKey{docKey{"w", user}, 0, n}, person{"w", user}, fmt.Sprint(user, n))
			time.Sleep(time.Second)
		}
		there := func(user string, n uint64) bool {
			what, ok := s.get(bookKey{docKey{"w", user}, 0, n})
			return ok && what == fmt.Sprint(user, n)
		}
		put("bob", 1)
		put("cyn", 1)
		for n := range uint64(2 * keepMost) {
			put("ada", n)
		}
		put("ada", 2*keepMost-1) // once more
		if len(s.books) != keepMost || !there("bob", 1) || !there("cyn", 1) {
			t.Errorf("%d are there: %v", len(s.books), s.books)
		}
		for n := range uint64(2 * keepMost) {
			if want := n >= keepMost+2; there("ada", n) != want {
				t.Errorf("ada %d: %t", n, !want)
			}
		}
		time.Sleep(keepTime)
		put("bob", 2)
		if len(s.books) != 1 || !there("bob", 2) {
			t.Errorf("after a while: %v", s.books)
		}
	})
}

// Who has waited for their turn takes what somebody else has made meanwhile.
func TestShelfBehindATurn(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("x")
	waits := func() bool {
		w.server.heavy.mu.Lock()
		defer w.server.heavy.mu.Unlock()
		for _, q := range w.server.heavy.line {
			if len(q.waiting) > 0 {
				return true
			}
		}
		return false
	}
	k := bookKey{docKey{"w", doc}, 0, 1}
	for what, c := range map[string]struct {
		ask func() (int, error)
		put func() // as somebody else's is, longer than what ada would make
	}{
		"diff": {func() (int, error) {
			r, err := ada.api.DiffVersions(ada.read(), &docsv1.DiffVersionsRequest{Document: doc, To: 1, After: 2})
			return len(r.GetDelta()), err
		}, func() {
			w.server.diffs.put(k, person{"w", "bob"}, must(ot.Parse([]byte(inserts("longer")), ot.DefaultLimits()))(t))
		}},
		"blame": {func() (int, error) {
			r, err := ada.api.Blame(ada.read(), &docsv1.BlameRequest{Document: doc, Version: 1, After: 1})
			return len(r.GetRanges()), err
		}, func() {
			w.server.blames.put(k, person{"w", "bob"}, must(newBlame([]*docsv1.BlameRange{{Length: 6, User: "bob"}}))(t))
		}},
	} {
		var dones []func()
		for range w.server.heavy.share {
			done, ok := w.server.heavy.take(t.Context(), person{"w", "ada"})
			if !ok {
				t.Fatal("no place is free")
			}
			dones = append(dones, done)
		}
		answered := make(chan error)
		n := 0
		go func() {
			var err error
			n, err = c.ask()
			answered <- err
		}()
		eventually(t, "it waits for its turn", waits)
		c.put()
		for _, done := range dones {
			done()
		}
		if err := <-answered; err != nil || n == 0 {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
}
