package check

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Config of a check.
type Config struct {
	Secret   string        // of a set-up: the check has a workspace of its own
	Gateways []string      // http://host:port; each gets its share of the devices
	Devices  int           // that write and read, at most 50
	Rate     int           // messages a second of each, at most 10
	For      time.Duration // how long they write, at most an hour
	Patience time.Duration // how long anything may take that somebody waits for
}

// DefaultConfig leaves a minute for killing.
func DefaultConfig() Config {
	return Config{Devices: 6, Rate: 5, For: time.Minute, Patience: 90 * time.Second}
}

// maxShown bounds what a check remembers: every message, for every device that was shown it. They take some 400 MB.
const maxShown = 5_000_000

// Validate keeps a check within bounds.
func (c Config) Validate() error {
	switch {
	case c.Secret == "" || len(c.Gateways) == 0:
		return errors.New("check: it needs a set-up secret and the address of a gateway")
	case c.Devices < 1 || c.Devices > 50:
		return fmt.Errorf("check: %d devices: take 1 to 50", c.Devices)
	case c.Rate < 1 || c.Rate > 10:
		return fmt.Errorf("check: %d messages a second of each device: take 1 to 10", c.Rate)
	case c.For <= 0 || c.For > time.Hour:
		return fmt.Errorf("check: %v is too long or too short: take up to an hour", c.For)
	case float64(c.Devices*c.Devices*c.Rate)*c.For.Seconds() > maxShown:
		return fmt.Errorf("check: %d devices would be shown more than %d messages: take fewer, a lower rate or less time", c.Devices, maxShown)
	case c.Patience <= 0:
		return errors.New("check: the patience must be positive")
	}
	return nil
}

// progressEvery is how often a check tells how it stands.
const progressEvery = 5 * time.Second

// Run has devices at every gateway write to one channel and follow it, for cfg.For or until ctx ends, and compares. out hears how
// it goes. An error means that the check could not take place.
func Run(ctx context.Context, cfg Config, out io.Writer) (Verdict, error) {
	if err := cfg.Validate(); err != nil {
		return Verdict{}, err
	}
	dir, err := os.MkdirTemp("", "plenum-check-")
	if err != nil {
		return Verdict{}, err
	}
	defer os.RemoveAll(dir)
	c := &checking{cfg: cfg, dir: dir, out: out}
	defer c.close() // not by ctx: leaving has a time of its own
	if err := c.gather(ctx); err != nil {
		return Verdict{}, fmt.Errorf("check: %w", err)
	}
	fmt.Fprintf(out, "%d devices at %d gateways write and read for %v. Kill what you like.\n", len(c.people), len(cfg.Gateways), cfg.For)
	load := Write(&c.ledger, c.channel, time.Second/time.Duration(cfg.Rate), c.people...)
	c.watch(ctx)
	fmt.Fprintf(out, "The writing ends; what waits gets %v to be answered.\n", cfg.Patience)
	// Whoever ends the check early gets a verdict, too.
	ctx = context.WithoutCancel(ctx)
	limited, cancel := context.WithTimeout(ctx, cfg.Patience)
	defer cancel()
	return c.compare(ctx, load.Stop(limited))
}

// checking is a check under way.
type checking struct {
	cfg     Config
	dir     string
	out     io.Writer
	people  []*Person
	readers []*Reader
	channel string
	ledger  Ledger
}

// gather makes a workspace, a channel, and devices of one person at all gateways.
func (c *checking) gather(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	slug, password := "check-"+strings.ToLower(rand.Text()[:12]), rand.Text()
	doors := Doors{Gateways: c.cfg.Gateways, Dir: c.dir}
	way := SetUp(c.cfg.Secret, slug, "checker", password)
	for i := range c.cfg.Devices {
		p, err := Enter(ctx, doors.Door(i), way)
		if err != nil {
			return err
		}
		c.people = append(c.people, p)
		way = SignIn(slug, "checker", password)
	}
	made, err := c.people[0].Chat.CreateChannel(ctx, &chatv1.CreateChannelRequest{Name: "check", Kind: chatv1.ChannelKind_CHANNEL_KIND_PRIVATE})
	if err != nil {
		return err
	}
	c.channel = made.GetChannel()
	for _, p := range c.people {
		r, err := p.Read(ctx, c.channel)
		if err != nil {
			return err
		}
		c.readers = append(c.readers, r)
	}
	return nil
}

// watch tells how it stands until the time is over.
func (c *checking) watch(ctx context.Context) {
	end := time.After(c.cfg.For)
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-tick.C:
			sent, acknowledged := c.ledger.Counts()
			connected := 0
			for _, p := range c.people {
				if p.Client.State().Connected {
					connected++
				}
			}
			fmt.Fprintf(c.out, "%4.0f s: %d sent, %d acknowledged, %d of %d devices connected\n",
				time.Since(begun).Seconds(), sent, acknowledged, connected, len(c.people))
		}
	}
}

// compare holds what was shown and the history against the ledger, and then the history that every gateway gives against that.
func (c *checking) compare(ctx context.Context, failed []string) (Verdict, error) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.Patience)
	defer cancel()
	v, err := c.ledger.Compare(limited, c.channel, c.people[0].Chat, c.readers...)
	if err != nil {
		return v, fmt.Errorf("check: %w", err)
	}
	v.Faults = append(failed, v.Faults...)
	for _, gateway := range c.cfg.Gateways {
		messages, err := c.historyAt(ctx, gateway)
		switch {
		case err != nil:
			fmt.Fprintf(c.out, "%s does not answer, and was not compared: %v\n", gateway, err)
		case !slices.Equal(messages, v.history):
			v.fault("DIFFERENT %s tells of %d messages, not of the same %d", gateway, len(messages), len(v.history))
		default:
			v.Gateways++
		}
	}
	return v, nil
}

// goneAfter is how long a gateway may refuse the history until it counts as one that was left dead.
const goneAfter = 15 * time.Second

func (c *checking) historyAt(ctx context.Context, gateway string) ([]Message, error) {
	ctx, cancel := context.WithTimeout(ctx, goneAfter)
	defer cancel()
	token, err := c.people[0].Account.Token(ctx, "")
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	h := &client.HTTP{Server: gateway, Client: &http.Client{Transport: transport}, Token: token}
	messages, _, err := History(ctx, chatv1.NewChatServiceClient(h), c.channel, 0)
	return messages, err
}

func (c *checking) close() {
	for _, r := range c.readers {
		r.Close()
	}
	for _, p := range c.people {
		p.Close()
	}
}
