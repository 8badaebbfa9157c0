package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// rollingRestart: every process is stopped in order and started again, one after the other, while people write, over each transport. Nobody notices but
// by a reconnect.
func rollingRestart(t *testing.T, s *shape) {
	var people []*person
	for _, transport := range transports {
		people = append(people, s.memberBy(t, transport))
	}
	channel := s.channel(t, private, people...)
	var readers []*reader
	for _, p := range people {
		readers = append(readers, p.read(t, channel))
	}
	var l ledger
	stop := l.load(t, channel, 100*time.Millisecond, people...)
	for _, f := range s.halt {
		begun := time.Now()
		f.do(t)
		halted := time.Since(begun)
		f.undo(t)
		t.Logf("%s stopped within %v, and served again after %v", f.name, halted.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
		time.Sleep(500 * time.Millisecond)
	}
	stop()
	l.check(t, channel, s.owner, readers...)
}

// drain: a gateway that is asked to stop tells its clients when to come back, spread over time; they go elsewhere, and miss nothing.
func drain(t *testing.T, s *shape) {
	writer, many := s.member(t), s.member(t)
	channel := s.channel(t, private, writer, many)
	const sessions = 20
	goodbyes := make(chan *edgev1.Error, 10*sessions)
	var subscriptions []*client.Subscription
	for range sessions {
		c, err := client.New(client.Config{
			Server: s.gateways[0], Others: s.gateways[1:], Tokens: many.Account, Agent: "e2e",
			Watch: func(_ bool, frame any) {
				if f, ok := frame.(*edgev1.ServerFrame); ok && f.GetGoodbye() != nil {
					goodbyes <- f.GetGoodbye().GetError()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, c)
		sub, err := c.Follow(within(t, patience), "chat.channel/"+channel)
		if err != nil {
			t.Fatal(err)
		}
		subscriptions = append(subscriptions, sub)
	}
	readers := []*reader{many.read(t, channel)}
	var l ledger
	stop := l.load(t, channel, 50*time.Millisecond, writer)
	time.Sleep(time.Second)
	begun := time.Now()
	s.halt[0].do(t) // fails where the process doesn't leave in time and with exit code 0
	t.Logf("%s left after %v", s.halt[0].name, time.Since(begun).Round(time.Millisecond))
	if s.cluster == nil {
		s.halt[0].undo(t)
	}

	var waits []uint32
	for range sessions {
		select {
		case e := <-goodbyes:
			if e.GetCode() != edgev1.Code_CODE_DRAINING || e.GetRetryAfterMs() > 10_000 {
				t.Errorf("Goodbye: %v", e)
			}
			waits = append(waits, e.GetRetryAfterMs())
		case <-time.After(patience):
			t.Fatalf("%d of %d sessions were told Goodbye", len(waits), sessions)
		}
	}
	if spread := slices.Max(waits) - slices.Min(waits); spread < 3000 {
		t.Errorf("%d sessions are told to come back within %d ms of each other", sessions, spread)
	}
	time.Sleep(time.Second)
	stop()
	text := "after the drain"
	l.note(text, writer.send(t, channel, text))
	for i, sub := range subscriptions {
		follow(t, i, sub, l.Offset(text))
	}
	if s.cluster != nil {
		s.halt[0].undo(t)
	}
	l.check(t, channel, s.owner, readers...)
}

// follow takes events up to an offset: without a hole.
func follow(t *testing.T, i int, sub *client.Subscription, to uint64) {
	t.Helper()
	ctx := within(t, patience)
	for last := uint64(0); last < to; {
		u, err := sub.Next(ctx)
		if err != nil || u.Reset != nil {
			t.Fatalf("session %d, after %d: %v, %v", i, last, u.Reset, err)
		}
		for _, e := range u.Events {
			if last != 0 && e.GetOffset() != last+1 {
				t.Errorf("session %d: %d after %d", i, e.GetOffset(), last)
			}
			last = e.GetOffset()
		}
	}
}

// run keeps a client connected as long as the test runs.
func run(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-c.Ready():
	case <-time.After(patience):
		t.Fatalf("not connected: %+v", c.State())
	}
}
