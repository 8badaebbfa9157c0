package node

import (
	"context"
	"strings"
	"testing"
	"time"

	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/sqldb"
)

// The command says what it did; it refuses while a process of the service may still write.
func TestRestored(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Database.URL = meshtest.Postgres(t)
	service := Service{Name: "chat", Restored: func(context.Context, *sqldb.DB, time.Time) (uint64, error) { return 7, nil }}
	do, flags := Command([]string{"restored", "--x"})
	if len(flags) != 1 || flags[0] != "--x" {
		t.Errorf("flags: %v", flags)
	}
	var out strings.Builder
	if err := do(t.Context(), cfg, service, &out); err != nil || !strings.Contains(out.String(), "chat: the history goes on in epoch 7") {
		t.Errorf("%q, %v", out.String(), err)
	}
	other, err := sqldb.Open(t.Context(), cfg.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := do(t.Context(), cfg, service, &out); err == nil || !strings.Contains(err.Error(), "stop every chat process") {
		t.Errorf("while another one is connected: %v", err)
	}
	if err := do(t.Context(), cfg, Service{Name: "gateway"}, &out); err == nil || !strings.Contains(err.Error(), "gateway keeps nothing") {
		t.Errorf("a service without a database: %v", err)
	}
	if _, flags := Command([]string{"--restored"}); len(flags) != 1 {
		t.Errorf("flags of a start: %v", flags)
	}
}
