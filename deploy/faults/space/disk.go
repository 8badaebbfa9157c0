package space

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of its own in memory, below a folder.
type Disk struct{ dir string }

// NewDisk puts what a folder holds, and all that is written to it from now on, onto a disk of so many bytes. Nobody may use the folder meanwhile.
func NewDisk(dir string, size int64) (*Disk, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("space: disk: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.New("space: disk: who owns the folder cannot be told")
	}
	aside, err := os.MkdirTemp(filepath.Dir(dir), ".moving-")
	if err != nil {
		return nil, fmt.Errorf("space: disk: %w", err)
	}
	defer os.RemoveAll(aside)
	options := fmt.Sprintf("size=%d,uid=%d,gid=%d,mode=%o", size, owner.Uid, owner.Gid, info.Mode().Perm())
	if err := unix.Mount("disk", aside, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, fmt.Errorf("space: disk: %w", err)
	}
	if out, err := exec.Command("cp", "-a", dir+"/.", aside).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("space: disk: cp: %w: %s", err, out), unix.Unmount(aside, 0))
	}
	if err := unix.Mount(aside, dir, "", unix.MS_MOVE, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("space: disk: %w", err), unix.Unmount(aside, 0))
	}
	return &Disk{dir}, nil
}

// ballast is the file that fills a disk.
const ballast = ".ballast"

// Fill leaves no byte free, until Free.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(filepath.Join(d.dir, ballast), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("space: fill: %w", err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for {
		if n, err := f.Write(block); errors.Is(err, unix.ENOSPC) && n == 0 {
			return nil
		} else if err != nil && !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("space: fill: %w", err)
		}
	}
}

// Free undoes Fill.
func (d *Disk) Free() error {
	if err := os.Remove(filepath.Join(d.dir, ballast)); err != nil {
		return fmt.Errorf("space: free: %w", err)
	}
	return nil
}

// Close takes the disk away, with all that is on it; the folder holds again what it held before.
func (d *Disk) Close() error {
	if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil { // detached: who was killed just now may still have files open
		return fmt.Errorf("space: take a disk away: %w", err)
	}
	return nil
}
