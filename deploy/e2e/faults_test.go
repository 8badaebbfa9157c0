package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// offlineAndBack: what is written while nothing can be reached waits, in order, and goes out once; who followed goes on
// where they were.
func offlineAndBack(t *testing.T, s *shape) {
	writer, other := s.member(t), s.member(t)
	channel := s.channel(t, private, writer, other)
	readers := []*reader{other.read(t, channel), writer.read(t, channel)}
	s.down(t)
	var l ledger
	var settle []func()
	for i := range 20 {
		text := fmt.Sprintf("offline %d", i)
		pending, err := writer.Client.Enqueue("plenum.chat.v1.ChatService/Send", &chatv1.SendRequest{Channel: channel, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		l.Sent("writer", text)
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
	l.check(t, channel, s.owner, readers...)
}

// down crashes all that clients can reach.
func (s *shape) down(t *testing.T) {
	if s.cluster == nil {
		s.crash[0].do(t)
		return
	}
	s.kill(t, "gateway-1", "gateway-2", "gateway-3")
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

// everythingDies: people write, over each transport, while every part of the system is killed and comes back, one after the other. Nothing that
// was acknowledged is lost, doubled or out of order, for nobody, and nothing needs a restart afterwards.
func everythingDies(t *testing.T, s *shape) {
	const writers, pause = 6, 100 * time.Millisecond
	var people []*person
	for i := range writers {
		people = append(people, s.memberBy(t, transports[i%len(transports)]))
	}
	channel := s.channel(t, private, people...)
	var readers []*reader
	for _, p := range people[:len(transports)] {
		readers = append(readers, p.read(t, channel))
	}
	var l ledger
	stop := l.load(t, channel, pause, people...)
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
	stop()
	l.check(t, channel, s.owner, readers...)
}

// works sends by way of a connection of its own.
func (s *shape) works(t *testing.T, channel string) {
	t.Helper()
	eventually(t, "a message can be sent", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_, err := s.owner.Chat.History(ctx, &chatv1.HistoryRequest{Channel: channel, Limit: 1})
		return err
	})
}

// frozen: a process that hangs, with its connections open, holds up nobody for longer than it takes to notice, and takes
// part again afterwards.
func frozen(t *testing.T, s *shape) {
	people := []*person{s.member(t), s.member(t)}
	channel := s.channel(t, private, people...)
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
