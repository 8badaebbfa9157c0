package docs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const none = docsv1.Role_ROLE_UNSPECIFIED

// role is what somebody may do in a document: all ways to it must say the same.
func (u *user) role(document string) docsv1.Role {
	u.tb.Helper()
	cover, err := u.api.GetDocument(u.read(), &docsv1.GetDocumentRequest{Document: document})
	role := cover.GetDocument().GetRole()
	say := func(what string, err error, need docsv1.Role) {
		u.tb.Helper()
		code, reason := edgev1.Code(0), ""
		switch {
		case role < viewer:
			code, reason = edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT"
		case role < need:
			code, reason = edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"
		}
		refused(u.tb, fmt.Sprintf("%s of %s, who is %v", what, u.id, role), err, code, reason)
	}
	say("GetDocument", err, viewer)
	listed := none
	for _, d := range must(u.api.ListDocuments(u.read(), &docsv1.ListDocumentsRequest{}))(u.tb).GetDocuments() {
		if d.GetId() == document {
			listed = d.GetRole()
		}
	}
	if listed != role {
		u.tb.Errorf("%s is %v, and the list says %v", u.id, role, listed)
	}
	if may := u.opens(document).GetError() == nil; may != (role >= viewer) {
		u.tb.Errorf("%s is %v, and may follow it: %v", u.id, role, may)
	}
	read, err := u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: document})
	say("ReadDocument", err, viewer)
	_, err = u.comment(document, read.GetVersion(), 0, 1, "!")
	say("CreateThread", err, commenter)
	_, err = u.submit(document, read.GetVersion(), inserts("x"))
	say("Submit", err, editor)
	_, err = u.api.ListThreads(u.read(), &docsv1.ListThreadsRequest{Document: document})
	say("ListThreads", err, viewer)
	return role
}

// opens asks for the document's topic as a gateway does.
func (u *user) opens(document string) *topicv1.Grant {
	u.tb.Helper()
	return must(u.topics.Open(u.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topicDocument + document}}}))(u.tb).GetGrants()[0]
}

// becomes waits until somebody has a role, as what followers and jobs bring about comes later.
func (u *user) becomes(document string, role docsv1.Role) {
	u.tb.Helper()
	eventually(u.tb, fmt.Sprintf("%s becomes %v", u.id, role), func() bool {
		cover, _ := u.api.GetDocument(u.read(), &docsv1.GetDocumentRequest{Document: document})
		return cover.GetDocument().GetRole() == role
	})
	eventually(u.tb, fmt.Sprintf("%s becomes %v in the session", u.id, role), func() bool {
		_, err := u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: document})
		return (err == nil) == (role >= viewer)
	})
	if got := u.role(document); got != role {
		u.tb.Errorf("%s is %v, want %v", u.id, got, role)
	}
}

func (u *user) is(document string, role docsv1.Role) {
	u.tb.Helper()
	if got := u.role(document); got != role {
		u.tb.Errorf("%s is %v, want %v", u.id, got, role)
	}
}

// event is an event of a document's log.
type logged struct {
	version uint64
	actor   string
	body    *docsv1.DocumentEvent
	access  []*topicv1.Access
}

// log is what a document's log holds behind a version.
func (w *world) log(document string, behind uint64) (list []logged) {
	w.tb.Helper()
	epoch := must(w.server.log.States(context.WithoutCancel(w.tb.Context()), "w", topicDocument+document))(w.tb)[0].Epoch
	stream, err := w.topics.Tail(context.WithoutCancel(w.tb.Context()), &topicv1.TailRequest{Workspace: "w", Topic: topicDocument + document, After: &edgev1.Cursor{Epoch: epoch, Offset: behind}, MaxBytes: 32 << 20})
	if err != nil {
		w.tb.Fatal(err)
	}
	for {
		r, err := stream.Recv()
		if err == io.EOF { //nolint:errorlint // as gRPC says it
			return list
		}
		if err != nil || r.GetReset_() != nil {
			w.tb.Fatal(err, r.GetReset_())
		}
		for _, rec := range r.GetRecords() {
			e := logged{version: rec.GetEvent().GetOffset(), body: &docsv1.DocumentEvent{}, access: rec.GetAccess()}
			if err := proto.Unmarshal(rec.GetEvent().GetBody(), e.body); err != nil {
				w.tb.Fatal(err)
			}
			e.actor = e.body.GetActor()
			list = append(list, e)
		}
	}
}

// accessChanged waits for the first event behind a version that tells that access changed.
func (w *world) accessChanged(document string, behind uint64) (found logged) {
	w.tb.Helper()
	eventually(w.tb, "it is told that access changed", func() bool {
		for _, e := range w.log(document, behind) {
			if e.body.GetAccessChanged() != nil {
				found = e
				return true
			}
		}
		return false
	})
	if len(found.access) != 1 || found.access[0].GetPrincipal() != everybody || found.access[0].GetRead() {
		w.tb.Errorf("everybody is to be asked anew, not %v", found.access)
	}
	return found
}

// Each kind of principal gives its role to those whom it means, at once where docs is told itself; the best one counts.
func TestPrincipals(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "dan", "eve")
		ada, bob, cyn, dan, eve := u[0], u[1], u[2], u[3], u[4]
		gus := w.meets(auth.KindGuest, "gus")[0]
		other := w.somebody("v", "bob", auth.KindPerson, mayCreate)
		w.group("team", "bob", "gus")
		w.channel("general", "ada", "cyn", "gus", "bob")
		w.channel("secret", "cyn")
		w.settle()
		doc := ada.create("A text\n")
		for _, p := range []*user{bob, cyn, dan, eve, gus, other} {
			p.is(doc, none)
		}
		ada.share(doc, "channel/general", viewer)
		ada.share(doc, "group/team", commenter)
		ada.share(doc, "dan", editor)
		for _, c := range []struct {
			*user
			role docsv1.Role
		}{{ada, owner}, {bob, commenter}, {cyn, viewer}, {dan, editor}, {eve, none}, {gus, commenter}, {other, none}} {
			c.is(doc, c.role)
		}
		ada.share(doc, everybody, editor)
		for _, c := range []struct {
			*user
			role docsv1.Role
		}{{bob, editor}, {cyn, editor}, {eve, editor}, {gus, commenter}, {other, none}} {
			c.is(doc, c.role)
		}
		ada.share(doc, everybody, none)
		ada.share(doc, "group/team", none)
		w.closeNow(doc) // as it is read from what is stored, too
		for _, c := range []struct {
			*user
			role docsv1.Role
		}{{ada, owner}, {bob, viewer}, {cyn, viewer}, {dan, editor}, {eve, none}, {gus, viewer}, {other, none}} {
			c.is(doc, c.role)
		}
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: true}))(t)
		for _, p := range []*user{bob, dan, gus} {
			p.is(doc, none)
		}
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc}))(t)
		gus.is(doc, viewer)

		var list []string
		for _, g := range must(cyn.api.ListRoles(cyn.read(), &docsv1.ListRolesRequest{Document: doc}))(t).GetGrants() {
			list = append(list, fmt.Sprint(g.GetPrincipal(), " ", g.GetRole()))
		}
		want(t, "the list", strings.Join(list, ", "), "ada ROLE_OWNER, channel/general ROLE_VIEWER, dan ROLE_EDITOR")
	})
}

// Who comes to a group or channel has its documents, and who leaves hasn't any more: lists and covers at once, sessions within a second, those who
// follow it at an event.
func TestMembershipsMove(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		w.group("team")
		w.channel("general", "ada")
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "channel/general", editor)
		ada.share(doc, "group/team", commenter)
		bob.is(doc, none)
		w.joins("general", "bob")
		w.regroup("team", []string{"cyn"}, nil)
		w.settle()
		bob.becomes(doc, editor)
		cyn.becomes(doc, commenter)

		at := ada.head(doc)
		w.leaves("general", "bob")
		w.settle()
		if e := w.accessChanged(doc, at); e.actor != "" || len(e.body.GetAccessChanged().GetExpired()) > 0 {
			t.Errorf("%v", e.body)
		}
		bob.is(doc, none) // behind the event nothing is remembered
		cyn.is(doc, commenter)
		at = ada.head(doc)
		w.tells("w", groupDeleted("team"))
		w.settle()
		w.accessChanged(doc, at)
		cyn.is(doc, none)

		// What can't have changed anybody's access is not told.
		at = ada.head(doc)
		w.joins("general", "cyn")
		w.says("general", "hello")
		w.channel("other", "ada", "bob")
		w.leaves("other", "bob")
		w.settle()
		w.idleJobs()
		if more := w.log(doc, at); len(more) > 0 {
			t.Errorf("told for nothing: %v", more)
		}
		cyn.becomes(doc, editor)
	})
}

// idleJobs waits until no job is due any more.
func (w *world) idleJobs() {
	w.tb.Helper()
	eventually(w.tb, "nothing is due", func() bool {
		n := 0
		if err := w.db.QueryRow(context.WithoutCancel(w.tb.Context()), `SELECT count(*) FROM docs_job WHERE due_ms <= $1`, time.Now().UnixMilli()).Scan(&n); err != nil {
			w.tb.Fatal(err)
		}
		return n == 0
	})
}

// An owner shares with whom they may name. Who may not is told so in the same words whether there is such a one.
func TestSharing(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "gone")
		ada, bob := u[0], u[1]
		w.tells("w", deactivated("gone", 2))
		w.group("team", "bob")
		w.channel("general", "ada")
		w.channel("secret", "bob")
		w.settle()
		doc := ada.create("A text\n")
		future := time.Now().Add(time.Hour).UnixMilli()
		set := func(principal string, role docsv1.Role, expires int64) error {
			_, err := ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: principal, Role: role, ExpiresMs: expires})
			return err
		}
		texts := map[string]bool{}
		for _, principal := range []string{"nobody", "gone", "group/none", "channel/none", "channel/secret"} {
			err := set(principal, viewer, 0)
			refused(t, principal, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
			texts[rpc.FromError(err).String()] = true
		}
		if len(texts) != 1 {
			t.Errorf("they are told apart: %v", texts)
		}
		for _, principal := range []string{"", "group/", "group/a/b", "team/x", "channel/**", "link/x", "a b"} {
			refused(t, principal, set(principal, viewer, 0), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
		for what, err := range map[string]error{
			"a group that owns":     set("group/team", owner, 0),
			"everybody owns":        set(everybody, owner, 0),
			"an owner for a time":   set("bob", owner, future),
			"expired":               set("bob", viewer, time.Now().UnixMilli()-1),
			"in eleven years":       set("bob", viewer, time.Now().Add(11*365*24*time.Hour).UnixMilli()),
			"nothing, up to a time": set("bob", none, future),
			"no role":               set("bob", 17, 0),
			"negative":              set("bob", viewer, -5),
		} {
			refused(t, what, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
		for _, principal := range []string{"bob", "group/team", "channel/general", everybody} {
			if err := set(principal, viewer, future); err != nil {
				t.Errorf("%s: %v", principal, err)
			}
		}
		// Who is no owner does not learn whom they could name.
		_, err := bob.api.SetRole(bob.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "channel/none", Role: viewer})
		refused(t, "a viewer", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		// What is on the list can be changed by an owner who is no member of it.
		w.leaves("general", "ada")
		w.settle()
		if err := set("channel/general", editor, 0); err != nil {
			t.Error(err)
		}
		if err := set("channel/general", none, 0); err != nil {
			t.Error(err)
		}
		refused(t, "named anew", set("channel/general", viewer, 0), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		refused(t, "the last owner", set("ada", editor, 0), edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LAST_OWNER")
	})
}

// Owners who were deactivated are none to rely on: the last one who is active stays, and where none is left, who has docs.manage appoints one.
func TestAbandonedDocuments(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "mia")
		ada, cyn, mia := u[0], u[2], w.admin("mia")
		gus := w.somebody("w", "gus", auth.KindGuest, mayManage)
		other := w.somebody("v", "mia", auth.KindPerson, mayManage)
		w.settle()
		const failed, absent = edgev1.Code_CODE_FAILED_PRECONDITION, edgev1.Code_CODE_NOT_FOUND
		doc, trashed, second := ada.create("A text\n"), ada.create(""), ada.create("")
		ada.share(doc, "bob", owner)
		ada.share(doc, "cyn", editor)
		set := func(u *user, doc, principal string, role docsv1.Role) error {
			_, err := u.api.SetRole(u.write(), &docsv1.SetRoleRequest{Document: doc, Principal: principal, Role: role})
			return err
		}
		refused(t, "while it has owners", set(mia, doc, "cyn", owner), absent, "docs.DOCUMENT")
		w.tells("w", deactivated("bob", 2))
		w.settle()
		refused(t, "the last one who is active", set(ada, doc, "ada", editor), failed, "docs.LAST_OWNER")
		refused(t, "who is active, is left", set(mia, doc, "cyn", owner), absent, "docs.DOCUMENT")
		ada.trash(trashed)
		w.tells("w", deactivated("ada", 2))
		w.settle()
		for _, open := range []bool{true, false} {
			if !open {
				w.closeNow(doc)
			}
			refused(t, "a role below", set(mia, doc, "cyn", viewer), absent, "docs.DOCUMENT")
			refused(t, "an owner's role", set(mia, doc, "ada", editor), absent, "docs.DOCUMENT")
			refused(t, "somebody who isn't there", set(mia, doc, "nobody", owner), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
			refused(t, "no document", set(mia, "bbbbbbbbbbbbbbbbbbbbbbbbbb", "cyn", owner), absent, "docs.DOCUMENT")
			refused(t, "without the right", set(cyn, doc, "cyn", owner), edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
			refused(t, "a guest", set(gus, doc, "cyn", owner), absent, "docs.DOCUMENT")
			refused(t, "another workspace", set(other, doc, "mia", owner), absent, "docs.DOCUMENT")
			mia.is(doc, none)
		}
		if err := set(mia, doc, "cyn", owner); err != nil {
			t.Fatal(err)
		}
		key, at := mia.again(), cyn.head(doc)
		cyn.is(doc, owner)
		mia.is(doc, none)
		w.closeNow(doc)
		again := must(mia.api.SetRole(key, &docsv1.SetRoleRequest{Document: doc, Principal: "cyn", Role: owner}))(t)
		if again.GetVersion() != at {
			t.Errorf("repeated: %v", again)
		}
		refused(t, "now it has one", set(mia, doc, "mia", owner), absent, "docs.DOCUMENT")
		refused(t, "who is the last", set(cyn, doc, "cyn", none), failed, "docs.LAST_OWNER")
		if err := set(cyn, doc, "ada", none); err != nil {
			t.Error(err)
		}
		if err := set(mia, trashed, "mia", owner); err != nil {
			t.Error(err)
		}
		must(mia.api.TrashDocument(mia.write(), &docsv1.TrashDocumentRequest{Document: trashed}))(t)
		w.identity.anew()
		w.settle()
		refused(t, "of whom identity hasn't told again", set(mia, second, "mia", owner), absent, "docs.DOCUMENT")
	})
}

func TestLimitOfContainers(t *testing.T) {
	w := peopled(t, meshtest.SQLite(t))
	w.start()
	ada := w.meets(auth.KindPerson, "ada")[0]
	for i := range MaxContainers + 1 {
		w.group(fmt.Sprint("g", i))
	}
	w.settle()
	doc := ada.create("")
	for i := range MaxContainers {
		ada.share(doc, fmt.Sprint("group/g", i), viewer)
	}
	one := &docsv1.SetRoleRequest{Document: doc, Principal: fmt.Sprint("group/g", MaxContainers), Role: viewer}
	_, err := ada.api.SetRole(ada.write(), one)
	refused(t, "one more", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	ada.share(doc, "group/g7", editor)
	ada.share(doc, everybody, viewer)
	ada.share(doc, "group/g0", none)
	must(ada.api.SetRole(ada.write(), one))(t)
}

// A grant counts up to its time, without anybody doing anything, and then an event takes it away.
func TestGrantsExpire(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn", "dan")
		ada, bob, cyn, dan := u[0], u[1], u[2], u[3]
		w.group("team", "cyn", "dan")
		w.settle()
		doc := ada.create("A text\n")
		soon := time.Now().Add(1500 * time.Millisecond).UnixMilli()
		for principal, role := range map[string]docsv1.Role{"bob": editor, "group/team": commenter} {
			must(ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: principal, Role: role, ExpiresMs: soon}))(t)
		}
		later := time.Now().Add(time.Hour).UnixMilli()
		must(ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "dan", Role: viewer, ExpiresMs: later}))(t)
		bob.is(doc, editor)
		dan.is(doc, commenter)
		at := ada.head(doc)
		eventually(t, "it has expired", func() bool { return time.Now().UnixMilli() >= soon })
		_, err := bob.submit(doc, 1, inserts("late")) // whether or not a job was there
		refused(t, "after the time", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		bob.is(doc, none)
		cyn.is(doc, none)
		dan.is(doc, viewer)
		e := w.accessChanged(doc, at)
		want(t, "expired", strings.Join(e.body.GetAccessChanged().GetExpired(), " "), "bob group/team")
		w.idleJobs()
		n := 0
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_role WHERE document = $1`, doc).Scan(&n); err != nil || n != 2 {
			t.Errorf("%d grants are left, %v", n, err)
		}
		var due int64
		if err := w.db.QueryRow(t.Context(), `SELECT due_ms FROM docs_job WHERE document = $1 AND kind = 'expiry'`, doc).Scan(&due); err != nil || due != later {
			t.Errorf("the next one is looked for at %d, %v; want %d", due, err, later)
		}
		if again := w.log(doc, e.version); len(again) != 0 {
			t.Errorf("and then %v", again)
		}
	})
}

// A document that was opened for a job alone does not stay open.
func TestJobsDoNotKeepDocumentsOpen(t *testing.T) {
	w := peopled(t, meshtest.SQLite(t))
	w.start()
	ada := w.meets(auth.KindPerson, "ada")[0]
	w.channel("general", "ada", "bob")
	w.settle()
	used, unused := ada.create(""), ada.create("")
	ada.share(used, "channel/general", viewer)
	ada.share(unused, "channel/general", viewer)
	w.closeNow(unused)
	w.leaves("general", "bob")
	w.accessChanged(used, 2)
	w.accessChanged(unused, 2)
	eventually(t, "it is closed", func() bool { return len(w.server.sessions()) == 1 })
	if x := w.server.sessions()[0]; x.id != used {
		t.Errorf("%s is open, not %s", x.id, used)
	}
}

// A container that very many documents name is gone over page by page.
func TestManyDocumentsNameIt(t *testing.T) {
	meshtest.Databases(t, func(t *testing.T, url string) {
		w := newWorld(t, url)
		const documents = 2*reviewPage + 17
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			for i := range documents {
				if _, err := tx.ExecContext(t.Context(), `INSERT INTO docs_share (workspace, document, container, role, expires_ms) VALUES ('w', $1, 'group/team', 1, 0)`, fmt.Sprint("d", i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := w.worker(newAlone(), nil)
		s.sql = w.server.sql
		marked := func(kind jobKind) (n int) {
			if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_job WHERE kind = $1 AND workspace = 'w' AND document LIKE 'd%'`, string(kind)).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		k := docKey{"w", "group/team"}
		w.stop()
		if err := w.db.Write(t.Context(), func(tx *sql.Tx) error { return s.review(t.Context(), tx, k, time.Now()) }); err != nil {
			t.Fatal(err)
		}
		if n := marked(jobAccess) + marked(jobSweep); n != 0 {
			t.Errorf("%d were marked at once", n)
		}
		s.jobs = map[jobKind]job{jobContainer: s.reviewContainer}
		if err := s.doJobs(t.Context(), accessLane, time.Now()); err != nil {
			t.Fatal(err)
		}
		if n, few := marked(jobSweep), marked(jobAccess); n != documents || few != 0 {
			t.Errorf("%d were marked, want %d; %d as if they were few", n, documents, few)
		}
		w.exec(`DELETE FROM docs_share WHERE document > 'd2'`)
		w.exec(`DELETE FROM docs_job`)
		var left int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_share`).Scan(&left); err != nil || left >= reviewPage || left == 0 {
			t.Fatal(left, err)
		}
		if err := w.db.Write(t.Context(), func(tx *sql.Tx) error { return s.review(t.Context(), tx, k, time.Now()) }); err != nil {
			t.Fatal(err)
		}
		if n := marked(jobAccess); n != left {
			t.Errorf("%d of few were marked at once, want %d", n, left)
		}
	})
}

// People edit while others leave the channel that lets them: nothing of theirs has a version behind the event that tells it, nor is anything
// accepted that comes more than a second after it was known.
func TestNothingBehindTheEvent(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		ada := w.meets(auth.KindPerson, "ada")[0]
		ids := []string{"p0", "p1", "p2", "p3"}
		people := w.meets(auth.KindPerson, ids...)
		w.channel("general", "ada", ids...)
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "channel/general", editor)
		type span struct{ from, upto uint64 } // versions in which somebody has no access
		var mu sync.Mutex                     // guards all below
		barred := map[string][]span{}
		known := map[string]time.Time{} // since when a leaving is known
		stop := make(chan struct{})
		var wg sync.WaitGroup
		edits := 0
		for _, u := range people {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					begun := time.Now()
					_, err := u.submit(doc, 2, inserts("x"))
					mu.Lock()
					since, left := known[u.id]
					if err == nil {
						edits++
					}
					mu.Unlock()
					if err == nil && left && begun.Sub(since) > membershipTime {
						t.Errorf("%s edits %v after it was known that they have left", u.id, begun.Sub(since))
					}
				}
			})
		}
		for round := range 6 {
			u := people[round%len(people)]
			at := ada.head(doc)
			w.leaves("general", u.id)
			w.settle()
			mu.Lock()
			known[u.id] = time.Now()
			mu.Unlock()
			e := w.accessChanged(doc, at)
			eventually(t, "others go on", func() bool { return ada.head(doc) > e.version+20 })
			mu.Lock()
			barred[u.id] = append(barred[u.id], span{e.version, ada.head(doc)})
			delete(known, u.id)
			mu.Unlock()
			w.joins("general", u.id)
			w.settle()
		}
		close(stop)
		wg.Wait()
		seen := map[string]int{}
		for _, e := range w.log(doc, 0) {
			seen[e.actor]++
			for _, s := range barred[e.actor] {
				if e.version > s.from && e.version <= s.upto {
					t.Errorf("%s edits at %d, and has lost it at %d", e.actor, e.version, s.from)
				}
			}
		}
		if edits < 100 {
			t.Errorf("only %d edits: the test shows nothing", edits)
		}
	})
}

// A reading of memberships that was begun before the event is not relied on behind it.
func TestMembershipsThatWereReadBefore(t *testing.T) {
	w := peopled(t, meshtest.SQLite(t))
	w.start()
	u := w.meets(auth.KindPerson, "ada", "bob")
	ada, bob := u[0], u[1]
	w.group("team", "bob")
	w.settle()
	doc := ada.create("A text\n")
	ada.share(doc, "group/team", editor)
	x := w.server.sessions()[0]
	c := must(w.verifier.Verify(t.Context(), bob.token))(t)
	var ask *unread
	err := x.once(t.Context(), func() error { ask, _ = errors.AsType[*unread](x.allow(c, editor)); return nil })
	if err != nil || ask == nil || !slices.Equal(ask.users, []string{"bob"}) || !slices.Equal(ask.containers, []string{"group/team"}) {
		t.Fatalf("%v, asks for %v", err, ask)
	}
	read := must(w.server.memberships(t.Context(), "w", ask))(t)
	if len(read["bob"].in) != 1 {
		t.Fatalf("%v", read)
	}
	w.regroup("team", nil, []string{"bob"})
	w.settle()
	w.accessChanged(doc, 2)
	err = x.once(t.Context(), func() error {
		x.members.take(ask.life, read)
		return x.allow(c, editor)
	})
	if _, asks := errors.AsType[*unread](err); !asks {
		t.Errorf("what was read before counts: %v", err)
	}
	bob.is(doc, none)
}

// Memberships are remembered for as many as there is room for.
func TestMembershipsAreBounded(t *testing.T) {
	m := memberships{of: map[string]membership{}}
	for i := range 3 * maxMemberships {
		m.take(0, map[string]membership{fmt.Sprint(i): {read: time.Now()}})
		if _, ok := m.get(fmt.Sprint(i)); !ok || len(m.of) > maxMemberships {
			t.Fatalf("%d: known: %v, %d in all", i, ok, len(m.of))
		}
	}
	m.take(0, map[string]membership{"old": {read: time.Now().Add(-membershipTime)}})
	if _, ok := m.get("old"); ok {
		t.Error("what is a second old counts")
	}
}

// The process that owns a document is not the one that has followed, nor the one that is asked.
func TestSeveralProcesses(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := peopled(t, url).several("a", "b", "c")
		w := ws[0]
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		w.channel("general", "ada", "bob", "cyn")
		w.settle()
		var docs []string
		for range 8 {
			doc := ada.create("A text\n")
			ada.share(doc, "channel/general", editor)
			ada.share(doc, "cyn", viewer)
			docs = append(docs, doc)
		}
		at := func(u *user, i int) *user {
			v := u.at(ws[i%3])
			v.client += fmt.Sprint(i)
			return v
		}
		for i, doc := range docs {
			at(bob, i).is(doc, editor)
			at(cyn, i+1).is(doc, editor)
		}
		heads := map[string]uint64{}
		for _, doc := range docs {
			heads[doc] = ada.head(doc)
		}
		w.leaves("general", "bob", "cyn")
		w.settle()
		for i, doc := range docs {
			w.accessChanged(doc, heads[doc])
			at(bob, 100+i+2).is(doc, none)
			at(cyn, 100+i).is(doc, viewer)
		}
	})
}

// The history of what is followed begins anew: nobody has what isn't told again, and those who follow a document are asked.
func TestHistoryBeginsAnew(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, bob, cyn := u[0], u[1], u[2]
		w.group("team", "bob")
		w.channel("general", "ada", "cyn")
		w.settle()
		doc := ada.create("A text\n")
		ada.share(doc, "group/team", viewer)
		ada.share(doc, "channel/general", editor)
		bob.is(doc, viewer)
		cyn.is(doc, editor)
		w.identity.anew()
		w.chat.anew()
		eventually(t, "forgotten", func() bool {
			n := 0
			err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_member) + (SELECT count(*) FROM docs_group) + (SELECT count(*) FROM docs_person WHERE active)`).Scan(&n)
			return err == nil && n == 0
		})
		due := map[string]bool{}
		err := each(t.Context(), w.db.Query, `SELECT document FROM docs_job WHERE kind = 'access'`, nil, func(r *sql.Rows) error {
			var d string
			err := r.Scan(&d)
			due[d] = true
			return err
		})
		if err != nil || !due[doc] {
			t.Errorf("the document is not looked at: %v, %v", due, err)
		}
		bob.becomes(doc, none)
		w.meets(auth.KindPerson, "ada", "bob", "cyn")
		w.group("team", "bob")
		w.channel("general", "ada")
		w.settle()
		bob.becomes(doc, viewer)
		cyn.becomes(doc, none)
	})
}

// An owner who shares with a group that was made a moment ago is answered once it is told of; who may not share is answered at once, and learns nothing
// by how long it takes.
func TestSharedBeforeItIsToldOf(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		people := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := people[0], people[1]
		w.settle()
		doc := ada.create("x")
		ada.share(doc, "bob", viewer)
		shared := make(chan error, 1)
		ctx := ada.write()
		go func() {
			_, err := w.api.SetRole(ctx, &docsv1.SetRoleRequest{Document: doc, Principal: "group/late", Role: editor})
			shared <- err
		}()
		begun := time.Now()
		_, err := bob.api.SetRole(bob.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "group/none", Role: editor})
		refused(t, "of one who may not", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		if took := time.Since(begun); took > hearTime/2 {
			t.Errorf("one who may not waits for %v", took)
		}
		select {
		case err := <-shared:
			t.Fatalf("before it is told of: %v", err)
		case <-time.After(hearTime / 4):
		}
		w.group("late", "bob")
		if err := <-shared; err != nil {
			t.Error(err)
		}
	})
}

// What has a role already can be given another one at once, by an owner who could not share with it anew.
func TestRoleOfWhatCannotBeNamed(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		people := w.meets(auth.KindPerson, "ada", "bob")
		ada, bob := people[0], people[1]
		w.channel("c", "ada", "bob")
		w.settle()
		doc := ada.create("x")
		ada.share(doc, "channel/c", viewer)
		w.leaves("c", "ada")
		w.settle()
		begun := time.Now()
		ada.share(doc, "channel/c", editor)
		if took := time.Since(begun); took > hearTime/2 {
			t.Errorf("it took %v", took)
		}
		bob.becomes(doc, editor)
		ada.share(doc, "channel/c", docsv1.Role_ROLE_UNSPECIFIED)
		_, err := ada.api.SetRole(ada.write(), &docsv1.SetRoleRequest{Document: doc, Principal: "channel/c", Role: viewer})
		refused(t, "anew", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	})
}

// What is followed comes twice, and as two processes apply it: once.
func TestTwoFollow(t *testing.T) {
	onPostgres(t, func(t *testing.T, url string) {
		ws := peopled(t, url).several("a", "b")
		ada := ws[0].meets(auth.KindPerson, "ada")[0]
		w := ws[0]
		for i := range 30 {
			w.channel(fmt.Sprint("c", i), "ada", "bob", "cyn")
			w.leaves(fmt.Sprint("c", i), "bob")
			w.joins(fmt.Sprint("c", i), "dan")
			w.says(fmt.Sprint("c", i), "hello")
		}
		w.settle()
		second := w.beside("c") // begins where the others are
		second.settle()
		n, left := 0, 0
		err := w.db.QueryRow(t.Context(), `SELECT count(*), count(CASE WHEN user_id = 'bob' THEN 1 END) FROM docs_member`).Scan(&n, &left)
		if err != nil || n != 90 || left != 0 {
			t.Errorf("%d members, bob in %d: %v", n, left, err)
		}
		doc := ada.create("")
		ada.share(doc, "channel/c7", viewer)
	})
}

// Messages cost the follower nothing, and its cursor passes them all the same.
func TestMessagesArePassedOver(t *testing.T) {
	source := &scripted{}
	for i := range uint64(2500) {
		r := &topicv1.Record{Topic: topicChannel + "c", Position: i + 1}
		if i == 2200 {
			r.Access = access(false, "bob")
		}
		source.left = append(source.left, &topicv1.FollowResponse{Records: []*topicv1.Record{r}, Upto: i + 1, Epoch: 1})
	}
	source.left = append(source.left, &topicv1.FollowResponse{Upto: 2500, Epoch: 1})
	s := &memberStream{source, 0}
	var got []string
	for {
		r, err := s.Recv()
		if err != nil {
			break
		}
		got = append(got, fmt.Sprint(len(r.GetRecords()), "@", r.GetUpto()))
	}
	want(t, "handed over", strings.Join(got, " "), "0@1000 0@2000 1@2201 0@2201")
}

// scripted is a stream of responses.
type scripted struct {
	grpc.ServerStreamingClient[topicv1.FollowResponse]
	left []*topicv1.FollowResponse
}

func (s *scripted) Recv() (*topicv1.FollowResponse, error) {
	if len(s.left) == 0 {
		return nil, io.EOF
	}
	r := s.left[0]
	s.left = s.left[1:]
	return r, nil
}

// Who may read by a group is one whom a comment can name; a guest isn't, where everybody may.
func TestMentionsOfMembers(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		ada := w.meets(auth.KindPerson, "ada", "bob", "cyn", "gone")[0]
		w.meets(auth.KindGuest, "gus", "gil")
		w.tells("w", deactivated("gone", 2))
		w.group("team", "bob", "gil")
		w.settle()
		doc := ada.create("A text\n")
		named := []string{"cyn", "bob", "gus", "gil", "nobody", "gone", "ada"}
		mentions := func() string {
			q := &docsv1.CreateThreadRequest{Document: doc, Base: ada.head(doc), From: 0, To: 1, Text: "hear", Mentions: named}
			id := must(ada.api.CreateThread(ada.write(), q))(t).GetThread()
			return strings.Join(ada.thread(doc, id).GetComments()[0].GetMentions(), " ")
		}
		want(t, "mine alone", mentions(), "ada")
		ada.share(doc, "group/team", viewer)
		want(t, "the group's", mentions(), "bob gil ada")
		ada.share(doc, everybody, viewer)
		want(t, "everybody's", mentions(), "cyn bob gil ada")
	})
}

// absent is an id that no document has.
const absent = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

// Whoever may not read a document gets the same answers for it as for one that isn't there, from every method that names one, be it open or not, and
// nothing of the title. And it is not opened for them.
func TestNothingIsTold(t *testing.T) {
	everyEnginePeopled(t, func(t *testing.T, w *world) {
		u := w.meets(auth.KindPerson, "ada", "bob", "cyn")
		ada, stranger := u[0], u[1]
		gus := w.meets(auth.KindGuest, "gus")[0]
		other := w.somebody("v", "ada", auth.KindPerson, mayCreate)
		w.group("team", "cyn")
		w.allows(true, 1)
		w.settle()
		const title = "Xylophone"
		doc := must(ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Title: title, Content: inserts("A text\n")}))(t).GetDocument()
		ada.share(doc, "group/team", editor)
		must(ada.comment(doc, 2, 0, 1, "!"))(t)
		must(ada.api.CreateLink(ada.write(), &docsv1.CreateLinkRequest{Document: doc, Role: viewer, ExpiresMs: time.Now().Add(time.Hour).UnixMilli()}))(t)
		trash := ada.create("A text\n")
		ada.share(trash, everybody, editor)
		must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: trash, Trashed: true}))(t)
		fields := map[string]func(m protoreflect.Message){ // what is to be in a request that gets as far as the document
			"RenameDocument": func(m protoreflect.Message) { set(m, "title", "Another") },
			"Submit":         func(m protoreflect.Message) { set(m, "delta", inserts("x")); set(m, "base", uint64(1)) },
			"StarDocument":   func(m protoreflect.Message) { set(m, "starred", true) }, // who takes a star away that isn't there has done nothing
			"EraseHistory":   func(m protoreflect.Message) { set(m, "before_version", uint64(1)) },
			"SetRole": func(m protoreflect.Message) {
				set(m, "principal", "bob")
				set(m, "role", protoreflect.EnumNumber(viewer))
			},
			"CreateLink": func(m protoreflect.Message) {
				set(m, "role", protoreflect.EnumNumber(viewer))
				set(m, "expires_ms", time.Now().Add(time.Hour).UnixMilli())
			},
			"OpenLink":       func(m protoreflect.Message) { set(m, "secret", newSecret()) },
			"ExportDocument": func(m protoreflect.Message) { set(m, "format", protoreflect.EnumNumber(asText)) },
			"NameVersion":    func(m protoreflect.Message) { set(m, "version", uint64(1)); set(m, "name", "one") },
			"RestoreVersion": func(m protoreflect.Message) { set(m, "version", uint64(1)) },
			"CreateThread": func(m protoreflect.Message) {
				set(m, "to", uint32(1))
				set(m, "base", uint64(1))
				set(m, "text", "!")
			},
			"CreateSuggestion": func(m protoreflect.Message) { set(m, "base", uint64(1)); set(m, "delta", inserts("!")) },
			"ReviseSuggestion": func(m protoreflect.Message) {
				set(m, "suggestion", uint64(3))
				set(m, "base", uint64(1))
				set(m, "delta", inserts("!"))
			},
			"AcceptSuggestions": func(m protoreflect.Message) { set(m, "author", "ada") },
			"RejectSuggestions": func(m protoreflect.Message) { set(m, "author", "ada") },
			"AddComment":        func(m protoreflect.Message) { set(m, "thread", uint64(3)); set(m, "text", "!") },
			"EditComment": func(m protoreflect.Message) {
				set(m, "thread", uint64(3))
				set(m, "comment", uint64(3))
				set(m, "text", "!")
			},
		}
		methods := docsv1.File_plenum_docs_v1_docs_proto.Services().ByName("DocsService").Methods()
		asked := 0
		for i := range methods.Len() {
			method := methods.Get(i)
			if method.Input().Fields().ByName("document") == nil {
				continue
			}
			asked++
			name := string(method.Name())
			call := func(u *user, id string) string {
				in, _ := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
				out, _ := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
				req, res := in.New(), out.New()
				set(req, "document", id)
				if f := fields[name]; f != nil {
					f(req)
				}
				err := w.rpc.Pipe("gateway").Invoke(u.write(), "/plenum.docs.v1.DocsService/"+name, req.Interface(), res.Interface())
				if err == nil {
					t.Errorf("%s may %s", u.id, name)
				}
				return rpc.FromError(err).String()
			}
			for _, u := range []*user{stranger, gus, other} {
				want := call(u, absent)
				if !strings.Contains(want, "NOT_FOUND") {
					t.Errorf("%s of what isn't there: %s", name, want)
				}
				for what, id := range map[string]string{"a document": doc, "one in the trash": trash} {
					if got := call(u, id); got != want {
						t.Errorf("%s: %s %s: %s, not %s", u.id, name, what, got, want)
					}
					w.closeNow(id)
					if got := call(u, id); got != want || strings.Contains(got, title) {
						t.Errorf("%s: %s %s that is closed: %s, not %s", u.id, name, what, got, want)
					}
					if slices.ContainsFunc(w.server.sessions(), func(x *session) bool { return x.id == id }) {
						t.Errorf("%s: %s opens it", u.id, name)
					}
					must(ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: id}))(t) // open again
				}
			}
		}
		if asked < 20 {
			t.Errorf("only %d methods: the test looks for the wrong thing", asked)
		}
		// Who is named, and may not read it, isn't, and is told nothing.
		id := must(ada.comment(doc, ada.head(doc), 0, 1, "@bob @gus @nobody @cyn"))(t).GetThread()
		if c := ada.thread(doc, id).GetComments()[0]; !slices.Equal(c.GetMentions(), []string{"cyn"}) {
			t.Errorf("%v are named", c.GetMentions())
		}
		w.idleJobs()
		for _, u := range []*user{stranger, gus, other} {
			if r := must(u.api.ListNotices(u.read(), &docsv1.ListNoticesRequest{}))(t); len(r.GetNotices())+int(r.GetUnread()) > 0 {
				t.Errorf("%s was told %v", u.id, r)
			}
			if r := must(u.api.MarkNotices(u.read(), &docsv1.MarkNoticesRequest{Offset: 1}))(t); r.GetRead() != 0 {
				t.Errorf("%s has read %v", u.id, r)
			}
			if events := heard(u, "docs.user/me", &docsv1.UserEvent{}); len(events) > 0 {
				t.Errorf("%s is told %q", u.id, events)
			}
			if a, b := u.opens(doc), u.opens(absent); a.GetError().String() != b.GetError().String() || a.GetError() == nil {
				t.Errorf("%s follows: %v, not %v", u.id, a, b)
			}
			for _, trashed := range []bool{false, true} {
				if l := must(u.api.ListDocuments(u.read(), &docsv1.ListDocumentsRequest{Trashed: trashed}))(t); len(l.GetDocuments()) > 0 {
					t.Errorf("%s lists %v", u.id, l)
				}
			}
		}
	})
}

func set(m protoreflect.Message, field string, value any) {
	m.Set(m.Descriptor().Fields().ByName(protoreflect.Name(field)), protoreflect.ValueOf(value))
}

// A role that is taken away while another one stays asks those who follow, and ends nobody who may still read.
func TestAccessOfAChange(t *testing.T) {
	w := peopled(t, meshtest.SQLite(t))
	w.start()
	ada := w.meets(auth.KindPerson, "ada", "bob", "cyn")[0]
	w.group("team", "bob")
	w.settle()
	doc := ada.create("")
	for _, c := range []struct {
		principal string
		role      docsv1.Role
		access    string
	}{
		{"bob", editor, "bob:read"},
		{"bob", viewer, "bob:read"},
		{"bob", none, "bob:"},
		{"bob", viewer, "bob:read"},
		{"group/team", viewer, ""},
		{"bob", none, "*:"},
		{"group/team", editor, ""},
		{"group/team", none, "*:"},
		{everybody, viewer, "*:read"},
		{"cyn", editor, "cyn:read"},
		{"cyn", none, "*:"},
		{everybody, none, "*:"},
	} {
		at := ada.share(doc, c.principal, c.role)
		var got strings.Builder
		for _, a := range w.log(doc, at-1)[0].access {
			got.WriteString(a.GetPrincipal() + ":")
			if a.GetRead() {
				got.WriteString("read")
			}
		}
		want(t, fmt.Sprint(c.principal, " becomes ", c.role), got.String(), c.access)
	}
}
