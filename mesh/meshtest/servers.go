// Package meshtest starts the real servers that tests need, PostgreSQL, NATS and etcd, and breaks them and what leads to
// them.
package meshtest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// NATS returns the URL of a NATS server of the test's own.
func NATS(t testing.TB) string {
	t.Helper()
	return StartNATS(t).URL
}

// StartNATS starts a NATS server, which ends with the test. args are its command line's, after the address and the port.
func StartNATS(t testing.TB, args ...string) *Server {
	t.Helper()
	return startTool(t, "nats-server", func(s *Server, path string, port int) {
		s.URL = "nats://" + s.Addr
		s.args = append([]string{path, "-a", "127.0.0.1", "-p", strconv.Itoa(port)}, args...)
	})
}

// Etcd returns the client URL of an etcd server of the test's own.
func Etcd(t testing.TB) string {
	t.Helper()
	return StartEtcd(t).URL
}

// StartEtcd starts an etcd server of one member without fsync, which ends with the test. args are its command line's; they
// win over those that are given by default.
func StartEtcd(t testing.TB, args ...string) *Server {
	t.Helper()
	data := filepath.Join(t.TempDir(), "etcd")
	return startTool(t, "server", func(s *Server, path string, _ int) {
		peer, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		peerURL := fmt.Sprintf("http://127.0.0.1:%d", peer)
		s.URL = "http://" + s.Addr
		s.args = append([]string{path, "--name=one", "--data-dir=" + data, "--unsafe-no-fsync",
			"--listen-client-urls=" + s.URL, "--advertise-client-urls=" + s.URL,
			"--listen-peer-urls=" + peerURL, "--initial-advertise-peer-urls=" + peerURL, "--initial-cluster=one=" + peerURL}, args...)
	})
}

func startTool(t testing.TB, name string, configure func(s *Server, path string, port int)) *Server {
	t.Helper()
	path, err := tool(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{log: filepath.Join(t.TempDir(), name+".log"), quit: syscall.SIGTERM}
	err = s.begin(func(port int) {
		s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
		configure(s, path, port)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}
