package setup

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// longest is the content whose parts hold half of it.
const longest = 10

// documents adds the document service: members has owner, content and roles of each, by title.
func documents(t *testing.T, c *chat, mux *http.ServeMux) {
	t.Helper()
	mux.HandleFunc(docsv1.DocsService_CreateDocument_FullMethodName, func(w http.ResponseWriter, r *http.Request) {
		var q docsv1.CreateDocumentRequest
		c.answer(t, w, r, &q, func(owner string) proto.Message {
			c.members[q.GetTitle()] = []string{owner, q.GetContent()}
			return &docsv1.CreateDocumentResponse{Document: q.GetTitle(), Version: 1}
		})
	})
	mux.HandleFunc(docsv1.DocsService_SetRole_FullMethodName, func(w http.ResponseWriter, r *http.Request) {
		var q docsv1.SetRoleRequest
		c.answer(t, w, r, &q, func(owner string) proto.Message {
			d := c.members[q.GetDocument()]
			if d[0] != owner {
				t.Errorf("%s gives roles of %s's document", owner, d[0])
			}
			c.members[q.GetDocument()] = append(d, q.GetPrincipal()+" "+q.GetRole().String())
			return &docsv1.SetRoleResponse{Version: 2}
		})
	})
	mux.HandleFunc(docsv1.DocsService_ReadDocument_FullMethodName, func(w http.ResponseWriter, r *http.Request) {
		var q docsv1.ReadDocumentRequest
		c.answer(t, w, r, &q, func(string) proto.Message {
			content := c.members[q.GetDocument()][1]
			a := &docsv1.ReadDocumentResponse{Version: 2, Epoch: 3, Length: uint32(len(content)), More: len(content) >= longest && q.GetAfter() == 0}
			if q.GetAfter() > 0 && (q.GetVersion() != 2 || q.GetAfter() != a.GetLength()) {
				t.Errorf("the end is behind %d of version %d", q.GetAfter(), q.GetVersion())
			}
			if !a.GetMore() {
				a.Hash = []byte(content)
			}
			return a
		})
	})
}

// Documents belong to one owner after the other, everybody may edit them, and what they are told to be is what the server has, however long.
func TestMakeDocuments(t *testing.T) {
	c, api := serve(t)
	c.refuse = func(method string, times int) edgev1.Code {
		if method == docsv1.DocsService_CreateDocument_FullMethodName && times < 3 {
			return edgev1.Code_CODE_RATE_LIMITED
		}
		return 0
	}
	owners, _ := people(3)
	m := New(api, owners)
	docs, err := m.MakeDocuments(t.Context(), 5, "title", func(i int) string { return strings.Repeat("x", 4*i) })
	if err != nil || len(docs) != 5 {
		t.Fatal(docs, err)
	}
	again, err := m.ReadDocuments(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range docs {
		content := strings.Repeat("x", 4*i)
		if want := []string{owners[i%3].User, content, "* ROLE_EDITOR"}; fmt.Sprint(c.members[d.ID]) != fmt.Sprint(want) {
			t.Errorf("document %d is %v", i, c.members[d.ID])
		}
		for _, d := range []Document{d, again[i]} {
			if d.ID != fmt.Sprintf("title-%d", i) || d.Epoch != 3 || d.Version != 2 || string(d.Hash) != content {
				t.Errorf("document %d is said to be %+v", i, d)
			}
		}
	}
}

// What is refused for good is told at once, with what it was for.
func TestMakeDocumentsFails(t *testing.T) {
	c, api := serve(t)
	owners, _ := people(1)
	for method, want := range map[string]string{
		docsv1.DocsService_CreateDocument_FullMethodName: "make document 0", docsv1.DocsService_SetRole_FullMethodName: "share document 0",
		docsv1.DocsService_ReadDocument_FullMethodName: "read document t-0",
	} {
		c.refuse = func(called string, _ int) edgev1.Code {
			if called == method {
				return edgev1.Code_CODE_PERMISSION_DENIED
			}
			return 0
		}
		if _, err := New(api, owners).MakeDocuments(t.Context(), 1, "t", func(int) string { return "" }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := New(api, owners).MakeDocuments(t.Context(), createMost+1, "t", nil); err == nil {
		t.Error("too many were made")
	}
}
