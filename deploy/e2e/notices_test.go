package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// noticesOfDocuments: whoever is named in a comment, by a handle or as one of a group, is told so where they are, once, and who may not read the
// document isn't.
func noticesOfDocuments(t *testing.T, s *shape) {
	ada, bob, cyn, stranger := s.member(t), s.member(t), s.member(t), s.member(t)
	group := unique("g")
	made, err := s.owner.Admin.CreateGroup(within(t, patience), &identityv1.CreateGroupRequest{Handle: group, Name: "Some", Members: []string{cyn.ID, stranger.ID}})
	if err != nil {
		t.Fatal(err)
	}
	docs := docsv1.NewDocsServiceClient(ada.Client)
	begun, err := docs.CreateDocument(within(t, patience), &docsv1.CreateDocumentRequest{Title: "Notices", Content: `{"ops":[{"insert":"notes\n"}]}`})
	if err != nil {
		t.Fatal(err)
	}
	id := begun.GetDocument()
	version := uint64(0)
	for _, p := range []*person{bob, cyn} {
		eventually(t, "docs knows "+p.Handle, func(ctx context.Context) error {
			res, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: id, Principal: p.ID, Role: docsv1.Role_ROLE_COMMENTER})
			version = res.GetVersion()
			return err
		})
	}
	eventually(t, "docs knows the group", func(ctx context.Context) error {
		for _, role := range []docsv1.Role{docsv1.Role_ROLE_VIEWER, docsv1.Role_ROLE_UNSPECIFIED} {
			res, err := docs.SetRole(ctx, &docsv1.SetRoleRequest{Document: id, Principal: "group/" + made.GetGroup().GetId(), Role: role})
			if err != nil {
				return err
			}
			version = res.GetVersion()
		}
		return nil
	})
	sub, err := bob.Client.Follow(within(t, patience), "docs.user/me")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("@%s, @%s and @%s: `@%s`", bob.Handle, group, stranger.Handle, ada.Handle)
	comment, err := docs.CreateThread(within(t, patience), &docsv1.CreateThreadRequest{Document: id, Base: version, From: 0, To: 1, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	var told *docsv1.Notice
	for told == nil {
		u, err := sub.Next(within(t, patience))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range u.Events {
			var body docsv1.UserEvent
			if err := proto.Unmarshal(e.GetBody(), &body); err != nil {
				t.Fatal(err)
			}
			if told = body.GetNotice(); told != nil {
				told.Offset = e.GetOffset()
			}
		}
	}
	for _, p := range []*person{bob, cyn} {
		own := docsv1.NewDocsServiceClient(p.Client)
		list := &docsv1.ListNoticesResponse{}
		eventually(t, p.Handle+" was told", func(ctx context.Context) (err error) {
			if list, err = own.ListNotices(ctx, &docsv1.ListNoticesRequest{}); err == nil && len(list.GetNotices()) == 0 {
				err = errors.New("nothing yet")
			}
			return err
		})
		n := list.GetNotices()[0]
		if len(list.GetNotices()) != 1 || list.GetUnread() != 1 || n.GetKind() != docsv1.NoticeKind_NOTICE_KIND_MENTIONED || n.GetThread() != comment.GetThread() || n.GetActor() != ada.ID {
			t.Errorf("%s was told %v", p.Handle, list)
		}
		if p == bob && !proto.Equal(n, told) {
			t.Errorf("listed is %v, told was %v", n, told)
		}
		marked, err := own.MarkNotices(within(t, patience), &docsv1.MarkNoticesRequest{Offset: n.GetOffset()})
		if err != nil || marked.GetRead() != n.GetOffset() {
			t.Errorf("%v, %v", marked, err)
		}
	}
	for _, p := range []*person{ada, stranger} {
		list, err := docsv1.NewDocsServiceClient(p.Client).ListNotices(within(t, patience), &docsv1.ListNoticesRequest{})
		if err != nil || len(list.GetNotices()) > 0 {
			t.Errorf("%s was told %v, %v", p.Handle, list, err)
		}
	}
}
