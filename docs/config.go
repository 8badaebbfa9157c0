package docs

import (
	"errors"
	"time"
)

// Config of the service; start from DefaultConfig. What people may write is bounded by the contract (rules.go), not by configuration.
type Config struct {
	Batch     int           `koanf:"batch" doc:"Mutations in one transaction, at most."`
	Queue     int           `koanf:"queue" doc:"Mutations that wait for each writer, at most; more are told to come back."`
	Writers   int           `koanf:"writers" doc:"Transactions at a time on PostgreSQL; SQLite has one. 0: 4."`
	Open      int           `koanf:"open" doc:"Documents open at the same time, at most; for one more, that which nobody has used for longest is closed. Each has its content in memory, and some recent edits."`
	Idle      time.Duration `koanf:"idle" doc:"How long a document stays open after its last use."`
	UnderWay  int           `koanf:"under_way" doc:"Edits of one document that wait to be committed, at most, a quarter of them of one person; more are told to come back."`
	Recent    int           `koanf:"recent" doc:"Edits of one document that are kept in memory for those who come with an older base; else they are read."`
	Snapshot  int           `koanf:"snapshot" doc:"Edits after which the content is written down, so that opening reads no more of them."`
	Version   time.Duration `koanf:"version" doc:"How long after an edit the content is written down as a version that people find: the pace of automatic versions."`
	Transform int           `koanf:"transform" doc:"Edits that a base may lie behind; who is further behind reads the document anew."`
	Trash     time.Duration `koanf:"trash" doc:"How long a document stays in the trash before it is purged; 0: until an owner purges it."`
	History   time.Duration `koanf:"history" doc:"How long what led to a document is kept: operations and versions, those with names among them; 0: for ever. What is older is erased once a day."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Batch: 512, Queue: 8192, Open: 10_000, Idle: time.Minute, UnderWay: 1024, Recent: 1000, Snapshot: 500, Version: time.Minute, Transform: 20_000,
		Trash: 30 * 24 * time.Hour,
	}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Batch < 1 || c.Queue < c.Batch || c.Writers < 0:
		return errors.New("batch must be at least 1, queue at least batch, writers not negative")
	case c.Open < 1 || c.UnderWay < 1 || c.Recent < 1 || c.Snapshot < 1:
		return errors.New("open, under_way, recent and snapshot must be at least 1")
	case c.Transform < c.Recent:
		return errors.New("transform must be at least recent")
	case c.Idle < time.Second:
		return errors.New("idle must be at least 1s")
	case c.Version < time.Second:
		return errors.New("version must be at least 1s")
	case c.Trash < 0 || c.History < 0:
		return errors.New("trash and history must not be negative")
	case c.History > 0 && c.History < 24*time.Hour:
		return errors.New("history must be at least 24h, or 0 for ever")
	}
	return nil
}
