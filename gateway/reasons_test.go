package gateway

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every reason that a gateway gives stands in the page from which clients are written.
func TestReasonsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range regexp.MustCompile(`"edge\.[A-Z_]+"`).FindAllString(string(code), -1) {
			found++
			if !strings.Contains(string(page), "`"+strings.Trim(reason, `"`)+"`") {
				t.Errorf("%s: %s is not in PROTOCOL.md", file, reason)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d reasons: the test looks for the wrong thing", found)
	}
}
