package view

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func at(epoch, offset uint64) *edgev1.Cursor { return &edgev1.Cursor{Epoch: epoch, Offset: offset} }

func set(key, body string) *edgev1.Entry { return &edgev1.Entry{Key: key, Body: []byte(body)} }

// client is who applies the frames.
type client struct {
	known map[string]string
	at    *edgev1.Cursor
	more  bool
}

func (c *client) apply(v *edgev1.View) {
	if v.GetSnapshot() {
		c.known = map[string]string{}
	}
	for _, e := range v.GetEntries() {
		if e.GetRemoved() {
			delete(c.known, e.GetKey())
		} else {
			c.known[e.GetKey()] = string(e.GetBody())
		}
	}
	if c.more = v.GetMore(); !c.more {
		c.at = v.GetAt()
	}
}

// Whatever a source says, in parts or whole, with breaks in between and sources that take over, the client is where the source is once it
// has read all; and never holds a key that the source never had.
func TestAnyReadingEndsInTheSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		source, epoch, version := map[string]string{}, uint64(1), uint64(0)
		sent := map[string]string{} // as the source believes the gateway to be
		w := New(nil, Limits{Entries: 12, Bytes: 1 << 20})
		c := &client{}
		tell := func(whole bool) { // what changed since, or a snapshot
			var entries []*edgev1.Entry
			snapshot := w.At() == nil || w.At().GetEpoch() != epoch
			if snapshot {
				sent = map[string]string{}
			}
			for k, v := range source {
				if was, ok := sent[k]; !ok || was != v {
					entries = append(entries, set(k, v))
				}
			}
			for k := range sent {
				if _, ok := source[k]; !ok {
					entries = append(entries, &edgev1.Entry{Key: k, Removed: true})
				}
			}
			for first := true; first || len(entries) > 0; first = false {
				n := min(len(entries), rapid.IntRange(1, 3).Draw(t, "part"))
				v := &edgev1.View{Entries: entries[:n], Snapshot: snapshot && first, More: n < len(entries)}
				if !v.GetMore() {
					v.At = at(epoch, version)
				}
				if !whole && !v.GetMore() {
					return // the stream breaks before the last part
				}
				if err := w.Apply(v); err != nil {
					t.Fatal(err)
				}
				entries = entries[n:]
			}
			sent = maps.Clone(source)
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				version++
				source[keys.Draw(t, "key")] = fmt.Sprint(version)
			},
			"remove": func(t *rapid.T) {
				version++
				delete(source, keys.Draw(t, "key"))
			},
			"tell": func(*rapid.T) { tell(true) },
			"break": func(*rapid.T) {
				tell(false)
				w.Restart()
			},
			"other source": func(*rapid.T) {
				epoch, version = epoch+1, 0
				source = map[string]string{"a": "other"}
				w.Restart()
				tell(true)
			},
			"lost": func(*rapid.T) { w.Forget() },
			"stale": func(t *rapid.T) {
				w.Stale(rapid.Bool().Draw(t, "on"))
			},
			"read": func(t *rapid.T) {
				if v := w.Next(rapid.IntRange(1, 100).Draw(t, "bytes")); v != nil {
					c.apply(v)
				}
			},
		})
		tell(true)
		w.Stale(false)
		for v := w.Next(50); v != nil; v = w.Next(50) {
			c.apply(v)
		}
		if !maps.Equal(c.known, source) || c.more || c.at.GetEpoch() != epoch {
			t.Fatalf("the client has %v at %v, the source %v at %d", c.known, c.at, source, version)
		}
		if len(w.places)+len(w.queue)+w.bytes != 0 {
			t.Fatalf("%d keys, %d bytes are left", len(w.places), w.bytes)
		}
	})
}

// The newest state of a key alone waits; a removal in a snapshot that was not told leaves no trace.
func TestConflation(t *testing.T) {
	w := New(nil, Limits{Entries: 10, Bytes: 1 << 20})
	for i, v := range []*edgev1.View{
		{Snapshot: true, Entries: []*edgev1.Entry{set("a", "1"), set("b", "1")}, At: at(1, 2)},
		{Entries: []*edgev1.Entry{set("a", "2"), {Key: "b", Removed: true}, {Key: "c", Removed: true}}, At: at(1, 5)},
	} {
		if err := w.Apply(v); err != nil {
			t.Fatal(i, err)
		}
	}
	want := &edgev1.View{Snapshot: true, Entries: []*edgev1.Entry{set("a", "2")}, At: at(1, 5)}
	if got := w.Next(1000); !proto.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := w.Next(1000); got != nil {
		t.Errorf("again: %v", got)
	}
	_ = w.Apply(&edgev1.View{Entries: []*edgev1.Entry{set("a", "3")}, At: at(1, 6)})
	_ = w.Apply(&edgev1.View{Entries: []*edgev1.Entry{{Key: "a", Removed: true}}, At: at(1, 7)})
	want = &edgev1.View{Entries: []*edgev1.Entry{{Key: "a", Removed: true}}, At: at(1, 7)}
	if got := w.Next(1000); !proto.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Staleness is told once, and its end too, even where nothing has changed meanwhile.
func TestStale(t *testing.T) {
	w := New(at(1, 5), Limits{Entries: 10, Bytes: 1 << 20})
	w.Stale(true)
	if got := w.Next(1000); !proto.Equal(got, &edgev1.View{Stale: true, At: at(1, 5)}) || w.Next(1000) != nil {
		t.Errorf("%v", got)
	}
	_ = w.Apply(&edgev1.View{At: at(1, 5)})
	w.Stale(false)
	if got := w.Next(1000); !proto.Equal(got, &edgev1.View{At: at(1, 5)}) || w.Next(1000) != nil {
		t.Errorf("%v", got)
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct {
		v    *edgev1.View
		want error
	}{
		"no key":              {&edgev1.View{Entries: []*edgev1.Entry{set("", "")}, At: at(1, 6)}, ErrBroken},
		"a long key":          {&edgev1.View{Entries: []*edgev1.Entry{set(long, "")}, At: at(1, 6)}, ErrBroken},
		"no cursor":           {&edgev1.View{}, ErrBroken},
		"nothing at all":      {nil, ErrBroken},
		"too many":            {&edgev1.View{Entries: []*edgev1.Entry{set("a", ""), set("b", ""), set("c", ""), set("d", "")}, At: at(1, 6)}, ErrTooLarge},
		"too many bytes":      {&edgev1.View{Entries: []*edgev1.Entry{set("a", long), set("b", long)}, More: true}, ErrTooLarge},
		"too many with those": {&edgev1.View{Entries: []*edgev1.Entry{set("a", ""), set("b", ""), set("c", "")}, At: at(1, 6)}, ErrTooLarge},
		"an entry too long":   {&edgev1.View{Entries: []*edgev1.Entry{{Key: "a", Body: make([]byte, maxBody+1)}}, At: at(1, 6)}, ErrTooLarge},
	} {
		w := New(at(1, 5), Limits{Entries: 3, Bytes: 300})
		if err := w.Apply(&edgev1.View{Entries: []*edgev1.Entry{set("z", "")}, At: at(1, 5)}); err != nil {
			t.Fatal(err)
		}
		if err := w.Apply(c.v); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := New(nil, Limits{Entries: 3, Bytes: 300}).Apply(&edgev1.View{At: at(1, 1)}); !errors.Is(err, ErrBroken) {
		t.Errorf("no snapshot: %v", err)
	}
}

// FuzzApply: what a service sends may be anything.
func FuzzApply(f *testing.F) {
	for _, v := range []*edgev1.View{
		{Snapshot: true, Entries: []*edgev1.Entry{set("a", "1"), {Key: "b", Removed: true}}, At: at(1, 1)}, {More: true, Snapshot: true}, {},
	} {
		data, _ := proto.Marshal(v)
		f.Add(data, data)
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		w := New(nil, Limits{Entries: 5, Bytes: 500})
		for _, data := range [][]byte{one, two, one} {
			var v edgev1.View
			if proto.Unmarshal(data, &v) != nil || w.Apply(&v) != nil {
				return
			}
			if len(w.places) > 5 || w.bytes > 500 || w.bytes < 0 {
				t.Fatalf("%d keys, %d bytes wait", len(w.places), w.bytes)
			}
		}
		for range 100 {
			if w.Next(10) == nil {
				return
			}
		}
		t.Fatal("there is no end")
	})
}
