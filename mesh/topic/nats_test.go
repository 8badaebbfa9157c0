package topic_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	. "plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// TestOverNATS: events and heads reach other processes over a real server, and what is committed while that is dead arrives after.
func TestOverNATS(t *testing.T) {
	server := meshtest.StartNATS(t)
	cfg := bus.DefaultConfig()
	cfg.URLs, cfg.Retry = []string{server.URL}, 50*time.Millisecond
	connect := func() *bus.Bus {
		b, err := bus.Connect(t.Context(), cfg, bus.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	writer, reader := connect(), connect()
	l, _ := startLog(t, openDB(t, meshtest.SQLite(t)), func(_ *Config, d *Deps) { d.Bus = writer })
	g := &gateway{heads: map[string]*edgev1.Head{}}
	feed, err := NewHeadsFeed(FeedConfig{Service: "book"}, FeedDeps{Source: &direct{server: NewServer(l, nil)}, Bus: reader, Handle: g.handle})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := feed.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()
	<-feed.Ready()
	events := make(chan bus.Message, 16)
	if _, err := reader.Subscribe(bus.Subject("w", pages+"p"), events); err != nil {
		t.Fatal(err)
	}
	if err := reader.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	told := func(offset uint64) {
		t.Helper()
		for begun := time.Now(); g.offset("p") != offset; time.Sleep(10 * time.Millisecond) {
			if time.Since(begun) > 10*time.Second {
				t.Fatalf("told of %d, not of %d", g.offset("p"), offset)
			}
		}
	}
	if _, err := send(l, "p", key(1), "one"); err != nil {
		t.Fatal(err)
	}
	p := &topicv1.Publication{}
	if err := proto.Unmarshal((<-events).Data, p); err != nil || bodies(p.GetRecords()) != "1:one" {
		t.Errorf("published %v, %v", p, err)
	}
	told(1)
	server.Kill()
	if _, err := send(l, "p", key(2), "two"); err != nil {
		t.Errorf("a send without NATS: %v", err)
	}
	told(2) // by asking
	server.Start(t)
	if _, err := send(l, "p", key(3), "three"); err != nil {
		t.Fatal(err)
	}
	told(3)
}
