package docs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// naive is a blame by code units.
type naive []mark

func (n naive) after(e event) (out naive) {
	for _, op := range e.edit.Ops() {
		switch op.Action() {
		case ot.Insert:
			for range op.Len() {
				out = append(out, mark{e.author, e.timeMs / 60_000 * 60_000})
			}
		case ot.Retain:
			out, n = append(out, n[:op.Len()]...), n[op.Len():]
		case ot.Delete:
			n = n[op.Len():]
		}
	}
	return append(out, n...)
}

func (n naive) ranges() (list []*docsv1.BlameRange) {
	for i, m := range n {
		if i == 0 || n[i-1] != m {
			list = append(list, &docsv1.BlameRange{User: m.user, TimeMs: m.minuteMs})
		}
		list[len(list)-1].Length++
	}
	return list
}

func TestBlameModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		content, err := ot.NewDocument(ot.Delta{}, ot.Unlimited(), ottest.Embeds())
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBlame(nil)
		if err != nil {
			t.Fatal(err)
		}
		var model naive
		now := int64(1_700_000_000_000)
		for i := range 20 {
			now += int64(rapid.IntRange(0, 50_000).Draw(t, "pause"))
			e := event{recentEdit: recentEdit{edit: ottest.All().Change(r, content.Delta(), 4)}, author: fmt.Sprint("u", rapid.IntRange(0, 2).Draw(t, "who")), timeMs: now}
			if err := errors.Join(content.Apply(e.edit), b.add(e)); err != nil {
				t.Fatal(err)
			}
			model = model.after(e)
			if i%5 == 0 { // as it is written down
				list, _, err := b.ranges(0, b.content.Len())
				if err != nil {
					t.Fatal(err)
				}
				if b, err = newBlame(list); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := model.ranges()
		var got []*docsv1.BlameRange
		most := rapid.IntRange(1, 10).Draw(t, "most")
		for after, more := 0, true; more; {
			var page []*docsv1.BlameRange
			if page, more, err = b.ranges(after, most); err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				after += int(r.GetLength())
			}
			got = append(got, page...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || content.Len() != len(model) {
			t.Fatalf("%v\n%v", got, want)
		}
	})
}

// blameOf reads a blame in pages of a size.
func (u *user) blameOf(document string, version uint64, size uint32) (list []*docsv1.BlameRange) {
	u.tb.Helper()
	for after := uint32(0); ; {
		r := must(u.api.Blame(u.read(), &docsv1.BlameRequest{Document: document, Version: version, After: after, Limit: size}))(u.tb)
		for _, b := range r.GetRanges() {
			after += b.GetLength()
			list = append(list, b)
		}
		if version = r.GetVersion(); !r.GetMore() {
			return list
		}
	}
}

func TestBlame(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		doc := ada.create("one three\n")
		ada.share(doc, "bob", editor)
		must(bob.submit(doc, 2, at(4, "two ")))(t)
		must(ada.submit(doc, 3, `{"ops":[{"retain":14,"attributes":{"bold":true}}]}`))(t)
		if got := fmt.Sprint(short(ada.blameOf(doc, 0, 1))); got != "[4 ada 4 bob 6 ada]" {
			t.Error(got)
		}
		if got := fmt.Sprint(short(bob.blameOf(doc, 2, 500))); got != "[10 ada]" {
			t.Error(got)
		}
		for _, r := range ada.blameOf(doc, 0, 500) {
			if at := time.UnixMilli(r.GetTimeMs()); at.Second() != 0 || time.Since(at) > 3*time.Minute {
				t.Errorf("%v", r)
			}
		}
		if empty := ada.create(""); len(ada.blameOf(empty, 0, 500)) != 0 {
			t.Error("nothing was written by somebody")
		}
	})
}

func short(list []*docsv1.BlameRange) (s []string) {
	for _, r := range list {
		s = append(s, fmt.Sprint(r.GetLength(), " ", r.GetUser()))
	}
	return s
}

// A long history is gone over call by call, and what was written down on the way is what the first event on would tell.
func TestBlameOfALongHistory(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		base, trace := ottest.Scatter(1, 500, 200)
		doc := ada.create(base)
		ada.writeTrace(doc, 1, trace.Changes)
		w.exec(`UPDATE docs_log SET time_ms = "offset" * 60000 WHERE topic = $1`, topicDocument+doc)
		p := must(w.server.past(auth.NewContext(t.Context(), must(w.verifier.Verify(t.Context(), ada.token))(t)), doc))(t)
		calls := 0
		for {
			_, err := w.server.blame(t.Context(), p, p.head, 20, 50)
			if calls++; err == nil {
				break
			}
			refused(t, "more to go over", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
			if calls > 10 {
				t.Fatal("it comes to no end")
			}
		}
		if calls != 5 {
			t.Errorf("%d calls for %d events", calls, p.head)
		}
		for _, version := range []uint64{1, 19, 20, 21, 77, p.head} {
			stored := must(w.server.blame(t.Context(), p, version, 20, 50))(t)
			anew := must(newBlame(nil))(t)
			if err := w.server.events(t.Context(), p.docKey, p.epoch, 0, version, anew.add); err != nil {
				t.Fatal(err)
			}
			one, _, _ := stored.ranges(0, 1000)
			two, _, _ := anew.ranges(0, 1000)
			if fmt.Sprint(one) != fmt.Sprint(two) || version > 1 && len(one) < 2 {
				t.Errorf("at %d: %v, anew %v", version, one, two)
			}
		}
		w.exec(`UPDATE docs_blame SET ranges = 'x' WHERE version = 20`)
		_, err := w.server.blame(t.Context(), p, 21, 20, 50)
		refused(t, "a damaged one", err, edgev1.Code_CODE_INTERNAL, "docs.DAMAGED")
	})
}
