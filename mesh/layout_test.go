package mesh_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// meshPackages is the closed list: a new package of mesh is a decision, to be written into ARCHITECTURE.md.
var meshPackages = []string{"run", "config", "rpc", "registry", "lease", "bus", "sqldb", "topic", "auth", "obs", "node", "markdown", "emoji", "letters", "meshtest"}

// layers says which of the workspace's modules a module may import, besides itself.
var layers = map[string][]string{
	"proto":             {},
	"mesh":              {"proto"},
	"gateway":           {"proto", "mesh"},
	"chat":              {"proto", "mesh"},
	"docs":              {"proto", "mesh"},
	"presence":          {"proto", "mesh"},
	"services/identity": {"proto", "mesh"},
	"client":            {"proto", "mesh", "docs/ot"}, // the engine of documents, which clients run, too
	"loadtest":          {"proto", "mesh", "client"},
	"deploy":            {"proto", "mesh", "gateway", "chat", "docs", "presence", "services/identity", "client"},
}

const root = "plenum.internal/"

type listed struct {
	ImportPath                         string
	Doc                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
	Module                             struct{ Path string }
}

func workspace(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,GoFiles,Imports,TestImports,XTestImports,Module", "work").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestLayout(t *testing.T) {
	packages := workspace(t)
	if len(packages) < 20 {
		t.Fatalf("go list found only %d packages: the test looks at the wrong place", len(packages))
	}
	for _, p := range packages {
		module := strings.TrimPrefix(p.Module.Path, root)
		allowed, known := layers[module]
		if !known {
			t.Errorf("%s: the module %s is not in the layers of this test", p.ImportPath, p.Module.Path)
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if !strings.HasPrefix(imported, root) || imported == p.Module.Path || strings.HasPrefix(imported, p.Module.Path+"/") {
				continue
			}
			path := strings.TrimPrefix(imported, root)
			if !slices.ContainsFunc(allowed, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) {
				t.Errorf("%s imports %s: %s may import only %v", p.ImportPath, imported, module, allowed)
			}
		}
		if module == "gateway" && strings.HasPrefix(p.ImportPath, root+"gateway") {
			for _, imported := range p.Imports {
				if domain, ok := strings.CutPrefix(imported, root+"proto/plenum/"); ok && !slices.Contains([]string{"edge/v1", "topic/v1", "auth/v1", "http/v1", "roster/v1"}, domain) {
					t.Errorf("%s imports %s: the gateway knows no domain", p.ImportPath, imported)
				}
			}
		}
		if rest, ok := strings.CutPrefix(p.ImportPath, root+"mesh/"); ok {
			if name, _, _ := strings.Cut(rest, "/"); !slices.Contains(meshPackages, name) {
				t.Errorf("%s: mesh is closed, its packages are %v", p.ImportPath, meshPackages)
			}
		}
		generated := !slices.ContainsFunc(p.GoFiles, func(f string) bool { return !strings.HasSuffix(f, ".pb.go") })
		if !generated && !sentence(p.Doc) {
			t.Errorf("%s: its package doc is to be one sentence that says what it is, is %q", p.ImportPath, p.Doc)
		}
	}
}

// sentence reports whether doc, the synopsis that go list gives, is a sentence.
func sentence(doc string) bool {
	return len(doc) > 20 && strings.HasSuffix(doc, ".")
}
