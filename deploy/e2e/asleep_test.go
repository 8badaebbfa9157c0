package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/check"
)

// nap is longer than either side lets the other be silent.
const nap = 42 * time.Second

// asleep: a program that is frozen, and one whose network swallows everything, go on after a while where they were, at another
// gateway if need be.
func asleep(t *testing.T, s *shape) {
	writer, sleeper := s.member(t), s.member(t)
	channel := s.channel(t, private, writer, sleeper)
	var l ledger
	say := func(text string) { l.note(text, writer.send(t, channel, text)) }
	say("before")

	d := newDesk(t)
	d.ok(t, password+"\n", "--server", s.server, "login", "--workspace", "acme", "--handle", sleeper.Handle, "--password-stdin")
	tail := d.start(t, "--json", "tail", "-f", channel)
	hole := newHole(t, s.gateways[0])
	swallowed := enterBy(t, check.Door{Server: hole.url, Others: append(s.gateways[1:], s.gateways[0])}, check.SignIn("acme", sleeper.Handle, password)).read(t, channel)
	say("awake")
	swallowed.upTo(t, l.Offset("awake"))
	tail.shows(t, "awake")

	tail.signal(t, syscall.SIGSTOP)
	hole.swallow()
	begun := time.Now()
	for i := range 300 {
		say(fmt.Sprintf("asleep %d", i))
		time.Sleep(nap / 300)
	}
	time.Sleep(nap - time.Since(begun))
	tail.signal(t, syscall.SIGCONT)
	say("awake again")
	tail.shows(t, "awake again")
	l.check(t, channel, s.owner, swallowed)

	// The tail printed the whole channel, in its order, once.
	history, _, err := check.History(within(t, patience), s.owner.Chat, channel, 0)
	if err != nil {
		t.Fatal(err)
	}
	var shown []check.Message
	for _, line := range tail.lines() {
		var m struct{ Offset, Text string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("tail printed %q: %v", line, err)
		}
		if offset, err := strconv.ParseUint(m.Offset, 10, 64); err == nil && m.Text != "" {
			shown = append(shown, check.Message{Offset: offset, Text: m.Text})
		}
	}
	if fmt.Sprint(shown) != fmt.Sprint(history) {
		t.Errorf("tail printed %d messages, the history has %d:\n%s", len(shown), len(history), strings.Join(tail.lines(), "\n"))
	}
}

// hole is a proxy before a gateway that can swallow what comes, with all connections open.
type hole struct {
	url   string
	mu    sync.Mutex
	empty bool // guarded by mu
}

func newHole(t *testing.T, gateway string) *hole {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{url: "http://" + l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { h.forward(ctx, conn, strings.TrimPrefix(gateway, "http://")) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); cancel(); tasks.Wait() })
	return h
}

// swallow forwards nothing from now on.
func (h *hole) swallow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.empty = true
}

func (h *hole) forward(ctx context.Context, from net.Conn, address string) {
	defer from.Close()
	to, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	defer context.AfterFunc(ctx, func() { _ = from.Close(); _ = to.Close() })()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() { _, _ = io.Copy(&mouth{h, pair[0]}, pair[1]) })
	}
	both.Wait()
}

type mouth struct {
	hole *hole
	to   io.Writer
}

func (m *mouth) Write(b []byte) (int, error) {
	m.hole.mu.Lock()
	empty := m.hole.empty
	m.hole.mu.Unlock()
	if empty {
		return len(b), nil
	}
	return m.to.Write(b)
}
