package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

const password = "correct horse battery staple"

// patience is how long anything may take that a person waits for, on a busy machine, with processes dying.
const patience = 60 * time.Second

// person is somebody at a device, for as long as the test runs.
type person struct{ *check.Person }

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// setUp makes the workspace by the link of the first run.
func (s *shape) setUp(t *testing.T) *person {
	t.Helper()
	_, secret, _ := strings.Cut(s.link, "#setup=")
	return s.enter(t, check.SetUp(secret, "acme", "owner", password))
}

// join invites somebody and has them join.
func (s *shape) join(t *testing.T, role identityv1.Role) *person {
	t.Helper()
	invitation, err := s.owner.Admin.Invite(within(t, patience), &identityv1.InviteRequest{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return s.enter(t, check.Join(invitation.GetSecret(), unique("p"), password))
}

func (s *shape) member(t *testing.T) *person {
	t.Helper()
	return s.join(t, identityv1.Role_ROLE_MEMBER)
}

// device signs the same person in on another one.
func (s *shape) device(t *testing.T, p *person) *person {
	t.Helper()
	return s.enter(t, check.SignIn("acme", p.Handle, password))
}

func (s *shape) enter(t *testing.T, way check.Way) *person {
	t.Helper()
	return enterBy(t, check.Door{Server: s.server, TLS: s.trust}, way)
}

func enterBy(t *testing.T, door check.Door, way check.Way) *person {
	t.Helper()
	door.Dir = t.TempDir()
	p, err := check.Enter(within(t, patience), door, way)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &person{p}
}

// private is the kind of most channels here.
const private = chatv1.ChannelKind_CHANNEL_KIND_PRIVATE

// unique is a name that nobody has.
func unique(prefix string) string {
	return prefix + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(client.NewID()))[:12]
}

// channel is made by the owner of the workspace, with these people in it.
func (s *shape) channel(t *testing.T, kind chatv1.ChannelKind, people ...*person) string {
	t.Helper()
	made, err := s.owner.Chat.CreateChannel(within(t, patience), &chatv1.CreateChannelRequest{Name: unique("c"), Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		// Chat learns of people by following identity: a moment passes until it knows somebody who just joined.
		eventually(t, "chat knows "+p.Handle, func(ctx context.Context) error {
			_, err := s.owner.Chat.AddMembers(ctx, &chatv1.AddMembersRequest{Channel: made.GetChannel(), Users: []string{p.ID}})
			return err
		})
	}
	return made.GetChannel()
}

// eventually tries until it works.
func eventually(t *testing.T, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx := within(t, patience)
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v in vain, until %s: %v", patience, what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *person) send(t *testing.T, channel, text string) uint64 {
	t.Helper()
	sent, err := p.Chat.Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: text})
	if err != nil {
		t.Fatalf("%s sends %q: %v", p.Handle, text, err)
	}
	return sent.GetOffset()
}

// reader is what somebody is shown of a channel, for as long as the test runs.
type reader struct{ *check.Reader }

func (p *person) read(t *testing.T, channel string) *reader {
	t.Helper()
	r, err := p.Read(within(t, patience), channel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &reader{r}
}

// upTo waits until the reader was shown an offset.
func (r *reader) upTo(t *testing.T, offset uint64) {
	t.Helper()
	if err := r.UpTo(within(t, patience), offset); err != nil {
		t.Fatal(err)
	}
}

// ledger is what was acknowledged.
type ledger struct{ check.Ledger }

func (l *ledger) note(text string, offset uint64) { l.Acknowledged(text, offset, 0) }

// check compares it with the history and with what readers were shown, none of whom was to be reset.
func (l *ledger) check(t *testing.T, channel string, by *person, readers ...*reader) {
	t.Helper()
	if v := l.compare(t, channel, by, readers...); v.Resets > 0 {
		t.Errorf("%d resets", v.Resets)
	}
}

func (l *ledger) compare(t *testing.T, channel string, by *person, readers ...*reader) check.Verdict {
	t.Helper()
	var all []*check.Reader
	for _, r := range readers {
		all = append(all, r.Reader)
	}
	v, err := l.Compare(within(t, patience), channel, by.Chat, all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range v.Faults {
		t.Error(fault)
	}
	t.Log(v)
	return v
}

// load has people write until stop is called, which returns once every message is acknowledged.
func (l *ledger) load(t *testing.T, channel string, pause time.Duration, people ...*person) (stop func()) {
	t.Helper()
	var all []*check.Person
	for _, p := range people {
		all = append(all, p.Person)
	}
	load := check.Write(&l.Ledger, channel, pause, all...)
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, failed := range load.Stop(ctx) {
			t.Error(failed)
		}
	})
	t.Cleanup(stop)
	return stop
}
