package crowd

import (
	"context"
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
	if took, away := c.Cut(t.Context(), c.Members[:2]); away != 0 || took <= 0 {
		t.Errorf("%d are away after %v", away, took)
	}
	if n := c.Resume.Total().TotalCount(); n != 2 || c.Connected() != 3 {
		t.Errorf("%d of 2 have resumed, %d are there", n, c.Connected())
	}
	c.cfg.Reconnect = false
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, away := c.Cut(ctx, c.Members); away != 3 {
		t.Errorf("%d are away", away)
	}
	c.Leave(nil)
}
