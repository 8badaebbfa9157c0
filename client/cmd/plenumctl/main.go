// Command plenumctl is Plenum on the command line: for people, for scripts, and for administrators.
package main

import (
	"os"

	"plenum.internal/client/internal/ctl"
)

func main() { os.Exit(ctl.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
