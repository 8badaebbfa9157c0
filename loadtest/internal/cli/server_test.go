package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// programs builds the server, with its switch for faults, and what signs accounts in.
func programs(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "faults", "-o", bin+"/", "plenum.internal/deploy/cmd/plenum", "plenum.internal/client/cmd/plenumctl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// server is a Plenum that runs until the test ends.
type server struct {
	address, bin, dir string
	pid               int
}

// serve starts one whose gateway breaks every 500th delivery as fault says, or as many as it says: "drop every 50th"; empty: none.
func serve(t *testing.T, bin, fault string, flags ...string) *server {
	t.Helper()
	s := &server{bin: bin, dir: t.TempDir()}
	kind, every := fault, 500
	_, _ = fmt.Sscanf(fault, "%s every %dth", &kind, &every) // or it is the kind alone
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "plenum"), append(flags, "--addr", "127.0.0.1:0", "--data", filepath.Join(s.dir, "data"))...)
	c.Env = append(os.Environ(), "BROKEN_GATEWAY="+kind, fmt.Sprint("BROKEN_GATEWAY_EVERY=", every))
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	s.pid = c.Process.Pid
	link := ""
	for lines := bufio.NewScanner(stdout); link == "" && lines.Scan(); {
		link = regexp.MustCompile(`http://\S+#setup=[\w-]+`).FindString(lines.Text())
	}
	s.address, _, _ = strings.Cut(link, "/#")
	s.ctl(t, "setup", link, "--workspace", "test", "--handle", "owner", "--password-stdin")
	return s
}

// ctl runs plenumctl as the owner.
func (s *server) ctl(t *testing.T, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(s.bin, "plenumctl"), args...)
	c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+s.dir)
	c.Stdin = strings.NewReader("a long password\n")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
}

// seed makes n accounts of their own for a test.
func (s *server) seed(t *testing.T, prefix string, n int) (path string) {
	t.Helper()
	path = filepath.Join(s.dir, prefix+".jsonl")
	s.ctl(t, "admin", "seed", "--count", fmt.Sprint(n), "--prefix", prefix, "--out", path)
	return path
}
