package backbone

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
)

func TestNATSCarriesTheBusWithoutAPort(t *testing.T) {
	n, err := StartNATS()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if addr := n.Addr(); addr != nil {
		t.Errorf("listens on %v", addr)
	}
	b, err := bus.Connect(t.Context(), bus.DefaultConfig(), bus.Deps{InProcess: n})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ch := make(chan bus.Message, 1)
	if _, err := b.Subscribe("plenum.w.>", ch); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(bus.Subject("w", "chat.channel/1"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if m := <-ch; m.Subject != "plenum.w.chat.channel.1" || string(m.Data) != "x" {
		t.Errorf("got %v", m)
	}
}

func TestEtcdBeginsEmptyAndLeavesNothing(t *testing.T) {
	for name, dir := range map[string]string{"short": "", "long": strings.Repeat("d", 120)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), dir, "etcd")
			for range 2 {
				e := startEtcd(t, path)
				at, err := os.Readlink(path)
				if err != nil || filepath.Dir(at) != memory {
					t.Errorf("lives in %s, %v", at, err)
				}
				if before := put(t, e, "value"); before != "" {
					t.Errorf("begins with %q", before)
				}
				e.Close()
				for _, left := range []string{at, path} {
					if _, err := os.Lstat(left); !os.IsNotExist(err) {
						t.Errorf("%s stays: %v", left, err)
					}
				}
			}
		})
	}
}

// What killed processes left in memory is removed; what another process lives in is not.
func TestHomesOfTheDeadAreSwept(t *testing.T) {
	memory := t.TempDir()
	made := func(at string) *home {
		t.Helper()
		h, err := newHome(filepath.Join(t.TempDir(), at), memory)
		if err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-2 * inTheMaking)
		if err := os.Chtimes(h.dir, old, old); err != nil {
			t.Fatal(err)
		}
		return h
	}
	living, dead, fresh := made("living"), made("dead"), made("fresh")
	defer living.close()
	now := time.Now()
	if err := os.Chtimes(fresh.dir, now, now); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*home{dead, fresh} {
		_ = h.lock.Close() // as the kernel does for the dead
	}
	last := made("last")
	defer last.close()
	for h, stays := range map[*home]bool{living: true, dead: false, fresh: true, last: true} {
		if _, err := os.Stat(h.dir); (err == nil) != stays {
			t.Errorf("%s: %v", h.path, err)
		}
	}
}

// Where there is no memory to live in, the data folder has to do.
func TestHomeOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd")
	for range 2 {
		h, err := newHome(path, "/nowhere")
		if err != nil {
			t.Fatal(err)
		}
		if h.dir != path {
			t.Errorf("lives in %s", h.dir)
		}
		_ = h.lock.Close() // killed
	}
	if _, err := newHome(filepath.Join(t.TempDir(), strings.Repeat("d", 120)), "/nowhere"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a path too long for a socket: %v", err)
	}
}

// A full disk under the data folder is nothing to etcd, which would end the process: leases are granted, renewed and lost for
// longer than they live.
func TestEtcdOutlivesAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Logf("only who may mount can run out of a small disk: %v", err)
		return
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	e := startEtcd(t, filepath.Join(disk, "etcd"))
	defer e.Close()
	full, err := os.Create(filepath.Join(disk, "full"))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if _, err := full.Write(make([]byte, 16<<20)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	client, err := lease.Connect(lease.Config{Endpoints: []string{e.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 200 { // some 20 MB: several segments of etcd's log
		granted, err := client.Grant(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Put(ctx, fmt.Sprint(i%10), strings.Repeat("x", 100<<10), clientv3.WithLease(granted.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.KeepAliveOnce(ctx, granted.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func startEtcd(t *testing.T, path string) *Etcd {
	t.Helper()
	began := time.Now()
	e, err := StartEtcd(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %v", time.Since(began))
	return e
}

// put replaces a key and returns what was there before.
func put(t *testing.T, e *Etcd, value string) (before string) {
	t.Helper()
	client, err := lease.Connect(lease.Config{Endpoints: []string{e.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := client.Put(ctx, "key", value, clientv3.WithPrevKV())
	if err != nil {
		t.Fatal(err)
	}
	if answer.PrevKv != nil {
		before = string(answer.PrevKv.Value)
	}
	return before
}
