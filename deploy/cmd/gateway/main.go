// Command gateway runs a gateway as a process of a cluster.
package main

import (
	"os"

	"plenum.internal/deploy"
)

func main() { os.Exit(deploy.Main("gateway")) }
