package registry

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"plenum.internal/mesh/meshtest"
)

// A process that is stopped keeps its connections. Who waits for it is told within moments that nobody knows, the next calls go to
// another node, and it gets its own again once it answers. The last node of a service is not left.
func TestFrozenNodeIsLeft(t *testing.T) {
	if meshtest.IsChild() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(s, &nodeServer{})
		fmt.Println(l.Addr())
		_ = s.Serve(l)
		os.Exit(0)
	}
	child := meshtest.StartChild(t)
	address, _ := child.Line()
	frozen, other := Node{ID: "frozen", Service: "chat", Address: address}, serve(t, "other", "127.0.0.1:0").node
	w := &fixed{nodes: []Node{frozen, other}, changed: make(chan struct{})}
	c := startConns(t, w)
	ready := func(n int) bool {
		for _, cc := range c.All("chat") {
			if cc.(*grpc.ClientConn).GetState() == connectivity.Ready {
				n--
			}
		}
		return n == 0
	}
	key := "0"
	for i := 0; owner(t, w.nodes, key) != "frozen"; i++ {
		key = fmt.Sprint(i)
	}
	eventually(t, "both connected", func() bool { return ready(2) })
	if got, err := call(t, c, key); err != nil || got != address {
		t.Fatalf("%s %v", got, err)
	}

	child.Freeze()
	begin := time.Now()
	if got, err := call(t, c, key); status.Code(err) != codes.Canceled || got != address {
		t.Errorf("who waited: %s %v", got, err)
	}
	if d := time.Since(begin); d > probeEvery+probeMisses*probeTime+time.Second/2 {
		t.Errorf("it took %v", d)
	}
	begin = time.Now()
	if got, err := call(t, c, key); err != nil || got != other.Address || time.Since(begin) > time.Second {
		t.Errorf("the next call: %s %v", got, err)
	}
	child.Thaw()
	eventually(t, "it is asked again", func() bool {
		got, err := call(t, c, key)
		return err == nil && got == address
	})

	w.set(frozen)
	eventually(t, "it is alone", func() bool { return ready(1) && len(c.All("chat")) == 1 })
	child.Freeze()
	time.AfterFunc(probeEvery+(probeMisses+1)*probeTime, child.Thaw)
	if _, err := call(t, c, key); err != nil {
		t.Errorf("the only one is not left, whoever has patience is answered: %v", err)
	}

	// One that is gone from the registry, and does not answer, keeps nobody waiting until the calls that run on it might have ended.
	child.Freeze()
	waited := make(chan error, 1)
	cc, err := c.To("chat", frozen.ID)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := grpc_health_v1.NewHealthClient(cc).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		waited <- err
	}()
	begin = time.Now()
	w.set(other)
	if err := <-waited; status.Code(err) != codes.Canceled || time.Since(begin) > probeEvery+probeTime+time.Second/2 {
		t.Errorf("who waited for one that has left: %v after %v", err, time.Since(begin))
	}
	if _, err := c.To("chat", frozen.ID); status.Code(err) != codes.Unavailable {
		t.Errorf("one that has left: %v", err)
	}
}
