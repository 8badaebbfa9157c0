package deploy

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// laptop is a configuration with a port that is free and a folder of the test's own.
func laptop(t *testing.T) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Addr, cfg.Data = "127.0.0.1:0", filepath.Join(t.TempDir(), "data")
	cfg.Node.Obs.Log.Level = "error"
	return cfg
}

// terminal is what a person reads.
type terminal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *terminal) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *terminal) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs everything in one process until stop is called, and returns what was printed once it is ready.
func start(t *testing.T, cfg Config) (printed string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out terminal
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg, &out, t.Output()) }()
	for begun := time.Now(); !strings.Contains(out.String(), "ready at"); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("ended while starting: %v", err)
		default:
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("not ready after a minute")
		}
	}
	stop = sync.OnceFunc(func() {
		cancel()
		begun := time.Now()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
	t.Cleanup(stop)
	return out.String(), stop
}

var address = regexp.MustCompile(`ready at (http://\S+)`)

func TestOneProcess(t *testing.T) {
	cfg := laptop(t)
	printed, stop := start(t, cfg)
	found := address.FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("no address in %q", printed)
	}
	if !strings.Contains(printed, "\n  "+found[1]+"/#setup=") || !strings.Contains(printed, "plenumctl setup '"+found[1]+"/#setup=") {
		t.Errorf("the first run does not say how to sign in: %q", printed)
	}
	for path, want := range map[string]string{"/livez": "", "/readyz": "", "/": "<title>Plenum</title>"} {
		answer, err := http.Get(found[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("GET %s: %s %q, %v", path, answer.Status, body, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()

	if err := Run(t.Context(), cfg, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "in use by another Plenum") {
		t.Errorf("a second process on the same folder: %v", err)
	}
	stop()
	again, _ := start(t, cfg)
	if !strings.Contains(again, "plenumctl setup") { // nobody has used it yet
		t.Errorf("after a restart: %q", again)
	}
}

// The port is taken before anything runs, and given back where nothing does.
func TestPortIsTakenOnce(t *testing.T) {
	p, err := compose(t.Context(), laptop(t), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	second := laptop(t)
	second.Addr = p.clients.Addr().String()
	if err := Run(t.Context(), second, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "in use by another program") {
		t.Errorf("a second one, while the first starts: %v", err)
	}
	p.close()
	l, err := net.Listen("tcp", second.Addr)
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	_ = l.Close()
}

// What cannot work is one line that says what to do, and nothing is left behind.
func TestRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"port in use":       {func(c *Config) { c.Addr = taken.Addr().String() }, "in use by another program"},
		"foreign address":   {func(c *Config) { c.Addr = "192.0.2.1:8080" }, "not one of this machine"},
		"folder is a file":  {func(c *Config) { c.Data = file }, "--data"},
		"unwritable folder": {func(c *Config) { c.Data = "/proc/plenum" }, "--data"},
		"wrong key file": {func(c *Config) {
			c.Identity.KeyFile = file
		}, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := laptop(t)
			c.change(&cfg)
			var out terminal
			err := Run(t.Context(), cfg, &out, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("err = %v, want one line with %q", err, c.want)
			}
			if out.String() != "" {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("only who may mount can run out of a small disk: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	cfg := laptop(t)
	cfg.Data = filepath.Join(dir, "data")
	if err := Run(t.Context(), cfg, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("err = %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"target": func(c *Config) { c.Target = "everything" },
		"addr":   func(c *Config) { c.Addr = "8080" },
		"data":   func(c *Config) { c.Data = "" },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestOrigin(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", "0.0.0.0:8080": "http://localhost:8080", "[::]:8080": "http://localhost:8080",
		":80": "http://localhost", "chat.example:80": "http://chat.example", "[::1]:8080": "http://[::1]:8080",
	} {
		if got := origin(addr, false); got != want {
			t.Errorf("origin(%q) = %q, want %q", addr, got, want)
		}
	}
	if got := origin("chat.example:443", true); got != "https://chat.example" {
		t.Errorf("with TLS it is %q", got)
	}
}
