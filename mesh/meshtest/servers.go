// Package meshtest starts the real servers that tests need: PostgreSQL, NATS and etcd, and a proxy that cuts connections.
package meshtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a real server process on a loopback port, which can be killed and started again on the same port and data.
type Server struct {
	URL  string // how clients reach it
	Addr string // host:port

	name string
	args []string
	log  string

	mu  sync.Mutex
	cmd *exec.Cmd // nil while it is down; guarded by mu
}

// NATS returns the URL of a NATS server of the test's own.
func NATS(t testing.TB) string {
	t.Helper()
	return StartNATS(t).URL
}

// StartNATS starts a NATS server, which ends with the test.
func StartNATS(t testing.TB, args ...string) *Server {
	t.Helper()
	port := port(t)
	s := &Server{URL: fmt.Sprintf("nats://127.0.0.1:%d", port), Addr: fmt.Sprintf("127.0.0.1:%d", port), name: "nats-server",
		args: append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(port)}, args...)}
	return s.begin(t)
}

// Etcd returns the client URL of an etcd server of the test's own.
func Etcd(t testing.TB) string {
	t.Helper()
	return StartEtcd(t).URL
}

// StartEtcd starts an etcd server, which ends with the test.
func StartEtcd(t testing.TB, args ...string) *Server {
	t.Helper()
	client, peer := port(t), port(t)
	clientURL, peerURL := fmt.Sprintf("http://127.0.0.1:%d", client), fmt.Sprintf("http://127.0.0.1:%d", peer)
	s := &Server{URL: clientURL, Addr: fmt.Sprintf("127.0.0.1:%d", client), name: "server", args: append([]string{
		"--name=one", "--data-dir=" + filepath.Join(t.TempDir(), "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=" + clientURL, "--advertise-client-urls=" + clientURL,
		"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=one=" + peerURL}, args...)}
	return s.begin(t)
}

func (s *Server) begin(t testing.TB) *Server {
	t.Helper()
	s.log = filepath.Join(t.TempDir(), s.name+".log")
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server again and waits until it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	path, err := tool(s.name)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// When this process dies, the shell's input ends and it takes the server along.
	cmd := exec.Command("sh", append([]string{"-c", `"$@" & pid=$!; while read _; do :; done; kill -9 $pid`, "sh", path}, s.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(s.log)
			t.Fatalf("%s does not listen on %s after 30 s\n%s", s.name, s.Addr, said)
		}
	}
}

// Kill ends the server by SIGKILL, at once.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the server by SIGSTOP; Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, sig)
	}
}

// tool finds a program in the workspace's bin folder, where `make tools` puts it.
func tool(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			path := filepath.Join(dir, "bin", name)
			if _, err := os.Stat(path); err != nil {
				return "", fmt.Errorf("%s is missing: run `make tools`", path)
			}
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.work above the working folder")
		}
	}
}

func port(t testing.TB) int {
	t.Helper()
	p, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
