package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// analytics: who owns the workspace has records of presence kept, and is told of it as a whole; nobody else is, and not before.
func analytics(t *testing.T, s *shape) {
	bob := s.member(t)
	zone := "Europe/Berlin"
	berlin, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	keep := func(records bool) {
		if _, err := s.owner.Admin.UpdateWorkspace(within(t, patience), &identityv1.UpdateWorkspaceRequest{PresenceRecords: &records, TimeZone: &zone}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(ctx context.Context, p *person) (*presencev1.GetAnalyticsResponse, error) {
		return presencev1.NewPresenceServiceClient(p.Client).GetAnalytics(ctx, &presencev1.GetAnalyticsRequest{
			FromMs: time.Now().AddDate(0, 0, -7).UnixMilli(), ToMs: time.Now().UnixMilli(),
		})
	}
	if _, err := ask(within(t, patience), s.owner); rpc.CodeOf(err) != edgev1.Code_CODE_FAILED_PRECONDITION {
		t.Errorf("told before anything is kept: %v", err)
	}
	keep(true)
	defer keep(false)
	eventually(t, "analytics are told", func(ctx context.Context) error {
		res, err := ask(ctx, s.owner)
		if err == nil && (res.GetTimeZone() != zone || res.GetMinPeople() != 5) {
			return fmt.Errorf("%v", res)
		}
		if err == nil && (res.GetLastDay() == "" || res.GetLastDay() > time.Now().Add(-25*time.Hour).AddDate(0, 0, -1).In(berlin).Format(time.DateOnly)) {
			t.Errorf("told up to %q, though records of that day may come yet", res.GetLastDay())
		}
		return err
	})
	if _, err := ask(within(t, patience), bob); rpc.CodeOf(err) != edgev1.Code_CODE_PERMISSION_DENIED {
		t.Errorf("a member asks: %v", err)
	}
}
