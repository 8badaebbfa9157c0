package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRefusesToStart: what cannot work is one line that says what to do, with exit code 1, and leaves nothing half made.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(file, []byte("gateway: {drian: 3s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	mount := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m") // only root may
	if mount == nil {
		defer syscall.Unmount(disk, syscall.MNT_DETACH)
		fill(t, filepath.Join(disk, "full"))
	}
	cases := map[string]struct {
		args []string
		want []string
		skip error // why it can't be had here
	}{
		"port in use":       {[]string{"--addr", taken.Addr().String()}, []string{taken.Addr().String(), "in use", "--addr"}, nil},
		"unwritable folder": {[]string{"--data", "/proc/plenum"}, []string{"/proc/plenum", "cannot be used", "--data"}, nil},
		"folder is a file":  {[]string{"--data", file}, []string{file, "--data"}, nil},
		"unknown setting":   {[]string{"--config", file}, []string{"drian"}, nil},
		"wrong value":       {[]string{"--gateway.drain", "-3s"}, []string{"drain"}, nil},
		"no configuration":  {[]string{"--config", file + ".none"}, []string{file + ".none"}, nil},
		"unknown flag":      {[]string{"--nonsense"}, []string{"nonsense"}, nil},
		"unknown target":    {[]string{"--target", "everything"}, []string{"target", "gateway"}, nil},
		"disk full":         {[]string{"--data", filepath.Join(disk, "data")}, []string{"is full", "make room"}, mount},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.skip != nil {
				t.Skip(c.skip)
			}
			data := filepath.Join(t.TempDir(), "data")
			args := append([]string{"--addr", freeAddress(t), "--data", data}, c.args...)
			a := finish(t, d.command("", filepath.Join(d.bin, "plenum"), args...))
			if a.code != 1 || a.out != "" || strings.Count(a.problems, "\n") != 1 {
				t.Errorf("%+v, want one line and exit code 1", a)
			}
			for _, want := range c.want {
				if !strings.Contains(a.problems, want) {
					t.Errorf("%q does not say %q", a.problems, want)
				}
			}
			if left, _ := filepath.Glob(data + "/*.db"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
