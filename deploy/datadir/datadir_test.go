package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneProcessHoldsTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there", "yet")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Path("chat", "x.db"); got != filepath.Join(path, "chat", "x.db") {
		t.Errorf("Path = %s", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "in use by another Plenum") {
		t.Errorf("a second Open: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnusableFolderIsOneClearLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below"), "/proc/plenum"} {
		_, err := Open(path)
		if err == nil {
			t.Errorf("%s can be opened", path)
			continue
		}
		if s := err.Error(); strings.Contains(s, "\n") || !strings.Contains(s, path) || !strings.Contains(s, "--data") {
			t.Errorf("%s: %q does not say what to do in one line", path, s)
		}
	}
}
