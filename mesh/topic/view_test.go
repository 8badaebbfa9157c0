package topic_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// screen is what somebody sees who applies a view.
type screen struct {
	entries   map[string]string
	at        *edgev1.Cursor
	snapshots int
	frames    int
	parts     bool // an update has begun and not ended
}

func (s *screen) apply(r *topicv1.TailResponse) error {
	v := r.GetView()
	if s.frames++; v.GetSnapshot() {
		s.entries = map[string]string{}
		s.snapshots++
	}
	if proto.Size(r) > 64<<10 {
		return fmt.Errorf("a response of %d bytes", proto.Size(r))
	}
	for _, e := range v.GetEntries() {
		if e.GetRemoved() {
			delete(s.entries, e.GetKey())
			continue
		}
		s.entries[e.GetKey()] = string(e.GetBody())
	}
	if s.parts = v.GetMore(); s.parts != (v.GetAt() == nil) {
		return errors.New("a part has a cursor, or the last one has none")
	}
	if v.GetAt() != nil {
		s.at = v.GetAt()
	}
	return nil
}

// Whoever watches, from whenever and from whatever cursor, with breaks at any place, sees in the end those keys that it may, and no others.
func TestAnyWatchEndsInTheView(t *testing.T) {
	for _, streams := range []bool{false, true} {
		t.Run(map[bool]string{false: "the source", true: "over TailEach"}[streams], func(t *testing.T) { anyWatch(t, streams) })
	}
}

func anyWatch(t *testing.T, streams bool) {
	rapid.Check(t, func(rt *rapid.T) {
		removed := rapid.IntRange(1, 4).Draw(rt, "removed")
		prefix := rapid.SampledFrom([]string{"", "a"}).Draw(rt, "prefix")
		keys := rapid.SampledFrom([]string{"a1", "a2", "a3", "b1", "b2"})
		type step struct {
			op, key, body string
			wait          time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				rapid.SampledFrom([]string{"set", "set", "remove", "break", "resume"}).Draw(t, "op"), keys.Draw(t, "key"),
				rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "body"), time.Duration(rapid.IntRange(0, 80).Draw(t, "wait")) * time.Millisecond,
			}
		}), 1, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			v := topic.NewView(incarnation, topic.ViewLimits{Removed: removed})
			want := map[string]string{}
			s := &screen{}
			var cancel context.CancelFunc
			done := make(chan error, 1)
			tail := func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
				return v.Watch(ctx, topic.Watch{After: req.GetAfter(), Keep: func(key string) bool { return strings.HasPrefix(key, prefix) }}, send)
			}
			watch := func() {
				ctx, stop := context.WithCancel(t.Context())
				cancel = stop
				req := &topicv1.TailRequest{After: s.at}
				go func() { done <- tail(ctx, req, s.apply) }()
			}
			if streams {
				all := serve(t, tail).views(nil)
				defer all.close()
				watch = func() {
					b := look(all.s.token("ada", time.Hour))
					b.Tail.After = s.at
					all.begin(func(_ int, p *topicv1.TailPart) {
						if err := s.apply(p.GetResponse()); err != nil || p.GetError() != nil {
							rt.Error(err, p.GetError())
						}
					}, b)
					id := all.last
					cancel = func() {
						all.forget(id)
						done <- context.Canceled
					}
				}
			}
			stop := func() {
				if cancel == nil {
					return
				}
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					rt.Error(err)
				}
				cancel = nil
			}
			for _, x := range steps {
				switch x.op {
				case "set":
					if err := v.Set(x.key, []byte(x.body)); err != nil {
						rt.Error(err)
					}
					if strings.HasPrefix(x.key, prefix) {
						want[x.key] = x.body
					}
				case "remove":
					v.Remove(x.key)
					delete(want, x.key)
				case "break":
					stop()
				case "resume":
					if cancel == nil {
						watch()
					}
				}
				time.Sleep(x.wait)
			}
			stop()
			watch()
			time.Sleep(time.Second)
			stop()
			if !maps.Equal(s.entries, want) || s.parts {
				rt.Errorf("sees %v, there is %v", s.entries, want)
			}
		})
	})
}

// A slow subscriber is told the newest state of each key once, however often it changed; who comes back, what changed since.
func TestViewConflates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := topic.NewView(incarnation, topic.ViewLimits{Removed: 2})
		for i := range 5 {
			_ = v.Set(fmt.Sprint("k", i), []byte("0"))
		}
		s := &screen{}
		block := make(chan struct{})
		go func() {
			_ = v.Watch(t.Context(), topic.Watch{}, func(r *topicv1.TailResponse) error {
				<-block
				return s.apply(r)
			})
		}()
		synctest.Wait()
		for i := range 1000 {
			_ = v.Set("k1", fmt.Append(nil, i))
		}
		v.Remove("k2")
		v.Remove("k2")
		_ = v.Set("k3", []byte("0")) // is what it was
		close(block)
		time.Sleep(time.Second)
		synctest.Wait()
		if s.frames != 2 || s.snapshots != 1 || s.entries["k1"] != "999" || len(s.entries) != 4 {
			t.Errorf("%d frames: %v", s.frames, s.entries)
		}
		back := func(after *edgev1.Cursor) *screen {
			s := &screen{entries: map[string]string{}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_ = v.Watch(ctx, topic.Watch{After: after}, s.apply)
			return s
		}
		if x := back(s.at); x.frames != 1 || x.snapshots != 0 || len(x.entries) != 0 || x.at.GetOffset() != s.at.GetOffset() {
			t.Errorf("nothing new: %+v", x)
		}
		known := s.at
		v.Remove("k0")
		_ = v.Set("k9", nil)
		if x := back(known); x.snapshots != 0 || len(x.entries) != 1 {
			t.Errorf("since then: %+v", x)
		}
		v.Remove("k1")
		v.Remove("k3") // that k0 went is forgotten
		for name, c := range map[string]*edgev1.Cursor{
			"too old": known, "another source's": {Epoch: incarnation + 1, Offset: 1}, "from the future": {Epoch: incarnation, Offset: 1 << 40},
		} {
			if x := back(c); x.snapshots != 1 || len(x.entries) != 2 {
				t.Errorf("%s: %+v", name, x)
			}
		}
	})
}

// What is changed together is told together, however many watch while it changes; and up to what is refused.
func TestViewChangesTogether(t *testing.T) {
	const keys = 50
	v := topic.NewView(incarnation, topic.ViewLimits{Entries: keys + 1})
	change := func(body string) (list []*edgev1.Entry) {
		for i := range keys {
			list = append(list, &edgev1.Entry{Key: fmt.Sprint(i), Body: []byte(body)})
		}
		return list
	}
	if err := v.Change(change("0")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	seen := make(chan error, 4)
	for range cap(seen) {
		watching.Go(func() {
			s := &screen{}
			_ = v.Watch(ctx, topic.Watch{}, func(r *topicv1.TailResponse) error {
				err := s.apply(r)
				for _, body := range s.entries {
					if err == nil && body != s.entries["0"] {
						err = fmt.Errorf("%s among %s", body, s.entries["0"])
					}
				}
				if err != nil || s.entries["0"] == "last" {
					seen <- err
					return context.Canceled
				}
				return nil
			})
		})
	}
	for i := range 2000 {
		_ = v.Change(change(fmt.Sprint(i)))
	}
	_ = v.Change(change("last"))
	for range cap(seen) {
		if err := <-seen; err != nil {
			t.Error(err)
		}
	}
	err := v.Change([]*edgev1.Entry{{Key: "0", Removed: true}, {Key: "a"}, {Key: "b"}, {Key: "c"}})
	if rpc.CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION {
		t.Errorf("too many: %v", err)
	}
}

// A long list comes in parts, of which the last alone has a cursor.
func TestViewInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := topic.NewView(incarnation, topic.ViewLimits{})
		for i := range 100 {
			if err := v.Set(fmt.Sprint(i), make([]byte, 5000)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := &screen{}
		if err := v.Watch(ctx, topic.Watch{}, s.apply); !errors.Is(err, context.DeadlineExceeded) || len(s.entries) != 100 || s.snapshots != 1 || s.frames < 8 {
			t.Errorf("%v: %d entries in %d frames", err, len(s.entries), s.frames)
		}
	})
}

func TestViewLimits(t *testing.T) {
	v := topic.NewView(incarnation, topic.ViewLimits{Entries: 2, Bytes: 200})
	for i, c := range []struct {
		key  string
		size int
		code edgev1.Code
	}{
		{"", 0, edgev1.Code_CODE_INVALID_ARGUMENT},
		{strings.Repeat("k", topic.MaxEntryKey+1), 0, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"\xff", 0, edgev1.Code_CODE_INVALID_ARGUMENT},
		{"a", topic.MaxEntryBody + 1, edgev1.Code_CODE_BODY_TOO_LARGE},
		{"a", 200, edgev1.Code_CODE_FAILED_PRECONDITION},
		{"a", 10, 0},
		{"b", 10, 0},
		{"c", 10, edgev1.Code_CODE_FAILED_PRECONDITION},
		{"b", 150, edgev1.Code_CODE_FAILED_PRECONDITION},
		{"b", 100, 0},
	} {
		if err := v.Set(c.key, make([]byte, c.size)); rpc.CodeOf(err) != c.code {
			t.Errorf("%d: %v", i, err)
		}
	}
	v.Remove("a")
	if err := v.Set("c", nil); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// Who may no longer watch is told nothing from then on; a view that ends, ends for all.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := topic.NewView(incarnation, topic.ViewLimits{})
		gone := errors.New("gone")
		var barred atomic.Bool
		s := &screen{}
		done := make(chan error)
		go func() {
			done <- v.Watch(t.Context(), topic.Watch{May: func() error {
				if barred.Load() {
					return gone
				}
				return nil
			}}, s.apply)
		}()
		time.Sleep(time.Second)
		barred.Store(true)
		v.Recheck()
		if err := <-done; !errors.Is(err, gone) || s.frames != 1 {
			t.Errorf("%v, %d", err, s.frames)
		}
		go func() { done <- v.Watch(t.Context(), topic.Watch{}, s.apply) }()
		time.Sleep(time.Second)
		v.Close(gone)
		if err := <-done; !errors.Is(err, gone) {
			t.Error(err)
		}
	})
}
