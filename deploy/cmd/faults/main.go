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
	context.AfterFunc(ctx, stop) // the first ends the load, and what was seen so far is judged; the second ends it all
	os.Exit(faults.Command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
