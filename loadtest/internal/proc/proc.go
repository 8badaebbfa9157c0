// Package proc reads what processes of this machine use: processor time and resident memory, from Linux's /proc.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is what /proc counts in: USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// Usage is what some processes used so far.
type Usage struct {
	CPU      time.Duration // user and system
	Resident int64         // bytes now
}

// Read adds up the processes. A process that is gone is an error.
func Read(pids []int) (Usage, error) {
	each, err := Each(pids)
	return Sum(each), err
}

// Each reads the processes one by one.
func Each(pids []int) ([]Usage, error) {
	all := make([]Usage, len(pids))
	for i, pid := range pids {
		cpu, err := cpuTime(pid)
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
		resident, err := residentBytes(pid)
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
		all[i] = Usage{cpu, resident}
	}
	return all, nil
}

// Sum adds up what processes use.
func Sum(each []Usage) (u Usage) {
	for _, e := range each {
		u.CPU += e.CPU
		u.Resident += e.Resident
	}
	return u
}

// Name is what the system calls a process: its program, cut to 15 bytes.
func Name(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(data)), err //nolint:wrapcheck // names the file
}

func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	return parseStat(data)
}

func parseStat(data []byte) (time.Duration, error) {
	// The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it (proc(5)).
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("stat has %d fields", len(f))
	}
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

func residentBytes(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	return parseStatus(string(data))
}

func parseStatus(data string) (int64, error) {
	for line := range strings.Lines(data) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("status: %w", err)
			}
			return kb << 10, nil
		}
	}
	return 0, errors.New("status tells no VmRSS: a process that has ended")
}

// LoadAverage is the machine's over the last minute.
func LoadAverage() (float64, error) {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	first, _, _ := strings.Cut(string(data), " ")
	return strconv.ParseFloat(first, 64) //nolint:wrapcheck // tells it all
}
