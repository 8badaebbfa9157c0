package presence

import (
	"errors"
	"time"
)

// Config of the presence service.
type Config struct {
	Grace     time.Duration `koanf:"grace" doc:"How long somebody whose last connection has ended still counts as connected: longer than a rolling restart of gateways spreads their clients over, and than clients wait before they come back."`
	Idle      time.Duration `koanf:"idle" doc:"How long nothing is done in a session before it counts as away."`
	Dormant   time.Duration `koanf:"dormant" doc:"How long nothing is done in a session before it counts no more."`
	Interval  time.Duration `koanf:"interval" doc:"Between two updates of one view, in which changes are conflated."`
	Views     int           `koanf:"views" doc:"Views that are open at the same time; more are refused."`
	People    int           `koanf:"people" doc:"People who are known at the same time, because they have sessions or are looked at; more are told as unknown."`
	MaxPeople int           `koanf:"max_people" doc:"People in one view."`
	Members   int           `koanf:"members" doc:"Members of the channels that are looked at, taken together; a view of one more channel is refused."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Grace: 45 * time.Second, Idle: 5 * time.Minute, Dormant: 30 * time.Minute, Interval: time.Second, Views: 50_000, People: 500_000, MaxPeople: 500, Members: 500_000,
	}
}

// Validate says what is wrong with it.
func (c Config) Validate() error {
	switch {
	case c.Grace < time.Second:
		return errors.New("grace must be at least 1s")
	case c.Idle < time.Second || c.Dormant <= c.Idle:
		return errors.New("idle must be at least 1s, and dormant longer")
	case c.Interval < 100*time.Millisecond:
		return errors.New("interval must be at least 100ms")
	case c.Views <= 0 || c.People <= 0 || c.MaxPeople <= 0 || c.Members <= 0:
		return errors.New("views, people, max_people and members must be positive")
	}
	return nil
}
