package ctl

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the commands print into testdata, to be read in the diff")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// output is written by the command and by its client's goroutine.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// TestScripts runs the commands of testdata/*.txt against a fake server and compares what they print. A line "$ …" is a
// command ("< text" at its end is the standard input, SERVER the server's address, FOLDER one for files), "! …" changes the server, "# …" is
// a comment; what stands below is the output, and the exit code where it is not 0.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("it prints something else (go test -update shows it in the diff):\n%s", got)
			}
		})
	}
}

// recent is a time of these years; those of the fake server are of 1970.
var recent = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d`)

func play(t *testing.T, script string) string {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	f := newFake()
	server := httptest.NewServer(f)
	defer server.Close()
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "$":
			fmt.Fprintln(&out, line)
			command, input, _ := strings.Cut(strings.NewReplacer("SERVER", server.URL, "FOLDER", config).Replace(rest), " < ")
			printed, code := execute(t, words(command), strings.ReplaceAll(input, `\n`, "\n"))
			out.WriteString(recent.ReplaceAllString(strings.NewReplacer(server.URL, "SERVER", config, "FOLDER").Replace(printed), "NOW"))
			if code != 0 {
				fmt.Fprintf(&out, "exit %d\n", code)
			}
			fmt.Fprintln(&out)
		case "!":
			fmt.Fprintf(&out, "%s\n\n", line)
			f.mu.Lock()
			f.docs.ending, f.docs.talk = rest == "ending", f.docs.talk || rest == "talk"
			f.down, f.wiped, f.lossy, f.full = rest == "down", rest == "wipe", rest == "lossy", rest == "full"
			f.mu.Unlock()
		case "#":
			fmt.Fprintln(&out, line)
		}
	}
	err := filepath.WalkDir(config, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 && path != config {
			t.Errorf("%s can be read by others: %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return out.String()
}

// words splits a command line; single quotes keep spaces.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out[1:] // plenumctl itself
}

func execute(t *testing.T, args []string, input string) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(input); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var out output
	code := Main(args, r, &out, &out)
	return out.buf.String(), code
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31":           "2026-01-31T00:00:00Z",
		"2026-01-31T15:04:05":  "2026-01-31T15:04:05Z",
		"2026-01-31T15:04:05Z": "2026-01-31T15:04:05Z",
	} {
		if got, err := parseTime(text); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := parseTime("90m"); err != nil || time.Since(got).Round(time.Minute) != 90*time.Minute {
		t.Errorf("90m: %v, %v", got, err)
	}
	if _, err := parseTime("yesterday"); err == nil {
		t.Error("yesterday is taken for a time")
	}
}

func TestParseAhead(t *testing.T) {
	for text, want := range map[string]time.Duration{"90m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "32767d": 32767 * 24 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, ok := parseAhead(text); !ok || got != want {
			t.Errorf("%s: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "0s", "0d", "-1h", "-1d", "1.5d", "d", "32768d", "999999999999d", "7w"} {
		if got, ok := parseAhead(text); ok {
			t.Errorf("%s is taken for %v", text, got)
		}
	}
}

func TestUnder(t *testing.T) {
	for ms, want := range map[int64]string{0: "1m", 60_000: "2m", 45 * 60_000: "46m", 59 * 60_000: "1h0m"} {
		if got := under(ms); got != want {
			t.Errorf("%d ms: under %s, want %s", ms, got, want)
		}
	}
}
