// Command plenum runs Plenum: everything in one process, or with --target one service as a process of a cluster.
package main

import (
	"os"

	"plenum.internal/deploy"
)

func main() { os.Exit(deploy.Main("plenum")) }
