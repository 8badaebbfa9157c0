package crowd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	rnd "math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// Config of a crowd.
type Config struct {
	check.Doors

	Secret   string        // of a set-up: the crowd has a workspace of its own
	People   int           // 2 to 30; every second one has two devices
	Channels int           // 1 to 20, of two people up to all of them
	Pause    time.Duration // of a device between two operations, at least 20 ms
	Seed     uint64        // of who does what
	Patience time.Duration // how long anything may take where nothing fails, and after all has healed
}

// DefaultConfig is a crowd that keeps a cluster on two cores busy and leaves it room to recover.
func DefaultConfig() Config {
	return Config{Doors: check.Doors{Transport: check.Mix}, People: 8, Channels: 6, Pause: 200 * time.Millisecond, Patience: 90 * time.Second}
}

// Validate keeps a crowd within bounds.
func (c Config) Validate() error {
	if err := c.Doors.Validate(); err != nil {
		return fmt.Errorf("crowd: %w", err)
	}
	switch {
	case c.People < 2 || c.People > 30:
		return fmt.Errorf("crowd: %d people: take 2 to 30", c.People)
	case c.Channels < 1 || c.Channels > 20:
		return fmt.Errorf("crowd: %d channels: take 1 to 20", c.Channels)
	case c.Pause < 20*time.Millisecond:
		return fmt.Errorf("crowd: a pause of %v: take 20ms or more", c.Pause)
	case c.Patience <= 0:
		return errors.New("crowd: the patience must be positive")
	}
	return nil
}

// Crowd is people at their devices.
type Crowd struct {
	cfg      Config
	slug     string
	people   []*person
	channels []*channel
	devices  []*device
	auditors []*check.Auditor
	logs     map[string]map[string][]history.Event // by channel and way, as far as they were read; of who audits
	origin   time.Time                             // of the history's times

	mu  sync.Mutex
	ops []history.Op // guarded by mu
}

type person struct {
	handle, password, id string
}

type channel struct {
	id      string
	base    uint64 // head before the load
	epoch   uint64
	members []*person
}

// Gather makes the workspace with its people and channels, and returns when every device is connected and follows its channels.
func Gather(ctx context.Context, cfg Config) (_ *Crowd, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Secret == "" || len(cfg.Gateways) == 0 {
		return nil, errors.New("crowd: it needs a set-up secret and the address of a gateway")
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Patience)
	defer cancel()
	c := &Crowd{cfg: cfg, slug: "faults-" + strings.ToLower(rand.Text()[:10])}
	defer func() {
		if err != nil {
			c.Close()
			err = fmt.Errorf("crowd: %w", err)
		}
	}()
	if err := c.hire(ctx); err != nil {
		return nil, err
	}
	random := rnd.New(rnd.NewPCG(cfg.Seed, 1))
	for i := range cfg.Channels {
		if err := c.open(ctx, i, random); err != nil {
			return nil, err
		}
	}
	for i, d := range c.devices {
		if err := d.look(ctx, c.channels, rnd.New(rnd.NewPCG(cfg.Seed, uint64(i)+2))); err != nil {
			return nil, err
		}
	}
	c.logs = newLogs(c.channels)
	c.auditors = c.cfg.Audit(func(int) check.Way { return check.SignIn(c.slug, c.people[0].handle, c.people[0].password) })
	return c, nil
}

// hire brings in the people, and second devices for every second one.
func (c *Crowd) hire(ctx context.Context) error {
	for i := range c.cfg.People {
		p := &person{handle: fmt.Sprintf("person%d", i), password: rand.Text()}
		way := check.SetUp(c.cfg.Secret, c.slug, p.handle, p.password)
		if i > 0 {
			invitation, err := c.devices[0].Admin.Invite(ctx, &identityv1.InviteRequest{Role: identityv1.Role_ROLE_MEMBER})
			if err != nil {
				return fmt.Errorf("invite: %w", err)
			}
			way = check.Join(invitation.GetSecret(), p.handle, p.password)
		}
		c.people = append(c.people, p)
		for n := range 1 + i%2 {
			if n > 0 {
				way = check.SignIn(c.slug, p.handle, p.password)
			}
			d, err := check.Enter(ctx, c.cfg.Door(len(c.devices)), way)
			if err != nil {
				return fmt.Errorf("%s: %w", p.handle, err)
			}
			p.id = d.ID
			c.devices = append(c.devices, c.device(d, fmt.Sprintf("%s/%d", p.handle, n)))
		}
	}
	return nil
}

// device is the next one, with somebody at it.
func (c *Crowd) device(p *check.Person, name string) *device {
	n := len(c.devices)
	_, transport := c.cfg.Place(n)
	return &device{Person: p, crowd: c, number: n, name: name, transport: transport, known: map[string][]shownMessage{}}
}

// open makes channel i: the first one is of two people, the last of all, and the sizes between them grow.
func (c *Crowd) open(ctx context.Context, i int, random *rnd.Rand) error {
	owner := c.devices[0]
	made, err := owner.Chat.CreateChannel(ctx, &chatv1.CreateChannelRequest{
		Name: fmt.Sprintf("room%d", i), Kind: chatv1.ChannelKind_CHANNEL_KIND_PRIVATE,
	})
	if err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	size := c.cfg.People
	if c.cfg.Channels > 1 {
		size = 2 + (c.cfg.People-2)*i/(c.cfg.Channels-1)
	}
	ch := &channel{id: made.GetChannel(), members: c.people[:1:1]}
	var ids []string
	for _, n := range random.Perm(c.cfg.People - 1)[:size-1] {
		ch.members = append(ch.members, c.people[n+1])
		ids = append(ids, c.people[n+1].id)
	}
	// Chat learns of people by following identity: a moment passes until it knows somebody who just joined.
	if err := check.Persist(ctx, func() error {
		_, err := owner.Chat.AddMembers(ctx, &chatv1.AddMembersRequest{Channel: ch.id, Users: ids})
		return err
	}); err != nil {
		return fmt.Errorf("members: %w", err)
	}
	page, err := owner.Chat.History(ctx, &chatv1.HistoryRequest{Channel: ch.id, Limit: 1})
	if err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	ch.base, ch.epoch = page.GetCursor().GetOffset(), page.GetCursor().GetEpoch()
	c.channels = append(c.channels, ch)
	return nil
}

// Run has everybody work until ctx ends, and returns when everything asked has its answer, or patience is at its end.
func (c *Crowd) Run(ctx context.Context) {
	c.origin = time.Now()
	var all sync.WaitGroup
	answered, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(c.cfg.Patience, cancel) })()
	for _, d := range c.devices {
		all.Go(func() { d.work(ctx, answered) })
	}
	all.Go(func() { check.Audits(ctx, c.auditors, c.read) })
	all.Wait()
}

func (c *Crowd) note(op history.Op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ops = append(c.ops, op)
}

// Counts is how many operations have their answer, and how many devices are connected.
func (c *Crowd) Counts() (answered, connected, devices int) {
	c.mu.Lock()
	answered = len(c.ops)
	c.mu.Unlock()
	for _, d := range c.devices {
		if d.Client.State().Connected {
			connected++
		}
	}
	return answered, connected, len(c.devices)
}

// Settle returns the history once everybody is shown everything and it holds, or once patience is at its end.
func (c *Crowd) Settle(ctx context.Context) (*history.History, history.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	if err := c.audit(ctx); err != nil {
		return nil, history.Verdict{}, fmt.Errorf("crowd: %w", err)
	}
	for {
		h, err := c.history(ctx)
		if err != nil {
			return nil, history.Verdict{}, fmt.Errorf("crowd: %w", err)
		}
		verdict := h.Check()
		if len(verdict.Faults) == 0 {
			return h, verdict, nil
		}
		select {
		case <-ctx.Done():
			return h, verdict, nil
		case <-time.After(time.Second):
		}
	}
}

// history is what is known now.
func (c *Crowd) history(ctx context.Context) (*history.History, error) {
	h := &history.History{Base: map[string]uint64{}, Logs: c.logs}
	for _, ch := range c.channels {
		h.Base[ch.id] = ch.base
	}
	c.mu.Lock()
	h.Ops = c.ops[:len(c.ops):len(c.ops)]
	c.mu.Unlock()
	h.Devices = make([]history.Device, len(c.devices))
	group, ctx := errgroup.WithContext(context.WithoutCancel(ctx))
	for i, d := range c.devices {
		group.Go(func() (err error) {
			h.Devices[i], err = d.seen(ctx)
			return err
		})
	}
	return h, group.Wait()
}

// Close disconnects everybody.
func (c *Crowd) Close() {
	for _, d := range c.devices {
		d.close()
	}
}
