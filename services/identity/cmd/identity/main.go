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
		if err := config.Load(&cfg, os.Args[1:], os.Environ(), "identity"); err != nil {
			return err
		}
		migrations, err := identity.Migrations()
		if err != nil {
			return err
		}
		return node.Run(ctx, cfg.Node, node.Service{
			Name: "identity", Migrations: migrations, Internal: identity.Callers(),
			New: func(n *node.Node) (node.Part, error) {
				return identity.New(cfg.Identity, identity.Deps{DB: n.DB, Bus: n.Bus, Log: n.Obs.Log, Metrics: n.Obs.Metrics})
			},
		}, os.Stderr)
	}))
}
