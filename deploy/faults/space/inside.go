package space

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside marks the program that runs with namespaces of its own.
const inside = "FAULTS_INSIDE"

// Possible is nil where namespaces can be made; else it says what is missing.
func Possible() error {
	if os.Getuid() != 0 {
		return errors.New("namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("namespaces need the command `ip`: on Debian, apt-get install iproute2")
	}
	device, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("namespaces need TUN devices: %w", err)
	}
	return device.Close()
}

// Inside is true in the program that Enter started.
func Inside() bool { return os.Getenv(inside) != "" }

// Enter runs this program again, with the same arguments, in namespaces of its own, and returns its exit code. Whatever it leaves, processes,
// mounts and networks, ends with it, and it ends with this one.
func Enter(ctx context.Context) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("space: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := pinned(cmd.Run); cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		return 0, fmt.Errorf("space: %w", err)
	}
	return cmd.ProcessState.ExitCode(), nil // whether it was told to end or not
}

// Settle makes the namespaces that Enter gave fit to live in: mounts stay inside, /proc tells of the processes inside, and loopback is up.
func Settle(ctx context.Context) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("space: keep mounts inside: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("space: mount /proc: %w", err)
	}
	return ip(ctx, "link", "set", "lo", "up")
}

// ip runs the command of this name.
func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("space: ip %v: %w: %s", args, err, out)
	}
	return nil
}
