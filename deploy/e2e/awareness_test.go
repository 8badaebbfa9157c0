package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/docs/ot"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// seenInDoc is what somebody is told of who is in a document.
type seenInDoc struct {
	sub     *client.Subscription
	entries map[string]*docsv1.Awareness
}

// until waits for updates until it is as it is to be.
func (d *seenInDoc) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for ctx := within(t, patience); !ok(); {
		u, err := d.sub.Next(ctx)
		if err != nil {
			t.Fatalf("%s: %v, after %v", what, err, d.entries)
		}
		if u.View.GetSnapshot() {
			clear(d.entries)
		}
		for _, e := range u.View.GetEntries() {
			m := &docsv1.Awareness{}
			if err := proto.Unmarshal(e.GetBody(), m); err != nil {
				t.Fatal(err)
			}
			if d.entries[e.GetKey()] = m; e.GetRemoved() {
				delete(d.entries, e.GetKey())
			}
		}
	}
}

func (d *seenInDoc) of(p *person) *docsv1.Participant { return d.entries[p.ID].GetParticipant() }

// whoIsInADocument: who may read a document sees who is in it, at whatever gateway, where they are, and where they are in each other's way; no longer than they
// may read it. Who hides leaves it as who closes it.
func whoIsInADocument(t *testing.T, s *shape) {
	ada, bob, cyn, stranger := s.member(t), s.member(t), s.member(t), s.member(t)
	docs := docsv1.NewDocsServiceClient(ada.Client)
	made, err := docs.CreateDocument(within(t, patience), &docsv1.CreateDocumentRequest{Title: "Together", Content: `{"ops":[{"insert":"one\ntwo\nthree\nfour\n"}]}`})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetDocument()
	share := func(p *person, role docsv1.Role) {
		t.Helper()
		eventually(t, "docs knows "+p.Handle, func(ctx context.Context) error {
			_, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: id, Principal: p.ID, Role: role})
			return err
		})
	}
	share(bob, docsv1.Role_ROLE_EDITOR)
	share(cyn, docsv1.Role_ROLE_VIEWER)
	denied, err := stranger.Client.Follow(within(t, patience), "docs.awareness/"+id)
	if err == nil {
		_, err = denied.Next(within(t, patience))
	}
	if client.CodeOf(err) != edgev1.Code_CODE_NOT_FOUND {
		t.Errorf("a stranger looks: %v", err)
	}
	sub, err := cyn.Client.Follow(within(t, patience), "docs.awareness/"+id)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	see := &seenInDoc{sub, map[string]*docsv1.Awareness{}}
	see.until(t, "a first update", func() bool { return see.entries["#"] != nil })

	writers := []*writer{ada.write(t, s.gateways[0], id), bob.write(t, s.gateways[len(s.gateways)-1], id)}
	for i, w := range writers {
		w.Point(0, 2+i)
	}
	see.until(t, "both are there", func() bool { return see.of(ada).GetHead() == 2 && see.of(bob).GetHead() == 3 })
	for i, w := range writers {
		err := w.Edit(func(*ot.Document) (ot.Delta, error) { return new(ot.Builder).Retain(8, nil).Insert("…", nil).Delta() })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Sync(within(t, patience)); err != nil {
			t.Fatal(err)
		}
		w.Point(9+i, 9+i)
	}
	see.until(t, "they are in each other's way", func() bool {
		return slices.Equal(see.entries["!1"].GetConflict().GetUsers(), slices.Sorted(slices.Values([]string{ada.ID, bob.ID}))) && see.entries["!1"].GetConflict().GetSeverity() == docsv1.Severity_SEVERITY_HIGH
	})
	if o := see.entries["#"].GetOverview(); o.GetPeople() != 2 || o.GetActive() != 2 || o.Score != nil || see.of(ada).GetStyle() != 0 || see.of(ada).GetEditingS() == 0 {
		t.Errorf("%v", see.entries)
	}
	at := newDesk(t)
	at.ok(t, password+"\n", "--server", s.server, "login", "--workspace", "acme", "--handle", bob.Handle, "--password-stdin")
	if out := at.ok(t, "", "--json", "doc", "who", id); !strings.Contains(out, ada.ID) || !strings.Contains(out, `"people":2`) {
		t.Errorf("doc who: %s", out)
	}
	writers[1].Leave()
	see.until(t, "bob has left", func() bool { return see.of(bob) == nil && see.of(ada) != nil })
	begun := time.Now()
	if _, err := presencev1.NewPresenceServiceClient(ada.Client).SetStatus(within(t, patience), &presencev1.SetStatusRequest{User: ada.ID, State: presencev1.State_STATE_INVISIBLE}); err != nil {
		t.Fatal(err)
	}
	see.until(t, "ada hides", func() bool { return see.of(ada) == nil })
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("who hides leaves a document after %v", took)
	}
	share(cyn, docsv1.Role_ROLE_UNSPECIFIED)
	for err == nil {
		_, err = sub.Next(within(t, patience))
	}
	if client.CodeOf(err) != edgev1.Code_CODE_REVOKED {
		t.Errorf("%s may not read it any more: %v", cyn.Handle, err)
	}
}
