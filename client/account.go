package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"plenum.internal/client/internal/journal"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Account is a signed-in person in a file: the usual TokenSource. It refreshes its tokens when they are asked for and keeps
// the new ones before it gives them out, since a refresh token is spent by its use.
type Account struct {
	path string
	http *HTTP

	mu   sync.Mutex
	kept kept // guarded by mu
}

type kept struct {
	Server       string    `json:"server"`
	ClientID     string    `json:"client_id"`
	Workspace    string    `json:"workspace"`
	Handle       string    `json:"handle"`
	User         string    `json:"user"`
	Access       string    `json:"access_token"`
	AccessUntil  time.Time `json:"access_until"`
	Refresh      string    `json:"refresh_token"`
	RefreshUntil time.Time `json:"refresh_until"`
}

// NewAccount keeps the session that a sign-in has returned, in a file that only its owner may read. clientID is the one that
// signed in, an Outbox's.
func NewAccount(path string, h *HTTP, clientID string, s *identityv1.Session) (*Account, error) {
	a := &Account{path: path, http: &HTTP{Server: h.Server, Client: h.Client}}
	a.kept = kept{Server: h.Server, ClientID: clientID}
	a.take(s)
	return a, a.save()
}

// OpenAccount opens what NewAccount kept. Its error is os.ErrNotExist where nobody is signed in.
func OpenAccount(path string, h *HTTP) (*Account, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a := &Account{path: path}
	if err := json.Unmarshal(data, &a.kept); err != nil {
		return nil, fmt.Errorf("read %s: %w. Remove the file and sign in again", path, err)
	}
	a.http = &HTTP{Server: a.kept.Server, Client: h.Client}
	return a, nil
}

// Server is the address that the account belongs to.
func (a *Account) Server() string { return a.now().Server }

// Workspace is the short name of the account's workspace.
func (a *Account) Workspace() string { return a.now().Workspace }

// Handle is the account's name for mentions.
func (a *Account) Handle() string { return a.now().Handle }

// User is the account's id.
func (a *Account) User() string { return a.now().User }

func (a *Account) now() kept {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept
}

func (a *Account) take(s *identityv1.Session) {
	now := time.Now()
	a.kept.Access, a.kept.AccessUntil = s.GetAccessToken(), now.Add(time.Duration(s.GetAccessTtlMs())*time.Millisecond)
	a.kept.Refresh, a.kept.RefreshUntil = s.GetRefreshToken(), now.Add(time.Duration(s.GetRefreshTtlMs())*time.Millisecond)
	a.kept.Workspace, a.kept.Handle, a.kept.User = s.GetWorkspace().GetSlug(), s.GetPerson().GetHandle(), s.GetPerson().GetId()
}

// save writes the file in one step, so that a crash leaves the old one or the new one.
func (a *Account) save() error {
	data, err := json.MarshalIndent(a.kept, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(a.path), 0o700); err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(a.path), ".session-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	defer os.Remove(file.Name()) // after the rename there is nothing to remove
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), a.path)
	}
	if err == nil {
		err = journal.SyncDir(a.path)
	}
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return nil
}

// early is how long before its end a token is no longer given out for new connections.
const early = 30 * time.Second

// Token implements TokenSource.
func (a *Account) Token(ctx context.Context, stale string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept.Access != stale && time.Until(a.kept.AccessUntil) > early {
		return a.kept.Access, nil
	}
	// Another program may share the file, and have spent the refresh token: a second use would look like theft.
	unlock, err := a.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if a.reload(); a.kept.Access != stale && time.Until(a.kept.AccessUntil) > early {
		return a.kept.Access, nil
	}
	if a.kept.Refresh == "" || time.Now().After(a.kept.RefreshUntil) {
		return "", errorf(edgev1.Code_CODE_PERMISSION_DENIED, "client.SIGNED_OUT", "The session has ended. Sign in again.")
	}
	res, err := identityv1.NewSessionServiceClient(a.http).Refresh(ctx, &identityv1.RefreshRequest{RefreshToken: a.kept.Refresh, ClientId: a.kept.ClientID})
	if err != nil {
		return "", err
	}
	a.take(res.GetSession())
	return a.kept.Access, a.save()
}

// lock takes turns with other programs that use the same file.
func (a *Account) lock() (unlock func(), err error) {
	file, err := os.OpenFile(a.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("refresh the session: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("refresh the session: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

// reload takes over what another program wrote; the caller holds mu.
func (a *Account) reload() {
	if data, err := os.ReadFile(a.path); err == nil {
		var k kept
		if json.Unmarshal(data, &k) == nil && k.User == a.kept.User {
			a.kept = k
		}
	}
}

// SignOut ends the session at the server and removes the file.
func (a *Account) SignOut(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := identityv1.NewSessionServiceClient(a.http).SignOut(ctx, &identityv1.SignOutRequest{RefreshToken: a.kept.Refresh})
	if removeErr := os.Remove(a.path); err == nil {
		err = removeErr
	}
	return err
}

// decodeBase64 takes both forms that the Connect protocol allows: with padding and without.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}
