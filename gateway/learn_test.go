package gateway

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/mesh/registry"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// cluster are Services whose nodes come and go.
type cluster struct {
	mu      sync.Mutex // guards all below
	nodes   []registry.Node
	changed chan struct{}
	conn    grpc.ClientConnInterface
}

func (c *cluster) set(nodes ...registry.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = nodes
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *cluster) Watch() ([]registry.Node, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes), c.changed
}

func (c *cluster) Conn(service, _ string) (grpc.ClientConnInterface, error) {
	if conns := c.All(service); len(conns) > 0 {
		return conns[0], nil
	}
	return nil, away
}

func (c *cluster) To(n registry.Node) (grpc.ClientConnInterface, error) { return c.Conn(n.Service, "") }

func (c *cluster) Bulk(service, key string) (grpc.ClientConnInterface, error) {
	return c.Conn(service, key)
}

func (c *cluster) All(service string) []grpc.ClientConnInterface {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []grpc.ClientConnInterface
	for _, n := range c.nodes {
		if n.Service == service && service == "test" {
			out = append(out, c.conn)
		}
	}
	return out
}

// Methods appear when their service does, without a restart; a service that can't be reached is asked again; one that goes is
// away, not unknown.
func TestServicesComeAndGo(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := &cluster{changed: make(chan struct{}), conn: s.server.Pipe("gateway")}
		c.set(registry.Node{ID: "a", Service: "absent"})
		g, err := New(DefaultConfig(), Deps{Services: c, Verifier: s.verifier, Bus: s.bus})
		s.must(err)
		clients, first := newPipes(), s.clients
		s.clients = clients
		defer func() { s.clients = first }()
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- g.serve(ctx, clients) }()
		synctest.Wait()
		if g.catalog().Methods() != 0 || g.isReady() {
			t.Error("nothing is known yet")
		}
		c.set(registry.Node{ID: "t", Service: "test", Schema: "1"})
		synctest.Wait()
		if !g.isReady() || g.catalog().Methods() != 3 {
			t.Fatalf("%d methods", g.catalog().Methods())
		}
		client := s.signIn("u")
		client.send(ask(1, "Echo", nil))
		if e := client.reply(1, nil); e != nil {
			t.Error(e)
		}
		c.set()
		time.Sleep(time.Second)
		client.send(ask(2, "Echo", nil))
		if e := client.reply(2, nil); e.GetCode() != edgev1.Code_CODE_UNAVAILABLE {
			t.Errorf("gone: %v", e)
		}
		client.close()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A client leaves one gateway and goes on at another, from its cursor.
func TestResumeAtAnotherGateway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.open("u", events(room, 0))
		s.fill(room, 1, 5)
		c.texts(room, 5)
		c.close()
		other := &system{t: t, clients: newPipes()}
		g, err := New(DefaultConfig(), Deps{Services: Static(map[string]Server{"test": s.server}), Verifier: s.verifier, Bus: s.bus})
		s.must(err)
		stopped := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { stopped <- g.serve(ctx, other.clients) }()
		<-g.Ready()
		s.fill(room, 6, 8)
		back := other.open("u", events(room, 5))
		if got := back.texts(room, 3); !slices.Equal(got, numbers(6, 8)) {
			t.Errorf("%v", got)
		}
		s.fill(room, 9, 9)
		back.texts(room, 1)
		back.close()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// Unsubscribe counts for a Subscribe that is still being opened.
func TestLeavingWhatIsBeingOpened(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		c := s.signIn("u", subscribe(1, events(room)), subscribe(2, events("test.room/b")),
			&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{Topics: []string{room}}}})
		defer c.close()
		if got := c.subscribed(); got["test.room/b"] == nil {
			t.Errorf("%v", got)
		}
		s.svc.Append("w", room, "x", nil)
		s.svc.Append("w", "test.room/b", "y", nil)
		if got := c.texts("test.room/b", 1); got[0] != "y" {
			t.Error(got)
		}
		if n := s.metric("subscribers"); n != 1 {
			t.Errorf("%v subscribers", n)
		}
	})
}

// A hub that has not heard of a new life yet learns of it from a subscriber's grant.
func TestNewLifeIsLearnedFromAGrant(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *system) {
		old := s.open("old", events(room))
		s.svc.Restart()
		c := s.open("new", events(room))
		if f := old.next(); f.GetStopped().GetError().GetCode() != edgev1.Code_CODE_RESET_EPOCH {
			t.Errorf("%v", f)
		}
		s.svc.Append("w", room, "x", nil)
		c.texts(room, 1)
		old.close()
		c.close()
	})
}
