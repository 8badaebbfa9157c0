package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/heads"
	"plenum.internal/gateway/internal/intake"
	"plenum.internal/gateway/internal/testsvc"
	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// sink is a transport that takes everything.
type sink struct{ bytes atomic.Int64 }

func (*sink) read(*intake.Hold, int) ([]byte, error) { select {} }
func (s *sink) write(data []byte) error              { s.bytes.Add(int64(len(data))); return nil }
func (*sink) await()                                 { select {} }
func (*sink) discard()                               {}
func (*sink) close(edgev1.Code, string)              {}
func (*sink) kill()                                  {}

// BenchmarkFanOut gives events of 100 bytes to 10,000 subscribers of one topic: from the publication to the buffer that would be
// written, without the system call. One operation is one delivery.
func BenchmarkFanOut(b *testing.B) {
	const subscribers = 10_000
	g, err := New(DefaultConfig(), Deps{Services: Static(nil), Verifier: new(auth.Verifier), Bus: new(bus.Bus)})
	if err != nil {
		b.Fatal(err)
	}
	name := heads.Name{Workspace: "w", Topic: "test.room/a"}
	h := g.shard(name).hub(name, "test")
	h.begin(testsvc.Epoch, 0)
	var sinks []*sink
	for range subscribers {
		t := &sink{}
		s := g.newSession(t, wire.Proto, netip.Addr{}, "", "", "")
		s.state, s.caller.Expires = open, time.Now().Add(time.Hour)
		x := &subscription{s: s, topic: name.Topic, log: name, user: "u", granted: &edgev1.Cursor{}, hub: h}
		h.join(x)
		sinks = append(sinks, t)
	}
	body := bytes.Repeat([]byte("x"), 100)
	b.ResetTimer()
	before := processorTime(b)
	for i := 0; i < b.N; i += subscribers {
		h.publish([]*topicv1.Record{{Epoch: testsvc.Epoch, Event: &edgev1.Event{Offset: uint64(i/subscribers) + 1, Body: body, TimeMs: 1, Mutation: 1}}})
		if i/subscribers%20 == 19 {
			time.Sleep(g.cfg.Window) // more than a queue holds would stop them
		}
	}
	for done := false; !done; {
		time.Sleep(time.Millisecond)
		done = true
		for _, x := range h.live {
			done = done && x.s.box.backlog() == 0
		}
	}
	used := processorTime(b) - before
	if len(h.live) != subscribers || sinks[0].bytes.Load() == 0 {
		b.Fatalf("%d of %d are left", len(h.live), subscribers)
	}
	b.ReportMetric(float64(b.N)/used.Seconds(), "deliveries/core/s")
}

// processorTime is what the process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// listening starts a gateway on a socket, with the test service behind it, which it reaches as reach says.
func listening(tb testing.TB, reach func(*rpc.Server) Services) (*Gateway, *testsvc.Service) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	tb.Cleanup(func() { cancel(); running.Wait() })
	verifier, _ := auth.NewVerifier(auth.VerifierConfig{CacheSize: 100}, auth.NewMemory(signingKey), auth.VerifierDeps{})
	running.Go(func() { _ = verifier.Run(ctx) })
	<-verifier.Ready()
	nats, err := bus.Connect(ctx, bus.DefaultConfig(), bus.Deps{InProcess: testsvc.NewNATS()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nats.Close)
	svc := testsvc.New(nats)
	server, _ := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{Service: "test", Verifier: verifier, Internal: testsvc.Internal})
	svc.Register(server)
	services := reach(server)
	running.Go(func() { _ = server.Run(ctx) })
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Accept.PerSecond, cfg.Accept.Burst = 1e6, 1e6
	cfg.Recheck = nil
	g, err := New(cfg, Deps{Services: services, Verifier: verifier, Bus: nats})
	if err != nil {
		tb.Fatal(err)
	}
	running.Go(func() { _ = g.Run(ctx) })
	<-g.Ready()
	return g, svc
}

// byPipes reaches a service within the process.
func byPipes(server *rpc.Server) Services { return Static(map[string]Server{"test": server}) }

// BenchmarkConnect signs in and opens 20 topics that others have open already; it reports the processor time of the whole process,
// which is the gateway's, the service's behind it and a client's that does next to nothing.
func BenchmarkConnect(b *testing.B) {
	g, _ := listening(b, byPipes)
	now := time.Now()
	var wants []*edgev1.Want
	for i := range 20 {
		wants = append(wants, events(fmt.Sprint("test.room/r", i)))
	}
	connect := func(i int) net.Conn {
		token, _ := auth.Sign(signingKey, auth.Claims{User: fmt.Sprint("u", i), Workspace: "w", Device: "d", Role: "r", Kind: auth.KindPerson, IssuedAt: now, Expires: now.Add(10 * time.Minute)})
		first, _ := proto.Marshal(&edgev1.ClientMessage{Frames: []*edgev1.ClientFrame{hello(token), subscribe(1, wants...)}})
		c := rawClient(b, g.Addr(), first)
		return c
	}
	conns := []net.Conn{connect(-1)}
	time.Sleep(200 * time.Millisecond)
	before := processorTime(b)
	for i := 0; b.Loop(); i++ {
		if conns = append(conns, connect(i)); len(conns) > 5000 {
			b.StopTimer()
			for _, c := range conns[1:] {
				_ = c.Close()
			}
			conns = conns[:1]
			b.StartTimer()
		}
	}
	b.ReportMetric(testutil.ToFloat64(g.metrics.writes)/float64(b.N), "writes/op")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	for _, c := range conns {
		_ = c.Close()
	}
	for g.sessions.Inside() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// BenchmarkIdle keeps 2,000 idle connections that are signed in, and reports the memory of each: heap and stacks in use.
func BenchmarkIdle(b *testing.B) {
	for _, members := range []int{0, 300} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			for b.Loop() {
				idle(b, members)
			}
		})
	}
}

func idle(b *testing.B, members int) {
	const n = 2000
	g, svc := listening(b, byPipes)
	var list []*edgev1.Head
	for i := range members {
		list = append(list, member(i, 5))
	}
	svc.Members("u", list...)
	now := time.Now()
	token, _ := auth.Sign(signingKey, auth.Claims{User: "u", Workspace: "w", Device: "d", Role: "r", Kind: auth.KindPerson, IssuedAt: now, Expires: now.Add(10 * time.Minute)})
	frames := []*edgev1.ClientFrame{hello(token)}
	if members > 0 {
		frames = append(frames, subscribe(1, &edgev1.Want{Topic: "test.mine/me", Mode: edgev1.Mode_MODE_HEADS}))
	}
	first, _ := proto.Marshal(&edgev1.ClientMessage{Frames: frames})

	measure := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
			time.Sleep(50 * time.Millisecond)
		}
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := measure()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for i := c; i < n; i += 8 {
				conns[i] = rawClient(b, g.Addr(), first)
			}
		})
	}
	wg.Wait()
	time.Sleep(500 * time.Millisecond)
	after := measure()
	b.ReportMetric(float64(after-before)/n, "B/conn")
	for _, c := range conns {
		_ = c.Close()
	}
	for g.sessions.Inside() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// rawClient speaks just enough WebSocket to take part, and keeps nothing but its socket.
func rawClient(b *testing.B, at string, first []byte) net.Conn {
	c, err := net.Dial("tcp", at)
	if err != nil {
		b.Error(err)
		return nil
	}
	fmt.Fprintf(c, "GET /edge/v1/ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: plenum.v1.proto\r\n\r\n", at)
	r := bufio.NewReader(c)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols { //nolint:bodyclose // has none
		b.Error(err, res)
		return c
	}
	frame := append([]byte{0x82, 0x80 | 126}, binary.BigEndian.AppendUint16(nil, uint16(len(first)))...)
	frame = append(append(frame, 0, 0, 0, 0), first...) // masked with zero
	_, _ = c.Write(frame)
	if _, err := r.ReadByte(); err != nil { // Welcome
		b.Error(err)
	}
	return c
}
