package intake

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// Whatever is taken and given back, by whom ever: no bound is passed, and nothing is left in the end.
func TestNobodyPassesTheirBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{Total: 100, Strangers: 50, Address: 30, User: 40}
		l := New(limits)
		who := rapid.SampledFrom([]Holder{
			User("w", "a"), User("w", "b"), User("v", "a"), Stranger(netip.MustParseAddr("192.0.2.1")), Stranger(netip.MustParseAddr("192.0.2.2")), Stranger(netip.Addr{}),
		})
		var holds []*Hold
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(holds) > 0 && rapid.Bool().Draw(t, "give") {
				holds[rapid.IntRange(0, len(holds)-1).Draw(t, "which")].Release()
				continue
			}
			h := l.Hold(who.Draw(t, "who"))
			n, before := rapid.IntRange(0, 45).Draw(t, "bytes"), l.Held()
			if ok := h.Take(n); ok != (l.Held() == before+n) && n > 0 {
				t.Fatalf("took %d: %v, %d of %d", n, ok, l.Held(), before)
			}
			holds = append(holds, &h)
		}
		sum, strangers := 0, 0
		for h, n := range l.held {
			sum += n
			share := limits.User
			if h.stranger() {
				strangers += n
				share = limits.Address
			}
			if n <= 0 || n > share {
				t.Fatalf("%v holds %d", h, n)
			}
		}
		if sum != l.Held() || sum > limits.Total || strangers != l.strangers || strangers > limits.Strangers {
			t.Fatalf("%d of %d held, %d of %d by strangers", sum, l.Held(), strangers, l.strangers)
		}
		for _, h := range holds {
			h.Release()
			h.Release()
		}
		if l.Held() != 0 || len(l.held) != 0 || l.strangers != 0 {
			t.Fatalf("left: %+v", l)
		}
	})
}

func TestRead(t *testing.T) {
	who := User("w", "u")
	rapid.Check(t, func(t *rapid.T) {
		l := New(Limits{Total: 64 << 10, User: 48 << 10})
		limit := rapid.IntRange(0, 80<<10).Draw(t, "limit")
		data := bytes.Repeat([]byte{7}, rapid.IntRange(0, 80<<10).Draw(t, "size"))
		h := l.Hold(who)
		got, err := h.Read(iotest.HalfReader(bytes.NewReader(data)), limit)
		switch {
		case errors.Is(err, ErrFull):
			if min(limit+1, 2*len(data)) <= 48<<10 {
				t.Fatalf("full with %d of %d", len(data), limit)
			}
		case errors.Is(err, ErrLong):
			if len(data) <= limit {
				t.Fatalf("%d is not longer than %d", len(data), limit)
			}
		case err != nil || !bytes.Equal(got, data) || len(data) > limit:
			t.Fatalf("%d of %d, at most %d: %v", len(got), len(data), limit, err)
		case cap(got) > l.Held()+Free:
			t.Fatalf("holds %d, and counts %d", cap(got), l.Held())
		}
		if h.Release(); l.Held() != 0 {
			t.Fatalf("%d left", l.Held())
		}
	})
}

// What is short goes through when everything is used up; what is long does not, and a fault of the reader's is told.
func TestFull(t *testing.T) {
	l := New(Limits{})
	h := l.Hold(User("w", "u"))
	if got, err := h.Read(bytes.NewReader(make([]byte, Free-1)), 1<<20); err != nil || len(got) != Free-1 {
		t.Errorf("%d %v", len(got), err)
	}
	if _, err := h.Read(bytes.NewReader(make([]byte, Free+1)), 1<<20); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	if _, err := h.Read(iotest.ErrReader(io.ErrUnexpectedEOF), 10); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}
