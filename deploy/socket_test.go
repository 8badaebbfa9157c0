package deploy

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The operator's socket is the user's own from its first moment, replaces a dead one, and needs no short path.
func TestOperatorSocket(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "deep": filepath.Join(t.TempDir(), strings.Repeat("x", 120))} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, operatorSocket)
			dead, err := listenLocally(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			dead.(*localListener).Listener.(*net.UnixListener).SetUnlinkOnClose(false)
			if err := dead.Close(); err != nil {
				t.Fatal(err)
			}
			l, err := listenLocally(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("the socket: %v, %v", info, err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after the end: %v", err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := listenLocally(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "is no socket") {
				t.Errorf("over somebody's file: %v", err)
			}
		})
	}
}
