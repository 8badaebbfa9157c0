package docs

import (
	"testing"

	"plenum.internal/docs/ot"
	"plenum.internal/docs/ot/ottest"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// writeTrace has the session of a document edit as a trace says, from a version on, in groups that are committed together.
func (u *user) writeTrace(document string, base uint64, changes []ot.Delta) {
	u.tb.Helper()
	x := must(u.server.session(u.tb.Context(), docKey{u.workspace, document}))(u.tb)
	c := must(u.verifier.Verify(u.tb.Context(), u.token))(u.tb)
	for len(changes) > 0 {
		n := min(len(changes), DefaultConfig().UnderWay/shares)
		var last *edit
		err := x.do(u.tb.Context(), func() error {
			for _, change := range changes[:n] {
				u.seq++
				last = &edit{caller: c, key: topic.Key{User: u.id, ClientID: u.client, Seq: u.seq}, request: &docsv1.SubmitRequest{Document: document}, base: base, delta: change}
				if err := x.edit(last); err != nil {
					return err
				}
				base++
			}
			return nil
		})
		if err == nil {
			err = x.outcome(u.tb.Context(), last.amendment, func(uint64) {})
		}
		if err != nil {
			u.tb.Fatal(err)
		}
		changes = changes[n:]
	}
}

// BenchmarkHistory looks at the past of a document of 100,000 edits, of one who writes, and at random places of a long text.
func BenchmarkHistory(b *testing.B) {
	const edits = 100_000
	typed := ottest.Write(1, edits)
	base, scattered := ottest.Scatter(2, 500_000, edits)
	for name, c := range map[string]struct {
		base  string
		trace ottest.Trace
	}{"typed": {"", typed}, "scattered": {base, scattered}} {
		w := newWorld(b, meshtest.SQLite(b))
		ada := w.person("ada")
		doc := ada.create(c.base)
		ada.writeTrace(doc, 1, c.trace.Changes)
		p := must(w.server.past(auth.NewContext(b.Context(), must(w.verifier.Verify(b.Context(), ada.token))(b)), doc))(b)
		run := func(what string, f func() error) {
			b.Run(name+"/"+what, func(b *testing.B) {
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		blame := func() error {
			got, err := w.server.blame(b.Context(), p, p.head, blameEvery, blameMost)
			if err == nil {
				_, _, err = got.ranges(0, MaxRanges)
			}
			return err
		}
		run("blame from the beginning", func() error {
			w.exec(`DELETE FROM docs_blame`)
			return blame()
		})
		run("blame", blame)
		for what, from := range map[string]uint64{"nothing": 0, "the first half": p.head / 2, "1,000 edits before": p.head - 1000} {
			run("diff from "+what, func() error { return second(w.server.diff(b.Context(), p, from, p.head)) })
		}
		w.stop()
	}
}
