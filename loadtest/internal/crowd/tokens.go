package crowd

import (
	"context"
	"sync"
	"time"

	"plenum.internal/loadtest/internal/account"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	// A token that ends within tokenReserve is renewed, and shown to the gateway (PROTOCOL.md section 9).
	tokenReserve = time.Minute
	tokenCheck   = 5 * time.Second
	renewers     = 32 // at the same time
)

// keepTokens renews what is about to end, until the crowd leaves.
func (c *Crowd) keepTokens(ctx context.Context) {
	tick := time.NewTicker(tokenCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.renewTokens(ctx)
		case <-c.left:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (c *Crowd) renewTokens(ctx context.Context) {
	users := map[*account.Account][]*Member{}
	c.tokens.Lock()
	for _, m := range c.Members {
		if e := m.Account.Expires; !e.IsZero() && time.Until(e) < tokenReserve {
			users[m.Account] = append(users[m.Account], m)
		}
	}
	c.tokens.Unlock()
	room := make(chan struct{}, renewers)
	var wg sync.WaitGroup
	for acc, members := range users {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			token, err := c.sign(ctx, acc, c.cfg.Renew)
			if err != nil {
				c.refused(reason(err))
				return
			}
			for _, m := range members {
				m.showToken(token)
			}
		})
	}
	wg.Wait()
}

// sign gets tokens for an account by how, unless that is nil, and returns its access token.
func (c *Crowd) sign(ctx context.Context, acc *account.Account, how SignIn) (token string, err error) {
	c.tokens.Lock()
	next := *acc
	c.tokens.Unlock()
	if how != nil {
		if err := how(ctx, &next); err != nil {
			return "", err
		}
		c.tokens.Lock()
		*acc = next
		c.tokens.Unlock()
	}
	return next.Access, nil
}

// Account is a copy of an account with the tokens that it has by now.
func (c *Crowd) Account(acc *account.Account) *account.Account {
	c.tokens.Lock()
	defer c.tokens.Unlock()
	now := *acc
	return &now
}

// showToken goes on with the connection under a new token.
func (m *Member) showToken(token string) {
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn == nil || !m.live.Load() {
		return
	}
	frame := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Refresh{Refresh: &edgev1.Refresh{Token: token}}}
	if err := conn.Send(frame); err != nil {
		m.crowd.refused(reason(err))
	}
}
