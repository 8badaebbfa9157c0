// Package clustertest starts clusters for tests: built from the tree, on addresses of their own, gone with the test.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/cluster"
)

// Start returns when every process of a new cluster serves; change may alter its configuration, nil leaves it. The cluster
// ends with the test, and even when the test's process is killed.
func Start(t testing.TB, change func(*cluster.Config)) *cluster.Cluster {
	t.Helper()
	bin, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "plenum-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL runs as another user
		t.Fatal(err)
	}
	cfg := cluster.DefaultConfig()
	cfg.Dir, cfg.Bin, cfg.Net = filepath.Join(dir, "c"), bin, ownNet(t)
	if change != nil {
		change(&cfg)
	}
	c, err := cluster.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	leash := tie(t, bin, cfg.Dir)
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			tail(t, c)
		}
		leash()
		_ = os.RemoveAll(dir)
	})
	begun := time.Now()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d processes serve after %v", len(c.Names()), time.Since(begun).Round(time.Millisecond))
	return c
}

// tail shows how the logs end.
func tail(t testing.TB, c *cluster.Cluster) {
	const enough = 2000
	for _, name := range c.Names() {
		text, err := os.ReadFile(c.Log(name))
		if err == nil && len(text) > 0 {
			t.Logf("--- %s\n%s", name, text[max(0, len(text)-enough):])
		}
	}
}

// tie starts a process that wipes the cluster once its standard input ends: by the returned function, or because this
// process died.
func tie(t testing.TB, bin, dir string) (cut func()) {
	t.Helper()
	// It must outlive the test.
	cmd := exec.Command("sh", "-c", `while read _; do :; done; exec "$@"`, "sh", filepath.Join(bin, "cluster"), "--dir", dir, "wipe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = in.Close()
		_ = cmd.Wait() // fails where nothing was started
	}
}

// ownNet finds loopback addresses that no other cluster of this machine uses, and holds them for the test.
func ownNet(t testing.TB) int {
	t.Helper()
	for range 200 {
		n := 100 + rand.IntN(150)
		l, err := net.Listen("tcp", fmt.Sprintf("127.%d.255.1:7999", n))
		if err == nil {
			t.Cleanup(func() { _ = l.Close() })
			return n
		}
	}
	t.Fatal("no free loopback addresses")
	return 0
}

// Programs is a folder with every program, built from the tree without the race detector, and with the tools. They
// are built once in a process; Go's cache makes the next time quick.
var Programs = sync.OnceValues(func() (string, error) {
	root, err := root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("clustertest: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	// Several packages' tests do this at the same time: each builds aside, and puts its result in place at once.
	aside, err := os.MkdirTemp(bin, "new-")
	if err != nil {
		return "", fmt.Errorf("clustertest: %w", err)
	}
	defer os.RemoveAll(aside)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", aside+"/", "plenum.internal/deploy/cmd/...",
		"plenum.internal/chat/cmd/...", "plenum.internal/docs/cmd/...", "plenum.internal/presence/cmd/...", "plenum.internal/services/identity/cmd/...", "plenum.internal/client/cmd/...",
		"plenum.internal/mesh/meshtest/board/cmd/...", "plenum.internal/deploy/clustertest/cmd/...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("clustertest: go build: %w", err)
	}
	for _, tool := range []string{"nats-server", "server"} {
		if err := os.Symlink(filepath.Join(root, "bin", tool), filepath.Join(aside, tool)); err != nil {
			return "", fmt.Errorf("clustertest: %w", err)
		}
	}
	built, err := os.ReadDir(aside)
	if err != nil {
		return "", fmt.Errorf("clustertest: %w", err)
	}
	for _, file := range built {
		if err := os.Rename(filepath.Join(aside, file.Name()), filepath.Join(bin, file.Name())); err != nil {
			return "", fmt.Errorf("clustertest: %w", err)
		}
	}
	return bin, nil
})

// root is the folder with go.work.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("clustertest: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("clustertest: no go.work above the working folder")
		}
	}
}
