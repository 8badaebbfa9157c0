package topic_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain turns the test program into the child that crash tests kill, and otherwise looks for goroutines that outlive their tests.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := child(url); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // schedules don't repeat by their seed
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
