package meshtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// freeze sends SIGSTOP to a process, or with a negative pid to its group, and returns when the process has stopped: each of its threads
// does so when it is scheduled next, and serves until then.
func freeze(pid int) {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return
	}
	for deadline := time.Now().Add(10 * time.Second); !stopped(max(pid, -pid)) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// stopped tells whether all threads of a process have stopped, or it has ended.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, t := range threads {
		stat, err := os.ReadFile(t)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state …", and the name may hold anything
		if _, state, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")); ok && !bytes.ContainsRune([]byte("TtZX"), rune(state[0])) {
			return false
		}
	}
	return true
}
