package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"plenum.internal/loadtest/internal/run"
)

const (
	toolTime = 20 * time.Minute // of one program
	stopTime = 30 * time.Second // from the request to end
)

// lab is where the runs take place: a folder with the programs, and one for each server's data.
type lab struct {
	dir   string
	log   io.Writer // what the programs say
	trust string    // file of the certificate that they trust; empty: the system's
}

// open builds the programs.
func open(ctx context.Context, parent string, log io.Writer) (*lab, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "plenum-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
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
	return l.told(ctx, "", name, args...)
}

// told runs a program that reads input.
func (l *lab) told(ctx context.Context, input, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, toolTime)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...) //nolint:gosec // our own programs
	if filepath.Dir(name) == l.dir {             // not go's: it would write there behind its end, when the folder is gone
		c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(l.dir, "profiles"))
	}
	if l.trust != "" {
		c.Env = append(c.Env, "SSL_CERT_FILE="+l.trust)
	}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), l.log, l.log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = stopTime
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

// target is a server that load tests run against.
type target struct {
	*lab
	data     string // its folder
	address  string
	accounts string // file
	pid      int    // 0: what it uses is not measured
}

// newTarget makes the folder of one.
func (l *lab) newTarget() (target, error) {
	data, err := os.MkdirTemp(l.dir, "server-")
	if err != nil {
		return target{}, fmt.Errorf("make a folder: %w", err)
	}
	return target{lab: l, data: data, accounts: filepath.Join(data, "accounts.jsonl")}, nil
}

// load runs a load test. A broken promise is an error.
func (t target) load(ctx context.Context, scenario string, flags ...string) (*run.Result, error) {
	out := filepath.Join(t.data, "result.json")
	args := append([]string{scenario, "--address", t.address, "--accounts", t.accounts, "--json", out}, flags...)
	if t.pid != 0 {
		args = append(args, "--pid", strconv.Itoa(t.pid))
	}
	if err := t.tool(ctx, filepath.Join(t.dir, "loadtest"), args...); err != nil {
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

// both runs a load test against a Plenum and then the same against the control server, each with so many accounts.
func (l *lab) both(ctx context.Context, accounts int, scenario string, flags ...string) (plenum, control *run.Result, err error) {
	if plenum, err = l.alone(ctx, accounts, scenario, flags...); err != nil {
		return nil, nil, err
	}
	control, err = l.besides(ctx, accounts, scenario, flags...)
	return plenum, control, err
}

// besides runs a load test against a control server.
func (l *lab) besides(ctx context.Context, accounts int, scenario string, flags ...string) (*run.Result, error) {
	c, err := l.control(ctx, accounts)
	if err != nil {
		return nil, err
	}
	res, err := c.load(ctx, scenario, flags...)
	if err = errors.Join(err, c.stop()); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return res, nil
}

// alone runs a load test against a Plenum of its own.
func (l *lab) alone(ctx context.Context, accounts int, scenario string, flags ...string) (*run.Result, error) {
	s, err := l.serve(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return s.load(ctx, scenario, flags...)
}
