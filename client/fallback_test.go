package client

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The best transport that gets through is taken, and a better one again when there is one.
func TestFallback(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(h *hall)
		want   string
		within time.Duration
	}{
		{"nothing in the way", func(*hall) {}, "ws", time.Second},
		{"no upgrade", func(h *hall) { h.blocked[EdgePath] = http.StatusForbidden }, "sse", time.Second},
		{"an upgrade that carries nothing", func(h *hall) { h.silent = true }, "sse", trialBy + time.Second},
		{"answers held back", func(h *hall) { h.blocked[EdgePath], h.buffered = http.StatusBadRequest, true }, "poll", trialBy + time.Second},
		{"no streams", func(h *hall) { h.blocked[EdgePath], h.blocked[EventsPath] = http.StatusForbidden, http.StatusForbidden }, "poll", 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHall(t)
				test.change(h)
				states := make(chan State, 1000)
				c, _ := visitor(t, DialAny(h.client()), func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
				sub, err := c.Follow(t.Context(), topicA)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(test.within)
				h.set(func() { h.heads[topicA]++ })
				take(t, sub, 1)
				h.get(func() {
					if h.opened[test.want] == 0 || test.want != "ws" && !h.silent && h.opened["ws"] > 0 {
						t.Errorf("opened %v", h.opened)
					}
				})
				before := len(states)
				time.Sleep(9 * time.Minute) // what has worked is taken again
				h.cut()
				time.Sleep(5 * time.Second)
				if len(states) != before+2 && test.want != "poll" || !c.State().Connected { // a poll that is cut between two is not noticed
					t.Errorf("%d states after a cut: %+v", len(states)-before, c.State())
				}
				h.set(func() { h.blocked, h.buffered, h.silent = map[string]int{}, false, false })
				time.Sleep(5 * time.Minute)
				h.get(func() { h.opened = map[string]int{} })
				time.Sleep(time.Minute)
				h.set(func() { h.heads[topicA]++ })
				take(t, sub, 1)
				h.cut()
				time.Sleep(2 * time.Second)
				h.get(func() {
					if h.opened["ws"] == 0 || h.opened["sse"]+h.opened["poll"] > 0 {
						t.Errorf("with nothing in the way any more: %v", h.opened)
					}
				})
			})
		})
	}
}

// A server that is away, or says why it refuses, is no reason for another transport.
func TestNoFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.blocked[EdgePath] = http.StatusServiceUnavailable
		visitor(t, DialAny(h.client()), nil)
		time.Sleep(time.Minute)
		h.set(func() { delete(h.blocked, EdgePath); h.leave = wireError(edgev1.Code_CODE_OVERLOADED, time.Second) })
		time.Sleep(time.Minute)
		h.get(func() {
			if h.opened["ws"] == 0 || h.opened["sse"]+h.opened["poll"] > 0 {
				t.Errorf("opened %v", h.opened)
			}
		})
	})
}

// While the better one stays blocked, nobody notices that it is tried.
func TestClimbInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.blocked[EdgePath] = http.StatusForbidden
		states := make(chan State, 1000)
		c, _ := visitor(t, DialAny(h.client()), func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		<-c.Ready()
		time.Sleep(3 * time.Hour)
		if len(states) != 1 {
			t.Errorf("%d changes of state", len(states))
		}
		h.get(func() {
			if n := h.refused[EdgePath]; n < 5 || n > 8 { // after 10, 20 and 40 minutes, then hourly
				t.Errorf("tried %d times", n)
			}
		})
	})
}

// A stream's end in order is no break.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.life = time.Minute
		states := make(chan State, 1000)
		c, _ := visitor(t, DialEvents(h.client()), func(cfg *Config) { cfg.OnState = func(s State) { states <- s } })
		sub, err := c.Follow(t.Context(), topicA)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for range 50 {
			h.set(func() { h.heads[topicA]++ })
			time.Sleep(7 * time.Second)
		}
		if got := take(t, sub, 50); !slices.IsSorted(got) || got[49] != 50 {
			t.Errorf("got %v", got)
		}
		h.get(func() {
			if len(states) != 1 || h.opened["sse"] < 5 {
				t.Errorf("%d changes of state, opened %v", len(states), h.opened)
			}
		})
	})
}

// Following one topic after the other takes few requests, and none of them waits for the last.
func TestChangesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		c, _ := visitor(t, DialEvents(h.client()), nil)
		<-c.Ready()
		for i := range 40 {
			sub, err := c.Follow(t.Context(), "chat.channel/"+string(rune('A'+i)))
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		h.get(func() {
			if n := h.opened["sse"]; n < 2 || n > 4 {
				t.Errorf("%d streams", n)
			}
		})
	})
}

// What can be said with a status is an error with its number.
func TestStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.blocked[EventsPath], h.blocked[PollPath] = http.StatusBadGateway, http.StatusBadGateway
		c, _ := visitor(t, DialEvents(h.client()), nil)
		time.Sleep(time.Minute)
		if s := c.State(); s.Connected || CodeOf(s.Cause) != edgev1.Code_CODE_UNAVAILABLE {
			t.Errorf("%+v", s)
		}
		h.set(func() { h.blocked = map[string]int{} })
		<-c.Ready()
	})
}
