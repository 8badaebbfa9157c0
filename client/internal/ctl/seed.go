package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"plenum.internal/client"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

type seedCmd struct {
	Count    int    `help:"How many accounts, at most 500,000." default:"100"`
	Prefix   string `help:"Their handles: PREFIX-1, PREFIX-2 and so on." default:"load"`
	First    int    `help:"The number of the first, where some are there already." default:"1"`
	Password string `help:"Their password; it costs the server one hash in all. Without, they can't sign in by one." placeholder:"TEXT"`
	Out      string `help:"A new file, for loadtest: a line for each account, with secrets." default:"accounts.jsonl" placeholder:"FILE"`
}

const (
	maxSeeded = 500_000
	seedBatch = 200 // accounts of one call
	seedPause = 30 * time.Second
)

// seeded is a line of an accounts file.
type seeded struct {
	Workspace string    `json:"workspace"`
	Handle    string    `json:"handle"`
	User      string    `json:"user"`
	ClientID  string    `json:"client_id"`
	Refresh   string    `json:"refresh_token"`
	Password  string    `json:"password,omitempty"`
	Access    string    `json:"access_token"`
	Expires   time.Time `json:"access_expires"`
}

func (c *seedCmd) Run(e *env) (err error) {
	if c.Count < 1 || c.Count > maxSeeded || c.First < 1 {
		return fmt.Errorf("--count must be 1 to %d, --first at least 1", maxSeeded)
	}
	account, err := e.account()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists: name another file with --out, the tokens in it may be of use yet", c.Out)
	}
	if err != nil {
		return fmt.Errorf("write the accounts: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := json.NewEncoder(f)
	for made := 0; made < c.Count; {
		q := &identityv1.SeedRequest{Password: c.Password}
		for i := made; i < min(made+seedBatch, c.Count); i++ {
			q.Accounts = append(q.Accounts, &identityv1.SeedAccount{Handle: fmt.Sprintf("%s-%d", c.Prefix, c.First+i), ClientId: client.NewID()})
		}
		res, err := c.batch(e, q)
		if err != nil && made == 0 {
			return errors.Join(err, os.Remove(c.Out))
		} else if err != nil {
			return fmt.Errorf("the first %d accounts stand in %s; go on with --first %d and another file: %s", made, c.Out, c.First+made, err.Error())
		}
		now := time.Now()
		for i, s := range res.GetSessions() {
			if err := lines.Encode(seeded{
				Workspace: account.Workspace(), Handle: s.GetPerson().GetHandle(), User: s.GetPerson().GetId(), ClientID: q.GetAccounts()[i].GetClientId(),
				Refresh: s.GetRefreshToken(), Password: c.Password, Access: s.GetAccessToken(), Expires: now.Add(time.Duration(s.GetAccessTtlMs()) * time.Millisecond),
			}); err != nil {
				return fmt.Errorf("write the accounts: %w", err)
			}
		}
		made += len(res.GetSessions())
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the accounts: %w", err)
	}
	return e.print(&identityv1.SeedResponse{}, "%d accounts stand in %s. Anybody who reads it can sign in as them.", c.Count, c.Out)
}

// batch makes some accounts, and waits where the server asks for a pause.
func (c *seedCmd) batch(e *env, q *identityv1.SeedRequest) (res *identityv1.SeedResponse, err error) {
	err = patiently(e.ctx, func() error {
		return e.calls(func(ctx context.Context, h *client.HTTP) error {
			res, err = identityv1.NewAdminServiceClient(h).Seed(ctx, q)
			return err
		})
	})
	return res, err
}
