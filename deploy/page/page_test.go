package page

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestChoose(t *testing.T) {
	all := fstest.MapFS{"placeholder/index.html": {Data: []byte("placeholder")}, "built/.gitignore": {}}
	for range 2 {
		text, err := fs.ReadFile(choose(all), "index.html")
		_, built := all["built/index.html"]
		if want := map[bool]string{false: "placeholder", true: "application"}[built]; err != nil || string(text) != want {
			t.Errorf("%q, %v, want %q", text, err, want)
		}
		all["built/index.html"] = &fstest.MapFile{Data: []byte("application")}
	}
}

// The policy under which pages are served admits nothing that stands in them: a page names its script and its style.
func TestPagesKeepToThePolicy(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script[^>]*>[^<]|https?://`)
	for _, folder := range []string{"built", "placeholder"} {
		text, err := fs.ReadFile(files, folder+"/index.html")
		if err != nil && folder == "built" {
			continue
		}
		if err != nil || !strings.Contains(string(text), "<title>Plenum</title>") {
			t.Errorf("%s: %v: the page does not name itself", folder, err)
		}
		if found := forbidden.FindString(string(text)); found != "" {
			t.Errorf("%s: %q", folder, found)
		}
	}
}
