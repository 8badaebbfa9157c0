package space_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"plenum.internal/deploy/faults/space"
)

const diskSize = 4 << 20

// folder is one with a file in a folder of its own.
func folder(t *testing.T) (dir, file string) {
	t.Helper()
	needsRoot(t)
	dir = filepath.Join(t.TempDir(), "data")
	file = filepath.Join(dir, "deep", "file")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o640), os.Chown(file, 12, 34), os.Chown(dir, 56, 78), os.Chmod(dir, 0o710)); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// holds checks what is in a file.
func holds(t *testing.T, file, want string) {
	t.Helper()
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("%s holds %q, %v; want %q", file, text, err, want)
	}
}

// is checks whose a file is, and what others may do with it.
func is(t *testing.T, file string, uid, gid uint32, mode fs.FileMode) {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(file, &stat); err != nil || stat.Uid != uid || stat.Gid != gid || fs.FileMode(stat.Mode).Perm() != mode {
		t.Errorf("%s belongs to %d:%d, mode %o, %v; want %d:%d, %o", file, stat.Uid, stat.Gid, stat.Mode, err, uid, gid, mode)
	}
}

// alone checks that nothing lies beside a folder.
func alone(t *testing.T, dir string) {
	t.Helper()
	if beside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(beside) != 1 {
		t.Errorf("beside the folder: %v, %v", beside, err)
	}
}

// mounted tells if a folder is a disk of its own.
func mounted(t *testing.T, dir string) bool {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(mounts), " "+dir+" ")
}

func newDisk(t *testing.T, dir string) *space.Disk {
	t.Helper()
	disk, err := space.NewDisk(dir, diskSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if mounted(t, dir) { // the test has failed before
			_ = disk.Close()
		}
	})
	return disk
}

func TestADiskHoldsWhatTheFolderHeld(t *testing.T) {
	dir, file := folder(t)
	disk := newDisk(t, dir)
	if !mounted(t, dir) {
		t.Error("it is no disk of its own")
	}
	alone(t, dir)
	holds(t, file, "old")
	is(t, file, 12, 34, 0o640)
	is(t, dir, 56, 78, 0o710)
	added := filepath.Join(dir, "added")
	if err := errors.Join(os.WriteFile(file, []byte("new"), 0), os.WriteFile(added, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(file) // by somebody who has been killed just now
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	if mounted(t, dir) {
		t.Error("the disk is there after Close")
	}
	alone(t, dir)
	holds(t, file, "old")
	is(t, file, 12, 34, 0o640)
	is(t, dir, 56, 78, 0o710)
	if _, err := os.Stat(added); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was added to the disk is there: %v", err)
	}
	if err := disk.Close(); err == nil {
		t.Error("a second time: no error")
	}
}

func TestAFullDiskTakesNothingUntilItIsFreed(t *testing.T) {
	dir, file := folder(t)
	disk := newDisk(t, dir)
	added := filepath.Join(dir, "added")
	for range 2 {
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(added, []byte("x"), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("a byte is written to a full disk: %v", err)
		}
		holds(t, file, "old")
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x", diskSize/2)
		if err := os.WriteFile(added, []byte(text), 0o600); err != nil {
			t.Errorf("after Free: %v", err)
		}
		if err := os.Remove(added); err != nil {
			t.Error(err)
		}
	}
	if err := disk.Free(); err == nil {
		t.Error("free what is not full: no error")
	}
	if files, err := os.ReadDir(dir); err != nil || !slices.EqualFunc(files, []string{"deep"}, func(e fs.DirEntry, n string) bool { return e.Name() == n }) {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	if err := disk.Close(); err != nil {
		t.Error(err)
	}
}

func TestADiskThatIsTooSmallLeavesTheFolderAsItWas(t *testing.T) {
	t.Setenv("LC_ALL", "C") // for what cp says
	dir, file := folder(t)
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, 2*diskSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := space.NewDisk(dir, diskSize); err == nil || !strings.Contains(err.Error(), "No space left") {
		t.Errorf("no word of the size: %v", err)
	}
	if mounted(t, dir) {
		t.Error("the folder is a disk")
	}
	alone(t, dir)
	holds(t, file, "old")
	if info, err := os.Stat(large); err != nil || info.Size() != 2*diskSize {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := space.NewDisk(filepath.Join(dir, "none"), diskSize); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}
