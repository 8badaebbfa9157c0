package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// fakePresence keeps what people choose: all but zoe are here, in a browser.
type fakePresence struct {
	presencev1.UnimplementedPresenceServiceServer
	chosen     map[string]*presencev1.SetStatusRequest
	leaving    int // how often who hides finds that others see them still
	activities activities
}

func (f *fakePresence) SetStatus(ctx context.Context, q *presencev1.SetStatusRequest) (*presencev1.SetStatusResponse, error) {
	if q.GetUser() != "u-"+callerOf(ctx).token {
		return nil, refuse(edgev1.Code_CODE_NOT_FOUND, "presence.PERSON", "Name yourself: what others have chosen is theirs.")
	}
	if f.leaving = 0; q.GetState() == presencev1.State_STATE_INVISIBLE && f.chosen[q.GetUser()] != nil {
		f.leaving = 2
	}
	f.chosen[q.GetUser()] = q
	return &presencev1.SetStatusResponse{}, nil
}

func (f *fakePresence) GetStatus(_ context.Context, q *presencev1.GetStatusRequest) (*presencev1.GetStatusResponse, error) {
	c := f.chosen[q.GetUser()]
	res := &presencev1.GetStatusResponse{Chosen: c.GetState(), Custom: c.GetCustom(), Status: f.status(q.GetUser())}
	if f.leaving > 0 {
		f.leaving--
		res.Status = &presencev1.Status{State: presencev1.State_STATE_BUSY}
	}
	if res.GetCustom().GetText() == "frozen" {
		res.AsOfMs = at(3)
	}
	return res, nil
}

func (f *fakePresence) status(user string) *presencev1.Status {
	c := f.chosen[user]
	s := &presencev1.Status{State: c.GetState(), Custom: c.GetCustom(), Devices: []presencev1.Device{presencev1.Device_DEVICE_BROWSER}}
	if s.Activity = f.activities.now(); f.activities.privacy.GetCountry() {
		s.Country = "NL"
	}
	switch {
	case c.GetState() == presencev1.State_STATE_INVISIBLE || user == "u-zoe":
		s = &presencev1.Status{State: presencev1.State_STATE_OFFLINE}
	case c.GetState() == presencev1.State_STATE_UNSPECIFIED:
		s.State = presencev1.State_STATE_ONLINE
	}
	return s
}

// room shows members of a channel: the caller looks at it.
func (f *fakePresence) room(want *edgev1.Want, people []*identityv1.Person) []*edgev1.ServerFrame {
	if !strings.HasPrefix(want.GetTopic(), "presence.channel/c-") {
		return []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{want.GetTopic()}, Error: &edgev1.Error{
			Code: edgev1.Code_CODE_REVOKED, Reason: "edge.REVOKED", Message: "You may no longer read this topic.",
		}}}}}
	}
	var w presencev1.Window
	_ = proto.Unmarshal(want.GetParams(), &w)
	v := &edgev1.View{Topic: want.GetTopic(), Snapshot: true, At: &edgev1.Cursor{Epoch: 1, Offset: 1}}
	add := func(key string, e *presencev1.Entry) {
		body, _ := proto.Marshal(e)
		v.Entries = append(v.Entries, &edgev1.Entry{Key: key, Body: body})
	}
	counts := &presencev1.Counts{Members: uint32(len(people)), Looking: 1}
	for i, person := range people {
		e := &presencev1.Entry{Status: f.status(person.GetId()), Looking: i == 0}
		switch e.GetStatus().GetState() {
		case presencev1.State_STATE_ONLINE:
			counts.Online++
		case presencev1.State_STATE_DO_NOT_DISTURB:
			counts.DoNotDisturb++
		default:
			counts.Offline++
		}
		if i >= int(w.GetOffset()) && i < int(w.GetOffset()+w.GetLimit()) {
			add(person.GetId(), e)
		}
	}
	add("#", &presencev1.Entry{Counts: counts})
	add("~", &presencev1.Entry{AsOfMs: at(1)})
	return []*edgev1.ServerFrame{{Frame: &edgev1.ServerFrame_View{View: v}}}
}

// view shows those who are asked for, says that it may be old, and ends; of a channel, its members, who are all that there are.
func (f *fakePresence) view(want *edgev1.Want, people []*identityv1.Person) []*edgev1.ServerFrame {
	if strings.HasPrefix(want.GetTopic(), "presence.channel/") {
		return f.room(want, people)
	}
	var p presencev1.People
	_ = proto.Unmarshal(want.GetParams(), &p)
	v := &edgev1.View{Topic: want.GetTopic(), Snapshot: true, At: &edgev1.Cursor{Epoch: 1, Offset: 1}}
	add := func(key string, e *presencev1.Entry) {
		body, _ := proto.Marshal(e)
		v.Entries = append(v.Entries, &edgev1.Entry{Key: key, Body: body})
	}
	for _, user := range slices.Sorted(slices.Values(p.GetUsers())) {
		add(user, &presencev1.Entry{Status: f.status(user)})
	}
	add("~", &presencev1.Entry{AsOfMs: at(1)})
	return []*edgev1.ServerFrame{
		{Frame: &edgev1.ServerFrame_View{View: v}},
		{Frame: &edgev1.ServerFrame_Stopped{Stopped: &edgev1.Stopped{Topics: []string{want.GetTopic()}, Error: &edgev1.Error{Code: edgev1.Code_CODE_REVOKED, Message: fmt.Sprintf("%d people were shown.", len(p.GetUsers()))}}}},
	}
}
