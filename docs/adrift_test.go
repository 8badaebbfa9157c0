package docs

import (
	"net/url"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// A process that does not reach the database any more withdraws: what was under way there is answered by the next owner, and stands once.
func TestOwnerWithoutDatabase(t *testing.T) {
	onPostgres(t, func(t *testing.T, address string) {
		b := several(t, address, "b")[0]
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		database := meshtest.StartProxy(t, u.Host)
		u.Host = database.Addr
		a := &world{tb: t, url: u.String(), key: b.key, others: b.others, self: "a~1"}
		a.start()

		ada := a.person("ada")
		doc := ada.create("")
		for len(a.server.sessions()) == 0 { // a document that is placed at a
			doc = ada.create("")
			must(ada.submit(doc, 1, inserts("1")))(t)
		}
		database.Stall(true)
		var calls sync.WaitGroup
		began := time.Now()
		for range 3 {
			ctx := ada.write()
			calls.Go(func() {
				if _, err := ada.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("2")}); err != nil {
					t.Errorf("an edit that was under way: %v", err)
				}
			})
		}
		x, err := a.server.session(t.Context(), docKey{"w", doc})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the edits are under way", func() bool {
			n := 0
			if err := x.do(t.Context(), func() error { n = len(x.underWay); return nil }); err != nil {
				t.Fatal(err)
			}
			return n == 3
		})
		a.others.change(func() { a.others.adrift[a.self] = true })
		calls.Wait()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the edits took %v", took)
		}
		must(ada.submit(doc, 5, inserts("3")))(t)
		if text := ada.text(doc); text != "32221" {
			t.Errorf("%q", text)
		}
		database.Stall(false)
		a.others.change(func() { delete(a.others.adrift, a.self) }) // it comes back, and takes its documents back
		must(ada.submit(doc, 6, inserts("4")))(t)
		if text := ada.at(b).text(doc); text != "432221" {
			t.Errorf("%q", text)
		}
	})
}

// What has gone adrift and hangs has its memory still: it counts as open, and no other document is opened in its room.
func TestAdriftIsInTheRoom(t *testing.T) {
	w := unstarted(t, "sqlite:"+t.TempDir()+"/docs.db")
	w.others = newProcesses()
	w = w.beside("a", func(c *Config) { c.Open = 1 })
	ada := w.person("ada")
	doc, other := ada.create(""), ada.create("")
	must(ada.submit(doc, 1, inserts("1")))(t)
	x := w.sessionOf(doc)
	if err := x.holdVersions(t.Context()); err != nil { // nothing can be written down
		t.Fatal(err)
	}
	must(0, x.do(t.Context(), func() error { x.snapshot(true); return nil }))(t)
	w.others.change(func() { w.others.adrift[w.self] = true })
	<-x.adrift
	w.others.change(func() { delete(w.others.adrift, w.self) })
	_, err := ada.submit(other, 1, inserts("2"))
	refused(t, "beside what is adrift", err, edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY")
	x.letVersions()
	<-x.gone
	must(ada.submit(other, 1, inserts("2")))(t)
}
