package doc

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func settle(t *testing.T, desks ...*desk) {
	t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	for _, d := range desks {
		s := d.Status()
		shown, _ := d.Content()
		if s.Pending || shown.Hash() != d.g.owner.hash() {
			t.Errorf("%s has %q (%+v), the owner %q", d.user, d.text(), s, text(d.g.owner.content))
		}
	}
	for _, f := range desks[0].g.owner.faults {
		t.Error(f)
	}
}

// Four people type while connections break, answers are lost and programs die.
func TestOverABadNetwork(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			g, chance, luck := newGateway("hello\n"), rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			g.lose = func() bool { return luck.IntN(4) == 0 }
			g.owner.part = 3
			var desks []*desk
			for _, user := range []string{"ada", "bob", "eve", "dan"} {
				desks = append(desks, g.desk(t, user))
			}
			time.Sleep(time.Second)
			tokens := 0
			for range 200 {
				d := desks[chance.IntN(len(desks))]
				switch chance.IntN(20) {
				case 0:
					g.cut()
				case 1:
					d.kill()
				case 2:
					g.set(func() { g.down = !g.down })
				default:
					d.typeAt(chance.IntN(2)*len(utf16.Encode([]rune(d.text()))), string(rune('一'+tokens)))
					tokens++
				}
				time.Sleep(time.Duration(chance.IntN(300)) * time.Millisecond)
			}
			g.set(func() { g.down, g.lose = false, func() bool { return false } })
			settle(t, desks...)
			for i := range tokens {
				if n := strings.Count(text(g.owner.content), string(rune('一'+i))); n != 1 {
					t.Errorf("edit %d is there %d times", i, n)
				}
			}
			for _, d := range desks {
				if err := d.quit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// An own edit is known by its event where the answer does not come, and by its answer where the event does not.
func TestEventOrAnswer(t *testing.T) {
	for name, hold := range map[string]func(*gateway){"no answer": func(g *gateway) { g.silent = true }, "no event": func(g *gateway) { g.quiet = true }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway("hello\n")
				d := g.desk(t, "ada")
				time.Sleep(time.Second)
				g.set(func() { hold(g) })
				for i := range 3 {
					d.typeAt(0, string(rune('a'+i)))
					time.Sleep(time.Second)
					if s := d.Status(); s.Pending || s.Version != uint64(3+i) {
						t.Errorf("after edit %d: %+v", i, s)
					}
				}
				g.set(func() { g.silent, g.quiet = false, false })
				settle(t, d)
				if d.text() != "cbahello\n" || g.requests != 3 {
					t.Errorf("%q, by %d requests", d.text(), g.requests)
				}
				_ = d.quit()
			})
		})
	}
}

// What was typed without a connection, in a program that was killed, comes to the server once there is one.
func TestOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d, other := g.desk(t, "ada"), g.desk(t, "bob")
		time.Sleep(time.Second)
		g.set(func() { g.lose = func() bool { return true } }) // it arrives, and nobody hears of it
		d.typeAt(5, " world")
		time.Sleep(100 * time.Millisecond)
		g.set(func() { g.down, g.lose = true, func() bool { return false } })
		g.cut()
		d.typeAt(11, ", it is me")
		d.kill()
		if d.text() != "hello world, it is me\n" || !d.Status().Pending {
			t.Fatalf("after a restart offline: %q", d.text())
		}
		d.typeAt(0, ">")
		d.kill()
		if err := d.Edit(func(*ot.Document) (ot.Delta, error) { return remove(0, 99), nil }); err == nil {
			t.Error("an edit past the end is taken")
		}
		g.set(func() { g.down = false })
		time.Sleep(time.Minute)
		other.typeAt(0, "!")
		settle(t, d, other)
		if d.text() != "!>hello world, it is me\n" {
			t.Errorf("%q", d.text())
		}
		_ = errors.Join(d.quit(), other.quit())
	})
}

// A refused edit is taken out of what is shown, told, and kept over restarts until it is forgotten.
func TestRefusedEditsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		g.owner.mu.Lock()
		g.owner.refuse = refused(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		g.owner.mu.Unlock()
		d.typeAt(5, " world")
		_, err := d.Sync(t.Context())
		if client.CodeOf(err) != edgev1.Code_CODE_PERMISSION_DENIED {
			t.Errorf("Sync: %v", err)
		}
		if d.text() != "hello\n" || len(d.heard) != 1 || d.heard[0].Text() != " world" {
			t.Errorf("%q; %+v", d.text(), d.heard)
		}
		if last := d.changes[len(d.changes)-1]; last.Delta.Length() != 5+6 || last.Actor != "" {
			t.Errorf("the program hears %+v", last)
		}
		d.kill()
		kept := d.Refused()
		if len(kept) != 1 || kept[0].Text() != " world" || kept[0].Cause.Reason != "docs.FORBIDDEN" {
			t.Fatalf("after a restart: %+v", kept)
		}
		if err := d.Forget(kept[0].ID); err != nil {
			t.Fatal(err)
		}
		d.kill()
		if d.Status().Refused != 0 {
			t.Error("it comes back")
		}
		g.owner.mu.Lock()
		g.owner.refuse = nil
		g.owner.mu.Unlock()
		d.typeAt(0, "x")
		if version, err := d.Sync(t.Context()); err != nil || version != 3 {
			t.Errorf("version %d, %v", version, err)
		}
		_ = d.quit()
	})
}

// Who may not read the document any more keeps what they typed.
func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		g.owner.mu.Lock()
		g.owner.refuse = refused(edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		g.owner.mu.Unlock()
		d.typeAt(5, " world")
		g.set(func() { g.stop = refused(edgev1.Code_CODE_REVOKED, "docs.DOCUMENT") })
		if err := <-d.died; client.CodeOf(err) != edgev1.Code_CODE_REVOKED {
			t.Errorf("Run: %v", err)
		}
		if len(d.Refused()) != 1 || d.Status().Pending || d.text() != "hello\n" {
			t.Errorf("%+v, %q", d.Refused(), d.text())
		}
		_ = d.quit()
	})
}

// Where the log can't be followed, the document is read anew, and what is pending comes along.
func TestResets(t *testing.T) {
	for name, reset := range map[string]func(*gateway){
		"the floor rose":    func(g *gateway) { g.owner.floor = g.owner.version() },
		"a backup is there": func(g *gateway) { g.owner.rewrite(g.owner.version() - 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway("hello\n")
				d, other := g.desk(t, "ada"), g.desk(t, "bob")
				time.Sleep(time.Second)
				other.typeAt(0, "1")
				time.Sleep(time.Second)
				g.set(func() { g.down = true })
				g.cut()
				d.typeAt(6, " world")
				for range 5 {
					_, _ = g.owner.submit("eve", "c", g.owner.version(), mustSubmit(g.owner.version(), insert(0, "2")))
				}
				reset(g)
				g.set(func() { g.down = false })
				settle(t, d, other)
				if !strings.Contains(d.text(), "hello world") {
					t.Errorf("%q", d.text())
				}
				_ = errors.Join(d.quit(), other.quit())
			})
		})
	}
}

// A topic that is reset while an edit waits for its answer is read anew, whatever the answer is.
func TestResetWhileRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		g.owner.mu.Lock()
		g.owner.refuse = refused(edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE")
		g.owner.mu.Unlock()
		g.set(func() { g.silent = true })
		d.typeAt(0, "x")
		time.Sleep(time.Second)
		g.owner.mu.Lock()
		edit := insert(0, "1")
		g.owner.append("eve", 0, &docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: edit.JSON()}}}, edit)
		g.owner.floor, g.owner.refuse = g.owner.version(), nil
		g.owner.mu.Unlock()
		time.Sleep(time.Second)
		g.set(func() { g.silent = false })
		settle(t, d)
		if d.text() != "1hello\n" || len(d.heard) != 1 {
			t.Errorf("%q, refused: %+v", d.text(), d.heard)
		}
		_ = d.quit()
	})
}

// A base that the server no longer transforms from, while the log can be followed: what was typed is sent anew from the newest version.
func TestBaseTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		g.set(func() { g.down = true })
		g.cut()
		d.typeAt(5, " world")
		time.Sleep(time.Second)
		for range 5 {
			_, _ = g.owner.submit("eve", "c", g.owner.version(), mustSubmit(g.owner.version(), insert(0, "2")))
		}
		g.owner.mu.Lock()
		g.owner.refuse = refused(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD")
		g.owner.mu.Unlock()
		g.set(func() { g.down = false })
		time.Sleep(5 * time.Second)
		g.owner.mu.Lock()
		g.owner.refuse = nil
		g.owner.mu.Unlock()
		d.signal()
		settle(t, d)
		if d.text() != "22222hello world\n" {
			t.Errorf("%q", d.text())
		}
		_ = d.quit()
	})
}

// A paste that is longer than one operation may be goes in parts.
func TestLongPaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		d.typeAt(3, strings.Repeat("😀 paste\n", 150_000))
		settle(t, d)
		if g.requests < 3 || d.shown.Len() != 6+9*150_000 {
			t.Errorf("%d code units after %d requests", d.shown.Len(), g.requests)
		}
		_ = d.quit()
	})
}

// Others see where somebody is, in what they are shown, and for as long as it is told.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello world\n")
		ada, bob := g.desk(t, "ada"), g.desk(t, "bob")
		time.Sleep(time.Second)
		ada.Point(5, 5)
		time.Sleep(time.Second)
		expect := func(what string, anchor, head int) {
			t.Helper()
			synctest.Wait()
			c := bob.Cursors()
			if len(c) != 1 || c[0].User != "ada" || c[0].Anchor != anchor || c[0].Head != head {
				t.Errorf("%s: %+v", what, c)
			}
		}
		expect("at rest", 5, 5)
		g.set(func() { g.down = true })
		g.cut()
		bob.typeAt(0, "123")
		expect("after what is not sent", 8, 8)
		bob.typeAt(8, "x") // at ada's cursor: she stays before it
		expect("after somebody typed there", 8, 8)
		g.set(func() { g.down = false })
		time.Sleep(20 * time.Second)
		expect("told again", 8, 8)
		ada.typeAt(8, "mine")
		ada.Point(6, 12)
		time.Sleep(time.Second)
		expect("a selection", 6, 12)
		if !bob.Cursors()[0].Typing {
			t.Error("ada is not typing")
		}
		time.Sleep(10 * time.Second)
		if bob.Cursors()[0].Typing {
			t.Error("ada still types")
		}
		ada.Leave()
		time.Sleep(time.Second)
		if c := bob.Cursors(); len(c) != 0 {
			t.Errorf("ada has left, and is there: %+v", c)
		}
		ada.Point(1, 1)
		time.Sleep(time.Second)
		expect("back", 1, 1)
		ada.kill() // without a word
		time.Sleep(time.Minute)
		if c := bob.Cursors(); len(c) != 0 {
			t.Errorf("ada is gone, and there: %+v", c)
		}
		_ = errors.Join(ada.quit(), bob.quit())
	})
}

// A document that was never read can't be edited, and its Run goes on once there is a connection.
// An event whose body was deleted takes its place, and so does one that this program knows nothing of; what is pending stays.
func TestEventsWithoutAnEdit(t *testing.T) {
	d, cfg := keeping(t, offline(t), "hello")
	if err := d.put("!"); err != nil {
		t.Fatal(err)
	}
	comment, err := proto.Marshal(&docsv1.DocumentEvent{Actor: "ada", Event: &docsv1.DocumentEvent_CommentAdded{CommentAdded: &docsv1.CommentAdded{Thread: 2, Text: "a reply"}}})
	if err != nil {
		t.Fatal(err)
	}
	edit, err := proto.Marshal(&docsv1.DocumentEvent{Actor: "ada", Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: insert(0, "> ").JSON()}}})
	if err != nil {
		t.Fatal(err)
	}
	talk := &talk{Document: d}
	events := []*edgev1.Event{{Offset: 2, Mutation: 7}, {Offset: 3, Body: comment}, {Offset: 4, Mutation: 8, Body: edit}, {Offset: 5}}
	if err := talk.update(client.Update{Events: events}); err != nil || talk.stale {
		t.Fatal(err, talk.stale)
	}
	if s := d.Status(); s.Version != 5 || !s.Pending || text(d.shown) != "> hello!" || text(d.content) != "> hello" {
		t.Errorf("%+v, %q, %q", s, text(d.shown), text(d.content))
	}
	_ = d.Close()
	if again := reopen(t, cfg); again.Status().Version != 5 || text(again.shown) != "> hello!" {
		t.Errorf("from the file: %+v, %q", again.Status(), text(again.shown))
	}
}

func TestNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		g.down = true
		d := g.desk(t, "ada")
		if err := d.Edit(func(*ot.Document) (ot.Delta, error) { return insert(0, "x"), nil }); !errors.Is(err, ErrNotRead) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		g.set(func() { g.down = false })
		<-d.Ready()
		settle(t, d)
		_ = d.quit()
	})
}

// What is suggested changes nothing that is shown, and what is accepted is an edit like others, also of who types meanwhile.
func TestSuggestionsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway("hello\n")
		d := g.desk(t, "ada")
		time.Sleep(time.Second)
		suggested := insert(5, " world").JSON()
		tell := func(e *docsv1.DocumentEvent, edit ot.Delta) {
			g.owner.mu.Lock()
			defer g.owner.mu.Unlock()
			g.owner.append("bob", 0, e, edit)
		}
		tell(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionCreated{SuggestionCreated: &docsv1.SuggestionCreated{Delta: suggested}}}, ot.Delta{})
		tell(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionRevised{SuggestionRevised: &docsv1.SuggestionRevised{Suggestion: 3, Delta: suggested}}}, ot.Delta{})
		time.Sleep(time.Second)
		if s := d.Status(); s.Version != 4 || d.text() != "hello\n" {
			t.Errorf("%q, %+v", d.text(), s)
		}
		g.set(func() { g.down = true })
		g.cut()
		d.typeAt(0, "> ")
		tell(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_Edited{Edited: &docsv1.Edited{Delta: suggested, Suggestions: []uint64{3}, Credited: "eve"}}}, insert(5, " world"))
		tell(&docsv1.DocumentEvent{Event: &docsv1.DocumentEvent_SuggestionsClosed{SuggestionsClosed: &docsv1.SuggestionsClosed{Suggestions: []uint64{9}}}}, ot.Delta{})
		g.set(func() { g.down = false })
		settle(t, d)
		if s := d.Status(); s.Version != 7 || d.text() != "> hello world\n" {
			t.Errorf("%q, %+v", d.text(), s)
		}
		_ = d.quit()
	})
}
