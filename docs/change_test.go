package docs

import (
	"testing"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// A change that was made long ago has its first answer when it comes again, though there is nothing to change now, or it can't be made any more.
func TestChangesComeAgain(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.person("ada")
		doc := ada.create("")
		share := &docsv1.SetRoleRequest{Document: doc, Principal: "bob", Role: editor}
		shared := ada.write()
		first := must(ada.api.SetRole(shared, share))(t).GetVersion()
		rename := &docsv1.RenameDocumentRequest{Document: doc, Title: "Another"}
		renamed := ada.write()
		named := must(ada.api.RenameDocument(renamed, rename))(t).GetVersion()
		for range 20 {
			must(ada.submit(doc, named, inserts("x")))(t)
		}
		again := func(when string) {
			w.closeNow(doc)
			if n := must(ada.api.SetRole(shared, share))(t).GetVersion(); n != first {
				t.Errorf("%s: shared at %d, first at %d", when, n, first)
			}
			if n := must(ada.api.RenameDocument(renamed, rename))(t).GetVersion(); n != named {
				t.Errorf("%s: renamed at %d, first at %d", when, n, named)
			}
		}
		again("as it is")
		if n := must(ada.api.SetRole(ada.write(), share))(t).GetVersion(); n != 0 {
			t.Errorf("with another key: %d", n)
		}
		for i := range 21 {
			must(ada.api.TrashDocument(ada.write(), &docsv1.TrashDocumentRequest{Document: doc, Trashed: i%2 == 0}))(t)
		}
		again("in the trash")
		_, err := ada.api.SetRole(ada.write(), share)
		refused(t, "with another key", err, edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED")
	}, func(c *Config) { c.Recent, c.Snapshot = 8, 5 })
}
