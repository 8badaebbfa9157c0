package ctl

import (
	"context"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// activities are what people say that they do, and decide about what is told of them. One at a time goes on.
type activities struct {
	past    []*presencev1.PastActivity // the newest first
	privacy *presencev1.Privacy
}

func (a *activities) now() *presencev1.Activity {
	if len(a.past) == 0 || a.past[0].GetUntilMs() != 0 {
		return nil
	}
	return a.past[0].GetActivity()
}

func (f *fakePresence) SetActivity(_ context.Context, q *presencev1.SetActivityRequest) (*presencev1.SetActivityResponse, error) {
	if a := f.activities.now(); a != nil {
		f.activities.past[0].UntilMs = at(uint64(len(f.activities.past) + 1))
	}
	if q.GetKind() != presencev1.ActivityKind_ACTIVITY_KIND_UNSPECIFIED {
		a := &presencev1.Activity{Kind: q.GetKind(), Subject: q.GetSubject(), SinceMs: at(uint64(len(f.activities.past) + 1))}
		if q.GetKind() == presencev1.ActivityKind_ACTIVITY_KIND_CHATTING {
			a.Inferred, a.Confidence = true, 70
		}
		f.activities.past = append([]*presencev1.PastActivity{{Activity: a}}, f.activities.past...)
	}
	return &presencev1.SetActivityResponse{}, nil
}

func (f *fakePresence) ListActivities(context.Context, *presencev1.ListActivitiesRequest) (*presencev1.ListActivitiesResponse, error) {
	return &presencev1.ListActivitiesResponse{Activities: f.activities.past}, nil
}

func (f *fakePresence) ClearActivities(context.Context, *presencev1.ClearActivitiesRequest) (*presencev1.ClearActivitiesResponse, error) {
	f.activities.past = nil
	return &presencev1.ClearActivitiesResponse{}, nil
}

func (f *fakePresence) SetPrivacy(_ context.Context, q *presencev1.SetPrivacyRequest) (*presencev1.SetPrivacyResponse, error) {
	f.activities.privacy = q.GetPrivacy()
	return &presencev1.SetPrivacyResponse{}, nil
}

func (f *fakePresence) GetPrivacy(context.Context, *presencev1.GetPrivacyRequest) (*presencev1.GetPrivacyResponse, error) {
	return &presencev1.GetPrivacyResponse{Privacy: f.activities.privacy}, nil
}

// ListLastSeen tells it of ada alone.
func (f *fakePresence) ListLastSeen(_ context.Context, q *presencev1.ListLastSeenRequest) (*presencev1.ListLastSeenResponse, error) {
	res := &presencev1.ListLastSeenResponse{}
	for _, user := range q.GetUsers() {
		if user == "u-ada" {
			res.Seen = append(res.Seen, &presencev1.LastSeen{User: user, HourMs: 3_600_000})
		}
	}
	return res, nil
}
