// Command identity runs the identity service as a process of a cluster.
package main

import (
	"context"
	"os"

	"plenum.internal/mesh/config"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
	"plenum.internal/services/identity"
)

type settings struct {
	Node     node.Config     `koanf:"node"`
	Identity identity.Config `koanf:"identity"`
}

func main() {
	os.Exit(run.Main("identity", func(ctx context.Context) error {
		cfg := settings{node.DefaultConfig(), identity.DefaultConfig()}
		do, flags := node.Command(os.Args[1:])
		if err := config.Load(&cfg, flags, os.Environ(), "identity", node.RestoredHelp); err != nil {
			return err
		}
		migrations, err := identity.Migrations()
		if err != nil {
			return err
		}
		return do(ctx, cfg.Node, node.Service{
			Name: "identity", Migrations: migrations, Internal: identity.Callers(), Restored: identity.Restored,
			New: func(n *node.Node) (node.Part, error) {
				return identity.New(cfg.Identity, identity.Deps{DB: n.DB, Bus: n.Bus, Chat: n.Conn("chat"), Log: n.Obs.Log, Metrics: n.Obs.Metrics})
			},
		}, os.Stderr)
	}))
}
