package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// book is a process that is told of sessions, and writes down what it hears.
type book struct {
	rosterv1.UnimplementedRosterServiceServer

	mu       sync.Mutex                      // guards all below
	here     map[uint64]*rosterv1.Connection // by the stream that tells now
	active   []uint64
	complete int // how often all was told
	streams  int
	silence  time.Duration // the longest
	heard    time.Time
	stop     chan struct{} // ends the stream
}

func (b *book) Report(stream grpc.BidiStreamingServer[rosterv1.ReportRequest, rosterv1.ReportResponse]) error {
	b.mu.Lock()
	b.streams++
	b.here, b.heard, b.stop = map[uint64]*rosterv1.Connection{}, time.Now(), make(chan struct{})
	stop := b.stop
	b.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		for {
			q, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			b.note(q)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-stop:
		return away
	}
}

func (b *book) note(q *rosterv1.ReportRequest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silence = max(b.silence, time.Since(b.heard))
	b.heard = time.Now()
	for _, c := range q.GetOpened() {
		b.here[c.GetNumber()] = c
	}
	for _, n := range q.GetClosed() {
		delete(b.here, n)
	}
	b.active = append(b.active, q.GetActive()...)
	if q.GetComplete() != 0 {
		b.complete++
	}
}

// cut ends the stream.
func (b *book) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.stop)
}

// people are those who are here, with how long they did nothing.
func (b *book) people() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, n := range slices.Sorted(maps.Keys(b.here)) {
		c := b.here[n]
		all = append(all, fmt.Sprintf("%s/%s/%s idle %d", c.GetWorkspace(), c.GetUser(), c.GetSession(), c.GetIdleS()))
	}
	return strings.Join(all, ", ")
}

func (b *book) acts() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.active)
}

// withBook runs a test with a system that tells a book of its sessions.
func withBook(t *testing.T, test func(*testing.T, *system, *book)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &book{}
		s := newSystem(t, nil, func(s *system) (string, grpc.ClientConnInterface) {
			server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{
				Service: "presence", Verifier: s.verifier, Internal: map[string][]string{rosterv1.RosterService_Report_FullMethodName: {"gateway"}},
			})
			s.must(err)
			rosterv1.RegisterRosterServiceServer(server, b)
			s.run(server.Run)
			<-server.Ready()
			return "presence", server.Pipe("gateway")
		})
		test(t, s, b)
	})
}

func settle() {
	time.Sleep(2 * rosterGap)
	synctest.Wait()
}

// TestRoster: who signs in is told of, with what they did last, and who leaves; a stream that breaks is followed by another one, which begins with
// all who are here then.
func TestRoster(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		expect := func(what, want string) {
			t.Helper()
			settle()
			if got := b.people(); got != want {
				t.Errorf("%s: here are %s, want %s", what, got, want)
			}
		}
		expect("nobody", "")
		ada := s.signIn("ada")
		bob := s.signIn("bob")
		expect("both", "w/ada/session idle 0, w/bob/session idle 0")
		time.Sleep(10 * time.Second)
		b.cut()
		time.Sleep(time.Second)
		expect("after a break", "w/ada/session idle 10, w/bob/session idle 10")
		bob.close()
		expect("bob has gone", "w/ada/session idle 10")
		ada.close()
		expect("nobody is left", "")
		time.Sleep(time.Minute)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.complete != 2 || b.streams != 2 {
			t.Errorf("all was told %d times, by %d streams", b.complete, b.streams)
		}
		if b.silence > rosterSilence+2*rosterGap {
			t.Errorf("the longest silence was %v", b.silence)
		}
	})
}

// TestActivity: what a person does is told at once after a while, and then once a minute; signs of life that a client gives by itself are no activity.
func TestActivity(t *testing.T) {
	withBook(t, func(t *testing.T, s *system, b *book) {
		ada := s.signIn("ada")
		active := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 1, Active: true}}}
		step := func(what string, want int, after time.Duration, frames ...*edgev1.ClientFrame) {
			t.Helper()
			for end := time.Now().Add(after); time.Now().Before(end); { // it lives
				ada.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Ping{Ping: &edgev1.Ping{Nonce: 2}}})
				ada.next()
				time.Sleep(min(20*time.Second, time.Until(end)))
			}
			if ada.send(frames...); len(frames) > 0 {
				ada.next()
			}
			settle()
			if got := b.acts(); got != want {
				t.Errorf("%s: told %d times that something was done, want %d", what, got, want)
			}
		}
		step("at once", 0, 0, active)
		step("pings alone", 0, activeGap)
		step("keys", 1, 0, active)
		step("more keys", 1, activeGap/2, active)
		step("keys a minute later", 2, activeGap/2, active)
		step("a read", 2, activeGap, ask(7, "Echo", &testv1.EchoRequest{Text: "x"}))
	})
}
