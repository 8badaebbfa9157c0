// Package scenario holds the load tests, one file each.
package scenario

import (
	"context"

	"plenum.internal/loadtest/internal/run"
)

// Scenario is one load test. Its exported fields are its flags.
type Scenario interface {
	// Run runs this process's part, from the making of channels to the last measurement. The crowd is closed afterwards.
	Run(ctx context.Context, r *run.Run) error
}

// Sized is a scenario that says itself how many connections it takes.
type Sized interface{ Connections() int }

// All are the scenarios, as commands.
type All struct {
	Connect   Connect   `cmd:"" help:"Sign in at a rate or all at once, with topics to open."`
	Idle      Idle      `cmd:"" help:"Connections that do nothing, with a bundle of channels."`
	Fanout    Fanout    `cmd:"" help:"Few who send, many who read: one big channel, or many."`
	Chat      Chat      `cmd:"" help:"An office day: messages, edits, reactions, read markers, typing."`
	Docs      Docs      `cmd:"" help:"People who edit documents together."`
	Reconnect Reconnect `cmd:"" help:"Cut a share of the connections at once."`
	Presence  Presence  `cmd:"" help:"People who look at each other, and come and go."`
	Mixed     Mixed     `cmd:"" help:"An office day with people who come and go."`
}
