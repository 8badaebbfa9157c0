package topic

import (
	"context"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// What one call may ask for.
const (
	MaxWants     = 500   // topics, by one user
	MaxOpenings  = 128   // users
	MaxEachWants = 4_000 // topics, by all of them
)

// Opening is what one user wants, whose token was verified, and what they are granted.
type Opening struct {
	Caller auth.Caller
	Wants  []*edgev1.Want
	Grants []*topicv1.Grant // for each of Wants; the same Grant may stand for many
}

// OpenOne answers TopicService.Open by what grant answers.
func OpenOne(ctx context.Context, req *topicv1.OpenRequest, grant func(context.Context, []*Opening) error) (*topicv1.OpenResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	if len(req.GetWants()) > MaxWants {
		return nil, errTooMany
	}
	o := &Opening{Caller: caller, Wants: req.GetWants()}
	if err := grant(ctx, []*Opening{o}); err != nil {
		return nil, err
	}
	return &topicv1.OpenResponse{Grants: o.Grants}, nil
}

// OpenEach answers TopicService.OpenEach by what grant answers for those whose token is good. An error of grant is everybody's.
func OpenEach(ctx context.Context, req *topicv1.OpenEachRequest, grant func(context.Context, []*Opening) error) (*topicv1.OpenEachResponse, error) {
	if len(req.GetOpenings()) > MaxOpenings {
		return nil, errTooMany
	}
	res := &topicv1.OpenEachResponse{Opened: make([]*topicv1.Opened, len(req.GetOpenings()))}
	openings := make([]*Opening, 0, len(req.GetOpenings()))
	var place []int // in res.Opened
	all := 0
	for i, asks := range req.GetOpenings() {
		all += len(asks.GetWants())
		if len(asks.GetWants()) > MaxWants || all > MaxEachWants {
			return nil, errTooMany
		}
		res.Opened[i] = &topicv1.Opened{}
		caller, err := rpc.Bearer(ctx, asks.GetToken())
		if err != nil {
			res.Opened[i].Error = rpc.FromError(err)
			continue
		}
		o := &Opening{Caller: caller, Wants: make([]*edgev1.Want, len(asks.GetWants()))}
		for j, n := range asks.GetWants() {
			if int(n) >= len(req.GetWants()) {
				return nil, errNoWant
			}
			o.Wants[j] = req.GetWants()[n]
		}
		openings, place = append(openings, o), append(place, i)
	}
	if err := grant(ctx, openings); err != nil {
		return nil, err
	}
	known := make(map[*topicv1.Grant]uint32, len(req.GetWants()))
	for j, o := range openings {
		places := make([]uint32, len(o.Grants))
		for i, g := range o.Grants {
			n, ok := known[g]
			if !ok {
				n = uint32(len(res.GetGrants()))
				res.Grants, known[g] = append(res.Grants, g), n
			}
			places[i] = n
		}
		res.Opened[place[j]].Grants = places
	}
	return res, nil
}
