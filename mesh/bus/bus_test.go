package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"plenum.internal/mesh/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, url string, change func(*Config)) (*Bus, *prometheus.Registry) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URLs, cfg.Retry = []string{url}, 100*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	metrics := prometheus.NewRegistry()
	b, err := Connect(t.Context(), cfg, Deps{Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, metrics
}

func flush(t *testing.T, b *Bus) {
	t.Helper()
	if err := b.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func subscribe(t *testing.T, b *Bus, subject string, ch chan Message) *Subscription {
	t.Helper()
	s, err := b.Subscribe(subject, ch)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t *testing.T, b *Bus, subject, text string) {
	t.Helper()
	if err := b.Publish(subject, []byte(text)); err != nil {
		t.Fatal(err)
	}
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

func TestManySubscriptionsShareAChannelInOrder(t *testing.T) {
	s := meshtest.StartNATS(t)
	from, _ := connect(t, s.URL, nil)
	to, _ := connect(t, s.URL, nil)
	const subjects, each = 20, 50
	ch := make(chan Message, subjects*each)
	for i := range subjects {
		subscribe(t, to, Subject("w", fmt.Sprintf("chat.channel/%d", i)), ch)
	}
	flush(t, to)
	for n := range each {
		for i := range subjects {
			publish(t, from, Subject("w", fmt.Sprintf("chat.channel/%d", i)), fmt.Sprint(n))
		}
	}
	flush(t, from)
	next := map[string]int{}
	for range subjects * each {
		m := <-ch
		if string(m.Data) != fmt.Sprint(next[m.Subject]) {
			t.Fatalf("%s: got %s, want %d", m.Subject, m.Data, next[m.Subject])
		}
		next[m.Subject]++
	}
}

func TestFullChannelDropsAndCounts(t *testing.T) {
	s := meshtest.StartNATS(t)
	b, metrics := connect(t, s.URL, nil)
	slow, quick := make(chan Message, 2), make(chan Message, 100)
	sub := subscribe(t, b, "s", slow)
	subscribe(t, b, "s", quick)
	for i := range 10 {
		publish(t, b, "s", fmt.Sprint(i))
	}
	for i := range 10 { // the slow one holds up nobody
		if m := <-quick; string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("quick got %s, want %d", m.Data, i)
		}
	}
	eventually(t, "eight drops", func() bool { return sub.Dropped() == 8 })
	if n := testutil.ToFloat64(b.metrics.dropped.WithLabelValues("subscriber")); n != 8 {
		t.Errorf("the metric says %v drops", n)
	}
	if n, err := testutil.GatherAndCount(metrics); err != nil || n == 0 {
		t.Errorf("no metrics registered: %d, %v", n, err)
	}
	if m := <-slow; string(m.Data) != "0" {
		t.Errorf("kept %s, want the first", m.Data)
	}
}

func TestUnsubscribeIsSharp(t *testing.T) {
	s := meshtest.StartNATS(t)
	b, _ := connect(t, s.URL, nil)
	ch := make(chan Message, 10_000)
	sub := subscribe(t, b, "s", ch)
	for range 5000 {
		publish(t, b, "s", "x")
	}
	<-ch
	sub.Unsubscribe()
	before := len(ch)
	flush(t, b)
	if after := len(ch); after != before {
		t.Errorf("%d messages came after Unsubscribe", after-before)
	}
	sub.Unsubscribe()
}

func TestServerKilledAndRestarted(t *testing.T) {
	s := meshtest.StartNATS(t)
	b, _ := connect(t, s.URL, nil)
	ch := make(chan Message, 10)
	subscribe(t, b, "s", ch)
	var again atomic.Int32
	b.OnReconnect(func() { again.Add(1) })
	cancel := b.OnReconnect(func() { t.Error("called after cancel") })
	cancel()

	for round := range 2 {
		s.Kill()
		eventually(t, "the loss is noticed", func() bool { return !b.Connected() })
		if err := b.Publish("s", []byte("lost")); !errors.Is(err, ErrAway) {
			t.Errorf("Publish while away: %v", err)
		}
		if err := b.Flush(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("Flush while away: %v", err)
		}
		subscribe(t, b, fmt.Sprintf("later.%d", round), ch)
		s.Start(t)
		eventually(t, "reconnected", func() bool { return again.Load() == int32(round+1) })
		if !b.Connected() {
			t.Error("not connected inside OnReconnect")
		}
		for _, subject := range []string{"s", fmt.Sprintf("later.%d", round)} {
			publish(t, b, subject, "new")
			if m := <-ch; m.Subject != subject || string(m.Data) != "new" {
				t.Errorf("got %s %s", m.Subject, m.Data)
			}
		}
	}
	if n := testutil.ToFloat64(b.metrics.reconnects); n != 2 {
		t.Errorf("the metric says %v reconnections", n)
	}
}

func TestServerComesLaterThanTheProcess(t *testing.T) {
	s := meshtest.StartNATS(t)
	s.Kill()
	b, _ := connect(t, s.URL, nil)
	if b.Connected() {
		t.Fatal("connected to nobody")
	}
	ch := make(chan Message, 1)
	subscribe(t, b, "s", ch)
	called := make(chan struct{})
	b.OnReconnect(func() { close(called) })
	s.Start(t)
	<-called
	publish(t, b, "s", "x")
	<-ch
}

// A server that takes connections and then reads nothing must not hold up a publisher.
func TestPublishNeverBlocks(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	held := make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(held)
				return
			}
			fmt.Fprint(conn, "INFO {\"server_id\":\"x\",\"max_payload\":1048576,\"proto\":1}\r\n")
			buf := make([]byte, 4096)
			if _, err := conn.Read(buf); err == nil { // CONNECT, PING
				fmt.Fprint(conn, "PONG\r\n")
			}
			held <- conn
		}
	}()
	b, _ := connect(t, "nats://"+listener.Addr().String(), func(c *Config) {
		c.QueueBytes, c.Timeout = 2<<20, 30*time.Second
	})
	if !b.Connected() {
		t.Fatal("not connected")
	}
	var full int
	var worst time.Duration
	for range 200 {
		began := time.Now()
		err := b.Publish("s", make([]byte, 100<<10))
		worst = max(worst, time.Since(began))
		if errors.Is(err, ErrFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if full < 100 {
		t.Errorf("only %d of 200 messages of 100 KiB were refused with room for 2 MiB", full)
	}
	if worst > time.Second {
		t.Errorf("a Publish took %v", worst)
	}
	if n := testutil.ToFloat64(b.metrics.dropped.WithLabelValues("full")); n != float64(full) {
		t.Errorf("the metric says %v, the caller was told %d times", n, full)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Flush: %v", err)
	}
	listener.Close()
	for conn := range held {
		conn.Close()
	}
}

func TestRefusals(t *testing.T) {
	s := meshtest.StartNATS(t)
	b, _ := connect(t, s.URL, nil)
	if err := b.Publish("s", make([]byte, MaxPayload+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	b.Close()
	b.Close()
	if err := b.Publish("s", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if _, err := b.Subscribe("s", make(chan Message)); !errors.Is(err, ErrClosed) {
		t.Errorf("Subscribe after Close: %v", err)
	}
	if err := b.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Flush after Close: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no servers":              func(c *Config) { c.URLs = nil },
		"no pause":                func(c *Config) { c.Retry = 0 },
		"queue below one message": func(c *Config) { c.QueueBytes = MaxPayload - 1 },
		"no room to receive":      func(c *Config) { c.Receive = 0 },
		"certificate without key": func(c *Config) { c.CertFile = "x" },
		"no such nkey":            func(c *Config) { c.NKeyFile = "/nowhere" },
		"no such authority":       func(c *Config) { c.CAFile = "/nowhere" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			change(&cfg)
			if b, err := Connect(t.Context(), cfg, Deps{}); err == nil {
				b.Close()
				t.Error("accepted")
			}
		})
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// Whatever is put, what waits never exceeds the limit, and what is taken is what was accepted, in order.
func TestOutboxIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := outbox{limit: 100, wake: make(chan struct{}, 1)}
		var waiting []string // accepted, not yet taken
		var writing []outgoing
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				data := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "data")
				used := 0
				for _, w := range waiting {
					used += len(w)
				}
				for _, w := range writing {
					used += w.size()
				}
				err := o.put(outgoing{data: data})
				if (err == nil) != (used+len(data) <= 100) {
					t.Fatalf("put of %d with %d used: %v", len(data), used, err)
				}
				if err == nil {
					waiting = append(waiting, string(data))
				}
			},
			"take": func(t *rapid.T) {
				if writing != nil {
					return
				}
				writing = o.take()
				if len(writing) != len(waiting) {
					t.Fatalf("took %d, %d waited", len(writing), len(waiting))
				}
				for i, m := range writing {
					if string(m.data) != waiting[i] {
						t.Fatalf("taken out of order at %d", i)
					}
				}
				waiting = nil
			},
			"written": func(t *rapid.T) {
				o.written(writing)
				writing = nil
			},
		})
	})
}
