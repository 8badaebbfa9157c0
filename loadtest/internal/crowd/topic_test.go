package crowd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"plenum.internal/loadtest/internal/account"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// answer is what the server says to a Subscribe of one topic; code 0: yes.
func answer(topic string, code edgev1.Code, offset uint64) *edgev1.Subscribed {
	s := &edgev1.Subscription{Topic: topic, Start: &edgev1.Cursor{Epoch: 1, Offset: offset}}
	if code != 0 {
		s = &edgev1.Subscription{Topic: topic, Error: &edgev1.Error{Code: code, Reason: "test"}}
	}
	return &edgev1.Subscribed{Subscriptions: []*edgev1.Subscription{s}}
}

// What is refused for now is not open, and is asked for again by the connection that it was refused on alone.
func TestRefusedTopic(t *testing.T) {
	for name, c := range map[string]struct {
		code    edgev1.Code
		another bool // connection came meanwhile
		open    bool
		later   int
	}{
		"for now":            {code: edgev1.Code_CODE_UNAVAILABLE, later: 1},
		"on the last":        {code: edgev1.Code_CODE_UNAVAILABLE, another: true},
		"lagged":             {code: edgev1.Code_CODE_LAGGED, later: 1},
		"reset":              {code: edgev1.Code_CODE_RESET_EPOCH, later: 1},
		"for good":           {code: edgev1.Code_CODE_NOT_FOUND, open: true},
		"a bundle, for now":  {code: edgev1.Code_CODE_UNAVAILABLE, later: 1},
		"a bundle, for good": {code: edgev1.Code_CODE_NOT_FOUND, open: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mode := edgev1.Mode_MODE_EVENTS
				if name[0] == 'a' {
					mode = edgev1.Mode_MODE_HEADS
				}
				crowd := New(Config{})
				m := crowd.Add(&account.Account{}, &edgev1.Want{Topic: "a", Mode: mode})
				m.connections, m.dialed, m.opening, m.since = 1, 1, 1, time.Now()
				m.subscribed(answer("a", c.code, 0))
				if c.another {
					m.mu.Lock()
					m.dialed++
					m.mu.Unlock()
				}
				time.Sleep(backoff)
				synctest.Wait()
				if (m.opening == 0) != c.open || len(m.later) != c.later {
					t.Errorf("%d are to be opened, %d later", m.opening, len(m.later))
				}
				if n := crowd.Open.Total().TotalCount(); n != 0 && !c.open {
					t.Errorf("%d are said to be open", n)
				}
				if c.later > 0 {
					m.subscribed(answer("a", 0, 7))
					if n := crowd.Open.Total().TotalCount(); n != 1 || m.opening != 0 {
						t.Errorf("%d are open", n)
					}
				}
			})
		})
	}
}

// A cut is over when all have their topics again, and who is not back in time is counted.
func TestCut(t *testing.T) {
	address, _, _ := gateway(t)
	c := New(Config{Addresses: []string{address}, Reconnect: true})
	for range 3 {
		c.Add(&account.Account{}, &edgev1.Want{Topic: "a", Mode: edgev1.Mode_MODE_EVENTS})
	}
	if err := c.ConnectAll(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	c.WaitOpen(t.Context(), 10*time.Second)
	if l := c.Cut(t.Context(), c.Members[:2]); l.Away != 0 || l.Lost != 2 || l.Took <= 0 {
		t.Errorf("%+v", l)
	}
	if n := c.Resume.Total().TotalCount(); n != 2 || c.Connected() != 3 {
		t.Errorf("%d of 2 have resumed, %d are there", n, c.Connected())
	}
	c.cfg.Reconnect = false
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if l := c.Cut(ctx, c.Members); l.Away != 3 {
		t.Errorf("%+v", l)
	}
	c.Leave(nil)
}

// What a server's end breaks is known when everybody is back, with who had no luck at once.
func TestLose(t *testing.T) {
	dies, _, _ := gateway(t)
	lives, _, _ := gateway(t)
	c := New(Config{Addresses: []string{dies, lives}, Reconnect: true})
	for range 6 {
		c.Add(&account.Account{}, &edgev1.Want{Topic: "a", Mode: edgev1.Mode_MODE_EVENTS})
	}
	if err := c.ConnectAll(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	c.WaitOpen(t.Context(), 10*time.Second)
	l, err := c.Lose(t.Context(), func() error {
		for _, m := range c.Members {
			if m.n%2 == 0 { // at the first address
				if err := m.conn.Send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Unsubscribe{}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil || l.Lost != 3 || l.Away != 0 || l.Took <= 0 {
		t.Errorf("%+v, %v", l, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if l, err := c.Lose(ctx, func() error { return nil }); err != nil || l.Lost != 0 || l.Away != 0 {
		t.Errorf("nothing was lost: %+v, %v", l, err)
	}
	if _, err := c.Lose(t.Context(), func() error { return errors.New("no such process") }); err == nil {
		t.Error("no error where nothing could be broken")
	}
	c.Leave(nil)
}

// A message that stands twice is found as long as the first is among the last 65,536.
func TestStoredBefore(t *testing.T) {
	x := &topic{marks: map[[2]uint64]uint64{}}
	for n := range uint64(2*keptMarks + 10) {
		if x.storedBefore([2]uint64{1, n}, n) {
			t.Fatalf("message %d has not come before", n)
		}
	}
	last := uint64(2*keptMarks + 9)
	if !x.storedBefore([2]uint64{1, last - keptMarks}, last+1) {
		t.Error("a message that stands twice was not found")
	}
	if x.storedBefore([2]uint64{1, last}, last) {
		t.Error("the same event again is no second message")
	}
	if n := len(x.marks) + len(x.older); n > 2*keptMarks {
		t.Errorf("%d are remembered", n)
	}
}
