package docs

import (
	"strings"
	"testing"

	"plenum.internal/mesh/auth"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	asMarkdown = docsv1.Format_FORMAT_MARKDOWN
	asHTML     = docsv1.Format_FORMAT_HTML
	asText     = docsv1.Format_FORMAT_TEXT
)

func (u *user) export(document string, version uint64, format docsv1.Format) *docsv1.ExportDocumentResponse {
	u.tb.Helper()
	return must(u.api.ExportDocument(u.read(), &docsv1.ExportDocumentRequest{Document: document, Version: version, Format: format}))(u.tb)
}

func TestImportAndExport(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada, bob := w.person("ada"), w.person("bob")
		q := &docsv1.ImportDocumentRequest{Title: "Notes", Format: asMarkdown, Content: []byte("# Title\n\n- *one*\n- two\n")}
		made := must(ada.api.ImportDocument(ada.write(), q))(t)
		doc := made.GetDocument()
		again := must(ada.api.ImportDocument(ada.again(), q))(t)
		if doc == "" || again.GetDocument() != doc || made.GetVersion() == 0 || again.GetVersion() != made.GetVersion() {
			t.Errorf("a retry: %v, first %v", again, made)
		}
		if d := must(ada.api.GetDocument(ada.read(), &docsv1.GetDocumentRequest{Document: doc}))(t).GetDocument(); d.GetTitle() != "Notes" || d.GetRole() != owner {
			t.Errorf("its cover: %v", d)
		}
		if got := ada.text(doc); got != "Title\none\ntwo\n" {
			t.Errorf("%q", got)
		}
		edited := must(ada.submit(doc, made.GetVersion(), at(5, "<b>")))(t)
		for _, c := range []struct {
			version uint64
			format  docsv1.Format
			want    string
		}{
			{0, asMarkdown, "# Title\\<b>\n\n- _one_\n- two\n"},
			{made.GetVersion(), asMarkdown, "# Title\n\n- _one_\n- two\n"},
			{edited.GetVersion(), asHTML, "<h1>Title&lt;b&gt;</h1>\n<ul>\n<li><em>one</em></li>\n<li>two</li></ul>\n"},
			{0, asText, "Title<b>\none\ntwo\n"},
		} {
			r := ada.export(doc, c.version, c.format)
			if r.GetContent() != c.want || c.version != 0 && r.GetVersion() != c.version {
				t.Errorf("%v of version %d: %q, want %q; version %d", c.format, c.version, r.GetContent(), c.want, r.GetVersion())
			}
		}
		_, err := bob.api.ExportDocument(bob.read(), &docsv1.ExportDocumentRequest{Document: doc, Format: asText})
		refused(t, "not let in", err, edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT")
		ada.share(doc, "bob", viewer)
		if got := bob.export(doc, 0, asText).GetContent(); got != "Title<b>\none\ntwo\n" {
			t.Errorf("a viewer has %q", got)
		}
	})
}

func TestRefusedImportsAndExports(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada, guest := w.person("ada"), w.somebody("w", "gus", auth.KindPerson)
	for name, c := range map[string]struct {
		who     *user
		format  docsv1.Format
		content string
		code    edgev1.Code
		reason  string
	}{
		"no permission":   {guest, asText, "a", edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN"},
		"no format":       {ada, 0, "a", edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"unknown format":  {ada, 99, "a", edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"no UTF-8":        {ada, asHTML, "a\xff", edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD"},
		"too long":        {ada, asText, strings.Repeat("a", MaxImport+1), edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
		"too deep":        {ada, asMarkdown, strings.Repeat("> ", 1000) + "a", edgev1.Code_CODE_INVALID_ARGUMENT, "docs.IMPORT"},
		"too complex":     {ada, asMarkdown, strings.Repeat("*a_", 100_000), edgev1.Code_CODE_INVALID_ARGUMENT, "docs.IMPORT"},
		"too many pieces": {ada, asHTML, strings.Repeat("<b>a</b>b", 100_000), edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
		"too many bytes":  {ada, asHTML, strings.Repeat("<a href=\"https://a.example/"+strings.Repeat("a", 2000)+"\">"+strings.Repeat("<b>a</b>b", 100)+"</a>", 300), edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE"},
	} {
		_, err := c.who.api.ImportDocument(c.who.write(), &docsv1.ImportDocumentRequest{Format: c.format, Content: []byte(c.content)})
		refused(t, name, err, c.code, c.reason)
	}
	doc := ada.create("a\n")
	_, err := ada.api.ExportDocument(ada.read(), &docsv1.ExportDocumentRequest{Document: doc})
	refused(t, "no format", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	_, err = ada.api.ExportDocument(ada.read(), &docsv1.ExportDocumentRequest{Document: doc, Format: asText, Version: 99})
	refused(t, "no such version", err, edgev1.Code_CODE_NOT_FOUND, "docs.VERSION")
}

// As much as can be imported comes back whole; what would be longer than an answer is refused, and the delta way is named.
func TestLongExports(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	long := strings.Repeat("a line with <, & and *\n", MaxImport/23)
	doc := must(ada.api.ImportDocument(ada.write(), &docsv1.ImportDocumentRequest{Format: asText, Content: []byte(long)}))(t).GetDocument()
	if got := ada.export(doc, 0, asText).GetContent(); got != long {
		t.Errorf("%d bytes came back of %d", len(got), len(long))
	}
	empty := must(ada.api.ImportDocument(ada.write(), &docsv1.ImportDocumentRequest{Format: asText, Content: []byte(strings.Repeat("\n", MaxImport))}))(t).GetDocument()
	_, err := ada.api.ExportDocument(ada.read(), &docsv1.ExportDocumentRequest{Document: empty, Format: asHTML})
	refused(t, "too long", err, edgev1.Code_CODE_BODY_TOO_LARGE, "docs.TOO_LARGE")
	if err == nil || !strings.Contains(err.Error(), "ReadDocument") {
		t.Errorf("%v does not name the other way", err)
	}
	if d, _ := ada.content(empty, 0); d.Len() != MaxImport {
		t.Errorf("%d code units", d.Len())
	}
}

// Whoever is asked, the document's owner answers.
func TestExportAtAnotherProcess(t *testing.T) {
	all := several(t, "sqlite:"+t.TempDir()+"/docs.db", "a", "b")
	ada := all[0].person("ada")
	doc := must(ada.api.ImportDocument(ada.write(), &docsv1.ImportDocumentRequest{Format: asHTML, Content: []byte("<p>hello<script>x</script>")}))(t).GetDocument()
	for _, w := range all {
		if got := ada.at(w).export(doc, 0, asMarkdown).GetContent(); got != "hello\n" {
			t.Errorf("%q", got)
		}
	}
}
