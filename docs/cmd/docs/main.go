// Command docs runs the document service as a process of a cluster.
package main

import (
	"context"
	"os"

	"plenum.internal/docs"
	"plenum.internal/mesh/config"
	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
)

type settings struct {
	Node node.Config `koanf:"node"`
	Docs docs.Config `koanf:"docs"`
}

func main() {
	os.Exit(run.Main("docs", func(ctx context.Context) error {
		cfg := settings{node.DefaultConfig(), docs.DefaultConfig()}
		cfg.Node.Lease.TTL = lease.MinTTL // a document waits for so long when its owner dies
		do, flags := node.Command(os.Args[1:])
		if err := config.Load(&cfg, flags, os.Environ(), "docs", node.RestoredHelp); err != nil {
			return err
		}
		migrations, err := docs.Migrations()
		if err != nil {
			return err
		}
		return do(ctx, cfg.Node, node.Service{
			Name: "docs", Migrations: migrations, Internal: docs.Callers(), Restored: docs.Restored,
			New: func(n *node.Node) (node.Part, error) {
				return docs.New(cfg.Docs, docs.Deps{DB: n.DB, Bus: n.Bus, Peers: n.Peers(), Identity: n.Conn("identity"), Chat: n.Conn("chat"), Log: n.Obs.Log, Metrics: n.Obs.Metrics})
			},
		}, os.Stderr)
	}))
}
