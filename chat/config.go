package chat

import "errors"

// Config of the service; start from DefaultConfig. What people may write is bounded by the contract (rules.go), not by configuration.
type Config struct {
	Batch   int `koanf:"batch" doc:"Mutations in one transaction, at most."`
	Queue   int `koanf:"queue" doc:"Mutations that wait for each writer, at most; more are told to come back."`
	Writers int `koanf:"writers" doc:"Transactions at a time on PostgreSQL; SQLite has one. 0: 4."`
	// What Open answers without the database, as long as NATS is there.
	CacheChannels int `koanf:"cache_channels" doc:"Channels whose heads and rules are kept in memory, at most; about 0.5 KB each."`
	CacheMembers  int `koanf:"cache_members" doc:"Memberships of these channels that are kept in memory, at most; about 0.2 KB each."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Batch: 512, Queue: 8192, CacheChannels: 20_000, CacheMembers: 500_000}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if c.Batch < 1 || c.Queue < c.Batch || c.Writers < 0 {
		return errors.New("batch must be at least 1, queue at least batch, writers not negative")
	}
	if c.CacheChannels < 1 || c.CacheMembers < 1 {
		return errors.New("cache_channels and cache_members must be at least 1")
	}
	return nil
}
