package space_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"plenum.internal/deploy/faults/space"
)

// echo is a running `cat`.
type echo struct {
	cmd     *exec.Cmd
	in, out *os.File
	lines   *bufio.Reader
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	theirs, in := pipe(t)
	out, theirOut := pipe(t)
	cmd := exec.CommandContext(t.Context(), "cat")
	cmd.Stdin, cmd.Stdout = theirs, theirOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	_ = theirs.Close()
	_ = theirOut.Close()
	return &echo{cmd, in, out, bufio.NewReader(out)}
}

// answers is nil when the line that was said last comes back in time.
func (e *echo) answers(within time.Duration) error {
	if err := e.out.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := e.lines.ReadString('\n')
	return err
}

func TestAFrozenProcessStandsStillUntilItIsThawed(t *testing.T) {
	needsRoot(t)
	if why := space.CanFreeze(); why != nil {
		t.Skip(why)
	}
	frozen, other := []*echo{newEcho(t), newEcho(t)}, newEcho(t)
	for round := range 2 {
		thaw, err := space.Freeze(frozen[0].cmd.Process.Pid, frozen[1].cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range append(frozen, other) {
			if _, err := fmt.Fprintln(e.in, "are you there?"); err != nil {
				t.Error(err)
			}
		}
		if err := other.answers(patience); err != nil {
			t.Errorf("round %d: another process: %v", round, err)
		}
		for i, e := range frozen {
			if err := e.answers(silence); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("round %d: process %d answers while it is frozen: %v", round, i, err)
			}
			var status unix.WaitStatus
			if pid, err := unix.Wait4(e.cmd.Process.Pid, &status, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, nil); pid != 0 || err != nil {
				t.Errorf("round %d: the parent of process %d is told: %d, %#x, %v", round, i, pid, status, err)
			}
		}
		if err := thaw(); err != nil {
			t.Fatal(err)
		}
		for i, e := range frozen {
			if err := e.answers(patience); err != nil {
				t.Errorf("round %d: process %d, thawed: %v", round, i, err)
			}
			groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", e.cmd.Process.Pid))
			if err != nil || strings.Contains(string(groups), "plenum-") {
				t.Errorf("round %d: process %d is in %s, %v", round, i, groups, err)
			}
		}
	}
}

func TestAProcessThatIsKilledWhileFrozenEndsWhenItIsThawed(t *testing.T) {
	needsRoot(t)
	if why := space.CanFreeze(); why != nil {
		t.Skip(why)
	}
	e := newEcho(t)
	thaw, err := space.Freeze(e.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := e.cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("it ended with %v", err)
	}
}

func TestAProcessThatHasEndedCanBeFrozen(t *testing.T) {
	needsRoot(t)
	if why := space.CanFreeze(); why != nil {
		t.Skip(why)
	}
	e := newEcho(t)
	_ = e.in.Close()
	if err := e.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	thaw, err := space.Freeze(e.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := thaw(); err != nil {
		t.Error(err)
	}
}
