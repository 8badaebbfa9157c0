package board

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"plenum.internal/mesh/auth"
)

func newAttachments(t *testing.T) (a *attachments, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "attachments")
	a, err := openAttachments(folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.root.Close() })
	return a, folder
}

// ask sends a request as somebody of a workspace; empty: as nobody. A body of unknown length is one without Len.
func ask(a *attachments, workspace, method, path string, body io.Reader) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, path, body), httptest.NewRecorder()
	if workspace != "" {
		r = r.WithContext(auth.NewContext(r.Context(), auth.Caller{Claims: auth.Claims{User: "u", Workspace: workspace}}))
	}
	a.handler().ServeHTTP(w, r)
	return w
}

func TestAttachments(t *testing.T) {
	a, folder := newAttachments(t)
	a.maxBytes, a.maxFiles = 10, 2
	long := func() io.Reader { return strings.NewReader("eleven byte") }
	unknown := func(r io.Reader) io.Reader { return struct{ io.Reader }{r} }
	for _, c := range []struct {
		name, workspace, method, path string
		body                          io.Reader
		status                        int
		text                          string
	}{
		{"the limits", "", "GET", "/board/about/limits", nil, 200, `{"maxBytes":10,"maxFiles":2}`},
		{"nobody", "", "PUT", "/board/attachments/x", strings.NewReader("x"), 401, ""},
		{"none yet", "w", "GET", "/board/attachments/x", nil, 404, ""},
		{"one", "w", "PUT", "/board/attachments/x.txt", strings.NewReader("first"), 201, ""},
		{"another in its place", "w", "PUT", "/board/attachments/x.txt", unknown(strings.NewReader("second")), 201, ""},
		{"which is there", "w", "GET", "/board/attachments/x.txt", nil, 200, "second"},
		{"too long", "w", "PUT", "/board/attachments/y", long(), 413, ""},
		{"too long, as it turns out", "w", "PUT", "/board/attachments/y", unknown(long()), 413, ""},
		{"broken", "w", "PUT", "/board/attachments/y", iotest.TimeoutReader(iotest.OneByteReader(long())), 503, ""},
		{"not to its end", "w", "PUT", "/board/attachments/y", io.MultiReader(strings.NewReader("a"), iotest.ErrReader(io.ErrUnexpectedEOF)), 400, ""},
		{"of which nothing is left", "w", "GET", "/board/attachments/y", nil, 404, ""},
		{"a second", "w", "PUT", "/board/attachments/y", strings.NewReader("y"), 201, ""},
		{"a third", "w", "PUT", "/board/attachments/z", strings.NewReader("z"), 507, ""},
		{"another workspace's", "v", "PUT", "/board/attachments/z", strings.NewReader("z"), 201, ""},
		{"not the first one's", "v", "GET", "/board/content/y", nil, 404, ""},
		{"to be shown", "v", "GET", "/board/content/z", nil, 200, "z"},
		{"not to be written there", "v", "PUT", "/board/content/z", nil, 405, ""},
		{"removed", "w", "DELETE", "/board/attachments/y", nil, 204, ""},
		{"once", "w", "DELETE", "/board/attachments/y", nil, 404, ""},
		{"a name of ours", "w", "PUT", "/board/attachments/.incomplete-x", nil, 400, ""},
		{"a path", "w", "PUT", "/board/attachments/a%2fb", nil, 400, ""},
		{"a path out", "w", "GET", "/board/attachments/..%2fv%2fz", nil, 400, ""},
		{"too long a name", "w", "PUT", "/board/attachments/" + strings.Repeat("x", 65), nil, 400, ""},
	} {
		w := ask(a, c.workspace, c.method, c.path, c.body)
		if w.Code != c.status || c.text != "" && w.Body.String() != c.text {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	if files, err := os.ReadDir(filepath.Join(folder, "w")); err != nil || len(files) != 1 {
		t.Errorf("left: %v %v", files, err)
	}
}

// What a process that died has left behind takes room for an hour at the most.
func TestLeftBehind(t *testing.T) {
	a, folder := newAttachments(t)
	a.maxFiles = 1
	left := filepath.Join(folder, "w", incomplete+"x")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if w := ask(a, "w", http.MethodPut, "/board/attachments/x", strings.NewReader("x")); w.Code != http.StatusInsufficientStorage {
		t.Errorf("another one on its way: %d", w.Code)
	}
	long := time.Now().Add(-2 * abandonTime)
	if err := os.Chtimes(left, long, long); err != nil {
		t.Fatal(err)
	}
	if w := ask(a, "w", http.MethodPut, "/board/attachments/x", strings.NewReader("x")); w.Code != http.StatusCreated {
		t.Errorf("left behind: %d", w.Code)
	}
}
