package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plenum.internal/deploy/clustertest"
	"plenum.internal/deploy/faults/versions"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestARunOnLoopback is a short one where nothing has a network, a disk or a clock of its own: .ci/run has one with all kinds of faults.
func TestARunOnLoopback(t *testing.T) {
	bin, err := clustertest.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "plenum-") // t.TempDir is too deep for PostgreSQL's socket, and closed to its user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Dir, cfg.Bin, cfg.Seed, cfg.For, cfg.Only = filepath.Join(dir, "f"), bin, 5, 25*time.Second, []Kind{Kill, OwnerStop, OwnerDrain}
	if err := empty(cfg.Dir); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	v, err := Run(t.Context(), cfg, &out)
	t.Log(out.String())
	if err != nil || len(v.Faults) > 0 {
		t.Fatal(err, v.Faults)
	}
	if v.Chat.Transports["websocket"] != 4 || v.Chat.Transports["sse"] != 4 || v.Chat.Transports["poll"] != 4 {
		t.Errorf("devices connect %v", v.Chat.Transports)
	}
	if v.Chat.Done < 100 || v.Chat.Events == 0 || v.Docs.Events < 100 || v.Docs.Contents < 100 || !strings.Contains(out.String(), string(Kill)) {
		t.Error("next to nothing took place")
	}
	if v.Here.Comings < 6 || v.Here.Sights < 20 {
		t.Errorf("next to nobody came or was shown: %v", v.Here)
	}
	if !slices.ContainsFunc(v.Docs.Stills, func(s versions.Still) bool { return s.Kind == string(OwnerStop) && s.Owner && s.Most > 0 }) {
		t.Errorf("owners failed %v", v.Docs.Stills)
	}
}
