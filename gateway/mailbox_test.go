package gateway

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// stuck is a transport whose client reads nothing.
type stuck struct {
	sink
	killed chan struct{}
}

func (t *stuck) write([]byte) error          { <-t.killed; return nil }
func (*stuck) close(_ edgev1.Code, _ string) {}
func (t *stuck) kill()                       { close(t.killed) }

// What holds no data waits within bounds, too: the session ends.
func TestMailboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(DefaultConfig(), Deps{Services: Static(nil), Verifier: new(auth.Verifier), Bus: new(bus.Bus)})
		if err != nil {
			t.Fatal(err)
		}
		for name, give := range map[string]func(*session){
			"mail":  func(s *session) { s.mail(0, func(*session) {}) },
			"later": func(s *session) { s.later(func(*session) {}) },
		} {
			conn := &stuck{killed: make(chan struct{})}
			s := g.newSession(conn, wire.Proto, netip.Addr{}, "", "", "")
			s.box.busy = true // the turn writes, and will for ever
			for range 1_000_000 {
				give(s)
			}
			if n, most := len(s.box.items), 4*s.queueLimit()/itemBytes+1; n > most {
				t.Errorf("%s: %d items wait, at most %d may", name, n, most)
			}
			<-conn.killed
		}
	})
}
