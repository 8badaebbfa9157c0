package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// operatorSocket is the name, in the data folder, of the socket by which whoever runs this program calls as the operator.
const operatorSocket = "operator.sock"

// maxSocketPath is the longest path that a unix socket can be bound to on Linux, in bytes.
const maxSocketPath = 107

// listenLocally makes the operator's socket in a folder that this process holds alone, which nobody but its own user may use. What a process
// that was killed left there gives way. Closing the listener removes the socket.
//
// Invariant: the file never has another mode than 0600. Linux gives it the mode that the socket has when it is bound.
func listenLocally(ctx context.Context, dir string) (net.Listener, error) {
	path := filepath.Join(dir, operatorSocket)
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is no socket: move it away", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace %s: %w", path, err)
	}
	l := &localListener{}
	if len(path) > maxSocketPath { // by way of the folder's descriptor any path is short
		folder, err := os.Open(dir) //nolint:gosec // the operator names it
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", dir, err)
		}
		l.folder, path = folder, filepath.Join("/proc/self/fd", strconv.Itoa(int(folder.Fd())), operatorSocket)
	}
	private := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}
	var err error
	if l.Listener, err = (&net.ListenConfig{Control: private}).Listen(ctx, "unix", path); err != nil {
		_ = l.folder.Close() // of nil it is an error, too
		return nil, fmt.Errorf("cannot make the socket %s: %w", filepath.Join(dir, operatorSocket), err)
	}
	return l, nil
}

// localListener keeps its folder open as long as it needs it.
type localListener struct {
	net.Listener
	folder *os.File // nil where the path is short
}

func (l *localListener) Close() error {
	err := l.Listener.Close()
	_ = l.folder.Close()
	return err //nolint:wrapcheck // gRPC tells closed listeners by their error
}
