package gateway

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
)

// rung is how much mail waits for a session whose mail nobody works off.
func rung(s *session) int {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	return len(s.box.items)
}

// Alarms ring at the time that was set last, each once, and not after they were taken back.
func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(DefaultConfig(), Deps{Services: Static(nil), Verifier: new(auth.Verifier), Bus: new(bus.Bus)})
		if err != nil {
			t.Fatal(err)
		}
		type ring struct {
			s  *session
			at time.Duration
		}
		want := map[ring]bool{}
		a := newAlarms()
		var sessions []*session
		for range 500 {
			s := g.newSession(&sink{}, wire.Proto, netip.Addr{}, "", "", "")
			s.box.busy = true // nobody works off its mail
			sessions = append(sessions, s)
		}
		for range 3 {
			for _, s := range sessions {
				a.set(s, a.now()+rand.N(time.Minute))
			}
			time.Sleep(rand.N(time.Second))
		}
		synctest.Wait()
		before := map[*session]int{}
		for i, s := range sessions {
			before[s] = rung(s) // within these seconds
			if i%3 == 0 {
				a.clear(s)
				continue
			}
			at := a.now() + rand.N(time.Minute)
			a.set(s, at)
			want[ring{s, at}] = true
		}
		for len(want) > 0 {
			next := time.Hour
			for r := range want {
				next = min(next, r.at)
			}
			time.Sleep(next - a.now() - 1)
			synctest.Wait()
			for r := range want {
				if r.at > a.now() && rung(r.s) != before[r.s] {
					t.Fatal("one rings early")
				}
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			for r := range want {
				if r.at <= a.now() {
					if n := rung(r.s) - before[r.s]; n != 1 {
						t.Fatalf("one has rung %d times", n)
					}
					delete(want, r)
				}
			}
		}
		time.Sleep(time.Hour)
		if len(a.heap) > 0 {
			t.Errorf("%d are left", len(a.heap))
		}
		for i, s := range sessions {
			if i%3 == 0 && rung(s) > before[s] {
				t.Error("one that was taken back has rung")
			}
		}
	})
}
