package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// valve is a WebSocket that its client stops reading while it is shut.
type valve struct {
	narrow bool // the kernel buffers little, on both sides
	mu     sync.Mutex
	open   chan struct{} // guarded by mu; closed while the valve is open
}

func newValve(narrow bool) *valve {
	v := &valve{narrow: narrow, open: make(chan struct{})}
	close(v.open)
	return v
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = make(chan struct{})
}

func (v *valve) reopen() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.open)
}

func (v *valve) dial(ctx context.Context, server string) (client.Conn, error) {
	dialer := &net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if !v.narrow {
			return nil
		}
		// A small window, and segments as small as in the worst of networks.
		failed := c.Control(func(fd uintptr) {
			err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10),
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536))
		})
		return errors.Join(failed, err)
	}}
	conn, err := client.DialWebSocket(&http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}})(ctx, server)
	return &valved{conn, v}, err
}

type valved struct {
	client.Conn
	valve *valve
}

func (c *valved) Read(ctx context.Context) (*edgev1.ServerMessage, error) {
	c.valve.mu.Lock()
	open := c.valve.open
	c.valve.mu.Unlock()
	select {
	case <-open:
		return c.Conn.Read(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// slowReaders: clients stop reading while thousands of messages go through their channels. Nobody else notices, and the gateway
// keeps no more than it may. The clients are told Stopped behind the backlog, or lose the connection; then they go on: from where they were
// where little was missed, and else with an explicit reset.
func slowReaders(t *testing.T, s *shape) {
	var people []*person
	for range 8 {
		people = append(people, s.member(t))
	}
	t.Run("little missed", func(t *testing.T) {
		if v := s.stall(t, people, 1, 250, 300); v.Resets > 0 {
			t.Errorf("%d resets", v.Resets)
		}
	})
	t.Run("much missed", func(t *testing.T) {
		if v := s.stall(t, people, 12, 150, 14<<10); v.Resets == 0 {
			t.Error("megabytes were missed, and nobody was told to read anew")
		}
	})
}

// stall has slow readers stop while each of the people writes some messages of some bytes, and returns how they fared afterwards.
func (s *shape) stall(t *testing.T, people []*person, slow, messages, size int) check.Verdict {
	const bound = 10 * time.Second // generous: the machine is busy
	channel := s.channel(t, private, people...)
	var all []*slowReader
	for range slow {
		all = append(all, s.slowReader(t, people[0], channel, slow == 1))
	}
	quick := enterBy(t, check.Door{Server: s.gateways[0]}, check.SignIn("acme", people[1].Handle, password)).read(t, channel)
	before := resident(t, s.pid())
	for _, r := range all {
		r.valve.shut()
	}
	var l ledger
	var writing sync.WaitGroup
	for i, p := range people {
		writing.Go(func() { l.burst(t, p, channel, fmt.Sprint(i), messages, size) })
	}
	writing.Wait()
	after := resident(t, s.pid())
	v := l.compare(t, channel, s.owner, quick)
	if v.LatestShown > bound || v.LongestWait > bound {
		t.Errorf("others wait for slow readers: %v", v)
	}
	t.Logf("%d messages of %d bytes past %d slow readers: the gateway grew from %d to %d MiB", len(people)*messages, size, slow, before>>20, after>>20)
	if after-before > 96<<20 {
		t.Errorf("the gateway grew by %d MiB", (after-before)>>20)
	}

	var readers []*reader
	for _, r := range all {
		r.valve.reopen()
		readers = append(readers, r.reader)
	}
	v = l.compare(t, channel, s.owner, readers...)
	for i, r := range all {
		if !r.stopped.Load() && r.welcomes.Load() < 2 {
			t.Errorf("slow reader %d was neither stopped nor closed", i)
		}
	}
	t.Logf("the first was stopped: %v; connected %d times", all[0].stopped.Load(), all[0].welcomes.Load())
	return v
}

// slowReader follows a channel by way of a valve at the first gateway.
type slowReader struct {
	*reader
	valve    *valve
	stopped  atomic.Bool  // told CODE_LAGGED
	welcomes atomic.Int32 // connections
}

func (s *shape) slowReader(t *testing.T, p *person, channel string, narrow bool) *slowReader {
	t.Helper()
	r := &slowReader{valve: newValve(narrow)}
	watch := func(_ bool, frame any) {
		f, _ := frame.(*edgev1.ServerFrame)
		if f.GetWelcome() != nil {
			r.welcomes.Add(1)
		}
		if f.GetStopped().GetError().GetCode() == edgev1.Code_CODE_LAGGED {
			r.stopped.Store(true)
		}
	}
	r.reader = enterBy(t, check.Door{Server: s.gateways[0], Dial: r.valve.dial, Watch: watch}, check.SignIn("acme", p.Handle, password)).read(t, channel)
	r.upTo(t, 1)
	return r
}

// burst writes as quickly as one person may.
func (l *ledger) burst(t *testing.T, p *person, channel, prefix string, messages, size int) {
	for n := range messages {
		if n > 80 { // the edge's burst is 100, and 20 a second come after it
			time.Sleep(55 * time.Millisecond)
		}
		text, begun := fmt.Sprintf("%s %d %s", prefix, n, strings.Repeat("x", size)), time.Now()
		answer, err := p.Chat.Send(within(t, patience), &chatv1.SendRequest{Channel: channel, Text: text})
		if err != nil {
			t.Errorf("message %d: %v", n, err)
			return
		}
		l.Acknowledged(text, answer.GetOffset(), time.Since(begun))
	}
}

// resident is how much memory a process has, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
