package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum.internal/loadtest/internal/peers"
	"plenum.internal/loadtest/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Flags reach the scenario that is chosen.
func TestParse(t *testing.T) {
	var out bytes.Buffer
	f, sc, err := parse([]string{"fanout", "--rate", "7.5", "-n", "20", "-d", "3s", "--address", "127.0.0.1:1,127.0.0.1:2", "--pid", "1,2", "--no-reconnect"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	fan, ok := sc.(*scenario.Fanout)
	if !ok || fan.Rate != 7.5 || fan.Bytes != 100 {
		t.Errorf("%+v", sc)
	}
	if f.Connections != 20 || f.Duration != 3*time.Second || f.Address[1] != "http://127.0.0.1:2" || len(f.PID) != 2 || f.Options.Reconnect {
		t.Errorf("%+v", f.Options)
	}
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

// A scenario that knows how many connections it takes is not told by --connections, unless that says the same.
func TestSized(t *testing.T) {
	for _, args := range []string{"docs --documents 3 --editors 7", "docs --documents 3 --editors 7 -n 21"} {
		f, sc, err := parse(strings.Fields(args), io.Discard)
		if err != nil || f.Connections != 21 || sc.(*scenario.Docs).Editors != 7 {
			t.Errorf("%s: %v, %v", args, f, err)
		}
	}
	if f, _, err := parse([]string{"idle"}, io.Discard); err != nil || f.Connections != 1000 {
		t.Errorf("%v, %v", f, err)
	}
}

// What can't be is told on standard error with the code of a wrong call, and nothing is started.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
		code int
	}{
		{"chat --connections 0", "--connections", exitUsage},
		{"chat --address http://10.1.2.3:80", "--allow-remote", exitUsage},
		{"connect --with magic", "--with", exitUsage},
		{"chat --none", "unknown flag --none", exitUsage},
		{"none", "none", exitUsage},
		{"-n 5", "name a scenario", exitUsage},
		{"docs --documents 3 --editors 2 -n 7", "make 6 connections", exitUsage},
		{"docs --documents 18000 --editors 2", "--processes 2", exitUsage},
		{"docs --editors 0", "--editors", exitUsage},
		{"docs --burst 5 --rate 2 --to 5", "--pace", exitUsage},
		{"docs --editors 1 --cursors", "--cursors", exitUsage},
		{"docs --churn 0.3", "--churn", exitUsage},
		{"docs --length 1000000", "--length", exitUsage},
		{"idle --accounts /does/not/exist", "plenumctl admin seed", exitFailed},
		{"--join 127.0.0.1:1", "join", exitFailed},
		{"chat --processes 2 --listen 127.0.0.1:99999", "wait for other processes", exitFailed},
	} {
		var out, err bytes.Buffer
		code := Main(strings.Fields(c.args), &out, &err)
		if code != c.code || !strings.Contains(err.String(), c.want) || !strings.HasPrefix(err.String(), "loadtest: ") || out.Len() > 0 {
			t.Errorf("%s: %d, %q and %q", c.args, code, out.String(), err.String())
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"chat", "--help"}} {
		var out, err bytes.Buffer
		if code := Main(args, &out, &err); code != 0 || err.Len() > 0 || !strings.Contains(out.String(), "--connections") {
			t.Errorf("%v: %d, %q and %q", args, code, out.String(), err.String())
		}
	}
}

// A process that joins checks what it is told to do as it checks its own command line.
func TestJoinRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"chat", "--address", "http://10.1.2.3:80"}, "--allow-remote"},
		{[]string{"--join", "127.0.0.1:1"}, "no scenario"},
		{[]string{"none"}, "none"},
	} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		led := make(chan error, 1)
		go func() {
			g, err := peers.Lead(t.Context(), l, "", 2, c.args)
			if err == nil {
				err = g.Close()
			}
			led <- err
		}()
		var out, log bytes.Buffer
		code := Main([]string{"--join", l.Addr().String()}, &out, &log)
		if code != exitFailed || !strings.Contains(log.String(), c.want) {
			t.Errorf("%v: %d, %q", c.args, code, log.String())
		}
		if err := <-led; err != nil {
			t.Error(err)
		}
	}
}

// Who waits for others that don't come stops when it is told to.
func TestLeadStops(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	path := filepath.Join(t.TempDir(), "accounts.jsonl")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	code, err := start(ctx, []string{"idle", "--processes", "2", "--no-spawn", "--accounts", path}, &out, &log)
	if code != exitFailed || err == nil || !strings.Contains(log.String(), "loadtest --join 127.0.0.1:") {
		t.Errorf("%d, %v, %q", code, err, log.String())
	}
}
