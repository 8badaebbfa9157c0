package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// trace is what happened, in order.
type trace struct {
	mu     sync.Mutex
	events []string
}

func (t *trace) add(s string) { t.mu.Lock(); defer t.mu.Unlock(); t.events = append(t.events, s) }

// fake is a component that takes its time.
type fake struct {
	name        string
	trace       *trace
	start, stop time.Duration
	fails       time.Duration // after ready; 0: never
	err         error
	ready       chan struct{}
}

func (f *fake) Ready() <-chan struct{} { return f.ready }

func (f *fake) Run(ctx context.Context) error {
	f.trace.add("start " + f.name)
	select {
	case <-time.After(f.start):
	case <-ctx.Done():
		f.trace.add("cancel " + f.name)
		return ctx.Err()
	}
	f.trace.add("ready " + f.name)
	close(f.ready)
	var fails <-chan time.Time
	if f.fails != 0 {
		fails = time.After(f.fails)
	}
	select {
	case <-fails:
		f.trace.add("fail " + f.name)
		return f.err
	case <-ctx.Done():
	}
	time.Sleep(f.stop)
	f.trace.add("stop " + f.name)
	return nil
}

func build(tr *trace, log *slog.Logger, parts ...*fake) *Group {
	g := NewGroup(log, 5*time.Second)
	for _, p := range parts {
		p.trace, p.ready = tr, make(chan struct{})
		g.Add(p.name, p)
	}
	return g
}

func check(t *testing.T, tr *trace, want ...string) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !reflect.DeepEqual(tr.events, want) {
		t.Errorf("happened %q\nwanted   %q", tr.events, want)
	}
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{}
		g := build(tr, nil, &fake{name: "a", start: time.Second, stop: time.Second}, &fake{name: "b", start: time.Second}, &fake{name: "c"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Run(ctx) }()
		begin := time.Now()
		<-g.Ready()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("ready after %v", took)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		check(t, tr, "start a", "ready a", "start b", "ready b", "start c", "ready c", "stop c", "stop b", "stop a")
	})
}

func TestOneFailureStopsAll(t *testing.T) {
	boom := errors.New("boom")
	for name, x := range map[string]struct {
		parts []*fake
		is    error
		says  string
		trace []string
	}{
		"while running": {
			[]*fake{{name: "a", fails: time.Second, err: boom}, {name: "b"}}, boom, "a: boom",
			[]string{"start a", "ready a", "start b", "ready b", "fail a", "stop b"},
		},
		"without an error": {
			[]*fake{{name: "a"}, {name: "b", fails: time.Second}}, nil, "b ended by itself",
			[]string{"start a", "ready a", "start b", "ready b", "fail b", "stop a"},
		},
		"while a later one starts": {
			[]*fake{{name: "a", fails: time.Second, err: boom}, {name: "b", start: time.Hour}, {name: "c"}}, boom, "a: boom",
			[]string{"start a", "ready a", "start b", "fail a", "cancel b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &trace{}
				err := build(tr, nil, x.parts...).Run(t.Context())
				if err == nil || err.Error() != x.says || x.is != nil && !errors.Is(err, x.is) {
					t.Errorf("got %v", err)
				}
				check(t, tr, x.trace...)
			})
		})
	}
}

func TestFailureToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{}
		g := build(tr, nil, &fake{name: "a"})
		g.Add("b", Step(func(context.Context) error { return errors.New("port in use") }, nil))
		if err := g.Run(t.Context()); err == nil || err.Error() != "b: port in use" {
			t.Errorf("got %v", err)
		}
		check(t, tr, "start a", "ready a", "stop a")
		select {
		case <-g.Ready():
			t.Error("ready")
		default:
		}
	})
}

func TestCancelWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{}
		g := build(tr, nil, &fake{name: "a"}, &fake{name: "b", start: time.Hour}, &fake{name: "c"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		check(t, tr, "start a", "ready a", "start b", "cancel b", "stop a")
	})
}

func TestLateStopAndSlowStartAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		tr := &trace{}
		g := build(tr, slog.New(slog.NewTextHandler(&logged, nil)), &fake{name: "a", start: 11 * time.Second}, &fake{name: "b", stop: 6 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		begin := time.Now()
		err := g.Run(ctx)
		if err == nil || err.Error() != "b did not stop within 5s" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 17*time.Second {
			t.Errorf("took %v", took)
		}
		if !strings.Contains(logged.String(), "still waiting for a component to be ready") {
			t.Errorf("logged %s", &logged)
		}
		time.Sleep(2 * time.Second) // until b has ended
		check(t, tr, "start a", "ready a", "start b", "ready b", "stop a", "stop b")
	})
}

func TestGroupsNestAndStepsUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &trace{}
		inner := build(tr, nil, &fake{name: "b"})
		outer := build(tr, nil, &fake{name: "a"})
		outer.Add("inner", inner)
		outer.Add("step", Step(func(context.Context) error { tr.add("do"); return nil }, func() error { tr.add("undo"); return nil }))
		outer.Add("func", Func(func(ctx context.Context) error { <-ctx.Done(); tr.add("func"); return ctx.Err() }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := outer.Run(ctx); err != nil {
			t.Error(err)
		}
		check(t, tr, "start a", "ready a", "start b", "ready b", "do", "func", "undo", "stop b", "stop a")
	})
}

type coded struct{ code int }

func (c coded) Error() string { return fmt.Sprintf("text %d\n", c.code) }
func (c coded) ExitCode() int { return c.code }

func TestReport(t *testing.T) {
	for _, x := range []struct {
		err      error
		code     int
		out, bad string
	}{
		{nil, 0, "", ""},
		{errors.New("can't write ./data: make it writable"), 1, "", "plenum: can't write ./data: make it writable\n"},
		{errors.Join(errors.New("one"), errors.New("two")), 1, "", "plenum: one; two\n"},
		{coded{0}, 0, "text 0\n", ""},
		{fmt.Errorf("x: %w", coded{3}), 3, "", "plenum: x: text 3\n"},
	} {
		var out, bad strings.Builder
		if code := report("plenum", x.err, &out, &bad); code != x.code || out.String() != x.out || bad.String() != x.bad {
			t.Errorf("%v: %d %q %q", x.err, code, out.String(), bad.String())
		}
	}
}

const child = "PLENUM_RUN_TEST_CHILD"

// TestMain is the process under test when a test starts it again.
func TestMain(m *testing.M) {
	switch os.Getenv(child) {
	case "":
		goleak.VerifyTestMain(m)
	case "polite":
		os.Exit(Main("child", func(ctx context.Context) error { fmt.Println("up"); <-ctx.Done(); return nil }))
	case "deaf":
		os.Exit(Main("child", func(ctx context.Context) error { fmt.Println("up"); <-ctx.Done(); fmt.Println("stopping"); select {} }))
	}
}

func TestSignals(t *testing.T) {
	for name, x := range map[string]struct {
		signals []os.Signal
		clean   bool
	}{
		"polite": {[]os.Signal{syscall.SIGTERM}, true},
		"deaf":   {[]os.Signal{os.Interrupt, syscall.SIGTERM}, false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // kills a child that heeds no signal
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), child+"="+name)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 64)
		for _, s := range x.signals { // each after the child has said a word
			if _, err := out.Read(line); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); (err == nil) != x.clean {
			t.Errorf("%s: %v", name, err)
		}
	}
}
