package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	"plenum.internal/docs/ot"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// onlooker follows a document and keeps what comes.
type onlooker struct {
	p    *person
	done chan struct{} // closed when nothing more comes

	mu     sync.Mutex // guards what follows
	events []*edgev1.Event
	last   error
}

func (p *person) watch(t *testing.T, document string) *onlooker {
	t.Helper()
	read, err := docsv1.NewDocsServiceClient(p.Client).ReadDocument(within(t, patience), &docsv1.ReadDocumentRequest{Document: document})
	if err != nil {
		t.Fatalf("%s: %v", p.Handle, err)
	}
	sub, err := p.Client.Follow(within(t, patience), "docs.document/"+document, client.From(&edgev1.Cursor{Epoch: read.GetEpoch(), Offset: read.GetVersion()}))
	if err != nil {
		t.Fatal(err)
	}
	o := &onlooker{p: p, done: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(o.done)
		for {
			u, err := sub.Next(ctx)
			o.mu.Lock()
			o.events = append(o.events, u.Events...)
			if err == nil && u.Reset != nil {
				err = u.Reset.Cause
			}
			o.last = err
			o.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); <-o.done })
	return o
}

// seen is the version up to which they were shown the document; holes fail the test.
func (o *onlooker) seen(t *testing.T) (upto uint64) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range o.events {
		if i > 0 && e.GetOffset() != upto+1 {
			t.Errorf("%s: %d comes behind %d", o.p.Handle, e.GetOffset(), upto)
		}
		upto = e.GetOffset()
	}
	return upto
}

func (o *onlooker) sees(t *testing.T, version uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s sees version %d", o.p.Handle, version), func(context.Context) error {
		if upto := o.seen(t); upto < version {
			return fmt.Errorf("is at %d", upto)
		}
		return nil
	})
}

// ends waits until nothing more comes, and checks that the last that came is what took the access: not more, and not less.
func (o *onlooker) ends(t *testing.T, why string, at uint64) {
	t.Helper()
	select {
	case <-o.done:
	case <-time.After(patience):
		t.Fatalf("%s: %s still follows", why, o.p.Handle)
	}
	if upto := o.seen(t); upto != at {
		t.Errorf("%s: %s saw up to %d, and lost it at %d", why, o.p.Handle, upto, at)
	}
	if c := check.Code(o.last); c != edgev1.Code_CODE_REVOKED && c != edgev1.Code_CODE_NOT_FOUND {
		t.Errorf("%s: %s was told %v", why, o.p.Handle, o.last)
	}
}

// told waits for an event that tells of access, behind a version.
func (o *onlooker) told(t *testing.T, why string, behind uint64) (at uint64) {
	t.Helper()
	eventually(t, "it is told: "+why, func(context.Context) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, e := range o.events {
			var d docsv1.DocumentEvent
			if err := proto.Unmarshal(e.GetBody(), &d); err == nil && e.GetOffset() > behind && d.GetAccessChanged() != nil {
				at = e.GetOffset()
				return nil
			}
		}
		return fmt.Errorf("%d events", len(o.events))
	})
	return at
}

// accessToDocuments: whoever loses access by leaving a channel or a group, by a link that doesn't count any more, or by its time is over, is shown
// nothing behind the event that tells it, while others who have lost one way of several go on without a hole.
func accessToDocuments(t *testing.T, s *shape) {
	ada, byChannel, byBoth, byLink, soon := s.member(t), s.member(t), s.member(t), s.member(t), s.member(t)
	guest := s.join(t, identityv1.Role_ROLE_GUEST)
	channel := s.channel(t, private, ada, byChannel, byBoth)
	made, err := s.owner.Admin.CreateGroup(within(t, patience), &identityv1.CreateGroupRequest{Handle: unique("g"), Name: "Guests", Members: []string{guest.ID}})
	if err != nil {
		t.Fatal(err)
	}
	group := made.GetGroup().GetId()
	allow := func(links bool) {
		if _, err := s.owner.Admin.UpdateWorkspace(within(t, patience), &identityv1.UpdateWorkspaceRequest{DocumentLinks: &links}); err != nil {
			t.Fatal(err)
		}
	}
	allow(true)
	docs := docsv1.NewDocsServiceClient(ada.Client)
	begun, err := docs.CreateDocument(within(t, patience), &docsv1.CreateDocumentRequest{Title: "Access"})
	if err != nil {
		t.Fatal(err)
	}
	id := begun.GetDocument()
	for principal, role := range map[string]docsv1.Role{
		"channel/" + channel: docsv1.Role_ROLE_EDITOR, "group/" + group: docsv1.Role_ROLE_COMMENTER, byBoth.ID: docsv1.Role_ROLE_VIEWER, soon.ID: docsv1.Role_ROLE_VIEWER,
	} {
		q := &docsv1.SetRoleRequest{Document: id, Principal: principal, Role: role}
		eventually(t, "docs knows "+principal, func(ctx context.Context) error { _, err := docs.SetRole(ctx, q); return err })
	}
	var link *docsv1.CreateLinkResponse
	eventually(t, "docs knows that links are allowed", func(ctx context.Context) (err error) {
		link, err = docs.CreateLink(ctx, &docsv1.CreateLinkRequest{Document: id, Role: docsv1.Role_ROLE_VIEWER, ExpiresMs: time.Now().Add(time.Hour).UnixMilli()})
		return err
	})
	if _, err := docsv1.NewDocsServiceClient(byLink.Client).OpenLink(within(t, patience), &docsv1.OpenLinkRequest{Document: id, Secret: link.GetSecret()}); err != nil {
		t.Fatal(err)
	}
	owner, both := ada.watch(t, id), byBoth.watch(t, id)
	leaver, linked, expires, visitor := byChannel.watch(t, id), byLink.watch(t, id), soon.watch(t, id), guest.watch(t, id)

	ctx, stop := context.WithCancel(t.Context())
	var typing sync.WaitGroup
	typing.Go(func() { // a stream of edits around each loss
		for base := begun.GetVersion(); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			edit, err := new(ot.Builder).Insert("x", nil).Delta()
			if err != nil {
				t.Error(err)
				return
			}
			res, err := docs.Submit(ctx, &docsv1.SubmitRequest{Document: id, Base: base, Delta: edit.JSON()})
			if err == nil {
				base = res.GetVersion()
			} else if ctx.Err() == nil {
				t.Errorf("an edit of the owner's: %v", err)
				return
			}
		}
	})
	lose := func(why string, who *onlooker, how func()) {
		t.Helper()
		who.sees(t, owner.seen(t))
		before := owner.seen(t)
		how()
		at := owner.told(t, why, before)
		owner.sees(t, at+20)
		who.ends(t, why, at)
		_, err := docsv1.NewDocsServiceClient(who.p.Client).GetDocument(within(t, patience), &docsv1.GetDocumentRequest{Document: id})
		expectNotFound(t, why, err)
		both.sees(t, at+20)
	}
	lose("left the channel", leaver, func() {
		for _, p := range []*person{byChannel, byBoth} {
			if _, err := s.owner.Chat.RemoveMember(within(t, patience), &chatv1.RemoveMemberRequest{Channel: channel, User: p.ID}); err != nil {
				t.Fatal(err)
			}
		}
	})
	lose("left the group", visitor, func() {
		if _, err := s.owner.Admin.ChangeGroupMembers(within(t, patience), &identityv1.ChangeGroupMembersRequest{GroupId: group, Remove: []string{guest.ID}}); err != nil {
			t.Fatal(err)
		}
	})
	lose("links aren't allowed", linked, func() { allow(false) })
	lose("the time is over", expires, func() {
		q := &docsv1.SetRoleRequest{Document: id, Principal: soon.ID, Role: docsv1.Role_ROLE_VIEWER, ExpiresMs: time.Now().Add(2 * time.Second).UnixMilli()}
		if _, err := docs.SetRole(within(t, patience), q); err != nil {
			t.Fatal(err)
		}
	})
	stop()
	typing.Wait()
	select {
	case <-both.done:
		t.Errorf("who keeps access by another grant was ended: %v", both.last)
	default:
	}

	// Everybody is no guest: who becomes one is let go by their token, which identity revokes.
	if _, err := docs.SetRole(within(t, patience), &docsv1.SetRoleRequest{Document: id, Principal: "*", Role: docsv1.Role_ROLE_VIEWER}); err != nil {
		t.Fatal(err)
	}
	demoted := byChannel.watch(t, id)
	if _, err := s.owner.Admin.ChangeRole(within(t, patience), &identityv1.ChangeRoleRequest{UserId: byChannel.ID, Role: identityv1.Role_ROLE_GUEST}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-demoted.done:
	case <-time.After(patience):
		t.Error("a guest still follows what everybody may read")
	}
	if c := check.Code(demoted.last); c != edgev1.Code_CODE_REVOKED && c != edgev1.Code_CODE_NOT_FOUND {
		t.Errorf("a guest was told %v", demoted.last)
	}
}
