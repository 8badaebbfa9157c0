package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestSelf(t *testing.T) {
	before, err := Read([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 60*time.Millisecond; { // work, to be measured
		_ = make([]byte, 1<<10)
	}
	after, err := Read([]int{os.Getpid()})
	if err != nil || after.CPU <= before.CPU || after.Resident < 1<<20 {
		t.Fatalf("%+v after %+v: %v", after, before, err)
	}
	twice, err := Read([]int{os.Getpid(), os.Getpid()})
	if err != nil || twice.CPU < 2*after.CPU || twice.Resident < after.Resident+1<<20 {
		t.Fatalf("%+v for two that use %+v: %v", twice, after, err)
	}
	name, err := Name(os.Getpid())
	if err != nil || name != "proc.test" {
		t.Fatalf("%q: %v", name, err)
	}
	if load, err := LoadAverage(); err != nil || load < 0 {
		t.Fatalf("%v: %v", load, err)
	}
}

// A process that has ended is told, not taken for one that uses nothing.
func TestEndedProcess(t *testing.T) {
	c := exec.CommandContext(t.Context(), "true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if u, err := Read([]int{os.Getpid(), c.Process.Pid}); err == nil || u != (Usage{}) {
		t.Fatalf("%+v: %v", u, err)
	}
	if _, err := Name(c.Process.Pid); err == nil {
		t.Fatal("it still has a name")
	}
}

func TestNoProcesses(t *testing.T) {
	if u, err := Read(nil); err != nil || u != (Usage{}) {
		t.Fatalf("%+v: %v", u, err)
	}
}

// Names may hold spaces and parentheses.
func TestStat(t *testing.T) {
	const rest = " S 1 2 2 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 9 0 100 1000 10"
	for _, name := range []string{"(plenum)", "(a) b (c)", "(1 2 3)"} {
		if d, err := parseStat([]byte("7 " + name + rest)); err != nil || d != 2*time.Second {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	for _, bad := range []string{"", "7 (x) S 1 2", "7 (x) S 1 2 2 0 -1 4194560 1 2 3 4 x 50 7 8"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q is no stat", bad)
		}
	}
}

func TestStatus(t *testing.T) {
	if n, err := parseStatus("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t  1536 kB\nThreads:\t1\n"); err != nil || n != 1536<<10 {
		t.Errorf("%d: %v", n, err)
	}
	for _, bad := range []string{"", "Name:\tx\nState:\tZ (zombie)\n", "VmRSS:\tx kB\n"} {
		if _, err := parseStatus(bad); err == nil {
			t.Errorf("%q tells a size", bad)
		}
	}
}
