package docs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func (u *user) folder(name, parent string) string {
	u.tb.Helper()
	return must(u.api.CreateFolder(u.write(), &docsv1.CreateFolderRequest{Name: name, Parent: parent}))(u.tb).GetFolder()
}

func (u *user) move(document, folder string) (*docsv1.MoveDocumentResponse, error) {
	return u.api.MoveDocument(u.write(), &docsv1.MoveDocumentRequest{Document: document, Folder: folder})
}

// tree is what folders there are, as paths.
func (u *user) tree() (paths []string) {
	u.tb.Helper()
	all := map[string]*docsv1.Folder{}
	for _, f := range must(u.api.ListFolders(u.read(), &docsv1.ListFoldersRequest{}))(u.tb).GetFolders() {
		all[f.GetId()] = f
	}
	for _, f := range all {
		path := f.GetName()
		for p := all[f.GetParent()]; p != nil; p = all[p.GetParent()] {
			path = p.GetName() + "/" + path
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// heard are the events of a topic, as text.
func heard[E proto.Message](u *user, topic string, e E) (events []string) {
	u.tb.Helper()
	open := must(u.topics.Open(u.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topic}}}))(u.tb).GetGrants()[0]
	if open.GetError() != nil || open.GetSignal() != (open.GetCanonical() == "") {
		u.tb.Fatalf("%s: %v", topic, open)
	}
	stream := must(u.topics.Tail(u.tb.Context(), &topicv1.TailRequest{Workspace: u.workspace, Topic: cmp.Or(open.GetCanonical(), topic)}))(u.tb)
	for {
		res, err := stream.Recv()
		if err != nil {
			return events
		}
		for _, rec := range res.GetRecords() {
			proto.Reset(e)
			if err := proto.Unmarshal(rec.GetEvent().GetBody(), e); err != nil {
				u.tb.Fatal(err)
			}
			events = append(events, strings.Join(strings.Fields(fmt.Sprint(e)), " "))
		}
	}
}

func (w *world) admin(id string) *user {
	return w.somebody("w", id, auth.KindPerson, mayCreate, mayManage)
}

// Folders are a tree that all but guests see, and who made one may change it, or who manages them.
func TestFolders(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob, mia := w.person("ada"), w.person("bob"), w.admin("mia")
		plans := ada.folder(" Plans ", "")
		key := ada.again()
		if again := must(ada.api.CreateFolder(key, &docsv1.CreateFolderRequest{Name: " Plans "}))(t); again.GetFolder() != plans || again.GetOffset() != 1 {
			t.Errorf("a retry: %v", again)
		}
		may := bob.folder("May", plans)
		week := bob.folder("Week 1", may)
		archive := mia.folder("Archive", "")
		if got := ada.tree(); !slices.Equal(got, []string{"Archive", "Plans", "Plans/May", "Plans/May/Week 1"}) {
			t.Errorf("%q", got)
		}
		// What changes, and what doesn't.
		if r := must(bob.api.RenameFolder(bob.write(), &docsv1.RenameFolderRequest{Folder: may, Name: "June"}))(t); r.GetOffset() != 5 {
			t.Errorf("%v", r)
		}
		if r := must(mia.api.RenameFolder(mia.write(), &docsv1.RenameFolderRequest{Folder: may, Name: "June"}))(t); r.GetOffset() != 0 {
			t.Errorf("it has that name: %v", r)
		}
		if r := must(mia.api.MoveFolder(mia.write(), &docsv1.MoveFolderRequest{Folder: may, Parent: archive}))(t); r.GetOffset() != 6 {
			t.Errorf("%v", r)
		}
		again := mia.again()
		if r := must(mia.api.MoveFolder(mia.write(), &docsv1.MoveFolderRequest{Folder: may, Parent: archive}))(t); r.GetOffset() != 0 {
			t.Errorf("it is there: %v", r)
		}
		if r := must(mia.api.MoveFolder(again, &docsv1.MoveFolderRequest{Folder: may, Parent: archive}))(t); r.GetOffset() != 6 {
			t.Errorf("a retry: %v", r)
		}
		if got := ada.tree(); !slices.Equal(got, []string{"Archive", "Archive/June", "Archive/June/Week 1", "Plans"}) {
			t.Errorf("%q", got)
		}
		must(ada.api.DeleteFolder(ada.write(), &docsv1.DeleteFolderRequest{Folder: plans}))(t)
		key = ada.again()
		if r := must(ada.api.DeleteFolder(key, &docsv1.DeleteFolderRequest{Folder: plans}))(t); r.GetOffset() != 7 {
			t.Errorf("a retry: %v", r)
		}
		for _, name := range []string{"docs.workspace/me", "docs.workspace/w"} {
			got := heard(bob, name, &docsv1.WorkspaceEvent{})
			if len(got) != 7 || !strings.Contains(got[4], `actor:"bob" folder:{id:"`+may+`" name:"June" parent:"`+plans) || !strings.Contains(got[6], `folder_deleted:{folder:"`+plans+`"}`) {
				t.Errorf("%s: %q", name, got)
			}
		}
		list := must(bob.api.ListFolders(bob.read(), &docsv1.ListFoldersRequest{}))(t)
		if list.GetOffset() != 7 || list.GetEpoch() == 0 || list.GetFolders()[0].GetCreatedMs() == 0 || list.GetFolders()[0].GetCreator() == "" {
			t.Errorf("%v", list)
		}

		gus, elsewhere := w.somebody("w", "gus", auth.KindGuest, mayCreate, mayManage), w.somebody("elsewhere", "ada", auth.KindPerson, mayCreate, mayManage)
		const denied, absent, invalid, failed = edgev1.Code_CODE_PERMISSION_DENIED, edgev1.Code_CODE_NOT_FOUND, edgev1.Code_CODE_INVALID_ARGUMENT, edgev1.Code_CODE_FAILED_PRECONDITION
		create := func(u *user, name, parent string) error {
			return second(u.api.CreateFolder(u.write(), &docsv1.CreateFolderRequest{Name: name, Parent: parent}))
		}
		rename := func(u *user, folder, name string) error {
			return second(u.api.RenameFolder(u.write(), &docsv1.RenameFolderRequest{Folder: folder, Name: name}))
		}
		move := func(u *user, folder, parent string) error {
			return second(u.api.MoveFolder(u.write(), &docsv1.MoveFolderRequest{Folder: folder, Parent: parent}))
		}
		remove := func(u *user, folder string) error {
			return second(u.api.DeleteFolder(u.write(), &docsv1.DeleteFolderRequest{Folder: folder}))
		}
		for name, c := range map[string]struct {
			err    error
			code   edgev1.Code
			reason string
		}{
			"a guest lists":             {second(gus.api.ListFolders(gus.read(), &docsv1.ListFoldersRequest{})), denied, "docs.FORBIDDEN"},
			"a guest makes one":         {create(gus, "x", ""), denied, "docs.FORBIDDEN"},
			"a guest renames":           {rename(gus, may, "x"), denied, "docs.FORBIDDEN"},
			"without the right":         {create(w.somebody("w", "sam", auth.KindService), "x", ""), denied, "docs.FORBIDDEN"},
			"somebody else's, renamed":  {rename(ada, may, "x"), denied, "docs.FORBIDDEN"},
			"somebody else's, moved":    {move(ada, may, ""), denied, "docs.FORBIDDEN"},
			"somebody else's, deleted":  {remove(ada, week), denied, "docs.FORBIDDEN"},
			"elsewhere":                 {rename(elsewhere, may, "x"), absent, "docs.FOLDER"},
			"into one elsewhere":        {create(elsewhere, "x", may), absent, "docs.FOLDER"},
			"no such":                   {rename(mia, "nosuch", "x"), absent, "docs.FOLDER"},
			"a deleted one":             {rename(ada, plans, "x"), absent, "docs.FOLDER"},
			"into a deleted one":        {create(ada, "x", plans), absent, "docs.FOLDER"},
			"moved into a deleted one":  {move(mia, may, plans), absent, "docs.FOLDER"},
			"into itself":               {move(mia, may, may), invalid, "docs.BAD_FIELD"},
			"into one in it":            {move(mia, archive, week), invalid, "docs.BAD_FIELD"},
			"not empty":                 {remove(mia, archive), failed, "docs.NOT_EMPTY"},
			"no name":                   {create(ada, " ", ""), invalid, "docs.BAD_FIELD"},
			"two lines":                 {rename(bob, may, "a\nb"), invalid, "docs.BAD_FIELD"},
			"a long name":               {create(ada, strings.Repeat("x", 101), ""), invalid, "docs.BAD_FIELD"},
			"without a key":             {second(ada.api.CreateFolder(ada.read(), &docsv1.CreateFolderRequest{Name: "x"})), invalid, "docs.KEY_MISSING"},
			"a document, no such":       {second(ada.move(ada.create(""), "nosuch")), absent, "docs.FOLDER"},
			"a document, into none":     {second(ada.move(ada.create(""), plans)), absent, "docs.FOLDER"},
			"a list of a deleted one":   {second(ada.api.ListDocuments(ada.read(), &docsv1.ListDocumentsRequest{Folder: &plans})), absent, "docs.FOLDER"},
			"a list of a guest's":       {second(gus.api.ListDocuments(gus.read(), &docsv1.ListDocumentsRequest{Folder: &may})), denied, "docs.FORBIDDEN"},
			"a list of one elsewhere":   {second(elsewhere.api.ListDocuments(elsewhere.read(), &docsv1.ListDocumentsRequest{Folder: &may})), absent, "docs.FOLDER"},
			"a workspace not one's own": {grantError(elsewhere, "docs.workspace/w"), absent, "docs.TOPIC"},
			"a guest follows":           {grantError(gus, "docs.workspace/me"), absent, "docs.TOPIC"},
			"a user not oneself":        {grantError(ada, "docs.user/bob"), absent, "docs.TOPIC"},
		} {
			refused(t, name, c.err, c.code, c.reason)
		}
	})
}

// grantError is why a topic can't be opened.
func grantError(u *user, topic string) error {
	g := must(u.topics.Open(u.read(), &topicv1.OpenRequest{Wants: []*edgev1.Want{{Topic: topic}}}))(u.tb).GetGrants()[0]
	if g.GetError() == nil {
		return nil
	}
	return rpc.Errorf(g.GetError().GetCode(), g.GetError().GetReason(), "%s", g.GetError().GetMessage())
}

// Not more than 1,000 folders, nor more than eight in each other, also by moving.
func TestTooManyFolders(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	parent, third := "", ""
	for i := range MaxDepth {
		if parent = ada.folder(fmt.Sprint(i), parent); i == 2 {
			third = parent
		}
	}
	_, err := ada.api.CreateFolder(ada.write(), &docsv1.CreateFolderRequest{Name: "x", Parent: parent})
	refused(t, "too deep", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	outer := ada.folder("a", "")
	inner := ada.folder("b", ada.folder("b", outer))
	_, err = ada.api.MoveFolder(ada.write(), &docsv1.MoveFolderRequest{Folder: third, Parent: inner})
	refused(t, "moved too deep", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.api.MoveFolder(ada.write(), &docsv1.MoveFolderRequest{Folder: third, Parent: outer}))(t)

	var wg sync.WaitGroup
	rest := MaxFolders - len(ada.tree())
	first := ada.seq
	for i := range rest {
		ctx := ada.write()
		wg.Go(func() {
			if _, err := ada.api.CreateFolder(ctx, &docsv1.CreateFolderRequest{Name: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ada.seq = first + uint64(rest)
	_, err = ada.api.CreateFolder(ada.write(), &docsv1.CreateFolderRequest{Name: "x"})
	refused(t, "one too many", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT")
	must(ada.api.DeleteFolder(ada.write(), &docsv1.DeleteFolderRequest{Folder: parent}))(t)
	ada.folder("x", "")
}

// Editors move documents; of a folder that is deleted they stand in the one around it, at once and when the folder is cleared away.
func TestDocumentsInFolders(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada, bob := w.person("ada"), w.person("bob")
		gus := w.somebody("w", "gus", auth.KindGuest)
		outer := ada.folder("outer", "")
		middle := ada.folder("middle", outer)
		inner := ada.folder("inner", middle)
		doc, other, hidden := ada.create(""), ada.create(""), bob.create("")
		ada.share(doc, "bob", viewer)
		ada.share(doc, "gus", editor)
		if r := must(ada.move(doc, inner))(t); r.GetVersion() != 4 {
			t.Errorf("%v", r)
		}
		key := ada.again()
		if r := must(ada.move(doc, inner))(t); r.GetVersion() != 0 {
			t.Errorf("it is there: %v", r)
		}
		if r := must(ada.api.MoveDocument(key, &docsv1.MoveDocumentRequest{Document: doc, Folder: inner}))(t); r.GetVersion() != 4 {
			t.Errorf("a retry: %v", r)
		}
		must(bob.move(hidden, inner))(t)
		_, err := bob.move(doc, outer)
		refused(t, "a viewer", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		_, err = gus.move(doc, "")
		refused(t, "a guest", err, edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN")
		_, err = bob.move(other, outer)
		refused(t, "not let in", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		check := func(what, folder string, want ...string) {
			t.Helper()
			for _, in := range []string{"", outer, middle, inner} {
				q := &docsv1.ListDocumentsRequest{Folder: new(in)}
				var got []string
				if in == folder {
					got = append(got, want...)
				}
				r, err := ada.api.ListDocuments(ada.read(), q)
				if err != nil {
					continue // it was deleted
				}
				has := ids(r.GetDocuments())
				has = slices.DeleteFunc(has, func(id string) bool { return id == other })
				if !slices.Equal(has, got) {
					t.Errorf("%s: in %q are %v, want %v", what, in, has, got)
				}
			}
			if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument(); d.GetFolder() != folder {
				t.Errorf("%s: stands in %q, want %q", what, d.GetFolder(), folder)
			}
		}
		check("moved", inner, doc)
		remove := func(folder string) {
			t.Helper()
			must(ada.api.DeleteFolder(ada.write(), &docsv1.DeleteFolderRequest{Folder: folder}))(t)
		}
		remove(inner)
		check("inner deleted", middle, doc)
		remove(middle)
		check("middle deleted", outer, doc)
		cleared := func(folder string, want bool) {
			t.Helper()
			next, err := w.server.clearFolder(t.Context(), docKey{"w", folder})
			if err != nil || next.IsZero() != want {
				t.Errorf("%s: again at %v, %v", folder, next, err)
			}
		}
		cleared(middle, false) // inner still names it
		check("middle is not gone", outer, doc)
		cleared(inner, true)
		cleared(middle, true)
		cleared(middle, true)
		check("cleared", outer, doc)
		var n int
		if err := w.db.QueryRow(t.Context(), `SELECT count(*) FROM docs_folder`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d folders are kept, %v", n, err)
		}
		cleared(outer, true) // it was not deleted
		check("outer stays", outer, doc)
		w.closeNow(doc)
		if r := must(ada.move(doc, outer))(t); r.GetVersion() != 0 {
			t.Errorf("it stands there: %v", r)
		}
		remove(outer)
		cleared(outer, true)
		check("at the top", "", doc)
		if d := must(bob.api.GetDocument(bob.read(), &docsv1.GetDocumentRequest{Document: hidden}))(t).GetDocument(); d.GetFolder() != "" {
			t.Errorf("another one stands in %q", d.GetFolder())
		}
	})
}

func ids(list []*docsv1.Document) (ids []string) {
	for _, d := range list {
		ids = append(ids, d.GetId())
	}
	return ids
}

// Whoever moves a document into a folder keeps it from being cleared away until that is done.
func TestFolderIsHeld(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		w = w.withoutJobs()
		ada := w.person("ada")
		folder, doc := ada.folder("a folder", ""), ada.create("")
		must(ada.api.DeleteFolder(ada.write(), &docsv1.DeleteFolderRequest{Folder: folder}))(t)
		k := docKey{"w", folder}
		err := w.db.Write(t.Context(), func(tx *sql.Tx) error {
			b := &batch{Server: w.server, ctx: t.Context(), tx: tx}
			if err := b.holdFolder("w", folder); !errors.Is(err, errFolder) {
				t.Errorf("a deleted one: %v", err)
			}
			if err := b.exec(`UPDATE docs_entry SET folder = $1 WHERE document = $2`, folder, doc); err != nil { // as if it had been decided before
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := w.server.clearFolder(ctx, k); err == nil {
				t.Error("it is cleared away")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if next, err := w.server.clearFolder(t.Context(), k); err != nil || !next.IsZero() {
			t.Errorf("again at %v, %v", next, err)
		}
		if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument(); d.GetFolder() != "" {
			t.Errorf("it stands in %q", d.GetFolder())
		}
		if list, _ := ada.list(&docsv1.ListDocumentsRequest{Folder: new(string)}, 10); len(list) != 1 {
			t.Errorf("%v", list)
		}
	})
}

// A folder that is deleted while documents are moved into it ends with all of them outside, and is cleared away.
func TestMovingIntoAFolderThatGoes(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		for range 5 {
			folder := ada.folder("a folder", "")
			var docs []string
			for range 8 {
				docs = append(docs, ada.create(""))
			}
			var wg sync.WaitGroup
			for i, doc := range docs {
				u := *ada
				u.client = fmt.Sprint("c", i, folder)
				wg.Go(func() {
					if _, err := u.move(doc, folder); err != nil {
						refused(t, "moved", err, edgev1.Code_CODE_NOT_FOUND, "docs.FOLDER")
					}
				})
			}
			must(ada.api.DeleteFolder(ada.write(), &docsv1.DeleteFolderRequest{Folder: folder}))(t)
			wg.Wait()
			eventually(t, "it is cleared away", func() bool {
				var n int
				err := w.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM docs_folder) + (SELECT count(*) FROM docs_entry WHERE folder <> '')`).Scan(&n)
				return err == nil && n == 0
			})
		}
	})
}
