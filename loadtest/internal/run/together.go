package run

import (
	"context"
	"fmt"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/internal/setup"
)

// Share is this process's part of n.
func (r *Run) Share(n int) int { return (n + r.Peers.Of - 1 - r.Peers.Index) / r.Peers.Of }

// Number is the place of Accounts[i] among those of all processes.
func (r *Run) Number(i int) int { return i*r.Peers.Of + r.Peers.Index }

// AllAccounts is how many accounts all processes have together.
func (r *Run) AllAccounts() int { return r.all }

// Lead runs f in process 0 and hands its answer to all.
func Lead[T any](ctx context.Context, r *Run, name string, f func(ctx context.Context) (T, error)) (answer T, err error) {
	type outcome struct {
		Answer T
		Error  string
	}
	var o outcome
	if r.Peers.Index == 0 {
		r.Phase(name)
		if o.Answer, err = f(ctx); err != nil {
			o.Error = err.Error()
		}
	}
	all, gathered := peers.Gather(ctx, r.Peers, name, o)
	switch {
	case err != nil:
		return answer, fmt.Errorf("%s: %w", name, err)
	case gathered != nil:
		return answer, gathered
	case all[0].Error != "":
		return answer, fmt.Errorf("%s: %s", name, all[0].Error)
	}
	return all[0].Answer, nil
}

// Channels makes channels, in process 0 with the accounts of all, and returns their ids once the server has worked them off.
func Channels(ctx context.Context, r *Run, plan func(users int) []setup.Channel) ([]string, error) {
	owners, err := r.everybody(ctx)
	if err != nil {
		return nil, err
	}
	return Lead(ctx, r, "channels", func(ctx context.Context) ([]string, error) {
		users := make([]string, len(owners))
		for i, a := range owners {
			users[i] = a.User
		}
		ids, err := setup.New(r.API, owners).Make(ctx, plan(len(users)), users)
		if err != nil {
			return nil, err
		}
		return ids, r.rest(ctx)
	})
}

// Users are the ids of all accounts, in their order.
func Users(ctx context.Context, r *Run) ([]string, error) {
	all, err := r.everybody(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, a := range all {
		ids[i] = a.User
	}
	return ids, nil
}

// everybody is the accounts of all processes, in their order.
func (r *Run) everybody(ctx context.Context) ([]*account.Account, error) {
	parts, err := peers.Gather(ctx, r.Peers, "members", r.Accounts)
	if err != nil {
		return nil, err
	}
	all := make([]*account.Account, total(parts))
	for i := range all {
		all[i] = parts[i%r.Peers.Of][i/r.Peers.Of]
	}
	return all, nil
}

// Documents makes documents of contents, in process 0 with the accounts of all, which everybody may edit.
func Documents(ctx context.Context, r *Run, n int, content func(i int) string) ([]setup.Document, error) {
	owners, err := r.everybody(ctx)
	if err != nil {
		return nil, err
	}
	return Lead(ctx, r, "documents", func(ctx context.Context) ([]setup.Document, error) {
		docs, err := setup.New(r.API, owners).MakeDocuments(ctx, n, "loadtest-"+r.tag, content)
		if err != nil {
			return nil, err
		}
		return docs, r.rest(ctx)
	})
}

// Newest reads what the server has of documents by now, in process 0.
func Newest(ctx context.Context, r *Run, docs []setup.Document) ([]setup.Document, error) {
	ctx, cancel := ending(ctx)
	defer cancel()
	return Lead(ctx, r, "compare", func(ctx context.Context) ([]setup.Document, error) {
		readers := make([]*account.Account, len(r.Accounts))
		for i, a := range r.Accounts {
			readers[i] = r.Crowd.Account(a)
		}
		return setup.New(r.API, readers).ReadDocuments(ctx, docs)
	})
}

func total[T any](parts [][]T) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}
