package doc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// keeping makes a document with a file that was read once.
func keeping(t *testing.T, c *client.Client, text string) (*Document, Config) {
	t.Helper()
	cfg := Config{Client: c, Document: "d", File: filepath.Join(t.TempDir(), "d")}
	d := reopen(t, cfg)
	content, err := ot.NewDocument(insert(0, text), ot.Unlimited(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&talk{Document: d}).renew(content, &edgev1.Cursor{Epoch: 1, Offset: 1}); err != nil {
		t.Fatal(err)
	}
	return d, cfg
}

func reopen(t *testing.T, cfg Config) *Document {
	t.Helper()
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func (d *Document) put(text string) error {
	return d.Edit(func(shown *ot.Document) (ot.Delta, error) { return insert(shown.Len(), text), nil })
}

// Whatever of the last write is missing after a crash, what was written before is there.
func TestTornFile(t *testing.T) {
	d, cfg := keeping(t, offline(t), "0")
	var sizes []int
	for _, text := range []string{"1", "2", "3"} {
		if err := d.put(text); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, d.file.Size)
	}
	whole, err := os.ReadFile(cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	for size := sizes[0]; size <= sizes[2]; size++ {
		if err := os.WriteFile(cfg.File, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		want := "01"
		if size >= sizes[1] {
			want += "2"
		}
		if size == sizes[2] {
			want += "3"
		}
		again := reopen(t, cfg)
		if got := text(again.shown); got != want || !again.Status().Pending {
			t.Errorf("of %d bytes %d: %q, not %q", sizes[2], size, got, want)
		}
		_ = again.Close()
	}
	// Damage elsewhere is told, not taken for a crash.
	spoiled := append([]byte(nil), whole...)
	spoiled[sizes[0]-3] ^= 1
	if err := os.WriteFile(cfg.File, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

// An edit that can't be kept is not shown either.
func TestFileCantBeWritten(t *testing.T) {
	d, cfg := keeping(t, offline(t), "0")
	if _, err := Open(cfg); !errors.Is(err, client.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	file := d.file.File
	var err error
	if d.file.File, err = os.Open(cfg.File); err != nil {
		t.Fatal(err)
	}
	if err := d.put("1"); err == nil || text(d.shown) != "0" || d.Status().Pending {
		t.Errorf("%v; %q", err, text(d.shown))
	}
	_ = errors.Join(d.file.File.Close(), file.Close())
	if again := reopen(t, cfg); text(again.shown) != "0" {
		t.Errorf("%q", text(again.shown))
	}
}

// A file is of one document; what was sent with a client_id that is gone is neither sent again nor lost.
func TestForeignFile(t *testing.T) {
	d, cfg := keeping(t, offline(t), "0")
	if err := d.put("1"); err != nil {
		t.Fatal(err)
	}
	if q, err := (&talk{Document: d}).next(); q == nil || err != nil {
		t.Fatal(q, err)
	}
	if err := d.put("2"); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	other := cfg
	other.Document = "e"
	if _, err := Open(other); err == nil {
		t.Error("another document's file is opened")
	}
	cfg.Client = offline(t)
	again := reopen(t, cfg)
	lost := again.Refused()
	if len(lost) != 1 || lost[0].Text() != "1" || lost[0].Cause.Code != edgev1.Code_CODE_OUTCOME_UNKNOWN || text(again.shown) != "02" {
		t.Errorf("%+v; %q", lost, text(again.shown))
	}
}

// The file is written anew when it has become long, and what can be taken back is bounded.
func TestBounds(t *testing.T) {
	now := time.Unix(0, 0)
	d, cfg := keeping(t, offline(t), "0")
	d.cfg.Now = func() time.Time { now = now.Add(time.Minute); return now }
	talk := &talk{Document: d}
	for i := range historySteps + 10 {
		d.history.typed(insert(0, "x"), now.Add(time.Duration(i)*time.Minute))
	}
	if len(d.history.undo) != historySteps {
		t.Errorf("%d steps", len(d.history.undo))
	}
	d.history = history{}
	for range 40 {
		d.history.typed(insert(0, strings.Repeat("x", historyBytes/16)), d.cfg.Now())
	}
	if len(d.history.undo) > 16 || d.history.bytes > historyBytes {
		t.Errorf("%d steps of %d bytes", len(d.history.undo), d.history.bytes)
	}
	for range 40 {
		if err := d.put(strings.Repeat("x", 40_000)); err != nil {
			t.Fatal(err)
		}
	}
	if d.file.Size < 1<<20 {
		t.Errorf("%d bytes", d.file.Size)
	}
	before := text(d.shown)
	if err := talk.update(client.Update{}); err != nil {
		t.Fatal(err)
	}
	if d.file.Size > 1_700_000 || d.basis != d.file.Size {
		t.Errorf("%d bytes after it was written anew", d.file.Size)
	}
	for range maxRefused {
		if err := d.put("x"); err != nil {
			t.Fatal(err)
		}
		if err := talk.reject(&client.Error{Code: edgev1.Code_CODE_BODY_TOO_LARGE}, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.put("x"); err == nil {
		t.Error("more is typed than can be kept")
	}
	_ = d.Close()
	again := reopen(t, cfg)
	if len(again.Refused()) != maxRefused || !strings.HasPrefix(before, text(again.shown)) {
		t.Errorf("%d refused, %d code units shown", len(again.Refused()), again.shown.Len())
	}
	if err := again.Forget(1); err != nil {
		t.Fatal(err)
	}
	if err := again.put("x"); err != nil {
		t.Error(err)
	}
}

// What is typed within a second is taken back at once, and what comes later by itself.
func TestTypingIsOneStep(t *testing.T) {
	now := time.Unix(0, 0)
	d, _ := keeping(t, offline(t), "")
	d.cfg.Now = func() time.Time { return now }
	for _, ms := range []int{0, 400, 400, 400, 100} { // the fourth is beyond a second
		now = now.Add(time.Duration(ms) * time.Millisecond)
		if err := d.put("x"); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"xxx", "", ""} {
		if ok, err := d.Undo(); ok != (i < 2) || err != nil || text(d.shown) != want {
			t.Errorf("%q after undoing (%v, %v), not %q", text(d.shown), ok, err, want)
		}
	}
	for _, want := range []string{"xxx", "xxxxx"} {
		if ok, err := d.Redo(); !ok || err != nil || text(d.shown) != want {
			t.Errorf("%q after doing it again, not %q", text(d.shown), want)
		}
	}
}

// What is typed after a step was taken back is a step of its own.
func TestTypingAfterUndo(t *testing.T) {
	now := time.Unix(0, 0)
	d, _ := keeping(t, offline(t), "")
	d.cfg.Now = func() time.Time { return now }
	for _, text := range []string{"x", "y"} {
		now = now.Add(2 * time.Second)
		if err := d.put(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"x", "x"} {
		if _, err := d.Undo(); err != nil || text(d.shown) != want {
			t.Errorf("%q, %v", text(d.shown), err)
		}
		if err := d.put("z"); err != nil {
			t.Fatal(err)
		}
	}
}

// Content that was read anew and could not be written down is written before anything that was typed into it.
func TestReadAnewWithoutDisk(t *testing.T) {
	d, cfg := keeping(t, offline(t), "0")
	content, err := ot.NewDocument(insert(0, "another"), ot.Unlimited(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.File+".new", 0o700); err != nil { // where it would be written
		t.Fatal(err)
	}
	if err := (&talk{Document: d}).renew(content, &edgev1.Cursor{Epoch: 2, Offset: 9}); err == nil {
		t.Error("it is told that it was written")
	}
	if err := d.put("1"); err == nil || text(d.shown) != "another" {
		t.Errorf("%v; %q", err, text(d.shown))
	}
	if err := os.Remove(cfg.File + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := d.put("2"); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	if again := reopen(t, cfg); text(again.shown) != "another2" || again.Status().Epoch != 2 {
		t.Errorf("%q, %+v", text(again.shown), again.Status())
	}
}

// A cursor goes along with what its owner types there, and not with what others do.
func TestCursorsAndEdits(t *testing.T) {
	d, _ := keeping(t, offline(t), "hello")
	d.presence.heard("ada/s", &docsv1.Presence{Version: 1, Anchor: 2, Head: 5}, d.cfg.Now())
	expect := func(what string, anchor, head int) {
		t.Helper()
		if c := d.Cursors(); len(c) != 1 || c[0].Anchor != anchor || c[0].Head != head {
			t.Errorf("%s: %+v", what, c)
		}
	}
	expect("as told", 2, 5)
	for i, e := range []change{{actor: "ada", edit: insert(5, "!")}, {actor: "bob", edit: insert(6, "?")}, {actor: "bob", edit: remove(0, 1)}, {actor: "bob"}} {
		e.version = uint64(2 + i)
		if _, err := d.event(e); err != nil {
			t.Fatal(err)
		}
	}
	expect("after edits", 1, 5)
	d.presence.heard("ada/s", &docsv1.Presence{Version: 9, Anchor: 0, Head: 0}, d.cfg.Now())
	if c := d.Cursors(); len(c) != 0 {
		t.Errorf("a place of a version that is not known yet: %+v", c)
	}
	again, _ := keeping(t, offline(t), "hello") // of version 1
	again.presence.heard("ada/s", &docsv1.Presence{Version: 0, Anchor: 2, Head: 5}, again.cfg.Now())
	if c := again.Cursors(); len(c) != 0 {
		t.Errorf("a place of a version whose edits are not known: %+v", c)
	}
}
