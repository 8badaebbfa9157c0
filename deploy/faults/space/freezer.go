package space

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// freezerRoot is where cgroup v1 mounts its freezer.
const freezerRoot = "/sys/fs/cgroup/freezer"

// frozenWithin bounds the wait for the kernel, which lets system calls finish.
const frozenWithin = 2 * time.Second

// CanFreeze is nil where the cgroup v1 freezer can be used.
func CanFreeze() error {
	dir, err := os.MkdirTemp(freezerRoot, "plenum-")
	if err != nil {
		return fmt.Errorf("space: no cgroup v1 freezer: %w", err)
	}
	return os.Remove(dir)
}

// Freeze stops processes without a signal: unlike SIGSTOP, neither they nor their parents can tell. thaw lets them go on.
func Freeze(pids ...int) (thaw func() error, err error) {
	dir, err := os.MkdirTemp(freezerRoot, "plenum-")
	if err != nil {
		return nil, fmt.Errorf("space: freeze: %w", err)
	}
	thaw = func() error {
		errs := []error{os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)}
		tasks, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		errs = append(errs, err)
		for pid := range strings.FieldsSeq(string(tasks)) { // a group with processes can't be removed
			if err := enter(freezerRoot, pid); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		if err := errors.Join(append(errs, remove(dir))...); err != nil {
			return fmt.Errorf("space: thaw: %w", err)
		}
		return nil
	}
	for _, pid := range pids {
		if err := enter(dir, strconv.Itoa(pid)); err != nil {
			return nil, errors.Join(fmt.Errorf("space: freeze: %w", err), thaw())
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("FROZEN"), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("space: freeze: %w", err), thaw())
	}
	return thaw, nil
}

// enter moves a process into a group; one that has ended just now is in none.
func enter(dir, pid string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pid), 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// remove deletes a group; its last process may need a moment to leave.
func remove(dir string) error {
	for deadline := time.Now().Add(frozenWithin); ; {
		err := os.Remove(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
