// Package setup makes the channels that a scenario needs, over the same calls as everybody.
package setup

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	callers    = 32  // calls at the same time
	batch      = 100 // members of one AddMembers
	attempts   = 40
	waitLeast  = 100 * time.Millisecond
	waitMost   = 5 * time.Second
	createMost = 200_000 // channels
	// newcomers is how long somebody may be unknown to chat who was just seeded: it learns of people by following identity's log.
	newcomers = 10 * time.Second
	unknown   = "chat.PERSON"
)

// Maker makes channels in the name of accounts, which own them.
type Maker struct {
	api    *account.API
	owners []*account.Account
	client string
	seq    atomic.Uint64
}

// New returns a maker; many owners share the rate limits that each has.
func New(api *account.API, owners []*account.Account) *Maker {
	return &Maker{api: api, owners: owners, client: account.NewID()}
}

// Channel is one to make, with the indices of its members among the accounts. The first owns it.
type Channel struct {
	Name    string
	Public  bool // else private
	Members []int
}

// Make makes the channels and returns their ids, in the same order, once all members have been told.
func (m *Maker) Make(ctx context.Context, channels []Channel, users []string) ([]string, error) {
	if len(channels) > createMost {
		return nil, fmt.Errorf("%d channels: at most %d are made", len(channels), createMost)
	}
	ids := make([]string, len(channels))
	wait, inner := errgroup.WithContext(ctx)
	wait.SetLimit(callers)
	for i, c := range channels {
		wait.Go(func() (err error) {
			if len(c.Members) == 0 {
				return fmt.Errorf("channel %s has no members", c.Name)
			}
			owner := m.owners[c.Members[0]%len(m.owners)]
			ids[i], err = m.one(inner, owner, c, users)
			return err
		})
	}
	if err := wait.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // its own
	}
	return ids, m.settle(ctx, channels, ids)
}

func (m *Maker) one(ctx context.Context, owner *account.Account, c Channel, users []string) (string, error) {
	var made chatv1.CreateChannelResponse
	kind := chatv1.ChannelKind_CHANNEL_KIND_PRIVATE
	if c.Public {
		kind = chatv1.ChannelKind_CHANNEL_KIND_PUBLIC
	}
	err := m.call(ctx, owner, chatv1.ChatService_CreateChannel_FullMethodName, &chatv1.CreateChannelRequest{Name: c.Name, Kind: kind}, &made)
	if err != nil {
		return "", fmt.Errorf("make channel %s: %w", c.Name, err)
	}
	for at := 1; at < len(c.Members); at += batch {
		var ids []string
		for _, i := range c.Members[at:min(at+batch, len(c.Members))] {
			ids = append(ids, users[i])
		}
		err := m.call(ctx, owner, chatv1.ChatService_AddMembers_FullMethodName, &chatv1.AddMembersRequest{Channel: made.GetChannel(), Users: ids},
			new(chatv1.AddMembersResponse))
		if err != nil {
			return "", fmt.Errorf("add members to %s: %w", c.Name, err)
		}
	}
	return made.GetChannel(), nil
}

// call repeats what was refused for now, under the same key.
func (m *Maker) call(ctx context.Context, by *account.Account, method string, req, resp proto.Message) error {
	key := account.Key{ClientID: m.client, Seq: m.seq.Add(1)}
	begun := time.Now()
	var err error
	for attempt := range attempts {
		err = m.api.Call(ctx, by, key, method[1:], req, resp)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait := min(waitLeast<<attempt, waitMost)
		if refused, ok := errors.AsType[*account.Refused](err); ok {
			code, early := refused.Why.GetCode(), refused.Why.GetReason() == unknown && time.Since(begun) < newcomers
			if !early && (code < edgev1.Code_CODE_UNAVAILABLE || code > edgev1.Code_CODE_TOKEN_STALE) {
				return err
			}
			if !early {
				wait = max(waitLeast, time.Duration(refused.Why.GetRetryAfterMs())*time.Millisecond)
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the run ends
		}
	}
	return fmt.Errorf("refused %d times, at last: %w", attempts, err)
}
