package space_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"plenum.internal/deploy/faults/space"
)

// TestMain turns the test program into the processes that tests start. Else it runs the tests, where it can in namespaces of their own.
func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		os.Exit(play(r))
	}
	if space.Possible() == nil && !space.Inside() {
		ctx, stop := untilSignal()
		code, err := space.Enter(ctx)
		stop()
		fatal(err)
		os.Exit(code)
	}
	if space.Inside() {
		ctx, stop := untilSignal()
		fatal(space.Settle(ctx))
		stop()
	}
	goleak.VerifyTestMain(m)
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// needsRoot skips a test where its machine has no namespaces.
func needsRoot(t *testing.T) {
	t.Helper()
	if why := space.Possible(); why != nil {
		t.Skip(why)
	}
	if !space.Inside() {
		t.Fatal("the tests run outside of their namespaces")
	}
}
