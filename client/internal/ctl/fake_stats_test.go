package ctl

import (
	"context"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// GetAnalytics tells of November 2026 alone.
func (f *fakePresence) GetAnalytics(ctx context.Context, q *presencev1.GetAnalyticsRequest) (*presencev1.GetAnalyticsResponse, error) {
	const day, november = 86_400_000, 1_793_491_200_000
	switch {
	case callerOf(ctx).token != "ada":
		return nil, refuse(edgev1.Code_CODE_PERMISSION_DENIED, "presence.FORBIDDEN", "Your role doesn't allow this. Ask an administrator.")
	case q.GetFromMs() != november:
		return nil, refuse(edgev1.Code_CODE_FAILED_PRECONDITION, "presence.NOT_RECORDED", "This workspace keeps no records of presence. An administrator can have them kept, from then on.")
	case q.GetToMs() == november+day:
		return &presencev1.GetAnalyticsResponse{MinPeople: 5, TimeZone: "UTC", FirstDay: "2026-11-01", LastDay: "2026-11-01"}, nil
	case q.GetToMs() != november+30*day:
		return &presencev1.GetAnalyticsResponse{MinPeople: 5, TimeZone: "UTC"}, nil
	}
	return &presencev1.GetAnalyticsResponse{
		MinPeople: 5, TimeZone: "UTC", FirstDay: "2026-11-01", LastDay: "2026-11-28", People: 42,
		States:        []*presencev1.Share{{Name: "online", PerMille: 612, People: 42}, {Name: "away", PerMille: 388, People: 40}},
		Devices:       []*presencev1.Share{{Name: "browser", PerMille: 1000, People: 31}},
		Activities:    []*presencev1.Share{{Name: "writing", PerMille: 705, People: 20}, {Name: "chatting", PerMille: 295, People: 38}},
		SessionLength: &presencev1.SessionLength{MeanMs: 3_725_000, MedianMs: 2_700_000, P95Ms: 14_400_000, Sessions: 1234},
		Hours:         []*presencev1.Hour{{Weekday: 1, Hour: 9, People: 31}, {Weekday: 5, Hour: 17, People: 7}},
		Days:          []*presencev1.Day{{Date: "2026-11-02", Active: 35, Engaged: 20}, {Date: "2026-11-03", Active: 6}},

		DailyActivePerMille: 488, EngagedPerMille: 571, ResponseMs: 250_000,
	}, nil
}
