package deploy

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"plenum.internal/mesh/config"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/run"
)

// Main is a program of the given name, which is its target too: plenum stands for all. It returns the exit code.
func Main(name string) int {
	return run.Main(name, func(ctx context.Context) error {
		cfg, commands := DefaultConfig(), []string{backupHelp, node.RestoredHelp}
		if targets[name] != nil {
			cfg.Target, commands = name, nil
		}
		do, flags := command(os.Args[1:])
		if err := config.Load(&cfg, flags, os.Environ(), name, commands...); err != nil {
			return err
		}
		return do(ctx, cfg, os.Stdout, os.Stderr)
	})
}

// command tells what the command line asks for, and which of its words are flags.
func command(args []string) (do func(ctx context.Context, cfg Config, out, log io.Writer) error, flags []string) {
	switch {
	case len(args) > 0 && args[0] == "restored":
		return Restored, args[1:]
	case len(args) > 0 && args[0] == "backup":
		if len(args) == 1 || strings.HasPrefix(args[1], "-") {
			return func(context.Context, Config, io.Writer, io.Writer) error { return errNoFolder }, args[1:]
		}
		return func(ctx context.Context, cfg Config, out, _ io.Writer) error { return Backup(ctx, cfg, args[1], out) }, args[2:]
	default:
		return Run, args
	}
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
	return RunAll(ctx, cfg, out, log)
}

// RunAll is Run of everything in one process, with further services beside Plenum's own: of tests, for what services stand on.
func RunAll(ctx context.Context, cfg Config, out, log io.Writer, extra ...node.Service) error {
	p, err := compose(ctx, cfg, log, extra...)
	if err != nil {
		return err
	}
	defer p.close()
	return p.run(ctx, func() { p.greet(out) })
}

// greet tells where Plenum is, and how the first person gets in, in one piece.
func (p *one) greet(out io.Writer) {
	at := origin(p.gateway.Addr(), p.cfg.Gateway.TLS.Enabled())
	text := fmt.Sprintf("Plenum is ready at %s (data in %s). Ctrl-C stops it.\n", at, p.cfg.Data)
	if p.cfg.SelfSigned {
		text += fmt.Sprintf("\nIts certificate is its own: browsers ask about it once, plenumctl and others trust it by\n\n  export SSL_CERT_FILE=%s\n", absolute(p.cfg.Gateway.TLS.Cert))
	}
	if link := p.identity.SetupLink(at); link != "" {
		text += fmt.Sprintf("\nNobody is here yet. This link works once and makes you the owner of a new workspace. Open it in a browser:\n\n  %s\n\nor, without one:\n\n  plenumctl setup '%s'\n\n", link, link)
	}
	_, _ = io.WriteString(out, text) // nobody may be watching
}

// absolute is a path for who stands elsewhere.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
