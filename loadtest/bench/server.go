package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTime bounds a server's start.
const startTime = 2 * time.Minute

// server is a Plenum of its own, with seeded accounts.
type server struct {
	target
	cmd *exec.Cmd
}

// setupLink is what a new server prints for who sets it up.
var setupLink = regexp.MustCompile(`https?://\S+#setup=[\w-]+`)

// serve starts a server with so many accounts, on an empty folder.
func (l *lab) serve(ctx context.Context, accounts int, flags ...string) (_ *server, err error) {
	t, err := l.newTarget()
	if err != nil {
		return nil, err
	}
	s := &server{target: t}
	data := filepath.Join(t.data, "data")
	s.cmd = exec.CommandContext(ctx, filepath.Join(l.dir, "plenum"), append(flags, "--addr", "127.0.0.1:0", "--data", data)...) //nolint:gosec // our own
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	s.cmd.Stderr = l.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it doesn't outlive this program
	link, err := s.start()
	if err != nil {
		return nil, err
	}
	s.address, _, _ = strings.Cut(link, "/#")
	if strings.HasPrefix(link, "https:") {
		l = &lab{dir: l.dir, log: l.log, trust: filepath.Join(data, "tls", "cert.pem")}
		s.lab = l
	}
	s.pid = s.cmd.Process.Pid
	ctl, profile := filepath.Join(l.dir, "plenumctl"), filepath.Base(t.data)
	err = l.told(ctx, "a long password\n", ctl, "--profile", profile, "setup", link, "--workspace", "bench", "--handle", "owner", "--password-stdin")
	if err != nil {
		return nil, err
	}
	return s, l.tool(ctx, ctl, "--profile", profile, "admin", "seed", "--count", strconv.Itoa(accounts), "--out", s.accounts)
}

// start returns the link by which the server is set up, once it can be.
func (s *server) start() (link string, err error) {
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("start plenum: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return "", fmt.Errorf("start plenum: %w", err)
	}
	late := time.AfterFunc(startTime, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if link := setupLink.FindString(lines.Text()); link != "" {
			return link, nil
		}
	}
	return "", errors.New("plenum printed no link to set it up")
}

// stop ends the server and takes its data away.
func (s *server) stop() {
	if s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(stopTime, func() { _ = s.cmd.Process.Kill() })
		_ = s.cmd.Wait()
		kill.Stop()
	}
	_ = os.RemoveAll(s.data)
}
