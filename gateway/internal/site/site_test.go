package site

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// build is as Vite makes one.
func build() fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"index.html": "<!doctype html>", "index.html.br": "br of index", "index.html.gz": "gz of index", "sw.js": "worker", "manifest.webmanifest": "{}",
		"assets/app-1a2b.js": "script", "assets/app-1a2b.js.br": "br", "assets/app-1a2b.js.gz": "gz", "assets/app-1a2b.css": "style", "icon.png": "image",
		".gitignore": "*", ".hidden/secret.txt": "secret", "assets/.map.json": "{}",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func open(t *testing.T) *Site {
	t.Helper()
	s, err := New(build(), true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is what is looked at of a response.
type answer struct {
	StatusCode int
	Header     http.Header
	body       string
}

func ask(s *Site, method, path string, header ...string) answer {
	r := httptest.NewRequest(method, "http://plenum.test/", http.NoBody)
	r.URL.Path = path
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func TestFiles(t *testing.T) {
	s := open(t)
	for path, want := range map[string]struct{ kind, keep, text string }{
		"/":                     {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/index.html":           {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/c/01ABC":              {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/c/01ABC/":             {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/settings/devices":     {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/app.v1/main":          {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/assets":               {"text/html; charset=utf-8", asking, "<!doctype html>"},
		"/sw.js":                {"text/javascript; charset=utf-8", asking, "worker"},
		"/manifest.webmanifest": {"application/manifest+json", asking, "{}"},
		"/icon.png":             {"image/png", asking, "image"},
		"/assets/app-1a2b.js":   {"text/javascript; charset=utf-8", forever, "script"},
		"/assets/app-1a2b.css":  {"text/css; charset=utf-8", forever, "style"},
	} {
		res := ask(s, http.MethodGet, path)
		if res.StatusCode != 200 || res.body != want.text || res.Header.Get("Content-Type") != want.kind || res.Header.Get("Cache-Control") != want.keep {
			t.Errorf("%s: %d %q %v", path, res.StatusCode, res.body, res.Header)
		}
		head := ask(s, http.MethodHead, path)
		if head.StatusCode != 200 || !maps.EqualFunc(head.Header, res.Header, slices.Equal) || head.body != "" {
			t.Errorf("HEAD %s: %d %v %q", path, head.StatusCode, head.Header, head.body)
		}
		if n := head.Header.Get("Content-Length"); n != strconv.Itoa(len(want.text)) {
			t.Errorf("HEAD %s: Content-Length %q", path, n)
		}
	}
}

// What isn't there is not found, and nobody remembers that: folders, codings, what the build hides, and paths that mean others.
func TestNothing(t *testing.T) {
	s := open(t)
	for _, path := range []string{
		"/assets/", "/assets/nothing.js", "/assets/nothing", "/assets/app-1a2b.js.br", "/index.html.gz", "/.gitignore", "/.hidden/secret.txt", "/assets/.map.json", "/favicon.ico",
		"/../c", "/c/../d", "//c", "/c//d", "/./c", "/c/.", "/c/..", "",
	} {
		res := ask(s, http.MethodGet, path)
		if res.StatusCode != 404 || res.Header.Get("Cache-Control") != never || res.Header.Get("Etag") != "" {
			t.Errorf("%q: %d %v", path, res.StatusCode, res.Header)
		}
	}
}

func TestCodings(t *testing.T) {
	s := open(t)
	for accept, want := range map[string]string{
		"": "", "br": "br", "gzip, deflate, br, zstd": "br", "gzip, deflate": "gzip", "BR": "br", "br;q=0, gzip": "gzip", "br; q=0.0, gzip;q=0.5": "gzip", "br;q=x": "",
		"*": "br", "*, br;q=0": "gzip", "*;q=0": "", "identity": "", "identity;q=0": "", "deflate": "", "br;q=0.1, gzip;q=1": "br",
	} {
		res := ask(s, http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", accept)
		text := map[string]string{"": "script", "br": "br", "gzip": "gz"}[want]
		if res.Header.Get("Content-Encoding") != want || res.body != text || res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Content-Length") != strconv.Itoa(len(text)) {
			t.Errorf("%q: %q %v", accept, res.body, res.Header)
		}
	}
	if res := ask(s, http.MethodGet, "/assets/app-1a2b.css", "Accept-Encoding", "br"); res.Header.Get("Content-Encoding") != "" || res.Header.Get("Vary") != "" {
		t.Errorf("what has no other coding: %v", res.Header)
	}
}

// A client that has the file is told so, and in which coding it has it matters.
func TestUnchanged(t *testing.T) {
	s := open(t)
	plain, br := ask(s, http.MethodGet, "/").Header.Get("Etag"), ask(s, http.MethodGet, "/", "Accept-Encoding", "br").Header.Get("Etag")
	if plain == br || len(plain) < 10 {
		t.Fatalf("tags %s and %s", plain, br)
	}
	for said, same := range map[string]bool{plain: true, "W/" + plain: true, `"x", ` + plain: true, "*": true, br: false, `"x"`: false, "": false} {
		res := ask(s, http.MethodGet, "/c/x", "If-None-Match", said)
		if got := res.StatusCode == http.StatusNotModified; got != same || res.Header.Get("Etag") != plain || res.Header.Get("Cache-Control") != asking {
			t.Errorf("%s: %d %v", said, res.StatusCode, res.Header)
		}
		if same && (res.body != "" || res.Header.Get("Content-Type") != "") {
			t.Errorf("%s: %v", said, res.Header)
		}
	}
	if res := ask(s, http.MethodGet, "/", "If-None-Match", br, "Accept-Encoding", "br"); res.StatusCode != http.StatusNotModified {
		t.Errorf("compressed: %d", res.StatusCode)
	}
}

// A site without a service worker frees browsers of an earlier one: of another build, or that the operator doesn't want any more.
func TestRetired(t *testing.T) {
	compressed := build()
	compressed["sw.js.br"], compressed["sw.js.gz"] = &fstest.MapFile{Data: []byte("br")}, &fstest.MapFile{Data: []byte("gz")}
	without := build()
	delete(without, "sw.js")
	for name, c := range map[string]struct {
		files   fstest.MapFS
		offline bool
		want    string
	}{
		"kept":           {compressed, true, "br"},
		"not wanted":     {compressed, false, string(retired)},
		"none":           {without, true, string(retired)},
		"none, unwanted": {without, false, string(retired)},
	} {
		s, err := New(c.files, c.offline)
		if err != nil {
			t.Fatal(err)
		}
		res := ask(s, http.MethodGet, worker, "Accept-Encoding", "br")
		if res.StatusCode != 200 || res.body != c.want || res.Header.Get("Content-Type") != kinds[".js"] || res.Header.Get("Cache-Control") != asking {
			t.Errorf("%s: %d %q %v", name, res.StatusCode, res.body, res.Header)
		}
	}
}

func TestBuildsThatCannotBeServed(t *testing.T) {
	for name, change := range map[string]func(fstest.MapFS){
		"no index.html":       func(f fstest.MapFS) { delete(f, "index.html") },
		"kinds.go":            func(f fstest.MapFS) { f["assets/a.exe"] = &fstest.MapFile{} },
		"stays in memory":     func(f fstest.MapFS) { f["a.txt"] = &fstest.MapFile{Data: make([]byte, maxBytes+1)} },
		"more than 4096":      many,
		"media type isn't":    func(f fstest.MapFS) { f["index.html.zst"] = &fstest.MapFile{} },
		"lonely.js.br, whose": func(f fstest.MapFS) { f["lonely.js.br"] = &fstest.MapFile{} },
	} {
		files := build()
		change(files)
		if _, err := New(files, true); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func many(f fstest.MapFS) {
	for i := range maxFiles {
		f["assets/"+strconv.Itoa(i)+".js"] = &fstest.MapFile{}
	}
}
