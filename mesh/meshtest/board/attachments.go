package board

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"plenum.internal/mesh/rpc"
)

// Limits of attachments.
const (
	maxAttachment  = 512 << 20 // bytes of one
	maxAttachments = 100       // of a workspace, those on their way included
	maxFileName    = 64
	// abandonTime is how long nobody has written to a file that is not complete, before it counts as left behind by a process that died. The
	// gateway gives up who sends nothing for a much shorter time.
	abandonTime = time.Hour
)

// incomplete begins the names of files that are on their way; no attachment's begins with a dot.
const incomplete = ".incomplete-"

// attachments are the files of workspaces: each has a folder, and a file there is an attachment, whole.
//
// A request comes to the node of its user, so that every process must find what any has taken; here by the folder that they share.
type attachments struct {
	root     *os.Root
	log      *slog.Logger
	maxBytes int64
	maxFiles int

	mu sync.Mutex // held while room is made and taken
}

func openAttachments(folder string, log *slog.Logger) (*attachments, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	return &attachments{root: root, log: log, maxBytes: maxAttachment, maxFiles: maxAttachments}, err
}

// handler answers the routes that board.proto names.
func (a *attachments) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /board/attachments/{name}", a.of(a.put))
	mux.HandleFunc("GET /board/attachments/{name}", a.of(a.download))
	mux.HandleFunc("DELETE /board/attachments/{name}", a.of(a.remove))
	mux.HandleFunc("GET /board/content/{name}", a.of(a.show))
	mux.HandleFunc("GET /board/about/limits", a.limits)
	return mux
}

// place is where an attachment lies: a path in the folder of all.
type place struct{ workspace, name string }

func (p place) path() string { return path.Join(p.workspace, p.name) }

// of is the authorisation, on every path: a request is about the workspace of who sends it, whatever it says.
func (a *attachments) of(do func(http.ResponseWriter, *http.Request, place)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := rpc.Caller(r.Context())
		if err != nil {
			http.Error(w, "Sign in first.", http.StatusUnauthorized)
			return
		}
		name := r.PathValue("name")
		if !validFileName(name) {
			http.Error(w, "An attachment's name has up to 64 letters, digits and -_. alone, and begins with no dot.", http.StatusBadRequest)
			return
		}
		do(w, r, place{caller.Workspace, name})
	}
}

func validFileName(s string) bool {
	return s != "" && len(s) <= maxFileName && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
}

// put takes an attachment. What can be refused by the head alone is, before the body is read: until then the gateway asks nobody for it.
func (a *attachments) put(w http.ResponseWriter, r *http.Request, at place) {
	if r.ContentLength > a.maxBytes {
		a.tooLarge(w)
		return
	}
	if err := a.take(at, http.MaxBytesReader(w, r.Body, a.maxBytes)); err != nil {
		a.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// take keeps a body under its name once it is complete, and on the disk.
func (a *attachments) take(at place, body io.Reader) error {
	coming := place{at.workspace, incomplete + rand.Text()}
	file, err := a.create(coming)
	if err != nil {
		return err
	}
	defer func() { _ = a.root.Remove(coming.path()) }() // fails where it has its name
	_, err = io.Copy(file, body)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := a.root.Rename(coming.path(), at.path()); err != nil {
		return err
	}
	folder, err := a.root.Open(at.workspace)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync() // the name, too
}

func (a *attachments) tooLarge(w http.ResponseWriter) {
	http.Error(w, fmt.Sprintf("An attachment has at most %d bytes.", a.maxBytes), http.StatusRequestEntityTooLarge)
}

var errNoRoom = errors.New("board: a workspace has as many attachments as it may have")

// create makes an incomplete file, if its workspace has room for one more.
func (a *attachments) create(p place) (*os.File, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.root.MkdirAll(p.workspace, 0o700); err != nil {
		return nil, err
	}
	files, err := fs.ReadDir(a.root.FS(), p.workspace)
	if err != nil {
		return nil, err
	}
	left := a.maxFiles
	for _, f := range files {
		if info, err := f.Info(); err == nil && strings.HasPrefix(f.Name(), incomplete) && time.Since(info.ModTime()) > abandonTime {
			_ = a.root.Remove(place{p.workspace, f.Name()}.path()) // another process may have
			continue
		}
		left--
	}
	if left <= 0 {
		return nil, errNoRoom
	}
	return a.root.OpenFile(p.path(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// download gives an attachment as a file to be kept: by no header may a browser take it for something of the application's.
func (a *attachments) download(w http.ResponseWriter, r *http.Request, at place) {
	a.serve(w, r, at, http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {"attachment"}})
}

// show gives an attachment as what its name says it is. It may be a page with scripts: the route for it is isolated.
func (a *attachments) show(w http.ResponseWriter, r *http.Request, at place) { a.serve(w, r, at, nil) }

// serve answers with the whole, or with the range that was asked for. The tag names this version: who goes on after a break is told when
// another one has taken its place (If-Range).
func (a *attachments) serve(w http.ResponseWriter, r *http.Request, at place, as http.Header) {
	file, err := a.root.Open(at.path())
	if err != nil {
		a.fail(w, err)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		a.fail(w, err)
		return
	}
	maps.Copy(w.Header(), as)
	w.Header().Set("Etag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	w.Header().Set("Cache-Control", "private, no-cache") // it is asked for each time: who had the right to it may have it no more
	http.ServeContent(w, r, at.name, info.ModTime(), file)
}

func (a *attachments) remove(w http.ResponseWriter, _ *http.Request, at place) {
	if err := a.root.Remove(at.path()); err != nil {
		a.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// limits tells what an attachment may be, before anybody sends one.
func (a *attachments) limits(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"maxBytes":%d,"maxFiles":%d}`, a.maxBytes, a.maxFiles) // the client may be gone
}

// fail answers what kept an attachment from being found, or taken.
func (a *attachments) fail(w http.ResponseWriter, err error) {
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case large:
		a.tooLarge(w)
	case errors.Is(err, errNoRoom):
		http.Error(w, "There is no room for another attachment: remove one first.", http.StatusInsufficientStorage)
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, "There is no such attachment.", http.StatusNotFound)
	case errors.Is(err, io.ErrUnexpectedEOF): // the client has gone, or was cut off
		http.Error(w, "The attachment did not come to its end: send it again.", http.StatusBadRequest)
	default:
		a.log.Error("attachments can't be kept, or read", "error", err)
		http.Error(w, "The attachment can't be had just now: try again shortly.", http.StatusServiceUnavailable)
	}
}
