package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/client"
	"plenum.internal/client/doc"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

// writer is somebody with a document open, at one gateway, in a program that can end and begin again.
type writer struct {
	*doc.Document
	p       *person
	gateway string
	dir, id string
	stop    func(t *testing.T)
}

func (p *person) write(t *testing.T, gateway, id string) *writer {
	t.Helper()
	w := &writer{p: p, gateway: gateway, dir: t.TempDir(), id: id}
	w.begin(t)
	t.Cleanup(func() { w.stop(t) })
	return w
}

// begin starts the program.
func (w *writer) begin(t *testing.T) {
	t.Helper()
	outbox, err := client.OpenOutbox(filepath.Join(w.dir, "outbox"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Server: w.gateway, Tokens: w.p.Account, Outbox: outbox, Agent: "e2e"})
	if err != nil {
		t.Fatal(err)
	}
	if w.Document, err = doc.Open(doc.Config{Client: c, Document: w.id, File: filepath.Join(w.dir, "doc"), OnRefused: func(r doc.Refused) { t.Errorf("refused: %v", r.Cause) }}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	document := w.Document
	running.Go(func() { _ = c.Run(ctx) })
	running.Go(func() {
		if err := document.Run(ctx); err != nil {
			t.Errorf("%s: %v", w.p.Handle, err)
		}
	})
	w.stop = func(t *testing.T) {
		cancel()
		running.Wait()
		if err := document.Close(); err != nil {
			t.Error(err)
		}
		_ = outbox.Close()
	}
	select {
	case <-w.Ready():
	case <-time.After(patience):
		t.Fatalf("not connected: %+v", c.State())
	}
}

// put inserts a text somewhere.
func (w *writer) put(t *testing.T, text string) {
	t.Helper()
	err := w.Edit(func(shown *ot.Document) (ot.Delta, error) {
		at := rand.IntN(shown.Len() + 1)
		edit, err := new(ot.Builder).Retain(at, nil).Insert(text, nil).Delta()
		if err == nil && shown.Check(edit) != nil { // within a surrogate pair
			return new(ot.Builder).Retain(at+1, nil).Insert(text, nil).Delta()
		}
		return edit, err
	})
	if err != nil {
		t.Error(err)
	}
}

// documents: people at different gateways edit one document at the same time, some without a connection and in programs that end or are killed.
// All of it is there in the end, once, and everybody has the same bytes.
func documents(t *testing.T, s *shape) {
	ada, bob := s.member(t), s.member(t)
	docs := docsv1.NewDocsServiceClient(ada.Client)
	made, err := docs.CreateDocument(within(t, patience), &docsv1.CreateDocumentRequest{Title: "Notes", Content: `{"ops":[{"insert":"notes\n"}]}`})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetDocument()
	eventually(t, "docs knows "+bob.Handle, func(ctx context.Context) error {
		_, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: id, Principal: bob.ID, Role: docsv1.Role_ROLE_EDITOR})
		return err
	})
	writers := []*writer{ada.write(t, s.gateways[0], id), bob.write(t, s.gateways[len(s.gateways)-1], id)}

	// Each edit is a character of its own, of two code units.
	var all []string
	next := func() string {
		all = append(all, string(rune(0x20000+len(all))))
		return all[len(all)-1]
	}
	at := newDesk(t)
	at.ok(t, password+"\n", "--server", s.server, "login", "--workspace", "acme", "--handle", bob.Handle, "--password-stdin")
	at.ok(t, "", "doc", "append", id, next())

	const nowhere = "http://127.0.0.1:9"
	killed := at.start(t, "--server", nowhere, "doc", "append", id, "--wait", "5m", next())
	var typing sync.WaitGroup
	for _, w := range writers {
		var texts []string
		for range 50 {
			texts = append(texts, next())
		}
		typing.Go(func() {
			for i, text := range texts {
				w.put(t, text)
				if time.Sleep(10 * time.Millisecond); i == len(texts)/2 { // this program begins again, without a connection for a while
					w.stop(t)
					gateway := w.gateway
					w.gateway = nowhere
					w.begin(t)
					w.put(t, text+"\n")
					w.stop(t)
					w.gateway = gateway
					w.begin(t)
				}
			}
		})
	}
	eventually(t, "the edit is kept at the desk", func(context.Context) error {
		found, err := filepath.Glob(filepath.Join(at.home, ".config", "plenum", "default", "docs", id))
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("no file")
		}
		return err
	})
	time.Sleep(time.Second)
	_ = killed.cmd.Process.Kill()
	typing.Wait()
	at.ok(t, "", "doc", "append", id, "--wait", "1m", next())

	for _, w := range writers {
		if _, err := w.Sync(within(t, patience)); err != nil {
			t.Fatalf("%s: %v", w.p.Handle, err)
		}
	}
	content, cursor, err := doc.Read(within(t, patience), ada.Client, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if err := w.Reach(within(t, patience), cursor.GetOffset()); err != nil {
			t.Fatal(err)
		}
		shown, err := w.Content()
		if err != nil {
			t.Fatal(err)
		}
		if shown.Hash() != content.Hash() {
			t.Errorf("%s has other bytes at version %d", w.p.Handle, w.Status().Version)
		}
	}
	text := content.Delta().JSON()
	for i, one := range all {
		want := 1
		if i == 2+25 || i == 2+50+25 { // typed twice
			want = 2
		}
		if n := strings.Count(text, one); n != want {
			t.Errorf("edit %d is there %d times, not %d", i, n, want)
		}
	}
}
