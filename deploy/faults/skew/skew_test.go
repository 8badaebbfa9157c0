package skew

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock is a program that answers each line with its wall clock, and with what it takes to have passed since its start. With an argument,
// its timers are busy meanwhile: the runtime itself calls time.Now for each of them, on a stack where little is allowed.
const clock = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	start := time.Now()
	if len(os.Args) > 1 {
		go func() {
			for range time.Tick(100 * time.Microsecond) {
			}
		}()
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().UnixNano(), int64(time.Since(start)), int64(time.Until(start.Add(time.Hour))))
	}
}
`

// program is a running clock.
type program struct {
	t       *testing.T
	started time.Time
	ask     io.Writer
	answer  *bufio.Reader
}

// build builds a clock, outside of the workspace.
func build(t *testing.T) (path string) {
	t.Helper()
	alone(t, map[string]string{"go.mod": "module clock\n\ngo 1.26.0\n", "main.go": clock})
	bin := t.TempDir()
	if err := Build(t.Context(), bin, "."); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, "clock")
}

// run starts a program, whose clock is to follow file, if there is one.
func run(t *testing.T, path, file string, args ...string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...) // killed when the test ends
	cmd.Env, cmd.Stderr = os.Environ(), os.Stderr
	if file != "" {
		cmd.Env = append(cmd.Env, Env+"="+file)
	}
	ask, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, started: time.Now(), ask: ask, answer: bufio.NewReader(answer)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ask.Close()
		_ = cmd.Wait()
	})
	return p
}

// off is how wrong the program's wall clock is. What it measures must be right.
func (p *program) off() time.Duration {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.ask); err != nil {
		p.t.Fatal(err)
	}
	var now int64
	var since, until time.Duration
	if _, err := fmt.Fscan(p.answer, &now, &since, &until); err != nil {
		p.t.Fatal(err)
	}
	if since < 0 || since > time.Since(p.started) {
		p.t.Errorf("it takes %v to have passed since its start, %v ago", since, time.Since(p.started))
	}
	if left := time.Hour - until; left < since || left > time.Since(p.started) {
		p.t.Errorf("it takes an hour from its start to be %v away after %v", until, since)
	}
	return time.Unix(0, now).Sub(time.Now().Round(0))
}

// becomes waits until the program's wall clock is wrong by so much.
func (p *program) becomes(want time.Duration) {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		off := p.off()
		if (off - want).Abs() < time.Minute {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the clock is wrong by %v, want %v", off, want)
		}
	}
}

// alone makes the working directory a module outside of the workspace.
func alone(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
}

// The first build ever takes the standard library along.
func TestTheWallClockIsWrongAndTheMonotonicOneIsRight(t *testing.T) {
	path, file := build(t), filepath.Join(t.TempDir(), "clock")
	early := run(t, path, file)
	early.becomes(0)
	if err := Set(file, 0); err != nil {
		t.Fatal(err)
	}
	wrong, right := run(t, path, file), run(t, path, "")
	wrong.becomes(0)
	for _, by := range []time.Duration{time.Hour, -48 * time.Hour, 5 * time.Minute, 0, time.Hour} {
		if err := Set(file, by); err != nil {
			t.Fatal(err)
		}
		wrong.becomes(by)
		right.becomes(0)
		early.becomes(0)
	}
	if late := run(t, path, file).off(); (late - time.Hour).Abs() > time.Minute {
		t.Errorf("the clock of a program that starts later is wrong by %v from its first reading, want an hour", late)
	}
}

func TestTimersRunWhileTheClockIsWrong(t *testing.T) {
	path, file := build(t), filepath.Join(t.TempDir(), "clock")
	if err := Set(file, 0); err != nil {
		t.Fatal(err)
	}
	p := run(t, path, file, "busy")
	for range 5 {
		for _, by := range []time.Duration{time.Hour, 0} {
			if err := Set(file, by); err != nil {
				t.Fatal(err)
			}
			p.becomes(by)
		}
	}
}

func TestWhatDoesNotBuildIsAnError(t *testing.T) {
	alone(t, map[string]string{"go.mod": "module broken\n\ngo 1.26.0\n", "main.go": "package main\n\nfunc main() { undeclared() }\n"})
	if err := Build(t.Context(), t.TempDir(), "."); err == nil || !strings.Contains(err.Error(), "undefined: undeclared") {
		t.Errorf("it should say what the compiler says: %v", err)
	}
}

func TestAnotherPackageTimeIsAnError(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "src", "time", "time.go")
	if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := writeOverlay(t.TempDir(), root); err == nil {
		t.Error("without time.go: no error")
	}
	for name, x := range map[string]struct {
		text string
		ok   bool
	}{
		"as expected":               {"package time\n\nfunc Now() Time {\n" + line + "}\n", true},
		"another first line":        {"package time\n\nfunc Now() Time {\n\tsec, nsec := walltime()\n" + line + "}\n", false},
		"no Now":                    {"package time\n\nfunc Later() Time {\n" + line + "}\n", false},
		"the line in another":       {"package time\n\nfunc Now() Time {\n}\n\nfunc Later() Time {\n" + line + "}\n", false},
		"something before the line": {"package time\n\nfunc Now() Time {\n\tcheck()\n" + line + "}\n", false},
	} {
		if err := os.WriteFile(source, []byte(x.text), 0o644); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		path, err := writeOverlay(dir, root)
		if x.ok {
			if patched, readErr := os.ReadFile(filepath.Join(dir, "time.go")); err != nil || readErr != nil ||
				string(patched) != strings.Replace(x.text, line, skewed, 1) {
				t.Errorf("%s: %v, %v, %q", name, err, readErr, patched)
			}
		} else if err == nil || !strings.Contains(err.Error(), source) {
			t.Errorf("%s: %q, %v", name, path, err)
		}
	}
}

func TestSetWritesWholeSecondsInPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	var first os.FileInfo
	for by, want := range map[time.Duration]int64{
		0: 0, time.Hour: 3600, -time.Hour: -3600, 1999 * time.Millisecond: 1, -1999 * time.Millisecond: -1,
	} {
		if err := Set(file, by); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil || len(text) != 8 || int64(binary.NativeEndian.Uint64(text)) != want {
			t.Errorf("%v: %q, %v", by, text, err)
		}
		info, err := os.Stat(file)
		if err != nil || first != nil && !os.SameFile(first, info) {
			t.Errorf("it is another file now: %v", err)
		}
		first = info
	}
	if err := Set(filepath.Join(t.TempDir(), "none", "clock"), 0); err == nil {
		t.Error("no error where the file can't be written")
	}
}
