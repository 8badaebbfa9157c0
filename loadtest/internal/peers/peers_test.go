package peers

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// All processes get the leader's plan, and at each point what everybody brought there.
func TestGather(t *testing.T) {
	l := listen(t)
	run := func(g *Group, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		defer g.Close()
		for _, point := range []string{"connected", "done"} {
			all, err := Gather(t.Context(), g, point, g.Index*10)
			if err != nil || !slices.Equal(all, []int{0, 10, 20}) {
				t.Errorf("process %d of %d at %s: %v, %v", g.Index, g.Of, point, all, err)
			}
		}
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			var plan string
			g, err := Join(t.Context(), l.Addr().String(), &plan)
			if plan != "fanout" {
				t.Errorf("the plan is %q", plan)
			}
			run(g, err)
		})
	}
	run(Lead(t.Context(), l, 3, "fanout"))
	wg.Wait()
}

// A process that dies ends the others' wait with an error, and so does the end of the run.
func TestLoss(t *testing.T) {
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		var plan string
		g, err := Join(t.Context(), l.Addr().String(), &plan)
		if err != nil {
			t.Error(err)
			return
		}
		_ = g.Close()
	})
	g, err := Lead(t.Context(), l, 2, "idle")
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := Gather(t.Context(), g, "connected", 1); err == nil {
		t.Error("the loss of a process went unnoticed")
	}
	_ = g.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Lead(ctx, listen(t), 2, "idle"); err == nil {
		t.Error("the wait for others did not end")
	}
}

func TestAlone(t *testing.T) {
	if all, err := Gather(t.Context(), Alone(), "connected", "x"); err != nil || !slices.Equal(all, []string{"x"}) {
		t.Fatal(all, err)
	}
}
