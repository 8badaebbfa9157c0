package bus

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

type natsServer struct {
	t    *testing.T
	url  string
	stop func()
}

func startNATS(t *testing.T) *natsServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &natsServer{t: t, url: "nats://" + l.Addr().String()}
	l.Close()
	s.start()
	t.Cleanup(func() { s.kill() })
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	address := strings.TrimPrefix(s.url, "nats://")
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("../../bin/nats-server", "-a", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	eventually(s.t, "NATS listens", func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (s *natsServer) kill() { s.stop() }
