package docs

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"plenum.internal/mesh/letters"
	"plenum.internal/mesh/rpc"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// One line is one line wherever it is shown, and turns nothing beside it. What is written from right to left, or joined, is none the worse for it.
func TestOneLine(t *testing.T) {
	for _, fine := range []string{"a title", "שלום a", "a\u200fb", "👩\u200d💻", " blanks around\u2029", "\ufeffx"} {
		if got, err := checkTitle(fine); err != nil || got != strings.TrimSpace(fine) {
			t.Errorf("%q is %q, %v", fine, got, err)
		}
	}
	for _, r := range "\x00\n\t\u007f\u0085\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" {
		text := "a" + string(r) + "b"
		_, title := checkTitle(text)
		_, folder := checkFolder(text)
		_, name := checkLine("name", text, MaxName)
		for _, err := range []error{title, folder, name} {
			refused(t, fmt.Sprintf("%q", text), err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
	}
}

// A title or a name is no taller than its line.
func TestMarksOnALetter(t *testing.T) {
	marks := strings.Repeat("\u0301", letters.MaxMarks)
	for _, check := range []func(string) (string, error){checkTitle, checkFolder, func(s string) (string, error) { return checkLine("name", s, MaxName) }} {
		if _, err := check("a" + marks + "b" + marks); err != nil {
			t.Error(err)
		}
		_, err := check("a" + marks + "\u0301")
		refused(t, "a mark too many", err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
}

// What nobody sees is no title, and no name.
func TestNothingToSee(t *testing.T) {
	for _, text := range []string{"\u200b", "\ufeff", "\u061c", "\u200f \u200b", "\u00ad", "\u2060\u034f", "\u3164", "\ufe0f", "\u2800 \u2800", "\U000e0041"} {
		_, title := checkTitle(text)
		_, folder := checkFolder(text)
		_, name := checkLine("name", text, MaxName)
		for _, err := range []error{title, folder, name} {
			refused(t, fmt.Sprintf("%q", text), err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		}
	}
	for _, text := range []string{".", "\u200bx", "❤\ufe0f", "\u0301"} {
		if got, err := checkTitle(text); err != nil || got != text {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

// What a list's page may be, and a delta wherever one is sent.
func TestRefusedPagesAndDeltas(t *testing.T) {
	w := newWorld(t, "sqlite:"+t.TempDir()+"/docs.db")
	ada := w.person("ada")
	doc := ada.create("A text\n")
	for _, page := range []string{"-1", "0", "+5", "x", "9223372036854775808"} {
		_, err := ada.api.ListThreads(ada.read(), &docsv1.ListThreadsRequest{Document: doc, Page: page})
		refused(t, "threads, page "+page, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		_, err = ada.api.ListSuggestions(ada.read(), &docsv1.ListSuggestionsRequest{Document: doc, Page: page})
		refused(t, "suggestions, page "+page, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
		_, err = ada.api.ListNotices(ada.read(), &docsv1.ListNoticesRequest{Page: page})
		refused(t, "notices, page "+page, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD")
	}
	for _, list := range []string{`[]`, "\n\t [{\"insert\":\"x\"}]"} {
		_, err := ada.submit(doc, 2, list)
		refused(t, "an edit "+list, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA")
		_, err = ada.suggest(doc, 2, list)
		refused(t, "a suggestion "+list, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA")
		_, err = ada.api.CreateDocument(ada.write(), &docsv1.CreateDocumentRequest{Title: "x", Content: list})
		refused(t, "a document "+list, err, edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA")
	}
}

// A text that PostgreSQL can't hold, in whichever field of a request, is the caller's fault and not the service's; as an id it names nothing.
func TestStrangeTexts(t *testing.T) {
	everyEngine(t, func(t *testing.T, w *world) {
		ada := w.admin("ada")
		doc := ada.create("A text\n")
		methods := docsv1.File_plenum_docs_v1_docs_proto.Services().ByName("DocsService").Methods()
		asked := 0
		for i := range methods.Len() {
			method := methods.Get(i)
			in, _ := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
			out, _ := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
			for j := range method.Input().Fields().Len() {
				field := method.Input().Fields().Get(j)
				if field.Kind() != protoreflect.StringKind || field.IsList() {
					continue
				}
				asked++
				for _, strange := range []string{"\x00", "a\x00", strings.Repeat("a", 27)} {
					req, res := in.New(), out.New()
					if method.Input().Fields().ByName("document") != nil {
						set(req, "document", doc)
					}
					set(req, string(field.Name()), strange)
					err := w.rpc.Pipe("gateway").Invoke(ada.write(), "/plenum.docs.v1.DocsService/"+string(method.Name()), req.Interface(), res.Interface())
					if rpc.CodeOf(err) >= edgev1.Code_CODE_INTERNAL {
						t.Errorf("%s with %q as %s: %v", method.Name(), strange, field.Name(), rpc.FromError(err))
					}
					if id := string(field.Name()); (id == "document" || id == "folder") && err == nil {
						t.Errorf("%s with %q as %s was done", method.Name(), strange, id)
					}
				}
			}
		}
		if asked < 40 {
			t.Errorf("only %d fields: the test looks for the wrong thing", asked)
		}
	})
}
