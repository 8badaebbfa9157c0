package deploy

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A backup is made while Plenum runs, starts only after it was prepared, and leaves what it is made of as it is.
func TestBackupAndRestore(t *testing.T) {
	cfg := laptop(t)
	_, stop := start(t, cfg)
	to := filepath.Join(t.TempDir(), "monday")
	var told strings.Builder
	if err := Backup(t.Context(), cfg, to, &told); err != nil || !strings.Contains(told.String(), "plenum restored") {
		t.Fatalf("%v, %q", err, told.String())
	}
	for _, name := range []string{"", "chat.db", "docs.db", "presence.db", "identity.db", "identity.key"} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	refused := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	refused("a second one over it", Backup(t.Context(), cfg, to, io.Discard), "exists")
	refused("while it runs", Restored(t.Context(), cfg, io.Discard, io.Discard), "in use by another Plenum")
	stop()

	restored := cfg
	restored.Data = to
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // where it starts nevertheless
	defer cancel()
	refused("a start without it", Run(ctx, restored, io.Discard, io.Discard), "plenum restored --data")
	told.Reset()
	if err := Restored(t.Context(), restored, &told, io.Discard); err != nil || strings.Count(told.String(), "epoch") != 3 {
		t.Errorf("%v, %q", err, told.String())
	}
	start(t, restored)

	nowhere := cfg
	nowhere.Data = filepath.Join(t.TempDir(), "nowhere")
	refused("without a folder", Restored(t.Context(), nowhere, io.Discard, io.Discard), "there is no data folder")
	refused("without a database", Backup(t.Context(), nowhere, to+"2", io.Discard), "there is no database")
	if _, err := os.Stat(nowhere.Data); err == nil {
		t.Error("it made the folder that was missing")
	}
	process := cfg
	process.Target = "chat"
	refused("of a process", Backup(t.Context(), process, to+"2", io.Discard), "pg_dump")
}
