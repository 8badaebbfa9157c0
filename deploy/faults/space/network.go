package space

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	tunDevice = "/dev/net/tun"
	tunName   = "wire"
	mtu       = 16 << 10 // bytes: few packets, each of which costs a system call
)

// Network is a network namespace with one address. What leaves it comes out of Device, a packet at a time, and what is written to Device
// arrives in it.
type Network struct {
	Device *os.File

	namespace *os.File
}

// NewNetwork makes one. The prefix says what is reached through the device, besides the own address.
func NewNetwork(ctx context.Context, address netip.Prefix) (*Network, error) {
	n := &Network{}
	err := pinned(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("space: a network of its own: %w", err)
		}
		var err error
		if n.namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return fmt.Errorf("space: %w", err)
		}
		if n.Device, err = openDevice(ctx, address); err != nil {
			return err
		}
		return ip(ctx, "link", "set", "lo", "up")
	})
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// OpenDevice gives the caller's own network an address beside those it has, and the device that it is reached through.
func OpenDevice(ctx context.Context, address netip.Prefix) (*os.File, error) {
	return openDevice(ctx, address)
}

func openDevice(ctx context.Context, address netip.Prefix) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("space: %s: %w", tunDevice, err)
	}
	request, err := unix.NewIfreq(tunName)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("space: %w", err), unix.Close(fd))
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return nil, errors.Join(fmt.Errorf("space: make a TUN device: %w", err), unix.Close(fd))
	}
	device := os.NewFile(uintptr(fd), tunDevice)
	for _, args := range [][]string{
		{"address", "add", address.String(), "dev", tunName},
		{"link", "set", tunName, "mtu", strconv.Itoa(mtu), "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return nil, errors.Join(err, device.Close())
		}
	}
	return device, nil
}

// Start starts a process in the network.
func (n *Network) Start(cmd *exec.Cmd) error {
	return pinned(func() error {
		if err := unix.Setns(int(n.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("space: enter a network: %w", err)
		}
		return cmd.Start()
	})
}

// Close lets go of the network; it is gone once its processes are. The device belongs to whom it was given.
func (n *Network) Close() error {
	if n.namespace == nil {
		return nil
	}
	return n.namespace.Close()
}

// pinned runs f on a thread of its own, which ends with it: namespaces are a thread's. A thread that stays bound to its goroutine when that
// returns is ended by the runtime.
func pinned(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}
