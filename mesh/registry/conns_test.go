package registry

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// nodeServer answers health checks with its own name in a header.
type nodeServer struct {
	grpc_health_v1.UnimplementedHealthServer
	node Node
	grpc *grpc.Server
}

func (s *nodeServer) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

func serve(t *testing.T, id, address string) *nodeServer {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &nodeServer{node: Node{ID: id, Service: "chat", Address: listener.Addr().String()}, grpc: grpc.NewServer()}
	grpc_health_v1.RegisterHealthServer(s.grpc, s)
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.grpc.Serve(listener); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { s.grpc.Stop(); done.Wait() })
	return s
}

// fixed is a Watcher set by hand.
type fixed struct {
	mu      sync.Mutex
	nodes   []Node
	changed chan struct{}
}

func (f *fixed) Watch(string) ([]Node, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes, f.changed
}

func (f *fixed) set(nodes ...Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes = nodes
	close(f.changed)
	f.changed = make(chan struct{})
}

func plainDial(n Node) (*grpc.ClientConn, error) {
	return grpc.NewClient(n.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, MaxDelay: 20 * time.Millisecond, Multiplier: 1}}))
}

func startConns(t *testing.T, w Watcher) *Conns {
	t.Helper()
	c := NewConns(w, plainDial, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	<-c.Ready()
	return c
}

// eventually waits for what only the network can bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func call(t *testing.T, c *Conns, key string) (target string, err error) {
	t.Helper()
	cc, err := c.Conn("chat", key)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = grpc_health_v1.NewHealthClient(cc).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return cc.(*grpc.ClientConn).Target(), err
}

func TestNoNodeIsUnavailable(t *testing.T) {
	c := startConns(t, &fixed{changed: make(chan struct{})})
	if _, err := call(t, c, "k"); status.Code(err) != codes.Unavailable {
		t.Errorf("err = %v", err)
	}
	whoever := grpc_health_v1.NewHealthClient(c.Service("chat", ""))
	if _, err := whoever.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a call: %v", err)
	}
	if _, err := whoever.Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream: %v", err)
	}
}

// Keys go to their owner; when it dies they go to the next one, and back when it returns; when it is gone for good its
// connection ends.
func TestCallsFollowTheNodes(t *testing.T) {
	a, b := serve(t, "a", "127.0.0.1:0"), serve(t, "b", "127.0.0.1:0")
	nodes := []Node{a.node, b.node}
	w := &fixed{nodes: nodes, changed: make(chan struct{})}
	c := startConns(t, w)
	ready := func(n int) func() bool {
		return func() bool {
			count := 0
			for _, cc := range c.All("chat") {
				if cc.(*grpc.ClientConn).GetState() == connectivity.Ready {
					count++
				}
			}
			return count == n
		}
	}
	eventually(t, "both connected", ready(2))
	seen := map[string]int{}
	for i := range 50 {
		key := fmt.Sprint(i)
		want, _ := Owner(nodes, key)
		got, err := call(t, c, key)
		if err != nil || got != want.Address {
			t.Fatalf("key %s went to %s (%v), its owner is %s", key, got, err, want.Address)
		}
		seen[got]++
	}
	if len(seen) != 2 {
		t.Fatalf("one node got every key: %v", seen)
	}

	a.grpc.Stop()
	eventually(t, "the death of a is noticed without a call", ready(1))
	for i := range 50 {
		if got, err := call(t, c, fmt.Sprint(i)); err != nil || got != b.node.Address {
			t.Fatalf("with a dead, key %d went to %s: %v", i, got, err)
		}
	}

	whoever := grpc_health_v1.NewHealthClient(c.Service("chat", "somebody"))
	if _, err := whoever.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatalf("a call to the service with one node dead: %v", err)
	}

	again := serve(t, "a", a.node.Address)
	eventually(t, "a is found again", ready(2))
	key := "0"
	for i := 0; owner(t, nodes, key) != "a"; i++ {
		key = fmt.Sprint(i)
	}
	if got, err := call(t, c, key); err != nil || got != again.node.Address {
		t.Fatalf("key %s of a went to %s: %v", key, got, err)
	}

	w.set(b.node)
	eventually(t, "a is not offered any more", func() bool { return len(c.All("chat")) == 1 })
	if got, err := call(t, c, key); err != nil || got != b.node.Address {
		t.Fatalf("with a gone, key %s went to %s: %v", key, got, err)
	}
}

// Long streams have a connection of their own to the node that Conn chooses, which ends with the node's link.
func TestBulk(t *testing.T) {
	a, b := serve(t, "a", "127.0.0.1:0"), serve(t, "b", "127.0.0.1:0")
	nodes := &fixed{changed: make(chan struct{})}
	nodes.set(a.node, b.node)
	c := startConns(t, nodes)
	if _, err := c.Bulk("docs", "key"); status.Code(err) != codes.Unavailable {
		t.Errorf("no node: %v", err)
	}
	for _, key := range []string{"1", "2", "3", "4", "5"} {
		calls, err := c.Conn("chat", key)
		if err != nil {
			t.Fatal(err)
		}
		first, err := c.Bulk("chat", key)
		second, again := c.Bulk("chat", key)
		if err != nil || again != nil || first != second || first == calls {
			t.Errorf("%s: %v %v %v", key, first, second, err)
		}
		if first.(*grpc.ClientConn).Target() != calls.(*grpc.ClientConn).Target() {
			t.Errorf("%s: another node", key)
		}
		if _, err := grpc_health_v1.NewHealthClient(first).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestBulkEnds(t *testing.T) {
	dial := func() (*grpc.ClientConn, error) { return plainDial(Node{Address: "127.0.0.1:1"}) }
	var b bulk
	first, err := b.get(dial)
	if err != nil {
		t.Fatal(err)
	}
	b.drop(false)
	if first.GetState() != connectivity.Shutdown {
		t.Error("the connection to a node that was left stays open")
	}
	if second, err := b.get(dial); err != nil || second == first {
		t.Errorf("%v", err)
	}
	b.drop(true)
	if _, err := b.get(dial); status.Code(err) != codes.Unavailable {
		t.Errorf("of a node that is gone: %v", err)
	}
}
