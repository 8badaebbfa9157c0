package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/clustertest"
)

// desk is a person's computer with plenumctl on it.
type desk struct{ bin, home string }

func newDesk(t *testing.T) *desk {
	t.Helper()
	bin, err := clustertest.Programs()
	if err != nil {
		t.Fatal(err)
	}
	return &desk{bin: bin, home: t.TempDir()}
}

func (d *desk) command(stdin, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = []string{"PATH=" + d.bin + ":" + os.Getenv("PATH"), "HOME=" + d.home}
	cmd.Dir = d.home
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// answer is what a program printed, and its exit code.
type answer struct {
	out, problems string
	code          int
}

func finish(t *testing.T, cmd *exec.Cmd) answer {
	t.Helper()
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{out.String(), problems.String(), cmd.ProcessState.ExitCode()}
}

// run has plenumctl do one thing.
func (d *desk) run(t *testing.T, stdin string, args ...string) answer {
	t.Helper()
	return finish(t, d.command(stdin, filepath.Join(d.bin, "plenumctl"), args...))
}

// ok is run where nothing may fail; it returns what was printed.
func (d *desk) ok(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	a := d.run(t, stdin, args...)
	if a.code != 0 || a.problems != "" {
		t.Fatalf("plenumctl %s: exit code %d: %s", strings.Join(args, " "), a.code, a.problems)
	}
	return a.out
}

// ongoing is a program that runs until the test ends.
type ongoing struct {
	cmd  *exec.Cmd
	out  string // file of what it prints
	done chan struct{}

	problems bytes.Buffer // what it says on standard error; read it once done is closed
}

func (d *desk) start(t *testing.T, args ...string) *ongoing {
	t.Helper()
	return begin(t, d.command("", filepath.Join(d.bin, "plenumctl"), args...))
}

func begin(t *testing.T, cmd *exec.Cmd) *ongoing {
	t.Helper()
	o := &ongoing{cmd: cmd, out: filepath.Join(t.TempDir(), "out"), done: make(chan struct{})}
	file, err := os.Create(o.out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, &o.problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(o.done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-o.done
	})
	return o
}

func (o *ongoing) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := o.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// code waits for the end and returns the exit code.
func (o *ongoing) code(t *testing.T) int {
	t.Helper()
	select {
	case <-o.done:
		return o.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%v does not end: %s", o.cmd.Args, strings.Join(o.lines(), "\n"))
		return 0
	}
}

// lines are those that were printed whole.
func (o *ongoing) lines() []string {
	text, err := os.ReadFile(o.out)
	if err != nil {
		return nil
	}
	lines := strings.Split(string(text), "\n")
	return lines[:len(lines)-1]
}

// shows waits for a text.
func (o *ongoing) shows(t *testing.T, text string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(strings.Join(o.lines(), "\n"), text) {
			return
		}
	}
	t.Fatalf("%v does not show %q but:\n%s", o.cmd.Args, text, strings.Join(o.lines(), "\n"))
}
