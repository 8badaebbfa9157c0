package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

const password = "correct horse battery staple"

// person is somebody at a device.
type person struct {
	id, handle string
	account    *client.Account
	client     *client.Client
	chat       chatv1.ChatServiceClient
	admin      identityv1.AdminServiceClient
	ended      chan error // what the client's Run returned
}

// patience is how long anything may take that a person waits for, on a busy machine, with processes dying.
const patience = 60 * time.Second

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
	return s.signIn(t, func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.SetUp(ctx, &identityv1.SetUpRequest{
			Secret: secret, WorkspaceSlug: "acme", WorkspaceName: "Acme", Handle: "owner", Password: password, Client: me,
		})
		return answer.GetSession(), err
	})
}

// join invites somebody and has them join.
func (s *shape) join(t *testing.T, role identityv1.Role) *person {
	t.Helper()
	invitation, err := s.owner.admin.Invite(within(t, patience), &identityv1.InviteRequest{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	handle := "p" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(client.NewID()))[:12]
	return s.signIn(t, func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.Join(ctx, &identityv1.JoinRequest{Secret: invitation.GetSecret(), Handle: handle, Password: password, Client: me})
		return answer.GetSession(), err
	})
}

func (s *shape) member(t *testing.T) *person {
	t.Helper()
	return s.join(t, identityv1.Role_ROLE_MEMBER)
}

// device signs the same person in on another one.
func (s *shape) device(t *testing.T, p *person) *person {
	t.Helper()
	return s.signIn(t, func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.SignIn(ctx, &identityv1.SignInRequest{WorkspaceSlug: "acme", Handle: p.handle, Password: password, Client: me})
		return answer.GetSession(), err
	})
}

func (s *shape) signIn(t *testing.T, way func(context.Context, identityv1.SessionServiceClient, *identityv1.Client) (*identityv1.Session, error)) *person {
	t.Helper()
	outbox, err := client.OpenOutbox(filepath.Join(t.TempDir(), "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h := &client.HTTP{Server: s.server, Client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	session, err := way(within(t, patience), identityv1.NewSessionServiceClient(h), &identityv1.Client{ClientId: outbox.ClientID(), Name: "e2e", Agent: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	account, err := client.NewAccount(filepath.Join(t.TempDir(), "session"), h, outbox.ClientID(), session)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Server: s.server, Tokens: account, Outbox: outbox, Agent: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	p := &person{
		id: account.User(), handle: account.Handle(), account: account, client: c, ended: make(chan error, 1),
		chat: chatv1.NewChatServiceClient(c), admin: identityv1.NewAdminServiceClient(c),
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.ended <- c.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		_ = outbox.Close()
	})
	select {
	case <-c.Ready():
	case <-time.After(patience):
		t.Fatalf("%s is not connected: %+v", p.handle, c.State())
	}
	return p
}

// channel is made by the owner of the workspace, with these people in it.
func (s *shape) channel(t *testing.T, kind chatv1.ChannelKind, people ...*person) string {
	t.Helper()
	name := "c" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(client.NewID()))[:12]
	made, err := s.owner.chat.CreateChannel(within(t, patience), &chatv1.CreateChannelRequest{Name: name, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		// Chat learns of people by following identity: a moment passes until it knows somebody who just joined.
		eventually(t, "chat knows "+p.handle, func(ctx context.Context) error {
			_, err := s.owner.chat.AddMembers(ctx, &chatv1.AddMembersRequest{Channel: made.GetChannel(), Users: []string{p.id}})
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
	sent, err := p.chat.Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: text})
	if err != nil {
		t.Fatalf("%s sends %q: %v", p.handle, text, err)
	}
	return sent.GetOffset()
}

// code is the kind of an error.
func code(err error) edgev1.Code {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return edgev1.Code_CODE_UNSPECIFIED
}

// reader follows a channel from its beginning and keeps what it was shown.
type reader struct {
	person *person
	sub    *client.Subscription

	mu     sync.Mutex // guards what follows
	events []*edgev1.Event
	holes  []string
	resets int
	heard  []*edgev1.Signal
	last   error // why nothing more comes

	done chan struct{}
}

func (p *person) read(t *testing.T, channel string) *reader {
	t.Helper()
	history, err := p.chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := p.client.Follow(within(t, patience), "chat.channel/"+channel, client.From(&edgev1.Cursor{Epoch: history.GetCursor().GetEpoch()}))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{person: p, sub: sub, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			u, err := sub.Next(context.Background())
			r.mu.Lock()
			if err != nil {
				r.last = err
				r.mu.Unlock()
				return
			}
			if u.Reset != nil {
				r.resets++
			}
			if u.Signal != nil {
				r.heard = append(r.heard, u.Signal)
			}
			for _, e := range u.Events {
				if n := len(r.events); n > 0 && e.GetOffset() != r.events[n-1].GetOffset()+1 {
					r.holes = append(r.holes, fmt.Sprintf("%d after %d", e.GetOffset(), r.events[n-1].GetOffset()))
				}
				r.events = append(r.events, e)
			}
			r.mu.Unlock()
		}
	}()
	t.Cleanup(func() { sub.Close(); <-r.done })
	return r
}

// texts are the messages seen so far, in the order in which they came, by offset.
func (r *reader) texts(t *testing.T) (out []string, offset uint64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		offset = e.GetOffset()
		var event chatv1.ChannelEvent
		if err := proto.Unmarshal(e.GetBody(), &event); err != nil {
			t.Fatal(err)
		}
		if posted := event.GetPosted(); posted.GetText() != "" {
			out = append(out, posted.GetText())
		}
	}
	return out, offset
}

// upTo waits until the reader has seen an offset.
func (r *reader) upTo(t *testing.T, offset uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has seen event %d", r.person.handle, offset), func(context.Context) error {
		if _, seen := r.texts(t); seen < offset {
			return fmt.Errorf("seen up to %d; client: %+v", seen, r.person.client.State())
		}
		return nil
	})
}

// history reads a whole channel: texts in order, and each one's offset.
func (p *person) history(t *testing.T, channel string) (texts []string, at map[string][]uint64, head uint64) {
	t.Helper()
	at = map[string][]uint64{}
	for after := uint64(0); ; {
		page, err := p.chat.History(within(t, patience), &chatv1.HistoryRequest{Channel: channel, Limit: 100, Place: &chatv1.HistoryRequest_After{After: after}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetMessages() {
			after = m.GetOffset()
			if m.GetText() != "" {
				texts = append(texts, m.GetText())
				at[m.GetText()] = append(at[m.GetText()], m.GetOffset())
			}
		}
		if !page.GetMoreAfter() {
			return texts, at, page.GetCursor().GetOffset()
		}
	}
}

// ledger is what was acknowledged.
type ledger struct {
	mu    sync.Mutex
	acked map[string]uint64
}

func (l *ledger) note(text string, offset uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acked == nil {
		l.acked = map[string]uint64{}
	}
	l.acked[text] = offset
}

// check compares: every acknowledged message is there, once, at its offset; and every reader saw the history, whole and in
// its order.
func (l *ledger) check(t *testing.T, channel string, by *person, readers ...*reader) {
	t.Helper()
	texts, at, head := by.history(t, channel)
	for text, offset := range l.acked {
		if !slices.Equal(at[text], []uint64{offset}) {
			t.Errorf("%q was acknowledged at %d and stands at %v", text, offset, at[text])
		}
	}
	for text, offsets := range at {
		if len(offsets) != 1 {
			t.Errorf("%q stands %d times: at %v", text, len(offsets), offsets)
		}
	}
	for _, r := range readers {
		r.upTo(t, head)
		seen, _ := r.texts(t)
		if !slices.Equal(seen, texts) {
			t.Errorf("%s saw %d messages, the history has %d, or another order", r.person.handle, len(seen), len(texts))
		}
		r.mu.Lock()
		if len(r.holes) > 0 || r.resets > 0 {
			t.Errorf("%s saw holes %v and %d resets", r.person.handle, r.holes, r.resets)
		}
		r.mu.Unlock()
	}
	t.Logf("%d messages acknowledged, %d stand, %d readers agree", len(l.acked), len(texts), len(readers))
}
