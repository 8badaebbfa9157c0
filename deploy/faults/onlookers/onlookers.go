package onlookers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	rnd "math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/sights"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Config of the onlookers.
type Config struct {
	check.Doors

	Secret   string        // of a set-up: they have a workspace of their own
	People   int           // who come and go, 1 to 30; besides them one looks at each gateway
	Stay     time.Duration // how long somebody stays, and stays away, at most; at least 1 s
	Seed     uint64        // of who comes and goes when
	Patience time.Duration // how long anything may take where nothing fails, and after all has healed
	Times    sights.Times  // what the service promises
}

// DefaultConfig is a few people beside a crowd and editors.
func DefaultConfig() Config {
	return Config{
		Doors: check.Doors{Transport: check.Mix}, People: 6, Stay: 25 * time.Second, Patience: 90 * time.Second,
		Times: sights.Times{Grace: Grace, Bound: 25 * time.Second, Known: 10 * time.Second, HalfOpen: 65 * time.Second},
	}
}

// Grace is the time of grace of a cluster that is looked at: short, so that people are seen to leave while parts fail.
const Grace = 10 * time.Second

// Validate keeps them within bounds.
func (c Config) Validate() error {
	if err := c.Doors.Validate(); err != nil {
		return fmt.Errorf("onlookers: %w", err)
	}
	switch {
	case c.People < 1 || c.People > 30:
		return fmt.Errorf("onlookers: %d people: take 1 to 30", c.People)
	case c.Stay < time.Second:
		return fmt.Errorf("onlookers: people who stay for %v: take 1s or more", c.Stay)
	case c.Patience <= 0:
		return errors.New("onlookers: the patience must be positive")
	}
	return nil
}

// Onlookers are people who come and go, and those who look at them.
type Onlookers struct {
	cfg      Config
	slug     string
	password string
	comers   []*comer
	watchers []*watcher
	origin   atomic.Pointer[time.Time] // of the history's times
}

// Gather makes the workspace and its people, who share a channel, and returns when everybody who looks is shown everybody.
func Gather(ctx context.Context, cfg Config) (_ *Onlookers, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Secret == "" || len(cfg.Gateways) == 0 {
		return nil, errors.New("onlookers: they need a set-up secret and the address of a gateway")
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Patience)
	defer cancel()
	now := time.Now()
	o := &Onlookers{cfg: cfg, slug: "onlookers-" + strings.ToLower(rand.Text()[:10]), password: rand.Text()}
	o.origin.Store(&now)
	defer func() {
		if err != nil {
			o.Close()
			err = fmt.Errorf("onlookers: %w", err)
		}
	}()
	if err := o.hire(ctx); err != nil {
		return nil, err
	}
	for _, w := range o.watchers {
		if err := w.look(ctx, o.comers); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// hire brings in the people, and makes their channel.
func (o *Onlookers) hire(ctx context.Context) error {
	var admin identityv1.AdminServiceClient
	enter := func(n int, handle string) (*check.Person, error) {
		way := check.SetUp(o.cfg.Secret, o.slug, handle, o.password)
		if admin != nil {
			invitation, err := admin.Invite(ctx, &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER})
			if err != nil {
				return nil, fmt.Errorf("invite: %w", err)
			}
			way = check.Join(invitation.GetSecret(), handle, o.password)
		}
		return check.Enter(ctx, o.cfg.Door(n), way)
	}
	for n := range o.cfg.Gateways {
		p, err := enter(n, fmt.Sprintf("watcher%d", n))
		if err != nil {
			return err
		}
		if o.watchers = append(o.watchers, newWatcher(o, p)); n == 0 {
			admin = p.Admin
		}
	}
	var ids []string
	for _, w := range o.watchers[1:] {
		ids = append(ids, w.person.ID)
	}
	for i := range o.cfg.People {
		n := len(o.watchers) + i
		c := &comer{o: o, handle: fmt.Sprintf("comer%d", i), door: n, random: rnd.New(rnd.NewPCG(o.cfg.Seed, uint64(n)+comerStream))}
		p, err := enter(n, c.handle)
		if err != nil {
			return err
		}
		c.id = p.ID
		p.Close()
		ids, o.comers = append(ids, c.id), append(o.comers, c)
	}
	owner := o.watchers[0].person
	made, err := owner.Chat.CreateChannel(ctx, &chatv1.CreateChannelRequest{Name: "hall", Kind: chatv1.ChannelKind_CHANNEL_KIND_PRIVATE})
	if err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	return check.Persist(ctx, func() error { // chat learns of people by following identity
		_, err := owner.Chat.AddMembers(ctx, &chatv1.AddMembersRequest{Channel: made.GetChannel(), Users: ids})
		return err
	})
}

// comerStream begins the streams of random numbers that comers have; those below are of others.
const comerStream = 2000

// now is the history's time.
func (o *Onlookers) now() time.Duration { return time.Since(*o.origin.Load()) }

// Run has people come and go until ctx ends: then some are here, and stay. The history's times begin with origin.
func (o *Onlookers) Run(ctx context.Context, origin time.Time) {
	o.origin.Store(&origin)
	var all sync.WaitGroup
	for _, c := range o.comers {
		all.Go(func() { c.work(ctx) })
	}
	all.Wait()
}

// Counts is how many of those who come and go are connected.
func (o *Onlookers) Counts() (here, people int) {
	for _, c := range o.comers {
		if c.is() == sights.Here {
			here++
		}
	}
	return here, len(o.comers)
}

// Settle returns the history once everybody is shown as they are and it holds, or once patience is at its end.
func (o *Onlookers) Settle(ctx context.Context, faults []sights.Fault) (*sights.History, sights.Verdict) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Patience)
	defer cancel()
	for {
		h := &sights.History{Times: o.cfg.Times, Faults: faults, End: o.now()}
		for _, c := range o.comers {
			h.People = append(h.People, c.history())
		}
		for _, w := range o.watchers {
			h.Watchers = append(h.Watchers, w.history())
		}
		verdict := h.Check()
		if len(verdict.Faults) == 0 {
			return h, verdict
		}
		select {
		case <-ctx.Done():
			return h, verdict
		case <-time.After(time.Second):
		}
	}
}

// Close disconnects everybody.
func (o *Onlookers) Close() {
	for _, c := range o.comers {
		c.close()
	}
	for _, w := range o.watchers {
		w.close()
	}
}
