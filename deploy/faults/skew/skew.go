// Package skew builds programs whose wall clock can be set wrong while they run: with the go command's -overlay, time.Now adds what a file says.
package skew

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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
	overlay, err := writeOverlay(ctx, filepath.Join(bin, "overlay"))
	if err != nil {
		return err
	}
	args := append([]string{"build", "-overlay", overlay, "-o", bin + string(filepath.Separator)}, packages...)
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("skew: go build: %w: %s", err, out)
	}
	return nil
}

// writeOverlay writes what go build -overlay takes into dir, and returns its path.
func writeOverlay(ctx context.Context, dir string) (string, error) {
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("skew: go env GOROOT: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
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
