package chat

import "errors"

// Config of the service; start from DefaultConfig. What people may write is bounded by the contract (rules.go), not by configuration.
type Config struct {
	Batch   int `koanf:"batch" doc:"Mutations in one transaction, at most."`
	Queue   int `koanf:"queue" doc:"Mutations that wait for each writer, at most; more are told to come back."`
	Writers int `koanf:"writers" doc:"Transactions at a time on PostgreSQL; SQLite has one. 0: 4."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{Batch: 512, Queue: 8192} }

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if c.Batch < 1 || c.Queue < c.Batch || c.Writers < 0 {
		return errors.New("batch must be at least 1, queue at least batch, writers not negative")
	}
	return nil
}
