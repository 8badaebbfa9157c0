package e2e

import (
	"testing"
	"time"

	"plenum.internal/deploy/check"
)

// away is longer than anything in etcd lives without a sign of life.
const away = 61 * time.Second

// without has people write and read while all of some servers are away for a minute, with other scenarios beside it, and then
// compares. Processes that start meanwhile take part once the servers are back, and nothing is restarted afterwards.
func without(t *testing.T, s *shape, names []string, beside ...scenario) {
	people := []*person{s.member(t), s.member(t)}
	channel := s.channel(t, private, people...)
	readers := []*reader{people[0].read(t, channel), people[1].read(t, channel)}
	var l ledger
	say := func(text string) {
		t.Helper()
		begun := time.Now()
		l.note(text, people[0].send(t, channel, text))
		acknowledged := time.Now()
		for _, r := range readers {
			r.upTo(t, l.Offset(text))
		}
		t.Logf("%q was acknowledged after %v, and seen by all %v later", text, acknowledged.Sub(begun).Round(time.Millisecond), time.Since(acknowledged).Round(time.Millisecond))
	}
	say("before")
	s.kill(t, names...)
	gone := time.Now()
	say("just away")
	late := s.device(t, people[1]) // somebody connects only now
	readers = append(readers, late.read(t, channel))
	say("seen by one more")
	s.together(t, "meanwhile", beside...)

	time.Sleep(away - 15*time.Second - time.Since(gone))
	s.kill(t, "chat-2", "gateway-3")
	started := make(chan error, 1)
	go func() { started <- s.cluster.StartAgain(t.Context(), "chat-2", "gateway-3") }()
	say("one of each is gone")
	time.Sleep(away - time.Since(gone))
	say("a minute away")
	if err := s.cluster.StartAgain(t.Context(), names...); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Errorf("who started meanwhile: %v", err)
	}
	say("just back")
	newcomer := enterBy(t, check.Door{Server: s.gateways[2]}, check.SignIn("acme", people[0].Handle, password))
	readers = append(readers, newcomer.read(t, channel))
	s.kill(t, "chat-1")
	say("by those who started meanwhile")
	if err := s.cluster.StartAgain(t.Context(), "chat-1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // longer than a digest may be silent
	begun := time.Now()
	say("long back")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("delivery takes %v long after everything is back", took)
	}
	l.check(t, channel, s.owner, readers...)
}

// withoutNATS: sends and reads go on, and live delivery is late.
func withoutNATS(t *testing.T, s *shape) {
	without(t, s, []string{"nats-1", "nats-2", "nats-3"}, scenario{"the command line", tour})
}

// withoutEtcd: nothing changes, neither for a reader that is slow nor for one that sleeps.
func withoutEtcd(t *testing.T, s *shape) {
	without(t, s, []string{"etcd-1", "etcd-2", "etcd-3"}, scenario{"asleep", asleep}, scenario{"slow readers", slowReaders})
}
