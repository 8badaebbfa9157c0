package meshtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// CPU returns the processor time that the test process and all that descends from it have used so far, in user and kernel mode together:
// of a database server that this package started, too, as long as its processes live. Two readings around a benchmark's loop tell its cost
// where the machine is not its own. The kernel counts in steps of 10 ms.
func CPU(tb testing.TB) time.Duration {
	tb.Helper()
	type process struct {
		parent string
		ticks  uint64
	}
	all := map[string]process{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state parent …", and the name may hold anything; see proc(5)
		head, rest, _ := strings.Cut(string(stat), " (")
		fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
		var p process
		var user, system uint64
		if _, err := fmt.Sscan(strings.Join(fields[11:13], " "), &user, &system); err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		p.parent, p.ticks = fields[1], user+system
		all[head] = p
	}
	own, sum := fmt.Sprint(os.Getpid()), uint64(0)
	for pid, p := range all {
		for at := pid; ; at = all[at].parent {
			if at == own {
				sum += p.ticks
				break
			}
			if _, ok := all[at]; !ok {
				break
			}
		}
	}
	return time.Duration(sum) * 10 * time.Millisecond // USER_HZ is 100 on every architecture
}
