// Command cluster starts and ends Plenum as separate processes on this machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"plenum.internal/deploy/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cluster.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
