// Package skew builds programs whose wall clock can be set wrong while they run: with the go command's -overlay, time.Now adds what a file says.
package skew

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Env names the file in a program's environment. The file holds the offset in seconds; none, or none that can be read, is 0.
const Env = "FAULTS_CLOCK"

// What is put in place of one line of the package time. The monotonic clock, and with it timers and timeouts, stays right, as it does where an
// administrator sets the clock.
const (
	line   = "	sec, nsec, mono := runtimeNow()\n"
	skewed = "	sec, nsec, mono := runtimeNow()\n	sec += skewSeconds(mono)\n"
)

// source is added to the package time. It can't use what imports time.
const source = `package time

import (
	"sync/atomic"
	"syscall"
)

var (
	skewFile, skewSet = syscall.Getenv("` + Env + `")
	skewNow, skewRead atomic.Int64
)

// skewSeconds reads the file anew every 100 ms.
func skewSeconds(mono int64) int64 {
	last := skewRead.Load()
	if !skewSet || mono-last < 100e6 || !skewRead.CompareAndSwap(last, mono) {
		return skewNow.Load()
	}
	fd, err := syscall.Open(skewFile, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		skewNow.Store(0)
		return 0
	}
	var buffer [20]byte
	n, _ := syscall.Read(fd, buffer[:])
	_ = syscall.Close(fd)
	var value, sign int64 = 0, 1
	for i := 0; i < n; i++ {
		switch c := buffer[i]; {
		case c == '-' && i == 0:
			sign = -1
		case c >= '0' && c <= '9':
			value = value*10 + int64(c-'0')
		}
	}
	skewNow.Store(sign * value)
	return sign * value
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

// Set has the programs that read this file be wrong by so much from now on, in whole seconds.
func Set(file string, by time.Duration) error {
	next := file + ".new"
	if err := os.WriteFile(next, []byte(strconv.FormatInt(int64(by/time.Second), 10)), 0o644); err != nil {
		return fmt.Errorf("skew: %w", err)
	}
	if err := os.Rename(next, file); err != nil {
		return fmt.Errorf("skew: %w", err)
	}
	return nil
}
