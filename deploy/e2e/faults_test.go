package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// offlineAndBack: what is written while nothing can be reached waits, in order, and goes out once; who followed goes on
// where they were.
func offlineAndBack(t *testing.T, s *shape) {
	writer, other := s.member(t), s.member(t)
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, writer, other)
	readers := []*reader{other.read(t, channel), writer.read(t, channel)}
	s.down(t)
	var l ledger
	var settle []func()
	for i := range 20 {
		text := fmt.Sprintf("offline %d", i)
		pending, err := writer.client.Enqueue("plenum.chat.v1.ChatService/Send", &chatv1.SendRequest{Channel: channel, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		settle = append(settle, func() {
			var answer chatv1.SendResponse
			if err := pending.Wait(within(t, patience), &answer); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			l.note(text, answer.GetOffset())
		})
	}
	s.up(t)
	for _, f := range settle {
		f()
	}
	for i := 1; i < 20; i++ {
		if l.acked[fmt.Sprintf("offline %d", i)] <= l.acked[fmt.Sprintf("offline %d", i-1)] {
			t.Errorf("message %d stands before the one that was written first", i)
		}
	}
	l.check(t, channel, s.owner, readers...)
}

// down crashes all that clients can reach.
func (s *shape) down(t *testing.T) {
	if s.cluster == nil {
		s.crash[0].do(t)
		return
	}
	for _, name := range []string{"gateway-1", "gateway-2", "gateway-3"} {
		if err := s.cluster.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *shape) up(t *testing.T) {
	if s.cluster == nil {
		s.crash[0].undo(t)
		return
	}
	if err := s.cluster.StartAgain(t.Context(), "gateway-1", "gateway-2", "gateway-3"); err != nil {
		t.Fatal(err)
	}
}

// everythingDies: people write while every part of the system is killed and comes back, one after the other. Nothing that
// was acknowledged is lost, doubled or out of order, for nobody, and nothing needs a restart afterwards.
func everythingDies(t *testing.T, s *shape) {
	const writers, pause = 6, 100 * time.Millisecond
	var people []*person
	for range writers {
		people = append(people, s.member(t))
	}
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, people...)
	var readers []*reader
	for _, p := range people[:3] {
		readers = append(readers, p.read(t, channel))
	}

	var l ledger
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for _, p := range people {
		writing.Go(func() {
			var settling sync.WaitGroup
			defer settling.Wait()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
				text := fmt.Sprintf("%s %d", p.handle, i)
				pending, err := p.client.Enqueue("plenum.chat.v1.ChatService/Send", &chatv1.SendRequest{Channel: channel, Text: text})
				if err != nil {
					t.Errorf("%q cannot wait: %v", text, err)
					return
				}
				settling.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
					defer cancel()
					var answer chatv1.SendResponse
					if err := pending.Wait(ctx, &answer); err != nil {
						t.Errorf("%q: %v; %+v", text, err, p.client.State())
						return
					}
					l.note(text, answer.GetOffset())
				})
			}
		})
	}
	for _, f := range s.crash {
		time.Sleep(time.Second)
		begun := time.Now()
		f.do(t)
		time.Sleep(1500 * time.Millisecond)
		f.undo(t)
		s.works(t, channel)
		t.Logf("%s died; all works again %v after its death", f.name, time.Since(begun).Round(time.Millisecond))
	}
	time.Sleep(time.Second)
	close(stop)
	writing.Wait()
	l.check(t, channel, s.owner, readers...)
}

// works sends by way of a connection of its own.
func (s *shape) works(t *testing.T, channel string) {
	t.Helper()
	eventually(t, "a message can be sent", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := s.owner.chat.History(ctx, &chatv1.HistoryRequest{Channel: channel, Limit: 1})
		return err
	})
}

// without has people write while some processes are away, and then compares.
func without(t *testing.T, s *shape, away time.Duration, names ...string) {
	people := []*person{s.member(t), s.member(t)}
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, people...)
	readers := []*reader{people[0].read(t, channel), people[1].read(t, channel)}
	var l ledger
	say := func(text string) {
		offset := people[0].send(t, channel, text)
		l.note(text, offset)
		begun := time.Now()
		for _, r := range readers {
			r.upTo(t, offset)
		}
		t.Logf("%q was seen %v after it was acknowledged", text, time.Since(begun).Round(time.Millisecond))
	}
	say("before")
	for _, name := range names {
		if err := s.cluster.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Now().Add(away)
	say("just away")
	late := s.device(t, people[1]) // somebody connects only now
	readers = append(readers, late.read(t, channel))
	time.Sleep(time.Until(until))
	say("long away")
	if err := s.cluster.StartAgain(t.Context(), names...); err != nil {
		t.Fatal(err)
	}
	say("just back")
	time.Sleep(2 * time.Second)
	say("long back")
	l.check(t, channel, s.owner, readers...)
}

// withoutNATS: sends and reads go on, and live delivery is late.
func withoutNATS(t *testing.T, s *shape) {
	without(t, s, 10*time.Second, "nats-1", "nats-2", "nats-3")
}

// withoutEtcd: for longer than any lease lives, nothing changes.
func withoutEtcd(t *testing.T, s *shape) {
	without(t, s, 20*time.Second, "etcd-1", "etcd-2", "etcd-3")
}

// frozen: a process that hangs, with its connections open, holds up nobody for longer than it takes to notice, and takes
// part again afterwards.
func frozen(t *testing.T, s *shape) {
	people := []*person{s.member(t), s.member(t)}
	channel := s.channel(t, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE, people...)
	readers := []*reader{people[0].read(t, channel), people[1].read(t, channel)}
	var l ledger
	for _, name := range []string{"chat-1", "chat-2", "nats-1"} {
		if err := s.cluster.Freeze(name); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		text := "while " + name + " is frozen"
		l.note(text, people[0].send(t, channel, text))
		t.Logf("%s: acknowledged after %v", text, time.Since(begun).Round(time.Millisecond))
		if err := s.cluster.Thaw(name); err != nil {
			t.Fatal(err)
		}
	}
	l.check(t, channel, s.owner, readers...)
}
