// Command board runs the example of a service as a process of a cluster.
package main

import (
	"context"
	"os"

	"plenum.internal/mesh/config"
	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
)

type settings struct {
	Node        node.Config `koanf:"node"`
	Attachments string      `koanf:"attachments" doc:"folder of the attachments, which all processes of the service share"`
}

func main() {
	os.Exit(run.Main("board", func(ctx context.Context) error {
		cfg := settings{Node: node.DefaultConfig(), Attachments: "attachments"}
		if err := config.Load(&cfg, os.Args[1:], os.Environ(), "board"); err != nil {
			return err
		}
		return node.Run(ctx, cfg.Node, board.Node(board.Config{Attachments: cfg.Attachments}), os.Stderr)
	}))
}
