package backbone

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// memory is where Linux keeps files that need no disk.
const memory = "/dev/shm"

// homePrefix begins the names of our folders there.
const homePrefix = "plenum-etcd-"

// minRoom in bytes makes it worth to live in memory.
const minRoom = 32 << 20

// inTheMaking is the age below which a folder may be one that its process has not locked yet.
const inTheMaking = time.Minute

// maxSocket is the longest path that a unix socket can have on every system we know.
const maxSocket = 100

// home is the folder of an etcd. It lies in memory where there is some: etcd ends its whole process when it cannot write, and a
// full disk must not end ours.
type home struct {
	path string // leads to dir: a link, or dir itself
	dir  string
	room int64 // bytes
	// Invariant: lock is a flock on dir for as long as the folder is in use. The kernel frees it when the process dies.
	lock *os.File
}

// newHome makes an empty folder that path leads to, below memory if there is room, and removes what processes which were killed
// left there.
func newHome(path, memory string) (*home, error) {
	sweep(memory)
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if dir, err := os.MkdirTemp(memory, homePrefix); err == nil {
		h, err := take(path, dir)
		if err == nil && h.room >= minRoom {
			return h, os.Symlink(dir, path)
		}
		if err == nil {
			h.close()
		}
	}
	if len(filepath.Join(path, "client")) > maxSocket {
		return nil, fmt.Errorf("there are no %d MiB free in %s, and the path of the data folder is too long for a socket: choose a shorter one with --data", minRoom>>20, memory)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	return take(path, path)
}

// take has this process own a new folder, or removes it.
func take(path, dir string) (_ *home, err error) {
	h := &home{path: path, dir: dir}
	if h.lock, err = os.Open(dir); err == nil { //nolint:gosec // a folder of our own
		err = syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	var fs syscall.Statfs_t
	if err == nil {
		err = syscall.Statfs(dir, &fs)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	h.room = int64(fs.Bavail) * fs.Bsize
	return h, nil
}

// sweep removes the folders of processes that were killed: those that nobody holds, and that are too old to be just in the making.
func sweep(memory string) {
	folders, _ := filepath.Glob(filepath.Join(memory, homePrefix+"*")) // the pattern is well formed
	for _, dir := range folders {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < inTheMaking {
			continue
		}
		lock, err := os.Open(dir) //nolint:gosec // one of ours, or another user's who lets us
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}

func (h *home) socket(name string) url.URL {
	return url.URL{Scheme: "unix", Path: filepath.Join(h.dir, name)}
}

// close removes the folder and what leads to it; what stays is removed by the next start.
func (h *home) close() {
	_ = os.RemoveAll(h.dir)
	if to, err := os.Readlink(h.path); err == nil && to == h.dir {
		_ = os.Remove(h.path)
	}
	_ = h.lock.Close()
}
