package docs

import (
	"context"
	"net/url"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// A process loses a document and still stands in its row, and lives. The document belongs to another one by then, and goes on whoever is asked: gateways
// know of no places, and may go on asking the one that lost it, or one that has nothing to do with it.
func TestDocumentsThatWereLeft(t *testing.T) {
	for how, lose := range map[string]func(t *testing.T, home, left *world, x *session){
		"it withdrew, and came back": func(t *testing.T, home, left *world, x *session) {
			left.others.change(func() { left.others.adrift[left.self] = true; delete(left.others.adrift, home.self) })
			<-x.gone
			left.others.change(func() { delete(left.others.adrift, left.self) })
		},
		"its session broke down": func(_ *testing.T, home, left *world, x *session) {
			x.tell(func() { x.broken = true })
			<-x.gone
			left.others.change(func() { delete(left.others.adrift, home.self) })
		},
	} {
		t.Run(how, func(t *testing.T) {
			onPostgres(t, func(t *testing.T, url string) {
				ws := several(t, url, "home", "left", "other")
				home, left, other := ws[0], ws[1], ws[2]
				ada := other.person("ada")
				for name, asked := range map[string]*world{"the one that lost it": left, "another one": other} {
					var doc string
					for doc == "" || placed(doc, ws...) != home || placed(doc, left, other) != left {
						doc = ada.create("")
					}
					home.others.change(func() { home.others.adrift[home.self] = true })
					must(left.api.Submit(ada.write(), &docsv1.SubmitRequest{Document: doc, Base: 1, Delta: inserts("1")}))(t)
					lose(t, home, left, must(left.server.session(t.Context(), docKey{"w", doc}))(t))
					ctx, cancel := context.WithTimeout(ada.write(), 5*time.Second)
					defer cancel()
					if _, err := asked.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 2, Delta: inserts("2")}); err != nil {
						t.Errorf("%s is asked: %v", name, err)
						continue
					}
					if text := ada.at(home).text(doc); text != "21" {
						t.Errorf("%s is asked: %q", name, text)
					}
				}
			})
		})
	}
}

// Whoever wanted to open a document has given up waiting for its claim, which takes place all the same, when the database is there again. The document
// belongs to another process by then.
func TestClaimThatCameLate(t *testing.T) {
	onPostgres(t, func(t *testing.T, address string) {
		ws := several(t, address, "home", "other")
		home, other := ws[0], ws[1]
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		database := meshtest.StartProxy(t, u.Host)
		u.Host = database.Addr
		left := &world{tb: t, url: u.String(), key: home.key, others: home.others, self: "left~1"}
		left.start()
		ada := other.person("ada")
		var doc string
		for doc == "" || placed(doc, home, other, left) != home || placed(doc, left, other) != left {
			doc = ada.create("")
		}
		home.others.change(func() { home.others.adrift[home.self] = true })
		database.Stall(true)
		ctx, giveUp := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer giveUp()
		if _, err := left.server.claim(ctx, newSession(left.server, docKey{"w", doc})); err == nil {
			t.Fatal("the database was there")
		}
		database.Stall(false)
		eventually(t, "the claim has taken place", func() bool { return left.server.log.Waiting() == 0 })
		home.others.change(func() { delete(home.others.adrift, home.self) })
		ctx, cancel := context.WithTimeout(ada.write(), 5*time.Second)
		defer cancel()
		must(other.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: 1, Delta: inserts("1")}))(t)
	})
}

// What one session has left is given up late, when another one has the document open already: the row goes on to name this process, and whoever the document
// belongs to by then sends calls on. Or else two would answer, each by what it knows.
func TestGivenUpWhileOpen(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b")
		a, b := ws[0], ws[1]
		ada := a.person("ada")
		var doc string
		for doc == "" || placed(doc, a, b) != b {
			doc = ada.create("")
		}
		a.others.change(func() { a.others.believe[a.self] = func() []string { return []string{a.self} } }) // it has not heard of b yet
		must(ada.insistFor(doc, 1, "1", 100))(t)
		x := a.sessionOf(doc)
		x.tell(func() { x.broken = true })
		<-x.gone
		must(ada.insistFor(doc, 2, "2", 101))(t)
		must(0, a.server.disown(t.Context(), x.sessionID))(t) // found before the other one was opened
		must(ada.at(b).insistFor(doc, 3, "3", 102))(t)
		if text := ada.text(doc); text != "321" {
			t.Errorf("%q is read where it was open", text)
		}
		a.others.change(func() { delete(a.others.believe, a.self) })
		must(ada.at(b).insistFor(doc, 4, "4", 103))(t)
		if text := ada.text(doc); text != "4321" {
			t.Errorf("%q, after it was handed over", text)
		}
		eventually(t, "nothing is known to be named any more", func() bool {
			a.server.mu.Lock()
			defer a.server.mu.Unlock()
			return len(a.server.named) == 0
		})
	})
}

// placed is the process that a document belongs to, of some.
func placed(doc string, among ...*world) *world {
	var nodes []registry.Node
	for _, w := range among {
		nodes = append(nodes, registry.Node{ID: w.self})
	}
	chosen := registry.Choose(nodes, docKey{"w", doc}.route())
	for _, w := range among {
		if w.self == chosen.ID {
			return w
		}
	}
	return nil
}

// A process withdraws and comes back while something still hangs in a session that it had: another one is opened beside it, which the first one's end
// does not disturb.
func TestBesideASessionThatHangs(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := several(t, url, "a", "b")
		a, ada := ws[0], ws[0].person("ada")
		var doc string
		for doc == "" || placed(doc, ws...) != a {
			doc = ada.create("")
		}
		must(ada.submit(doc, 1, inserts("1")))(t)
		x := must(a.server.session(t.Context(), docKey{"w", doc}))(t)
		if err := x.holdVersions(t.Context()); err != nil { // nothing can be written down
			t.Fatal(err)
		}
		if err := x.do(t.Context(), func() error { x.snapshot(true); return nil }); err != nil {
			t.Fatal(err)
		}
		a.others.change(func() { a.others.adrift[a.self] = true })
		<-x.adrift
		a.others.change(func() { delete(a.others.adrift, a.self) })
		for i, text := range []string{"2", "3"} {
			ctx, cancel := context.WithTimeout(ada.write(), 5*time.Second)
			defer cancel()
			must(ada.api.Submit(ctx, &docsv1.SubmitRequest{Document: doc, Base: uint64(2 + i), Delta: inserts(text)}))(t)
			select {
			case <-x.gone:
				if text == "2" {
					t.Fatal("the first one did not hang")
				}
			default:
				x.letVersions()
				<-x.gone
			}
		}
		if text := ada.text(doc); text != "321" {
			t.Errorf("%q", text)
		}
		again := must(a.server.session(t.Context(), docKey{"w", doc}))(t)
		a.server.unnames(x.sessionID) // as if it had given up late what is another one's by now
		a.server.mu.Lock()
		defer a.server.mu.Unlock()
		if again == x || a.server.named[x.docKey] != again.number {
			t.Error("it is not known any more that the row names this process")
		}
		if open, adrift := len(a.server.open), a.server.adrift; open != 1 || adrift != 0 {
			t.Errorf("%d are open, and %d adrift", open, adrift)
		}
	})
}
