package peers

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
			g, err := Join(t.Context(), l.Addr().String(), "secret", &plan)
			if plan != "fanout" {
				t.Errorf("the plan is %q", plan)
			}
			run(g, err)
		})
	}
	run(Lead(t.Context(), l, "secret", 3, "fanout"))
	wg.Wait()
}

// Who doesn't know the secret is told nothing, and keeps nobody out.
func TestSecret(t *testing.T) {
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer wg.Go(func() {
			var plan string
			g, err := Join(t.Context(), l.Addr().String(), "secret", &plan)
			if err != nil || plan != "fanout" {
				t.Errorf("%v, %q", err, plan)
				return
			}
			_ = g.Close()
		})
		var plan string
		if _, err := Join(t.Context(), l.Addr().String(), "guess", &plan); err == nil || plan != "" {
			t.Errorf("a guess was told %q, %v", plan, err)
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n"))
		if n, _ := conn.Read(make([]byte, 1)); n != 0 {
			t.Error("a stranger was told something")
		}
		_ = conn.Close()
	})
	g, err := Lead(t.Context(), l, "secret", 2, "fanout")
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	_ = g.Close()
}

// Who says nothing, or never ends what it says, is heard for secretTime and secretBytes.
func TestStranger(t *testing.T) {
	for name, says := range map[string]string{"silent": "", "unended": `{"name":"` + strings.Repeat("x", 2*secretBytes)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer ours.Close()
				go func() { _, _ = theirs.Write([]byte(says)) }()
				defer theirs.Close()
				begin, want := time.Now(), time.Duration(0)
				if says == "" {
					want = secretTime
				}
				if newLink(ours).knows(t.Context(), "secret") || time.Since(begin) != want {
					t.Errorf("the end came after %v", time.Since(begin))
				}
			})
		})
	}
}

// A process that dies ends the others' wait with an error, and so does the end of the run.
func TestLoss(t *testing.T) {
	l := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		var plan string
		g, err := Join(t.Context(), l.Addr().String(), "secret", &plan)
		if err != nil {
			t.Error(err)
			return
		}
		_ = g.Close()
	})
	g, err := Lead(t.Context(), l, "secret", 2, "idle")
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
	if _, err := Lead(ctx, listen(t), "secret", 2, "idle"); err == nil {
		t.Error("the wait for others did not end")
	}
}

func TestAlone(t *testing.T) {
	if all, err := Gather(t.Context(), Alone(), "connected", "x"); err != nil || !slices.Equal(all, []string{"x"}) {
		t.Fatal(all, err)
	}
}
