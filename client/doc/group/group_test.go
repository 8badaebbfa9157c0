package group

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

func body(t testing.TB, delta string) []byte {
	t.Helper()
	data, err := proto.Marshal(&docsv1.DocumentEvent{Actor: "u", Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: delta}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func text(t testing.TB, version uint64, delta string) *Text {
	t.Helper()
	x, err := NewText(version, delta)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// log is a server: it transforms what is submitted, numbers it, and keeps what everybody is to be told.
type log struct {
	*Text
	events []told
}

type told struct {
	version, mutation uint64
	body              []byte
}

func (l *log) submit(t testing.TB, base, mutation uint64, delta string) {
	t.Helper()
	edit, err := l.Follow(base, delta)
	if err != nil {
		t.Fatal(err)
	}
	version, _, _, _ := l.Content()
	e := told{version + 1, mutation, body(t, edit)}
	if err := l.Take(e.version, e.mutation, e.body); err != nil {
		t.Fatal(err)
	}
	l.events = append(l.events, e)
}

// Whoever edits, and however late each is told of what: in the end all have the server's content, each edit is its author's once, everybody is told
// when each of its parts was due, and what an editor sees is what a client would show that keeps all of it by itself.
func TestEditorsConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const first = 7
		start := Beginning(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(0, 300).Draw(rt, "length"))
		server, shared := &log{Text: text(t, first, start)}, text(t, first, start)
		type client struct {
			*Editor
			shown     *ot.Document // kept by itself
			parts     int          // that were typed
			told, own int          // parts of all editors, and of its own
		}
		clients := make([]*client, rapid.IntRange(1, 5).Draw(rt, "editors"))
		for i := range clients {
			clients[i] = &client{Editor: shared.Join(uint64(i)), shown: shared.start.Clone()}
		}
		epoch := time.Unix(1, 0)
		hear := func(c *client) {
			e := server.events[c.Version()-first]
			mine, buffer := ot.Delta{}, c.buffer
			if c.sent != nil {
				mine = c.sent.delta
			}
			edit, err := parse(e.body)
			if err != nil {
				rt.Fatal(err)
			}
			what, err := c.Event(e.version, e.mutation, e.body)
			if err != nil {
				rt.Fatal(err)
			}
			c.told += len(what.Due)
			if what.Own {
				c.own += len(what.Due)
				return
			}
			_, after, err := ot.Rebase(mine, []ot.Delta{edit}, nil)
			if err == nil {
				_, after, err = ot.Rebase(buffer, after, nil)
			}
			if err == nil {
				err = c.shown.Apply(after[0])
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		mutation, parts := uint64(0), 0
		send := func(c *client) {
			if c.Ready() {
				mutation++
				base, delta, _ := c.Send(mutation)
				server.submit(t, base, mutation, delta)
			}
		}
		for range rapid.IntRange(0, 200).Draw(rt, "steps") {
			c := clients[rapid.IntRange(0, len(clients)-1).Draw(rt, "who")]
			switch rapid.IntRange(0, 2).Draw(rt, "what") {
			case 0:
				before := c.buffer
				if err := c.Type(epoch); err != nil {
					rt.Fatal(err)
				}
				c.parts++
				parts++
				if before.Count() == 0 { // else it isn't known what was composed
					if err := c.shown.Apply(c.buffer); err != nil {
						rt.Fatal(err)
					}
				} else {
					c.shown = must(c.Editor.shown())(rt)
				}
			case 1:
				send(c)
			case 2:
				if c.Version()-first < uint64(len(server.events)) {
					hear(c)
				}
			}
		}
		for busy := true; busy; {
			busy = false
			for _, c := range clients {
				send(c)
				for c.Version()-first < uint64(len(server.events)) {
					hear(c)
					busy = true
				}
			}
		}
		version, _, _, hash := server.Content()
		for i, c := range clients {
			if own, ok := c.At(version); !ok || own != hash {
				rt.Fatalf("editor %d has another content", i)
			}
			if _, ok := c.At(version + 1); ok {
				rt.Fatalf("editor %d has a content that it was not told of", i)
			}
			if got := c.shown.Hash(); got != hash {
				rt.Fatalf("editor %d would show %q", i, c.shown.Delta().JSON())
			}
			if c.told != parts || c.own != c.parts {
				rt.Fatalf("editor %d was told of %d parts of %d, %d of %d its own", i, c.told, parts, c.own, c.parts)
			}
		}
	})
}

func must[T any](v T, err error) func(*rapid.T) T {
	return func(t *rapid.T) T {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// What can't be is found, by whoever is told of it.
func TestFaults(t *testing.T) {
	insert := func(s string) []byte { return body(t, `{"ops":[{"insert":"`+s+`"}]}`) }
	x := text(t, 1, `{"ops":[]}`)
	a, b := x.Join(1), x.Join(2)
	if _, err := a.Event(2, 20, insert("x")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		version, mutation uint64
		body              []byte
		want              error
	}{
		"another edit":     {2, 20, insert("y"), ErrOther},
		"another mutation": {2, 21, insert("x"), ErrOther},
		"a hole":           {4, 40, insert("x"), ErrHole},
		"an older one":     {1, 10, insert("x"), ErrHole},
	} {
		if _, err := b.Event(c.version, c.mutation, c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if told, err := b.Event(2, 20, insert("x")); err != nil || told.Own || told.Twice {
		t.Error(told, err)
	}
	for i, e := range []*Editor{a, b} {
		if told, err := e.Event(3, 20, insert("x")); err != nil || told.Twice != (i == 0) {
			t.Errorf("an edit that stands twice: %+v, %v", told, err)
		}
	}
	if err := a.Type(time.Now()); err != nil || !a.Ready() || len(a.Waiting()) != 1 {
		t.Fatal(err)
	}
	a.Send(5)
	if a.Ready() {
		t.Error("two edits are under way")
	}
	if _, err := a.Event(4, 5, insert("something else")); !errors.Is(err, ErrDiverge) {
		t.Errorf("the server made something else of it: %v", err)
	}
	if err := x.Take(6, 60, insert("x")); !errors.Is(err, ErrHole) {
		t.Error(err)
	}
	if err := x.Take(5, 50, body(t, "no delta")); err == nil {
		t.Error("what is no delta was taken")
	}
}

// What all editors have passed is not kept, and who is too far behind is told so.
func TestPrune(t *testing.T) {
	x := text(t, 0, `{"ops":[]}`)
	fast, slow := x.Join(1), x.Join(2)
	one := body(t, `{"ops":[{"insert":"x"}]}`)
	next := func(e *Editor) error {
		_, err := e.Event(e.Version()+1, e.Version()+1, one)
		return err
	}
	for range 10 * pruneEvery {
		if err := errors.Join(next(fast), next(slow)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(x.events); n > 2*pruneEvery {
		t.Errorf("%d events are kept that everybody has passed", n)
	}
	for range 3 * pruneEvery {
		if err := next(fast); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(next(slow), slow.Type(time.Now())); err != nil {
		t.Errorf("who is a little behind: %v", err)
	}
	for range keptEvents + 2*pruneEvery {
		if err := next(fast); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(x.events); n > keptEvents+pruneEvery {
		t.Errorf("%d events are kept", n)
	}
	if err := next(slow); !errors.Is(err, ErrBehind) {
		t.Errorf("who is far behind: %v", err)
	}
	if err := slow.Type(time.Now()); !errors.Is(err, ErrBehind) {
		t.Errorf("who is far behind types: %v", err)
	}
	slow.Leave()
	for range 2 * pruneEvery {
		if err := next(fast); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(x.events); n > 2*pruneEvery {
		t.Errorf("%d events are kept for somebody who has left", n)
	}
	if n := len(x.versions) + len(x.older); n > 2*keptVersions {
		t.Errorf("%d mutations are known", n)
	}
}

// A text without editors is a server's: it follows edits of versions that were told a while ago.
func TestServerKeepsBases(t *testing.T) {
	x := text(t, 0, `{"ops":[]}`)
	one := body(t, `{"ops":[{"insert":"x"}]}`)
	for n := range uint64(keptEvents + 2*pruneEvery) {
		if err := x.Take(n+1, n+1, one); err != nil {
			t.Fatal(err)
		}
	}
	newest, _, _, _ := x.Content()
	if got, err := x.Follow(newest-1000, `{"ops":[{"insert":"y"}]}`); err != nil || got != `{"ops":[{"retain":1000},{"insert":"y"}]}` {
		t.Errorf("%s, %v", got, err)
	}
	for _, base := range []uint64{newest + 1, newest - keptEvents - pruneEvery} {
		if got, err := x.Follow(base, `{"ops":[{"insert":"y"}]}`); !errors.Is(err, ErrBehind) {
			t.Errorf("base %d of %d: %s, %v", base, newest, got, err)
		}
	}
	if n := len(x.events); n > keptEvents+pruneEvery {
		t.Errorf("%d events are kept", n)
	}
}

// A text to begin with is as long as was asked for, and a document.
func TestBeginning(t *testing.T) {
	for _, n := range []int{0, 1, 100, 5000} {
		if _, _, length, _ := text(t, 1, Beginning(1, n)).Content(); length != n {
			t.Errorf("%d characters of %d", length, n)
		}
	}
}

// Who writes does what people do: the most of it letters, and some of everything else.
func TestTyping(t *testing.T) {
	x := text(t, 0, Beginning(1, 500))
	e := x.Join(1)
	kinds := map[string]int{}
	for n := range uint64(5000) {
		if err := e.Type(time.Time{}); err != nil {
			t.Fatal(err)
		}
		base, delta, _ := e.Send(n + 1)
		edit, err := parse(body(t, delta))
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range edit.Ops() {
			kinds[fmt.Sprint(op.Action(), op.Attributes() != nil, op.Len() > 8)]++
		}
		if _, err := e.Event(base+1, n+1, body(t, delta)); err != nil {
			t.Fatal(err)
		}
	}
	letter, pasted := fmt.Sprint(ot.Insert, false, false), fmt.Sprint(ot.Insert, false, true)
	back, sentence := fmt.Sprint(ot.Delete, false, false), fmt.Sprint(ot.Delete, false, true)
	emboldened := fmt.Sprint(ot.Retain, true, true)
	for _, kind := range []string{pasted, back, sentence, emboldened} {
		if kinds[kind] == 0 {
			t.Errorf("never %s: %v", kind, kinds)
		}
	}
	if kinds[letter] < 4000 {
		t.Errorf("%d letters: %v", kinds[letter], kinds)
	}
}

func BenchmarkEvent(b *testing.B) {
	const editors = 400
	x := text(b, 0, Beginning(1, 5000))
	all := make([]*Editor, editors)
	for i := range all {
		all[i] = x.Join(uint64(i))
	}
	one := body(b, `{"ops":[{"retain":100},{"insert":"x"}]}`)
	for b.Loop() {
		for _, e := range all {
			if _, err := e.Event(e.Version()+1, e.Version()+1, one); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/editors, "ns/event")
}
