// Package skew builds programs whose wall clock can be set wrong while they run: with the go command's -overlay, time.Now adds what a file says.
package skew

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Env names the file in a program's environment. Set makes it; without it when the program starts, the clock is right for good.
const Env = "FAULTS_CLOCK"

// What is put in place of one line of the package time. The monotonic clock, and with it timers and timeouts, stays right, as it does where an
// administrator sets the clock.
const (
	line   = "	sec, nsec, mono := runtimeNow()\n"
	skewed = "	sec, nsec, mono := runtimeNow()\n	sec += skew.Load()\n"
)

// source is added to the package time. It can't use what imports time. The file is mapped into memory, since the runtime asks for the time on
// stacks of its own, too, where nothing may be allocated and no system call be made.
const source = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var skew = mapSkew()

func mapSkew() *atomic.Int64 {
	right := new(atomic.Int64)
	file, set := syscall.Getenv("` + Env + `")
	if !set {
		return right
	}
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return right
	}
	defer syscall.Close(fd)
	memory, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return right
	}
	return (*atomic.Int64)(unsafe.Pointer(&memory[0]))
}
`

// Build builds packages of the workspace in which it runs into the folder bin.
func Build(ctx context.Context, bin string, packages ...string) error {
	dir := filepath.Join(bin, "overlay")
	root, err := goroot(ctx, dir)
	if err != nil {
		return err
	}
	overlay, err := writeOverlay(dir, root)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-overlay", overlay, "-o", bin + string(filepath.Separator)}, packages...)
	build := exec.CommandContext(ctx, "go", args...)
	build.Env = append(os.Environ(), "GOROOT="+root)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("skew: go build: %w: %s", err, out)
	}
	return nil
}

// goroot makes the folder dir, and returns where the go command's own sources are: by a link there if it fetched itself into its cache of modules,
// in which it takes no overlay.
func goroot(ctx context.Context, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("skew: go env: %w", err)
	}
	root, cache, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if inside, err := filepath.Rel(cache, root); err != nil || !filepath.IsLocal(inside) {
		return root, nil //nolint:nilerr // one that is relative to nothing is elsewhere
	}
	link := filepath.Join(dir, "go")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("skew: %w", err)
	}
	if err := os.Symlink(root, link); err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	return filepath.Abs(link) //nolint:wrapcheck // of the working folder, which is there
}

// writeOverlay writes what go build -overlay takes into dir, of the go command's sources in root, and returns its path.
func writeOverlay(dir, root string) (string, error) {
	original := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	_, now, _ := strings.Cut(string(text), "\nfunc Now() Time {\n")
	if !strings.HasPrefix(now, line) {
		return "", fmt.Errorf("skew: time.Now in %s is not as expected: this version of Go is not known here", original)
	}
	before := len(text) - len(now)
	patched := string(text[:before]) + skewed + strings.TrimPrefix(now, line)
	files := map[string]string{"time.go": patched, "skew.go": source}
	replace := map[string]string{
		original: filepath.Join(dir, "time.go"),
		filepath.Join(filepath.Dir(original), "skew_plenum.go"): filepath.Join(dir, "skew.go"),
	}
	config, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	files["overlay.json"] = string(config)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", fmt.Errorf("skew: %w", err)
		}
	}
	return filepath.Join(dir, "overlay.json"), nil
}

// Set has the programs that started with this file be wrong by so much from now on, in whole seconds. The file stays one and the same, and never
// gets shorter: programs have it in their memory.
func Set(file string, by time.Duration) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("skew: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second)), 0); err != nil {
		return fmt.Errorf("skew: %w", err)
	}
	return nil
}
