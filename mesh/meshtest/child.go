package meshtest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// childMark is set in the environment of a process that StartChild started.
const childMark = "PLENUM_MESHTEST_CHILD"

// Child is the test program running once more as a process of its own, to be killed.
type Child struct {
	cmd    *exec.Cmd
	stdin  io.Closer // held open: the child ends with it
	lines  *bufio.Scanner
	stderr strings.Builder
}

// IsChild reports that this process is one that StartChild started; the test then plays the child's part until it is
// killed or calls os.Exit. From the first call on the process ends with its parent, so that a crash of the parent leaves nothing behind.
//
//	func TestKill(t *testing.T) {
//		if meshtest.IsChild() {
//			serve(os.Getenv("DATABASE")) // and prints what it has done
//		}
//		child := meshtest.StartChild(t, "DATABASE="+url)
//		for range 100 {
//			line, ok := child.Line() …
//		}
//		child.Kill()
func IsChild() bool {
	if os.Getenv(childMark) == "" {
		return false
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	return true
}

// StartChild starts the test program again with only the calling test (not its subtests' names) and env, as "NAME=value",
// added to the environment. The child's standard output is read by Line; it is killed when the test ends.
func StartChild(t testing.TB, env ...string) *Child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	c := &Child{cmd: exec.Command(program, "-test.run=^"+name+"$", "-test.timeout=10m")}
	c.cmd.Env = append(append(os.Environ(), childMark+"=1"), env...)
	c.cmd.Stderr = &c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kill()
		if c.cmd.ProcessState == nil {
			_, _ = c.Wait()
		}
	})
	return c
}

// Line returns the next line that the child printed, and false at the end of its output, which comes after Kill too: read on
// after it for what was printed before.
func (c *Child) Line() (string, bool) {
	if !c.lines.Scan() {
		return "", false
	}
	return c.lines.Text(), true
}

// Kill ends the child by SIGKILL, at once. What it printed before can still be read.
func (c *Child) Kill() { _ = c.cmd.Process.Signal(syscall.SIGKILL) }

// Freeze stops the child by SIGSTOP: what it is sent arrives, and nothing answers.
func (c *Child) Freeze() { freeze(c.cmd.Process.Pid) }

// Thaw lets a frozen child go on.
func (c *Child) Thaw() { _ = c.cmd.Process.Signal(syscall.SIGCONT) }

// Wait waits for the end of the child, after its output was read, and returns what it printed to standard error.
func (c *Child) Wait() (stderr string, err error) {
	err = c.cmd.Wait()
	_ = c.stdin.Close()
	return c.stderr.String(), err
}
