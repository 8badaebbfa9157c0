package docs

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

func (u *user) restore(document string, version uint64) (*docsv1.RestoreVersionResponse, error) {
	return u.api.RestoreVersion(u.write(), &docsv1.RestoreVersionRequest{Document: document, Version: version})
}

// diff reads how two versions differ, part by part.
func (u *user) diff(document string, from, to uint64) (whole ot.Delta) {
	u.tb.Helper()
	for after := uint32(0); ; {
		r := must(u.api.DiffVersions(u.read(), &docsv1.DiffVersionsRequest{Document: document, From: from, To: to, After: after}))(u.tb)
		d, err := ot.Parse([]byte(r.GetDelta()), ot.Unlimited())
		if err != nil {
			u.tb.Fatal(err)
		}
		to, after, whole = r.GetTo(), after+uint32(d.Length()), whole.Concat(d)
		if !r.GetMore() {
			return whole
		}
	}
}

// Whatever was edited, each version comes back, and a diff makes of any version any other one.
func TestRestoreAndDiff(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("a beginning 😀\n")
		ada.share(doc, "bob", editor)
		r := rand.New(rand.NewPCG(1, 2))
		contents := map[uint64]*ot.Document{0: must(ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil))(t)}
		remember := func() uint64 {
			content, version := ada.content(doc, 0)
			contents[version] = content
			return version
		}
		head := remember()
		for range 15 {
			change := ottest.All().Change(r, contents[head].Delta(), 3)
			if _, err := bob.submit(doc, head, change.JSON()); err != nil {
				continue // it changes an embed
			}
			head = remember()
		}
		for version, content := range contents {
			if version == 0 {
				continue
			}
			res := must(ada.restore(doc, version))(t)
			if got, at := ada.content(doc, 0); got.Hash() != content.Hash() || res.GetVersion() != 0 && res.GetVersion() != at {
				t.Fatalf("%d came back as %v: %v", version, got.Delta(), content.Delta())
			}
		}
		for from, old := range contents {
			for to, now := range contents {
				if to == 0 {
					continue
				}
				content := old.Clone()
				if err := content.Apply(ada.diff(doc, from, to)); err != nil || content.Hash() != now.Hash() {
					t.Fatalf("from %d to %d: %v, %v", from, to, content.Delta(), err)
				}
			}
		}
	})
}

// What others type while a version comes back stays; a retry restores nothing; the event says what came back.
func TestRestoreAmongOthers(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one two three\n")
		ada.share(doc, "bob", editor)
		d := newDevice(bob, doc, 1)
		must(ada.submit(doc, 2, `{"ops":[{"retain":4},{"delete":4}]}`))(t)
		must(ada.restore(doc, 2))(t)
		key := ada.again()
		for range 3 {
			d.edit()
			d.send()
			d.wait()
			d.pull()
		}
		content, head := ada.content(doc, 0)
		if d.content.Hash() != content.Hash() {
			t.Error("who typed meanwhile has another content")
		}
		w.closeNow(doc)
		if r := must(ada.api.RestoreVersion(key, &docsv1.RestoreVersionRequest{Document: doc, Version: 2}))(t); r.GetVersion() != 4 {
			t.Errorf("a retry: %v", r)
		}
		if again, version := ada.content(doc, 0); version != head || again.Hash() != content.Hash() {
			t.Errorf("a retry restored again: %d", version)
		}
		// What is already as it was is left alone.
		must(ada.restore(doc, head))(t)
		if _, version := ada.content(doc, 0); version != head {
			t.Errorf("%d, not %d", version, head)
		}
		// Before it came back, what it was is on the list.
		must(ada.restore(doc, 2))(t)
		eventually(t, "the version before", func() bool {
			list := ada.versions(doc, 10, false)
			return len(list) > 0 && list[0].GetVersion() >= head
		})
	})
}

// A content of several megabytes comes back in several edits, of which no other ones stand between.
func TestRestoreMuch(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("")
	text := strings.Repeat("语言😀", 75_000)
	for i := range uint64(3) {
		must(ada.submit(doc, 1+i, inserts(text)))(t)
	}
	whole, _ := ada.content(doc, 4)
	must(ada.submit(doc, 4, `{"ops":[{"delete":900000}]}`))(t)
	must(ada.submit(doc, 5, inserts("a few words")))(t)
	res := must(ada.restore(doc, 4))(t)
	got, version := ada.content(doc, 0)
	if got.Hash() != whole.Hash() || version != res.GetVersion() || version < 8 {
		t.Errorf("%d code units at %d, restored at %d", got.Len(), version, res.GetVersion())
	}
	content := must(ot.NewDocument(ot.Delta{}, ot.Unlimited(), nil))(t)
	if err := content.Apply(ada.diff(doc, 0, version)); err != nil || content.Hash() != whole.Hash() {
		t.Errorf("a diff of several parts: %v", err)
	}
}

func TestDivided(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		base := ottest.All().Document(r, 8)
		to := ottest.All().Document(r, 8)
		delta, err := base.Diff(to, 0)
		if err != nil {
			t.Fatal(err)
		}
		most := rapid.IntRange(1, 400).Draw(t, "most")
		parts, err := divided(delta, most)
		if err != nil {
			t.Fatal(err)
		}
		content, err := ot.NewDocument(base, ot.Unlimited(), nil)
		if err != nil {
			t.Fatal(err)
		}
		longest := max(base.Length(), to.Length())
		for _, part := range parts {
			if err := content.Apply(part); err != nil {
				t.Fatal(err)
			}
			if part.Count() > 3 && len(part.JSON()) > 2*most+64 {
				t.Fatalf("%d bytes: %v", len(part.JSON()), part)
			}
			if content.Len() > longest {
				t.Fatalf("%d on the way, from %d to %d", content.Len(), base.Length(), to.Length())
			}
		}
		if !content.Delta().Equal(to.Normal()) {
			t.Fatalf("%v\n%v", content.Delta(), to)
		}
	})
}
