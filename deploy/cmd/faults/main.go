// Command faults runs a cluster whose parts fail by a schedule, and judges what clients were answered and shown.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"plenum.internal/deploy/faults"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(faults.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
