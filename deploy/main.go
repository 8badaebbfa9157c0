package deploy

import (
	"context"
	"fmt"
	"io"
	"os"

	"plenum.internal/mesh/config"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
)

// Main is a program of the given name, which is its target too: plenum stands for all. It returns the exit code.
func Main(name string) int {
	return run.Main(name, func(ctx context.Context) error {
		cfg := DefaultConfig()
		if targets[name] != nil {
			cfg.Target = name
		}
		if err := config.Load(&cfg, os.Args[1:], os.Environ(), name); err != nil {
			return err
		}
		return Run(ctx, cfg, os.Stdout, os.Stderr)
	})
}

// Run works until ctx ends. out gets what a person at the terminal should know, log everything else.
func Run(ctx context.Context, cfg Config, out, log io.Writer) error {
	if target := targets[cfg.Target]; target != nil {
		if cfg.Target == "gateway" {
			cfg.Node.RPC.Listen = "" // it serves clients, and no process
		}
		service, err := target(cfg)
		if err != nil {
			return err
		}
		return node.Run(ctx, cfg.Node, service, log)
	}
	p, err := compose(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer p.close()
	return p.run(ctx, func() { p.greet(out) })
}

// greet tells where Plenum is, and how the first person gets in, in one piece.
func (p *one) greet(out io.Writer) {
	at := origin(p.gateway.Addr())
	text := fmt.Sprintf("Plenum is ready at %s (data in %s). Ctrl-C stops it.\n", at, p.cfg.Data)
	if link := p.identity.SetupLink(at); link != "" {
		text += fmt.Sprintf("\nNobody is here yet. This link works once and makes you the owner of a new workspace:\n\n  plenumctl setup '%s'\n\n", link)
	}
	_, _ = io.WriteString(out, text) // nobody may be watching
}
