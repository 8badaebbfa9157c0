package presence

import (
	"errors"
	"fmt"
	"time"
)

// Config of the presence service.
type Config struct {
	Grace     time.Duration `koanf:"grace" doc:"How long somebody whose last connection has ended still counts as connected: longer than a rolling restart of gateways spreads their clients over, and than clients wait before they come back."`
	Idle      time.Duration `koanf:"idle" doc:"How long nothing is done in a session before it counts as away; at least 2m."`
	Dormant   time.Duration `koanf:"dormant" doc:"How long nothing is done in a session before it counts no more; longer than idle."`
	Interval  time.Duration `koanf:"interval" doc:"Between two updates of one view, in which changes are conflated."`
	Views     int           `koanf:"views" doc:"Views that are open at the same time; more are refused. One person has 200 at most."`
	People    int           `koanf:"people" doc:"People who are known at the same time, because they have sessions or are looked at; more are told as unknown."`
	MaxPeople int           `koanf:"max_people" doc:"People in one view."`
	Members   int           `koanf:"members" doc:"Members of the channels that are looked at, taken together; a view of one more channel is refused. One person looks at a fifth of them at most, or at one channel."`
	PastBytes int           `koanf:"past_bytes" doc:"Bytes of memory for what people have been doing, which each of them can list; beyond that it is forgotten of those first of whom nothing was noted for longest."`
	SeenFor   time.Duration `koanf:"seen_for" doc:"How long it is kept when somebody was here last."`
	Retention time.Duration `koanf:"retention" doc:"How long records of sessions are kept, where a workspace has switched them on."`
	MinPeople int           `koanf:"min_people" doc:"How many people must be behind a figure of a workspace's analytics, that it is told."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Grace: 45 * time.Second, Idle: 5 * time.Minute, Dormant: 30 * time.Minute, Interval: time.Second,
		Views: 50_000, People: 500_000, MaxPeople: 500, Members: 500_000, PastBytes: 64 << 20,
		SeenFor: 400 * 24 * time.Hour, Retention: 90 * 24 * time.Hour, MinPeople: 5,
	}
}

// minIdle is twice the time after which a gateway tells again that something is done (gateway/deeds.go).
const minIdle = 2 * time.Minute

// Validate says what is wrong with it.
func (c Config) Validate() error {
	switch {
	case c.Grace < time.Second:
		return errors.New("grace must be at least 1s")
	case c.Idle < minIdle:
		return fmt.Errorf("idle must be at least %v: gateways tell once a minute that something is done, and who is at it would be away in between", minIdle)
	case c.Dormant <= c.Idle:
		return errors.New("dormant must be longer than idle")
	case c.Interval < 100*time.Millisecond:
		return errors.New("interval must be at least 100ms")
	case c.Views <= 0 || c.People <= 0 || c.MaxPeople <= 0 || c.Members <= 0:
		return errors.New("views, people, max_people and members must be positive")
	case c.PastBytes < 0:
		return errors.New("past_bytes must not be negative")
	case c.SeenFor < 24*time.Hour:
		return errors.New("seen_for must be at least 24h")
	case c.Retention < 24*time.Hour:
		return errors.New("retention must be at least 24h")
	case c.MinPeople < 3:
		return errors.New("min_people must be at least 3: of two people each knows the other")
	}
	return nil
}
