package meshtest

import (
	"bytes"
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

// startLimit bounds the start of a server: the machine may be busy with other tests.
const startLimit = time.Minute

// Server is a real server process on a loopback port, which can be killed and started again on the same port and data.
type Server struct {
	URL  string // how clients reach it
	Addr string // host:port

	args  []string            // the program and its arguments
	cred  *syscall.Credential // whom it runs as; nil: as this process
	log   string              // the file of what it says
	rm    string              // a folder that the guard removes when this process ends without Cleanup; "": none
	quit  syscall.Signal      // asks it to stop
	ready func() error        // nil: when it takes connections

	mu  sync.Mutex
	cmd *exec.Cmd // the guard; nil while the server is down; guarded by mu
}

// guard is the shell around a server. It ends as soon as the server does, and it outlives the test's process by a moment:
// when its input ends, however that came, it kills the server (PostgreSQL by QUIT, which takes its processes along).
const guard = `exec 3<&0
trap : INT TERM
rm=$1; shift
"$@" </dev/null 3<&- & pid=$!
(trap - INT TERM; while read _ <&3; do :; done
	if [ -n "$rm" ]; then touch "$rm/abandoned"; kill -QUIT $pid; else kill -9 $pid; fi) & watch=$!
while kill -0 $pid 2>/dev/null; do wait $pid; done
if [ -n "$rm" ] && [ -e "$rm/abandoned" ]; then rm -rf "$rm"; fi
kill $watch 2>/dev/null
exit 0
`

// begin starts a new server on a port of its choice: configure fills in what depends on the port.
func (s *Server) begin(configure func(port int)) error {
	deadline := time.Now().Add(startLimit)
	for {
		port, err := freePort()
		if err != nil {
			return err
		}
		configure(port)
		err = s.start(deadline)
		if !errors.Is(err, errEnded) || time.Now().After(deadline) {
			return err
		} // somebody else may have taken the port
	}
}

// Start starts the server again, on the same port and data, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(startLimit)
	for {
		err := s.start(deadline)
		if err == nil {
			return
		}
		// What its last life left behind (PostgreSQL's processes, a port that is being closed) goes within moments.
		if !errors.Is(err, errEnded) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

var errEnded = errors.New("it ended at once")

func (s *Server) start(deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("sh", append([]string{"-c", guard, "sh", s.rm}, s.args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.cred}
	if _, err := cmd.StdinPipe(); err != nil { // held open until this process ends
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	for {
		err := s.probe()
		if err == nil && !ended(cmd.Process.Pid) { // else another server answers
			return nil
		}
		switch {
		case ended(cmd.Process.Pid):
			err = errEnded
		case time.Now().Before(deadline):
			time.Sleep(5 * time.Millisecond)
			continue
		}
		s.end(syscall.SIGKILL)
		said, _ := os.ReadFile(s.log)
		return fmt.Errorf("start %s on %s: %w\n%s", filepath.Base(s.args[0]), s.Addr, err, said)
	}
}

func (s *Server) probe() error {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	_ = conn.Close()
	if s.ready == nil {
		return nil
	}
	return s.ready()
}

// ended says that a child has ended, without collecting it: no goroutine may stay behind that waits for it.
func ended(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// Kill ends the server by SIGKILL, at once. PostgreSQL's processes for its connections notice within moments; Start waits
// for them.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGKILL)
}

// Stop asks the server to end, as an operator would, and waits until it has; after 10 s it is killed.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(s.quit)
}

// end ends the server by a signal. The caller holds mu.
func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	group := -s.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGCONT)
	_ = syscall.Kill(group, sig)
	kill := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	_ = s.cmd.Wait()
	kill.Stop()
	s.cmd = nil
}

// Freeze stops the server by SIGSTOP: nothing answers, and connections stand. PostgreSQL's connections have processes of their
// own, which go on; stall a Proxy instead.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		freeze(-s.cmd.Process.Pid)
	}
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGCONT)
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
