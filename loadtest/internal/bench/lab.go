package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plenum.internal/loadtest/internal/run"
)

const (
	startTime = 2 * time.Minute  // of a server
	runTime   = 20 * time.Minute // of one load test
	stopTime  = 30 * time.Second
)

// lab is where the runs take place: a folder with the programs, and one for each server's data.
type lab struct {
	dir string
	log io.Writer // what the programs say
}

// open builds the programs.
func open(ctx context.Context, log io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp("", "plenum-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	l := &lab{dir: dir, log: log}
	err = l.tool(ctx, "go", "build", "-o", dir+"/", "plenum.internal/deploy/cmd/plenum", "plenum.internal/client/cmd/plenumctl", "plenum.internal/loadtest/cmd/loadtest")
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *lab) close() error { return os.RemoveAll(l.dir) }

// tool runs a program to its end.
func (l *lab) tool(ctx context.Context, name string, args ...string) error {
	return l.say(ctx, "", name, args...)
}

// say runs a program that is told something.
func (l *lab) say(ctx context.Context, input, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...) //nolint:gosec // our own programs
	c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(l.dir, "profiles"))
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), l.log, l.log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopTime
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

// server is a Plenum of its own, with seeded accounts.
type server struct {
	*lab
	cmd      *exec.Cmd
	data     string
	address  string
	accounts string
}

var setupLink = regexp.MustCompile(`http://\S+#setup=[\w-]+`)

// serve starts a server with so many accounts, on an empty folder.
func (l *lab) serve(ctx context.Context, accounts int) (_ *server, err error) {
	data, err := os.MkdirTemp(l.dir, "server-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &server{lab: l, data: data, accounts: filepath.Join(data, "accounts.jsonl")}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	s.cmd = exec.CommandContext(ctx, filepath.Join(l.dir, "plenum"), "--addr", "127.0.0.1:0", "--data", filepath.Join(data, "data")) //nolint:gosec // our own
	s.cmd.Stderr = l.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return s, fmt.Errorf("start plenum: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return s, fmt.Errorf("start plenum: %w", err)
	}
	late := time.AfterFunc(startTime, func() { _ = s.cmd.Process.Kill() })
	link := ""
	for lines := bufio.NewScanner(stdout); link == "" && lines.Scan(); {
		link = setupLink.FindString(lines.Text())
	}
	late.Stop()
	if link == "" {
		return s, errors.New("plenum printed no link")
	}
	s.address, _, _ = strings.Cut(link, "/#")
	ctl, profile := filepath.Join(l.dir, "plenumctl"), filepath.Base(data)
	if err := l.say(ctx, "a long password\n", ctl, "--profile", profile, "setup", link, "--workspace", "bench", "--handle", "owner", "--password-stdin"); err != nil {
		return s, err
	}
	return s, l.tool(ctx, ctl, "--profile", profile, "admin", "seed", "--count", strconv.Itoa(accounts), "--out", s.accounts)
}

// stop ends the server and takes its data away.
func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
		_ = s.cmd.Wait()
		kill.Stop()
	}
	_ = os.RemoveAll(s.data)
}

// load runs a load test on the server. A broken promise is an error.
func (s *server) load(ctx context.Context, scenario string, flags ...string) (*run.Result, error) {
	out := filepath.Join(s.data, "result.json")
	args := append([]string{scenario, "--address", s.address, "--accounts", s.accounts, "--pid", strconv.Itoa(s.cmd.Process.Pid), "--json", out}, flags...)
	if err := s.tool(ctx, filepath.Join(s.dir, "loadtest"), args...); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(out) //nolint:gosec // our own
	if err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	res := &run.Result{}
	if err := json.Unmarshal(data, res); err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	return res, nil
}

// figure finds a number of a result.
func figure(r *run.Result, name string) (float64, error) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value, nil
		}
	}
	return 0, fmt.Errorf("the load test told no %q", name)
}

// p99 is a quantile of a kind of latency, in ms.
func p99(r *run.Result, name string) (float64, error) {
	for _, l := range r.Latency {
		if l.Name == name && l.Count > 0 {
			return float64(l.P99) / 1000, nil
		}
	}
	return 0, fmt.Errorf("the load test measured no latency %q", name)
}
