// Package datadir opens the folder that holds everything a single Plenum process keeps.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// MinFree is the room in bytes below which Plenum does not start: databases that run full while opening help nobody.
const MinFree = 64 << 20

// Dir is a data folder held by this process alone.
type Dir struct {
	path string
	lock *os.File // Invariant: flock'ed as long as it is open; the kernel frees it when the process dies
}

// Open creates the folder if needed and takes it for this process. Its errors are whole sentences for the person at the
// terminal: what is wrong and what to do.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot find the data folder %s: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unusable(path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return nil, unusable(path, err)
	}
	d := &Dir{path: path, lock: lock}
	if err := d.take(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) take() error {
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("the data folder %s is in use by another Plenum: stop that one, or choose another folder with --data", d.path)
		}
		return unusable(d.path, err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.path, &fs); err != nil {
		return unusable(d.path, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < MinFree {
		return fmt.Errorf("the disk of the data folder %s is full (%d MiB left, %d needed): make room, or choose another folder with --data",
			d.path, free>>20, MinFree>>20)
	}
	return d.probe()
}

// probe writes for real: quotas and broken disks show only then.
func (d *Dir) probe() error {
	if err := d.lock.Truncate(0); err != nil {
		return unusable(d.path, err)
	}
	if _, err := d.lock.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return unusable(d.path, err)
	}
	if err := d.lock.Sync(); err != nil {
		return unusable(d.path, err)
	}
	return nil
}

// Path is the absolute path of something in the folder.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Close gives the folder free.
func (d *Dir) Close() error { return d.lock.Close() }

func unusable(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk of the data folder %s is full: make room, or choose another folder with --data", path)
	}
	return fmt.Errorf("the data folder %s cannot be used (%w): make it writable for this user, or choose another folder with --data", path, err)
}
