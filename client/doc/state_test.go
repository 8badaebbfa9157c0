package doc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// device is one client whose network the test is.
type device struct {
	*talk
	r     *rapid.T
	name  string
	owner *owner
	cfg   Config
	now   *time.Time
	out   *client.Call // sent, and not answered
	lost  int          // resets
}

func newDevice(r *rapid.T, t *testing.T, o *owner, name string, now *time.Time) *device {
	dir, err := os.MkdirTemp(t.TempDir(), name)
	if err != nil {
		r.Fatal(err)
	}
	d := &device{r: r, name: name, owner: o, now: now}
	d.cfg = Config{Client: offline(t), Document: "d", File: filepath.Join(dir, "d"), Now: func() time.Time { return *now }}
	d.open()
	d.reread()
	return d
}

func (d *device) must(err error) {
	if err != nil {
		d.r.Fatalf("%s: %v", d.name, err)
	}
}

// open begins anew with what the file has.
func (d *device) open() {
	document, err := Open(d.cfg)
	d.must(err)
	d.talk = &talk{Document: document, ctx: context.Background(), answers: make(chan reply, 1), giveUp: func() {}}
	d.out = nil
}

// kill ends the process: nothing more is written.
func (d *device) kill() {
	d.must(d.file.Close())
	d.open()
	d.check()
}

func (d *device) check() {
	want := d.content.Clone()
	if d.sent != nil {
		d.must(want.Apply(d.sent.delta))
	}
	d.must(want.Apply(d.buffer))
	if want.Hash() != d.shown.Hash() {
		d.r.Fatalf("%s shows %q, which is not %q", d.name, text(d.shown), text(want))
	}
}

func (d *device) reread() {
	p := d.owner.read(&docsv1.ReadDocumentRequest{})
	delta, err := ot.Parse([]byte(p.GetDelta()), ot.Unlimited())
	d.must(err)
	content, err := ot.NewDocument(delta, ot.Unlimited(), nil)
	d.must(err)
	d.must(d.renew(content, &edgev1.Cursor{Epoch: p.GetEpoch(), Offset: p.GetVersion()}))
	d.stale = false
}

// send has something under way, or the same again.
func (d *device) send() {
	if d.stale && (d.sent == nil || d.sent.answered != 0) {
		d.reread()
		return
	}
	d.pause = time.Time{}
	q, err := d.next()
	d.must(err)
	if q != nil {
		d.out, d.calling = q, q.Seq
	}
}

// arrive has what was sent come to the owner; its answer comes back, or not.
func (d *device) arrive(answered bool) {
	if d.out == nil {
		return
	}
	q := d.out
	res, e := d.owner.submit(d.name, d.sender, q.Seq, q.Body)
	if !answered {
		return
	}
	d.out = nil
	r := reply{seq: q.Seq}
	if e != nil {
		r.err = &client.Error{Code: e.GetCode(), Reason: e.GetReason(), Message: e.GetMessage()}
	} else {
		r.body, _ = proto.Marshal(res)
	}
	if e.GetReason() == "docs.BASE_TOO_OLD" { // it asks for the version, and there is no connection here
		d.must(d.waitAgain())
		d.stale, d.calling = true, 0
		return
	}
	d.must(d.answer(r))
}

// follow takes the next events, or learns that they can't be had.
func (d *device) follow(n int) {
	if d.stale {
		return
	}
	d.owner.mu.Lock()
	reset := d.epoch != d.owner.epoch || d.version < d.owner.floor
	events := d.owner.log[min(d.version, d.owner.version()):]
	d.owner.mu.Unlock()
	if reset {
		d.lost++
		d.must(d.update(client.Update{Reset: &client.Reset{}}))
		return
	}
	d.must(d.update(client.Update{Events: events[:min(n, len(events))]}))
}

func (d *device) drain() {
	for range 100 {
		d.send()
		d.arrive(true)
		d.follow(1000)
		d.check()
		d.owner.mu.Lock()
		there := d.version == d.owner.version() && d.epoch == d.owner.epoch
		d.owner.mu.Unlock()
		if there && !d.stale && !d.pending() {
			return
		}
	}
	d.r.Fatalf("%s does not come to rest: %+v", d.name, d.Status())
}

// typeText inserts somewhere.
func (d *device) typeText(text string) {
	d.must(d.Edit(func(shown *ot.Document) (ot.Delta, error) {
		at := rapid.IntRange(0, shown.Len()).Draw(d.r, "at")
		if shown.Check(insert(at, text)) != nil {
			at++ // not into a pair
		}
		return insert(at, text), nil
	}))
}

// change deletes or formats something.
func (d *device) change() {
	d.must(d.Edit(func(shown *ot.Document) (ot.Delta, error) {
		at := rapid.IntRange(0, shown.Len()).Draw(d.r, "at")
		n := rapid.IntRange(0, min(5, shown.Len()-at)).Draw(d.r, "n")
		edit := remove(at, n)
		if rapid.Bool().Draw(d.r, "format") && n > 0 {
			edit, _ = ot.Parse(fmt.Appendf(nil, `[{"retain":%d},{"retain":%d,"attributes":{"bold":true}}]`, at+1, n), ot.Unlimited())
			if at+1+n > shown.Len() {
				return ot.Delta{}, nil
			}
		}
		if shown.Check(edit) == nil {
			return edit, nil
		}
		return ot.Delta{}, nil // it would cut a pair
	}))
}

// Several people type at once, over networks that lose, repeat and hold back, in processes that die: all end with the same bytes, every request
// is repeated as it was, and nothing is done twice.
func TestEverybodyConverges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { converge(r, t, true) })
}

// Where nobody deletes, and whatever else happens, each text that Edit took is there in the end, once.
func TestNothingTypedIsLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { converge(r, t, false) })
}

func converge(r *rapid.T, t *testing.T, deletes bool) {
	o := newOwner("the 😀 beginning\n")
	now := time.Unix(1_000_000, 0)
	var devices []*device
	for i := range rapid.IntRange(1, 3).Draw(r, "devices") {
		devices = append(devices, newDevice(r, t, o, fmt.Sprint("p", i), &now))
	}
	defer func() {
		for _, d := range devices {
			_ = d.file.Close()
		}
	}()
	typed, taken := []string{}, map[string]bool{}
	actions := []string{"type", "type", "type", "send", "send", "arrive", "arrive", "lose", "follow", "follow", "kill", "clock", "floor", "refuse"}
	if deletes {
		actions = append(actions, "change", "change", "undo", "undo", "redo", "backup")
	}
	for range rapid.IntRange(1, 60).Draw(r, "steps") {
		d := rapid.SampledFrom(devices).Draw(r, "device")
		switch rapid.SampledFrom(actions).Draw(r, "action") {
		case "type":
			text := string(rune(0x20000 + len(typed))) // a surrogate pair of its own
			typed = append(typed, text)
			d.typeText(text)
		case "change":
			d.change()
		case "undo":
			_, err := d.Undo()
			d.must(err)
		case "redo":
			_, err := d.Redo()
			d.must(err)
		case "send":
			d.send()
		case "arrive":
			d.arrive(true)
		case "lose":
			d.arrive(false)
		case "follow":
			d.follow(rapid.IntRange(1, 4).Draw(r, "n"))
		case "kill":
			d.kill()
		case "clock":
			now = now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(r, "ms")) * time.Millisecond)
		case "floor":
			o.floor = uint64(rapid.IntRange(int(o.floor), int(o.version())).Draw(r, "floor"))
		case "backup":
			o.floor = 0
			o.rewrite(uint64(rapid.IntRange(2, int(o.version())).Draw(r, "version")))
		case "refuse":
			o.refuse = refused(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
			if rapid.Bool().Draw(r, "large") {
				o.refuse = refused(edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE")
			}
			d.arrive(true)
			o.refuse = nil
		}
		d.check()
	}
	resets := 0
	for range 3 {
		for _, d := range devices {
			d.drain()
			resets += d.lost
		}
	}
	for _, d := range devices {
		if d.shown.Hash() != o.hash() || d.content.Hash() != o.hash() {
			r.Errorf("%s shows %q, the owner has %q", d.name, text(d.shown), text(o.content))
		}
		for _, f := range d.Refused() {
			for _, text := range typed {
				if strings.Contains(f.Text(), text) {
					if taken[text] && !deletes {
						r.Errorf("%s was refused twice", text)
					}
					taken[text] = true
				}
			}
		}
		d.kill()
		d.drain()
		if d.shown.Hash() != o.hash() {
			r.Errorf("%s shows %q after a restart", d.name, text(d.shown))
		}
	}
	for _, f := range o.faults {
		if o.epoch == 7 { // a backup forgets keys, and what stands at a base
			r.Error(f)
		}
	}
	for _, token := range typed {
		n := strings.Count(text(o.content), token)
		if !deletes && (n > 1 || n == 1 == taken[token]) {
			r.Errorf("%s is there %d times (refused: %v): %q", token, n, taken[token], text(o.content))
		}
	}
}

// Undoing everything takes back all that one typed, and nothing else; doing it again brings it back.
func TestUndoTakesBackTheOwn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := newOwner("")
		now := time.Unix(1_000_000, 0)
		ada, bob := newDevice(r, t, o, "ada", &now), newDevice(r, t, o, "bob", &now)
		defer ada.file.Close()
		defer bob.file.Close()
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"ada", "bob", "own", "clock", "sync"}).Draw(r, "action") {
			case "ada":
				ada.typeText("a")
			case "bob":
				bob.typeText("b")
			case "own": // ada deletes what she typed
				ada.must(ada.Edit(func(shown *ot.Document) (ot.Delta, error) {
					if at := strings.IndexByte(text(shown), 'a'); at >= 0 {
						return remove(at, 1), nil
					}
					return ot.Delta{}, nil
				}))
			case "clock":
				now = now.Add(time.Second)
			case "sync":
				ada.drain()
				bob.drain()
			}
		}
		before := strings.Count(text(ada.shown), "a")
		steps := 0
		for ok := true; ok; steps++ {
			var err error
			ok, err = ada.Undo()
			ada.must(err)
			bob.typeText("b")
			bob.drain()
			ada.drain()
		}
		bobs := strings.Count(text(bob.shown), "b")
		if got := text(ada.shown); strings.Contains(got, "a") || strings.Count(got, "b") != bobs {
			r.Fatalf("after undoing all: %q, with %d of bob's", got, bobs)
		}
		for ok := true; ok; {
			var err error
			ok, err = ada.Redo()
			ada.must(err)
		}
		if got := text(ada.shown); strings.Count(got, "a") != before || strings.Count(got, "b") != bobs {
			r.Fatalf("after doing all again: %q, not %d of ada's and %d of bob's", got, before, bobs)
		}
	})
}

// Parts of an edit are the edit.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		o := newOwner(strings.Repeat("ab😀", 10))
		now := time.Unix(1_000_000, 0)
		d := newDevice(r, t, o, "ada", &now)
		defer d.file.Close()
		for range rapid.IntRange(1, 10).Draw(r, "edits") {
			d.typeText(rapid.StringN(1, 40, -1).Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s }).Draw(r, "text"))
			d.change()
		}
		whole, rest := d.buffer, d.buffer
		var parts []ot.Delta
		for rest.Count() > 0 {
			var first ot.Delta
			var err error
			first, rest, err = split(rest, rapid.IntRange(150, 250).Draw(r, "bytes"), rapid.IntRange(3, 6).Draw(r, "ops"))
			d.must(err)
			if len(parts) > 2000 {
				r.Fatal("it does not end")
			}
			parts = append(parts, first)
		}
		again, err := ot.ComposeAll(parts, nil)
		d.must(err)
		got := d.content.Clone()
		d.must(got.Apply(again))
		d.must(d.content.Apply(whole))
		if got.Hash() != d.content.Hash() {
			r.Fatalf("%v is not %v", again, whole)
		}
	})
}
