// Command bench holds a Plenum against its bars.
package main

import (
	"os"

	"plenum.internal/loadtest/bench"
)

func main() { os.Exit(bench.Main(os.Args[1:], os.Stdout, os.Stderr)) }
