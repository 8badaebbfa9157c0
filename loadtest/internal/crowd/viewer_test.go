package crowd

import (
	"slices"
	"sync"
	"testing"
	"time"

	"plenum.internal/loadtest/internal/account"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// diary is what a person and a view are told, in order.
type diary struct {
	t    *testing.T
	news chan struct{}

	mu    sync.Mutex // guards lines
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	d.lines = append(d.lines, line)
	d.mu.Unlock()
	select {
	case d.news <- struct{}{}:
	default:
	}
}

func (d *diary) Comes()                       { d.note("comes") }
func (d *diary) Came(time.Time)               { d.note("came") }
func (d *diary) Left(_ time.Time, how Ending) { d.note([]string{"cut", "lost", "dead"}[how]) }
func (d *diary) Want() *edgev1.Want {
	return &edgev1.Want{Topic: "v/me", Mode: edgev1.Mode_MODE_EVENTS, Params: []byte{1}}
}
func (d *diary) Began(time.Time) { d.note("began") }
func (d *diary) Ended()          { d.note("ended") }
func (d *diary) Take(f *edgev1.View, _ time.Time) {
	d.note("told of " + f.GetEntries()[0].GetKey())
}

// reads waits until lines stand in it, in whatever order where two goroutines write, and turns the page.
func (d *diary) reads(want ...string) {
	d.t.Helper()
	for late := time.After(10 * time.Second); ; {
		d.mu.Lock()
		got := slices.Clone(d.lines)
		if len(got) >= len(want) {
			d.lines = nil
		}
		d.mu.Unlock()
		if len(got) >= len(want) {
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				d.t.Fatalf("%q, want %q", got, want)
			}
			return
		}
		select {
		case <-d.news:
		case <-late:
			d.t.Fatalf("%q, want %q", got, want)
		}
	}
}

// Who follows a view says when they come and go, and how; and the view, when it is followed and what is told.
func TestViewer(t *testing.T) {
	address, there, _ := gateway(t)
	c := New(Config{Addresses: []string{address}, Reconnect: true})
	d := &diary{t: t, news: make(chan struct{}, 1)}
	v := c.AddViewer(&account.Account{Access: "a"}, d, 10*time.Minute, nil, d)
	if err := c.ConnectAll(t.Context(), 0); err != nil || !v.Here() {
		t.Fatal(err)
	}
	d.reads("comes", "came", "began")
	if idle := v.m.idle(); idle < 10*time.Minute {
		t.Errorf("nothing was done for %v", idle)
	}
	v.m.Frame(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: &edgev1.View{Topic: "v/me", Entries: []*edgev1.Entry{{Key: "x"}, {Key: "y"}}}}})
	v.m.Frame(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: &edgev1.View{Topic: "w/me", Entries: []*edgev1.Entry{{Key: "z"}}}}})
	d.reads("told of x")
	if n := c.Counts.Events.Load(); n != 2 {
		t.Errorf("%d entries were taken", n)
	}
	if v.Act(); v.m.idle() > time.Minute {
		t.Error("who does something is idle")
	}

	v.Pause(time.Millisecond)
	d.reads("cut", "ended", "lost", "ended", "comes", "came", "began") // it is noticed twice that it ended; the second time it says nothing new
	v.m.mu.Lock()
	conn := v.m.conn
	v.m.mu.Unlock()
	unsubscribe := &edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{}}}
	if err := conn.Send(unsubscribe); err != nil { // the gateway breaks it
		t.Fatal(err)
	}
	d.reads("lost", "ended", "comes", "came", "began")
	if c.Gone.Load() != 0 || c.Away() != 0 {
		t.Errorf("%d have gone, %d are away", c.Gone.Load(), c.Away())
	}

	v.Die()
	d.reads("dead", "ended")
	if there.Load() != 1 || v.Here() || c.Gone.Load() != 1 || c.Away() != 0 {
		t.Errorf("%d are connected; %v; %d have gone, %d are away", there.Load(), v.Here(), c.Gone.Load(), c.Away())
	}
	c.Leave(nil)
}

// Who is to stay away once they lose the connection does; who leaves for good, too.
func TestGoneForGood(t *testing.T) {
	address, _, _ := gateway(t)
	c := New(Config{Addresses: []string{address}, Reconnect: true})
	d := &diary{t: t, news: make(chan struct{}, 1)}
	stays, never := c.AddViewer(&account.Account{}, d, 0, nil), c.AddViewer(&account.Account{}, d, 0, nil)
	if err := c.ConnectAll(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	d.reads("comes", "came", "comes", "came")
	stays.Stay()
	if stays.m.gone.Load() {
		t.Error("who has not lost the connection has gone")
	}
	stays.m.mu.Lock()
	conn := stays.m.conn
	stays.m.mu.Unlock()
	if err := conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{Unsubscribe: &edgev1.Unsubscribe{}}}); err != nil {
		t.Fatal(err)
	}
	d.reads("lost")
	never.Pause(Never)
	d.reads("cut", "lost")
	if c.Gone.Load() != 2 || c.Away() != 0 || !c.settled() {
		t.Errorf("%d have gone, %d are away", c.Gone.Load(), c.Away())
	}
	c.Leave(nil)
}
