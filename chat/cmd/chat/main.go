// Command chat runs the chat service as a process of a cluster.
package main

import (
	"context"
	"os"

	"plenum.internal/chat"
	"plenum.internal/mesh/config"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
)

type settings struct {
	Node node.Config `koanf:"node"`
	Chat chat.Config `koanf:"chat"`
}

func main() {
	os.Exit(run.Main("chat", func(ctx context.Context) error {
		cfg := settings{node.DefaultConfig(), chat.DefaultConfig()}
		do, flags := node.Command(os.Args[1:])
		if err := config.Load(&cfg, flags, os.Environ(), "chat", node.RestoredHelp); err != nil {
			return err
		}
		migrations, err := chat.Migrations()
		if err != nil {
			return err
		}
		return do(ctx, cfg.Node, node.Service{
			Name: "chat", Migrations: migrations, Internal: chat.Callers(), Restored: chat.Restored,
			New: func(n *node.Node) (node.Part, error) {
				return chat.New(cfg.Chat, chat.Deps{
					DB: n.DB, Bus: n.Bus, Self: n.Self(), Identity: n.Conn("identity"), Log: n.Obs.Log, Metrics: n.Obs.Metrics,
				})
			},
		}, os.Stderr)
	}))
}
