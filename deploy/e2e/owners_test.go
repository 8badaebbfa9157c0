package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
)

const (
	// writableAgain is how long a document may stand still when its owner has died, or hangs.
	writableAgain = 5 * time.Second
	// longAway is for longer than it takes a process to withdraw, and not as long as a call may take.
	longAway = 7 * time.Second
)

// ownersOfDocuments: people edit documents while the processes that own them are killed, stopped for longer than their leases last, and
// replaced, while etcd is away, and the database for one of them or for all. No acknowledged edit is lost or done twice, and no document stands still for long.
func ownersOfDocuments(t *testing.T, s *shape) {
	w := s.writing(t, 6, 3)
	change := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for _, name := range []string{"docs-1", "docs-2"} {
		w.from()
		change("kill "+name, s.cluster.Kill(name))
		w.within(t, name+" was killed")
		change("start "+name, s.cluster.StartAgain(t.Context(), name)) // takes its documents back
		w.within(t, name+" came back")
		w.from()
		change("freeze "+name, s.cluster.Freeze(name))
		w.within(t, name+" was stopped")
		change("thaw "+name, s.cluster.Thaw(name)) // and believes that it has them
		w.within(t, name+" went on")
		w.from()
		change("stop "+name, s.cluster.Stop(name))
		w.within(t, name+" ended in order")
		change("start "+name, s.cluster.StartAgain(t.Context(), name))
	}
	w.from()
	for _, name := range []string{"etcd-1", "etcd-2", "etcd-3"} {
		change("kill "+name, s.cluster.Kill(name))
	}
	w.within(t, "etcd is away")
	change("start etcd", s.cluster.StartAgain(t.Context(), "etcd-1", "etcd-2", "etcd-3"))
	w.within(t, "etcd is back")
	for range 2 { // whoever withdraws first leaves its documents to the other one, which can't open them either
		change("freeze the database", s.cluster.Freeze("postgres"))
		time.Sleep(longAway)
		change("thaw the database", s.cluster.Thaw("postgres"))
		w.resume()
		w.within(t, "the database was away for everybody")
	}
	change("stop docs-1", s.cluster.Stop("docs-1"))
	database := s.behindProxy(t, "docs-1")
	change("start docs-1", s.cluster.StartAgain(t.Context(), "docs-1"))
	w.within(t, "docs-1 came back")
	w.from()
	database.Stall(true)
	w.within(t, "docs-1 does not reach the database")
	database.Stall(false)
	w.within(t, "docs-1 reaches it again")
	w.end(t)
}

// behindProxy has a process reach its database through a proxy, from its next start on.
func (s *shape) behindProxy(t *testing.T, name string) *meshtest.Proxy {
	t.Helper()
	address := s.cluster.IP("postgres") + ":5432"
	proxy := meshtest.StartProxy(t, address)
	file := filepath.Join(filepath.Dir(filepath.Dir(s.cluster.Log(name))), "config", name+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(address, proxy.Addr, "verify-full", "verify-ca").Replace(string(text)) // the certificate is for the address
	if changed == string(text) {
		t.Fatalf("%s does not name the database", file)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // other tests go on with the cluster, and without the proxy
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Error(err)
		}
		if err := s.cluster.Restart(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

// documentsOutliveDeaths: what was acknowledged stands in the documents once, whatever has died meanwhile.
func documentsOutliveDeaths(t *testing.T, s *shape) {
	w := s.writing(t, 2, 2)
	for _, f := range s.crash {
		time.Sleep(500 * time.Millisecond)
		f.do(t)
		time.Sleep(500 * time.Millisecond)
		f.undo(t)
	}
	time.Sleep(time.Second)
	w.end(t)
}

// writing has people write into documents, until its end.
func (s *shape) writing(t *testing.T, documents, people int) *writing {
	t.Helper()
	w := &writing{
		docs: docsv1.NewDocsServiceClient(s.owner.Client), written: map[string]map[string]bool{}, last: map[string]time.Time{}, still: map[string]time.Duration{},
	}
	for range documents {
		made, err := w.docs.CreateDocument(within(t, patience), &docsv1.CreateDocumentRequest{Title: "Shared"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.docs.SetRole(within(t, patience), &docsv1.SetRoleRequest{Document: made.GetDocument(), Principal: "*", Role: docsv1.Role_ROLE_EDITOR}); err != nil {
			t.Fatal(err)
		}
		w.ids = append(w.ids, made.GetDocument())
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	w.stop = stop
	for i := range people {
		p := s.member(t)
		for _, doc := range w.ids {
			w.people.Go(func() { w.write(ctx, t, docsv1.NewDocsServiceClient(p.Client), doc, i) })
		}
	}
	return w
}

// end stops the writers, and checks what they have written.
func (w *writing) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.people.Wait()
	for _, doc := range w.ids {
		w.check(t, w.docs, doc)
	}
}

// writing is what people write into documents, and how long these stood still.
type writing struct {
	docs   docsv1.DocsServiceClient
	ids    []string
	stop   context.CancelFunc
	people sync.WaitGroup

	mu      sync.Mutex // guards all below
	written map[string]map[string]bool
	last    map[string]time.Time     // when an edit was acknowledged
	still   map[string]time.Duration // the longest time between two
}

// write edits until ctx ends; what is under way then is finished.
func (w *writing) write(ctx context.Context, t *testing.T, docs docsv1.DocsServiceClient, doc string, who int) {
	base := uint64(2)
	for n := 0; ctx.Err() == nil; n++ {
		text := fmt.Sprintf("[%d.%d]", who, n)
		delta, _ := json.Marshal(map[string]any{"ops": []any{map[string]string{"insert": text}}})
		r, err := docs.Submit(within(t, patience), &docsv1.SubmitRequest{Document: doc, Base: base, Delta: string(delta)})
		if err != nil {
			t.Errorf("%s in %s: %v", text, doc, err)
			return
		}
		base = r.GetVersion()
		w.acknowledged(doc, text)
		time.Sleep(writePause)
	}
}

// writePause is between two edits of one person in one document. With six of them they stay below the edge's rate of writes: who is beyond it waits for
// longer and longer, and says nothing of the documents.
const writePause = 400 * time.Millisecond

func (w *writing) acknowledged(doc, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.written[doc] == nil {
		w.written[doc] = map[string]bool{}
	}
	w.written[doc][text] = true
	now := time.Now()
	if last, ok := w.last[doc]; ok {
		w.still[doc] = max(w.still[doc], now.Sub(last))
	}
	w.last[doc] = now
}

// from begins to measure.
func (w *writing) from() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.still)
}

// resume begins to measure where nobody could have written until now.
func (w *writing) resume() {
	w.from()
	w.mu.Lock()
	defer w.mu.Unlock()
	for doc := range w.last {
		w.last[doc] = time.Now()
	}
}

// within waits longer than a document may stand still, and tells which stood still longer.
func (w *writing) within(t *testing.T, what string) {
	t.Helper()
	time.Sleep(writableAgain + time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := time.Duration(0)
	for doc, last := range w.last {
		still := max(w.still[doc], time.Since(last))
		if longest = max(longest, still); still > writableAgain {
			t.Errorf("%s: %s stood still for %v", what, doc, still)
		}
	}
	t.Logf("%s: no document stood still for more than %v", what, longest.Round(time.Millisecond))
	clear(w.still)
}

var word = regexp.MustCompile(`\[\d+\.\d+\]`)

// check reads a document: what was acknowledged stands there once.
func (w *writing) check(t *testing.T, docs docsv1.DocsServiceClient, doc string) {
	t.Helper()
	var text string
	for after, version := uint32(0), uint64(0); ; {
		r, err := docs.ReadDocument(within(t, patience), &docsv1.ReadDocumentRequest{Document: doc, Version: version, After: after})
		if err != nil {
			t.Fatal(err)
		}
		var d struct{ Ops []struct{ Insert string } }
		if err := json.Unmarshal([]byte(r.GetDelta()), &d); err != nil {
			t.Fatal(err)
		}
		for _, op := range d.Ops {
			text, after = text+op.Insert, after+uint32(len(op.Insert))
		}
		if version = r.GetVersion(); !r.GetMore() {
			break
		}
	}
	seen := map[string]bool{}
	for _, x := range word.FindAllString(text, -1) {
		if seen[x] {
			t.Errorf("%s stands twice in %s", x, doc)
		}
		seen[x] = true
	}
	if rest := word.ReplaceAllString(text, ""); rest != "" {
		t.Errorf("torn: %q", rest)
	}
	for x := range w.written[doc] {
		if !seen[x] {
			t.Errorf("%s was acknowledged and is lost in %s", x, doc)
		}
	}
	t.Logf("%d edits stand in %s", len(seen), doc)
}
