package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of waiting for a process.
const (
	startLimit = 60 * time.Second
	probeLimit = 2 * time.Second
	stopLimit  = 15 * time.Second // then SIGKILL
)

// spec says how a process is started; it stays the same over restarts.
type spec struct {
	name string
	ip   string // where it listens
	path string
	args []string
	env  []string // beside PATH and HOME
	dir  string
	user *syscall.Credential // nil: our own
	// quit asks for an orderly end.
	quit syscall.Signal
	// probe returns nil once the process serves.
	probe func(ctx context.Context) error
}

// process is one server of the cluster, running or not.
type process struct {
	spec
	log    string
	launch func(ip string, cmd *exec.Cmd) error

	mu     sync.Mutex // guards what follows; held while starting and stopping
	id     identity
	exited chan int // yields the exit code of a process that we started; nil for one found in state.json
}

// identity names a process beyond the reuse of its pid.
type identity struct {
	PID   int    `json:"pid"`
	Birth uint64 `json:"birth"` // clock ticks since boot
}

// start returns once the process is there; ready waits until it serves.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id.alive() {
		return fmt.Errorf("%s runs already", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = p.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TZ=UTC", "LC_ALL=C.UTF-8"}, p.env...)
	// A session of its own: Ctrl-C at the terminal is not for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: p.user}
	if err := p.launch(p.ip, cmd); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.id = identify(cmd.Process.Pid)
	exited := make(chan int, 1)
	p.exited = exited
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		exited <- cmd.ProcessState.ExitCode()
	}()
	return nil
}

// ready waits until the process serves.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, probeLimit)
		err := p.probe(attempt)
		stop()
		switch {
		case err == nil:
			return nil
		case !p.running():
			return fmt.Errorf("%s ended while starting: %s", p.name, lastLine(p.log))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; see %s", p.name, err, p.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id.alive()
}

// stop ends the process in order, or by force after stopLimit.
func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.id.alive() {
		return nil
	}
	for _, id := range p.id.family() {
		id.signal(syscall.SIGCONT) // a frozen process hears nothing
	}
	p.id.signal(p.quit)
	if p.gone(stopLimit) {
		return p.ended()
	}
	p.killLocked()
	return fmt.Errorf("%s did not stop within %v and was killed; see %s", p.name, stopLimit, p.log)
}

// ended complains of a process that was asked to end and failed to do so in order.
func (p *process) ended() error {
	if p.exited == nil || p.quit == syscall.SIGKILL {
		return nil
	}
	if code := <-p.exited; code != 0 {
		return fmt.Errorf("%s stopped with exit code %d: %s", p.name, code, lastLine(p.log))
	}
	return nil
}

// kill ends the process and its children as a crash would.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.id.alive() {
		return fmt.Errorf("%s does not run", p.name)
	}
	p.killLocked()
	return nil
}

func (p *process) killLocked() {
	family := p.id.family()
	for _, id := range family {
		id.signal(syscall.SIGKILL)
	}
	p.gone(stopLimit)
	for _, id := range family { // a server that comes back at once must not meet its own children
		for deadline := time.Now().Add(stopLimit); id.alive() && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// gone waits for the end.
func (p *process) gone(limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for p.id.alive() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// signalAll reaches the process and its children.
func (p *process) signalAll(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.id.alive() {
		return fmt.Errorf("%s does not run", p.name)
	}
	for _, id := range p.id.family() {
		id.signal(s)
		for deadline := time.Now().Add(time.Second); s == syscall.SIGSTOP && !id.stopped() && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// stopped is true once SIGSTOP has taken effect, or nothing is left to stop.
func (id identity) stopped() bool {
	_, state, _, err := stat(id.PID)
	return err != nil || state == 'T' || state == 'Z'
}

func identify(pid int) identity {
	birth, _, _, _ := stat(pid)
	return identity{PID: pid, Birth: birth}
}

// alive is false for a zombie and for another process with the same pid.
func (id identity) alive() bool {
	birth, state, _, err := stat(id.PID)
	return err == nil && birth == id.Birth && state != 'Z' && state != 'X'
}

func (id identity) signal(s syscall.Signal) {
	if id.alive() {
		_ = syscall.Kill(id.PID, s) // it may have ended just now
	}
}

// family is the process and its descendants.
func (id identity) family() []identity {
	out := []identity{id}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return out
	}
	children := map[int][]identity{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if birth, _, parent, err := stat(pid); err == nil {
				children[parent] = append(children[parent], identity{pid, birth})
			}
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].PID]...)
	}
	return out
}

// stat reads what the kernel knows of a process; see proc(5).
func stat(pid int) (birth uint64, state byte, parent int, err error) {
	if pid <= 0 {
		return 0, 0, 0, errors.New("no process")
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, 0, err
	}
	// The second field, the program's name in brackets, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, 0, 0, fmt.Errorf("/proc/%d/stat: unknown form", pid)
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, 0, err
	}
	birth, err = strconv.ParseUint(fields[19], 10, 64)
	return birth, fields[0][0], parent, err
}

// lastLine is the reason that most servers leave behind.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "no log"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1] + " (" + path + ")"
}
