package identity

import (
	"errors"
	"fmt"
	"time"

	"plenum.internal/mesh/config"
	"plenum.internal/services/identity/guess"
	"plenum.internal/services/identity/keyring"
	"plenum.internal/services/identity/password"
)

// Config of the service; start from DefaultConfig.
type Config struct {
	Key         config.Secret `koanf:"key" doc:"The installation's key: 32 bytes in base64 (openssl rand -base64 32). It seals signing keys and derives tokens; all replicas need the same."`
	RetiredKeys config.Secret `koanf:"retired_keys" doc:"Up to 3 former keys, separated by commas, that still open what they sealed."`
	KeyFile     string        `koanf:"key_file" doc:"File of the keys, one a line, the current one first; made if absent. Used where key is empty; only its owner may read it."`
	SetupSecret config.Secret `koanf:"setup_secret" doc:"One-time secret of the first run in a cluster, 22 characters or more: open <address>/#setup=<secret>. Worthless once used."`
	Generate    bool          `koanf:"generate_setup" doc:"Make up the set-up secret where none is given: for one process alone, which prints it."`

	AccessTTL  time.Duration `koanf:"access_ttl" doc:"Lifetime of access tokens."`
	RefreshTTL time.Duration `koanf:"refresh_ttl" doc:"Lifetime of refresh tokens, counted from each refresh."`
	Grace      time.Duration `koanf:"refresh_grace" doc:"How long a spent refresh token gets its client the same answer again."`
	KeyPeriod  time.Duration `koanf:"key_period" doc:"How long a signing key signs; the next one is served a whole period ahead."`

	PasswordMemory      uint32 `koanf:"password_memory_kib" doc:"Memory of one argon2id hash in KiB."`
	PasswordPasses      uint32 `koanf:"password_passes" doc:"Passes of argon2id."`
	PasswordConcurrency int    `koanf:"password_concurrency" doc:"Passwords hashed at a time; memory is this times password_memory_kib."`
	PasswordQueue       int    `koanf:"password_queue" doc:"Sign-ins that wait for a hash, of one address (IPv6: /64) no more than places are free; more are told to come back."`

	AccountFailures int           `koanf:"account_failures" doc:"Failed sign-ins of an account allowed at once, from one known device or from all unknown ones."`
	AccountInterval time.Duration `koanf:"account_interval" doc:"After those, one more is allowed in each interval."`
	AddressFailures int           `koanf:"address_failures" doc:"Failures of a client's address (IPv6: /64) allowed at once."`
	AddressInterval time.Duration `koanf:"address_interval" doc:"After those, one more is allowed in each interval."`
	Addresses       int           `koanf:"addresses" doc:"Addresses remembered, about 150 bytes each."`
}

// DefaultConfig returns the defaults; a key or a key file must be added.
func DefaultConfig() Config {
	p := password.Default()
	return Config{
		AccessTTL: 10 * time.Minute, RefreshTTL: 30 * 24 * time.Hour, Grace: time.Minute, KeyPeriod: 30 * 24 * time.Hour,
		PasswordMemory: p.MemoryKiB, PasswordPasses: p.Passes, PasswordConcurrency: p.Concurrency, PasswordQueue: p.Queue,
		AccountFailures: 10, AccountInterval: time.Minute, AddressFailures: 50, AddressInterval: 5 * time.Second, Addresses: 16384,
	}
}

// minSetupSecret is 128 bits in base64url.
const minSetupSecret = 22

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Key == "" && c.KeyFile == "":
		return errors.New("set key (openssl rand -base64 32) or key_file")
	case c.SetupSecret != "" && len(c.SetupSecret.Reveal()) < minSetupSecret:
		return fmt.Errorf("setup_secret has %d characters: give %d random ones or more", len(c.SetupSecret.Reveal()), minSetupSecret)
	case c.AccessTTL < time.Minute || c.AccessTTL > time.Hour:
		return fmt.Errorf("access_ttl %v: choose 1m to 1h", c.AccessTTL)
	case c.RefreshTTL < c.AccessTTL || c.Grace < 0 || c.Grace > c.AccessTTL:
		return fmt.Errorf("refresh_ttl %v and refresh_grace %v: the first must exceed access_ttl, the second must not", c.RefreshTTL, c.Grace)
	case c.KeyPeriod < 2*c.AccessTTL:
		return fmt.Errorf("key_period %v: choose at least twice access_ttl", c.KeyPeriod)
	case c.AccountFailures < 1 || c.AccountInterval <= 0 || c.AddressFailures < 1 || c.AddressInterval <= 0 || c.Addresses < 1:
		return errors.New("limits of failures must be positive")
	}
	return c.password().Validate()
}

func (c Config) password() password.Config {
	return password.Config{MemoryKiB: c.PasswordMemory, Passes: c.PasswordPasses, Threads: 1, Concurrency: c.PasswordConcurrency, Queue: c.PasswordQueue}
}

func (c Config) accountLimit() guess.Limit {
	return guess.Limit{Burst: c.AccountFailures, Interval: c.AccountInterval}
}

func (c Config) addressLimit() guess.Limit {
	return guess.Limit{Burst: c.AddressFailures, Interval: c.AddressInterval}
}

// ring opens the installation's keys.
func (c Config) ring() (*keyring.Ring, error) {
	if c.Key == "" {
		return keyring.Load(c.KeyFile)
	}
	return keyring.New(append([]string{c.Key.Reveal()}, splitList(c.RetiredKeys.Reveal())...)...)
}
