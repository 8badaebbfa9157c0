package rpc

import (
	"context"
	"testing"
	"time"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// A connection that is closed under a call, as one to a frozen node is, leaves open whether it took place; what comes after was not done.
func TestConnectionClosedUnderACall(t *testing.T) {
	begun := make(chan struct{})
	s, stop := serve(t, ServerConfig{Listen: "127.0.0.1:0"}, ServerDeps{}, func(ctx context.Context, _ *edgev1.Call) (*edgev1.Call, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	defer stop()
	conn, err := Dial(s.Addr(), ClientConfig{Service: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(0, func() {
		<-begun
		_ = conn.Close()
	})
	if _, err := call(t.Context(), conn, "Public", &edgev1.Call{}); CodeOf(err) != edgev1.Code_CODE_OUTCOME_UNKNOWN {
		t.Errorf("the one under way: %v", err)
	}
	if _, err := call(t.Context(), conn, "Public", &edgev1.Call{}); CodeOf(err) != edgev1.Code_CODE_UNAVAILABLE {
		t.Errorf("the next one: %v", err)
	}
}
