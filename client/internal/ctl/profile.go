package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

var profileName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// dir is the folder of the profile.
func (e *env) dir() (string, error) {
	if !profileName.MatchString(e.Profile) {
		return "", fmt.Errorf("profile %q: use letters, digits, '-', '_' and '.'", e.Profile)
	}
	base, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "plenum", e.Profile), nil
}

func (e *env) file(name string) (string, error) {
	dir, err := e.dir()
	return filepath.Join(dir, name), err
}

// outbox opens the profile's outbox; another command that has it open is waited for.
func (e *env) outbox() (*client.Outbox, error) {
	path, err := e.file("outbox")
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		o, err := client.OpenOutbox(path)
		if !errors.Is(err, client.ErrInUse) || time.Now().After(deadline) {
			return o, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-e.ctx.Done():
			return nil, e.ctx.Err()
		}
	}
}

// account is the signed-in person.
func (e *env) account() (*client.Account, error) {
	path, err := e.file("session.json")
	if err != nil {
		return nil, err
	}
	a, err := client.OpenAccount(path, &client.HTTP{})
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("nobody is signed in as profile %q. Run: plenumctl login", e.Profile)
	}
	return a, err
}

// server is the one that was asked for, another gateway of the same Plenum, or the one at which the profile is signed in.
func (e *env) server(account *client.Account) string { return cmp.Or(e.Server, account.Server()) }

// calls gives f a way to call methods once, over HTTP.
func (e *env) calls(f func(ctx context.Context, h *client.HTTP) error) error {
	ctx, cancel := context.WithTimeout(e.ctx, timeout)
	defer cancel()
	account, err := e.account()
	if err != nil {
		return err
	}
	token, err := account.Token(ctx, "")
	if err != nil {
		return err
	}
	h := &client.HTTP{Server: e.server(account), Token: token}
	var outbox *client.Outbox
	defer func() {
		if outbox != nil {
			_ = outbox.Close()
		}
	}()
	h.Seq = func() (uint64, error) { // reads need no number, and so don't wait for other commands
		if outbox == nil {
			if outbox, err = e.outbox(); err != nil {
				return 0, err
			}
			h.ClientID = outbox.ClientID()
		}
		return outbox.Number()
	}
	err = f(ctx, h)
	switch client.CodeOf(err) {
	case edgev1.Code_CODE_TOKEN_STALE, edgev1.Code_CODE_TOKEN_REFUSED, edgev1.Code_CODE_TOKEN_EXPIRED:
		// Signed elsewhere with, or the rights have changed: once more with a new token.
		if h.Token, err = account.Token(ctx, token); err != nil {
			return err
		}
		return f(ctx, h)
	}
	return err
}

// session gives f a connected client. With keep its outbox is the profile's, and before is what waited in it.
func (e *env) session(keep bool, change func(*client.Config), f func(ctx context.Context, c *client.Client, before []client.Pending) error) error {
	account, err := e.account()
	if err != nil {
		return err
	}
	cfg := client.Config{Server: e.server(account), Tokens: account, Agent: Version, OnState: e.connection(),
		Dial: client.DialBy(e.Transport, &http.Client{})}
	var before []client.Pending
	if keep {
		if cfg.Outbox, err = e.outbox(); err != nil {
			return err
		}
		defer cfg.Outbox.Close()
		before = cfg.Outbox.Pending()
	}
	if change != nil {
		change(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	ran := make(chan error, 1)
	go func() {
		err := c.Run(ctx)
		cancel()
		ran <- err
	}()
	err = f(ctx, c, before)
	cancel()
	if runErr := <-ran; runErr != nil {
		return runErr
	}
	return err
}

// unseen is for commands that only look: their session says that nothing has been done for years, so that nobody is seen as here because of it.
func unseen(cfg *client.Config) { cfg.Idle = 10 * 365 * 24 * time.Hour }

// connection tells a person when the connection is away and when it is back.
func (e *env) connection() func(client.State) {
	away := false
	return func(s client.State) {
		switch {
		case s.Connected && away:
			fmt.Fprintln(e.err, "Connected again.")
		case !s.Connected && !away && !s.Retry.IsZero():
			fmt.Fprintln(e.err, "Not connected; trying again:", explain(s.Cause))
		}
		away = !s.Connected && !s.Retry.IsZero()
	}
}

// Names of channels that were found, for sending while offline: one JSON object in the profile's folder.
const channelsFile = "channels.json"

func (e *env) remembered(name string) string {
	path, err := e.file(channelsFile)
	if err != nil {
		return ""
	}
	known := map[string]string{}
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &known) != nil {
		return ""
	}
	return known[name]
}

func (e *env) remember(name, id string) error {
	if e.remembered(name) == id {
		return nil
	}
	path, err := e.file(channelsFile)
	if err != nil {
		return err
	}
	known := map[string]string{}
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &known) // what can't be read is written anew
	}
	known[name] = id
	data, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// erase removes what the profile keeps: the server said that the device is signed out for good.
func (e *env) erase() error {
	dir, err := e.dir()
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
