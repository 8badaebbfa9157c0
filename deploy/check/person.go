package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Person is somebody at a device, with a client that stays connected until Close.
type Person struct {
	ID, Handle string
	Account    *client.Account
	Client     *client.Client
	Chat       chatv1.ChatServiceClient
	Admin      identityv1.AdminServiceClient
	Ended      chan error // yields once what the client's Run returned

	close func()
}

// Door is where people come in.
type Door struct {
	Server string   // http://host:port
	Others []string // further gateways, tried when Server fails
	Dir    string   // a folder for the device's files, emptied by Close
	// TLS says whose certificates are trusted; nil: those of the system.
	TLS *tls.Config
	// Dial and Watch are the client's; nil: the usual ones.
	Dial  client.Dialer
	Watch func(sent bool, frame any)
}

// Way is how somebody gets a session.
type Way func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error)

// SetUp makes a workspace, and its owner.
func SetUp(secret, slug, handle, password string) Way {
	return func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.SetUp(ctx, &identityv1.SetUpRequest{
			Secret: secret, WorkspaceSlug: slug, Handle: handle, Password: password, Client: me,
		})
		return answer.GetSession(), err
	}
}

// Join follows an invitation.
func Join(secret, handle, password string) Way {
	return func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.Join(ctx, &identityv1.JoinRequest{Secret: secret, Handle: handle, Password: password, Client: me})
		return answer.GetSession(), err
	}
}

// SignIn is one more device of somebody.
func SignIn(slug, handle, password string) Way {
	return func(ctx context.Context, sessions identityv1.SessionServiceClient, me *identityv1.Client) (*identityv1.Session, error) {
		answer, err := sessions.SignIn(ctx, &identityv1.SignInRequest{WorkspaceSlug: slug, Handle: handle, Password: password, Client: me})
		return answer.GetSession(), err
	}
}

// Enter signs somebody in on a new device, and returns when it is connected.
func Enter(ctx context.Context, door Door, way Way) (_ *Person, err error) {
	dir, err := os.MkdirTemp(door.Dir, "device-")
	if err != nil {
		return nil, err
	}
	outbox, err := client.OpenOutbox(filepath.Join(dir, "outbox"))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: door.TLS}
	stop := func() {
		_ = outbox.Close()
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	h := &client.HTTP{Server: door.Server, Client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	session, err := way(ctx, identityv1.NewSessionServiceClient(h), &identityv1.Client{ClientId: outbox.ClientID(), Name: "check", Agent: "check"})
	if err != nil {
		return nil, err
	}
	account, err := client.NewAccount(filepath.Join(dir, "session"), h, outbox.ClientID(), session)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Server: door.Server, Others: door.Others, Tokens: account, Outbox: outbox, Agent: "check", Dependencies: client.ChatDependencies,
		Dial: door.Dial, HTTP: h.Client, Watch: door.Watch,
	})
	if err != nil {
		return nil, err
	}
	p := &Person{
		ID: account.User(), Handle: account.Handle(), Account: account, Client: c, Ended: make(chan error, 1),
		Chat: chatv1.NewChatServiceClient(c), Admin: identityv1.NewAdminServiceClient(c),
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until Close
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		p.Ended <- c.Run(running)
	}()
	p.close = func() { cancel(); <-gone; stop() }
	select {
	case <-c.Ready():
		return p, nil
	case <-ctx.Done():
		cancel()
		<-gone
		return nil, fmt.Errorf("%s is not connected: %+v", p.Handle, c.State())
	}
}

// Close ends the client.
func (p *Person) Close() { p.close() }

// Code is the kind of an error.
func Code(err error) edgev1.Code {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Code
	}
	return edgev1.Code_CODE_UNSPECIFIED
}

// Message is what stands in a channel.
type Message struct {
	Offset uint64
	Text   string
}

// History reads a channel's messages after an offset. It has the patience of ctx with a server that asks for some.
func History(ctx context.Context, chat chatv1.ChatServiceClient, channel string, after uint64) (messages []Message, cursor *edgev1.Cursor, err error) {
	for {
		page, err := chat.History(ctx, &chatv1.HistoryRequest{Channel: channel, Limit: 100, Place: &chatv1.HistoryRequest_After{After: after}})
		if code := Code(err); code >= edgev1.Code_CODE_UNAVAILABLE && code < edgev1.Code_CODE_LAGGED {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the history: %w", err)
		}
		for _, m := range page.GetMessages() {
			after = m.GetOffset()
			if m.GetText() != "" {
				messages = append(messages, Message{m.GetOffset(), m.GetText()})
			}
		}
		if !page.GetMoreAfter() {
			return messages, page.GetCursor(), nil
		}
	}
}

// Persist tries until it works, or ctx ends: then it returns what it failed by.
func Persist(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
