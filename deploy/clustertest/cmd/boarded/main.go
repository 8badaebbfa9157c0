// Command boarded is plenum with the example of a service among its own, for tests of what services stand on.
package main

import (
	"context"
	"os"
	"path/filepath"

	"plenum.internal/deploy"
	"plenum.internal/mesh/config"
	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/run"
)

func main() {
	os.Exit(run.Main("boarded", func(ctx context.Context) error {
		cfg := deploy.DefaultConfig()
		if err := config.Load(&cfg, os.Args[1:], os.Environ(), "boarded"); err != nil {
			return err
		}
		return deploy.RunAll(ctx, cfg, os.Stdout, os.Stderr, board.Node(board.Config{Attachments: filepath.Join(cfg.Data, "attachments")}))
	}))
}
