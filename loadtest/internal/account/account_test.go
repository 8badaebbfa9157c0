package account

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "accounts.jsonl")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is saved is loaded; nobody else may read it, and nothing else is left behind.
func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.jsonl")
	all := []Account{
		{Workspace: "acme", Handle: "ada", User: "u1", ClientID: "c1", Refresh: "r1"},
		{Workspace: "acme", Handle: "bob", User: "u2", ClientID: "c2", Refresh: "r2", Password: "p", Access: "a", Expires: time.Unix(1e9, 0).UTC()},
	}
	for range 2 { // the second replaces the first
		if err := Save(path, all); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(path)
	if err != nil || !slices.Equal(got, all) {
		t.Fatalf("%+v: %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v: %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Fatalf("%v: %v", files, err)
	}
}

// Where saving fails, the old file stays and no other is left.
func TestSaveFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.jsonl")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, []Account{{User: "u"}}); err == nil {
		t.Fatal("a folder was replaced")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Fatalf("%v: %v", files, err)
	}
	if err := Save(filepath.Join(dir, "none", "x"), nil); err == nil {
		t.Fatal("saved in a folder that is not there")
	}
}

// Each error names the file, and the line where there is one.
func TestLoadErrors(t *testing.T) {
	const good = `{"user":"u","client_id":"c","refresh_token":"r"}` + "\n"
	for _, c := range []struct{ content, want string }{
		{"", "holds no account"},
		{"\n\n", "holds no account"},
		{good + "\n{", "line 3"},
		{good + `{"user":"u","client_id":"c"}`, "line 2 lacks"},
		{strings.Repeat(" ", maxLineBytes+1), "token too long"},
	} {
		path := write(t, c.content)
		if all, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.40q: %v, %v, want %q", c.content, all, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "plenumctl admin seed") {
		t.Errorf("%v does not say how to make one", err)
	}
	if all, err := Load(write(t, "\n"+good+"\n"+good)); err != nil || len(all) != 2 {
		t.Errorf("%v: %v", all, err)
	}
}

func TestNewID(t *testing.T) {
	a, b := NewID(), NewID()
	if len(a) != 22 || a == b {
		t.Fatal(a, b)
	}
}
