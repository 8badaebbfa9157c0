package run

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/peers"
)

const (
	renewers     = 64 // token requests at the same time
	accountsMost = 200_000
	tokenReserve = 90 * time.Second // a token that lasts less is renewed
)

// renew gets tokens for the accounts whose own end soon. What was spent is saved even if others fail.
func (r *Run) renew(ctx context.Context) error {
	wait, inner := errgroup.WithContext(ctx)
	wait.SetLimit(renewers)
	for _, a := range r.Accounts {
		if time.Until(a.Expires) > tokenReserve+r.Warmup+r.Duration {
			continue
		}
		wait.Go(func() error {
			if err := inner.Err(); err != nil { // another was refused
				return err
			}
			return r.API.Renew(ctx, a) // not inner: who is asking gets its answer, or its token is spent for nothing
		})
	}
	err := wait.Wait()
	return errors.Join(err, r.saveAccounts(ctx))
}

// saveAccounts writes the file anew: process 0 does, for all.
func (r *Run) saveAccounts(ctx context.Context) error {
	parts, err := peers.Gather(ctx, r.Peers, "spent tokens", r.Accounts)
	if err != nil || r.Peers.Index != 0 {
		return err
	}
	all, err := account.Load(r.Options.Accounts)
	if err != nil {
		return err
	}
	newest := map[string]*account.Account{}
	for _, p := range parts {
		for _, a := range p {
			newest[a.User] = a
		}
	}
	for i := range all {
		if a := newest[all[i].User]; a != nil {
			all[i] = *a
		}
	}
	return account.Save(r.Options.Accounts, all)
}
