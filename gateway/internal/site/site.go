// Package site serves the files of the web application: what a build made, in memory, with how long browsers keep it.
package site

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Site is the files of one build. What a request names is looked up among them, never on a disk.
type Site struct {
	files map[string]*file // by path, which begins with a slash
	index *file
}

// What a build has at most: all of it stays in memory.
const (
	maxFiles = 4096
	maxBytes = 64 << 20
)

const (
	index  = "/index.html"
	worker = "/sw.js"
	// assets are files whose names change with what is in them.
	assets  = "/assets/"
	forever = "public, max-age=31536000, immutable"
	asking  = "no-cache" // browsers keep it, and ask each time whether it is still the same
	never   = "no-store"
)

// retired is the service worker of a site that has none: browsers would keep an earlier one for ever, and show its application in place of the site.
//
//go:embed retired.js
var retired []byte

// codings are what a build compresses a file to, beside it, the best one first: app.js, app.js.br, app.js.gz.
var codings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// file is one of them, in each of its codings.
type file struct {
	kind     string // its media type
	keep     string // Cache-Control
	variants []variant
}

// variant is a file in one coding.
type variant struct {
	coding string // empty: as it is
	tag    string // ETag, of these bytes: strong
	body   []byte
}

// New reads the files of a build: index.html, files beside it, and those in assets/. A name that begins with a dot is not the
// application's. A file whose media type isn't known is an error, since browsers are told not to guess. Where there is no sw.js, or offline is false, browsers
// that have a service worker from before are freed of it.
func New(files fs.FS, offline bool) (*Site, error) {
	s := &Site{files: map[string]*file{}}
	all := map[string][]byte{}
	size := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || strings.HasPrefix(d.Name(), "."):
			return nil
		}
		body, err := fs.ReadFile(files, name)
		if size += len(body); size > maxBytes || len(all) == maxFiles {
			return fmt.Errorf("there are more than %d files or %d bytes: it stays in memory", maxFiles, maxBytes)
		}
		all["/"+name] = body
		return err //nolint:wrapcheck // names the file
	})
	if err != nil {
		return nil, fmt.Errorf("the web application can't be read: %w", err)
	}
	if _, ok := all[index]; !ok {
		return nil, errors.New("the web application has no index.html")
	}
	if _, ok := all[worker]; !ok || !offline {
		for _, c := range codings {
			delete(all, worker+c.suffix)
		}
		all[worker] = retired
	}
	for name, body := range all {
		if compressed(name, all) {
			continue
		}
		f, err := newFile(name, body, all)
		if err != nil {
			return nil, err
		}
		s.files[name] = f
	}
	s.index = s.files[index]
	s.files["/"] = s.index
	return s, nil
}

// compressed reports whether a file is another one in a coding.
func compressed(name string, all map[string][]byte) bool {
	for _, c := range codings {
		if plain, ok := strings.CutSuffix(name, c.suffix); ok && all[plain] != nil {
			return true
		}
	}
	return false
}

func newFile(name string, body []byte, all map[string][]byte) (*file, error) {
	f := &file{kind: kinds[path.Ext(name)], keep: asking}
	if f.kind == "" {
		return nil, fmt.Errorf("the web application has %s, whose media type isn't known: name it in gateway/internal/site/kinds.go", name)
	}
	if strings.HasPrefix(name, assets) {
		f.keep = forever
	}
	for _, c := range codings {
		if b, ok := all[name+c.suffix]; ok {
			f.variants = append(f.variants, newVariant(c.name, b))
		}
	}
	f.variants = append(f.variants, newVariant("", body))
	return f, nil
}

func newVariant(coding string, body []byte) variant {
	sum := sha256.Sum256(body)
	return variant{coding, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, body}
}

// ServeHTTP implements http.Handler for GET and HEAD. A path without an extension is a place within the application, which shows it.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.find(r.URL.Path)
	h := w.Header()
	if f == nil {
		h.Set("Cache-Control", never) // another gateway may have the file already
		http.NotFound(w, r)
		return
	}
	v := f.choose(r.Header.Values("Accept-Encoding"))
	h.Set("Cache-Control", f.keep)
	h.Set("Etag", v.tag)
	if len(f.variants) > 1 {
		h.Add("Vary", "Accept-Encoding")
	}
	if matches(r.Header.Values("If-None-Match"), v.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(v.body)))
	if v.coding != "" {
		h.Set("Content-Encoding", v.coding)
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(v.body) // the client may be gone
	}
}

// find is the file of a path; nil: there is none.
func (s *Site) find(p string) *file {
	if f := s.files[p]; f != nil {
		return f
	}
	last := p[strings.LastIndex(p, "/")+1:]
	if strings.Contains(last, ".") || strings.HasPrefix(p, assets) || path.Clean(p) != strings.TrimSuffix(p, "/") {
		return nil
	}
	return s.index
}

// choose takes the best coding that a client admits. What it says nothing of, it doesn't (RFC 9110, 12.5.3); the file as it is it always does.
func (f *file) choose(accept []string) variant {
	admitted := map[string]bool{}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(item, ";")
			admitted[strings.ToLower(strings.TrimSpace(name))] = !refused(weight)
		}
	}
	for _, v := range f.variants {
		ok, said := admitted[v.coding]
		if ok || !said && admitted["*"] || v.coding == "" {
			return v
		}
	}
	return f.variants[len(f.variants)-1]
}

// refused reports whether a weight is q=0.
func refused(weight string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(weight), "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return strings.EqualFold(strings.TrimSpace(name), "q") && (err != nil || q <= 0)
}

// matches reports whether a client has what an ETag stands for. Proxies that compress make tags weak.
func matches(said []string, tag string) bool {
	for _, line := range said {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimSpace(item)
			if item == "*" || strings.TrimPrefix(item, "W/") == tag {
				return true
			}
		}
	}
	return false
}
