// Command loadtest puts a load on a Plenum, checks what each client gets, and measures.
package main

import (
	"os"

	"plenum.internal/loadtest/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
