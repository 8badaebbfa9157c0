// Command presence runs the presence service as a process of a cluster.
package main

import (
	"context"
	"os"

	"plenum.internal/mesh/config"
	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
	"plenum.internal/presence"
)

type settings struct {
	Node     node.Config     `koanf:"node"`
	Presence presence.Config `koanf:"presence"`
}

func main() {
	os.Exit(run.Main("presence", func(ctx context.Context) error {
		cfg := settings{node.DefaultConfig(), presence.DefaultConfig()}
		cfg.Node.Lease.TTL = lease.MinTTL // people are unknown for so long when their home dies
		cfg.Node.Withdraw = false         // who is here is known without the database
		do, flags := node.Command(os.Args[1:])
		if err := config.Load(&cfg, flags, os.Environ(), "presence", node.RestoredHelp); err != nil {
			return err
		}
		migrations, err := presence.Migrations()
		if err != nil {
			return err
		}
		return do(ctx, cfg.Node, node.Service{
			Name: "presence", Migrations: migrations, Internal: presence.Callers(),
			New: func(n *node.Node) (node.Part, error) {
				return presence.New(cfg.Presence, presence.Deps{DB: n.DB, Peers: n.Peers(), Chat: n.Conn("chat"), Identity: n.Conn("identity"), Log: n.Obs.Log, Metrics: n.Obs.Metrics, Tracer: n.Obs.Tracer})
			},
		}, os.Stderr)
	}))
}
