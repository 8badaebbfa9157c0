package chat

import (
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Who asks for a bundle while others wait for theirs gets it by the same read, which is not older than any of them; other people's
// bundles are their own.
func TestBundlesAreReadTogether(t *testing.T) {
	w := newWorld(t, meshtest.SQLite(t))
	ada, bob := w.person("w1", "ada", plain), w.person("w1", "bob", plain)
	w.settle()
	first := ada.public("first")
	w.settle()
	turns := w.server.bundles.turns
	var leave []func()
	for range bundleReads { // until these leave nobody reads
		out, err := turns.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, out)
	}
	var mu sync.Mutex
	var got [][]*edgev1.Head
	var wg sync.WaitGroup
	ask := func(u *user) {
		wg.Go(func() {
			heads, err := w.server.bundle(t.Context(), auth.Caller{Claims: auth.Claims{Workspace: "w1", User: u.id}})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if u == bob {
				if len(heads) != 0 {
					t.Errorf("bob's: %v", heads)
				}
				return
			}
			got = append(got, heads)
		})
	}
	for range 20 {
		ask(ada)
	}
	ask(bob)
	for len(turns.waiting) < bundleReads+2 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	if n := len(turns.waiting); n != bundleReads+2 {
		t.Errorf("%d bundles wait to be read, of two people", n-bundleReads)
	}
	second := ada.public("second")
	w.settle()
	ask(ada)
	for _, out := range leave {
		out()
	}
	wg.Wait()
	for _, heads := range got {
		if len(heads) != 2 || len(got) != 21 {
			t.Fatalf("ada's, one of %d: %v, want %s and %s", len(got), heads, first, second)
		}
	}
}
