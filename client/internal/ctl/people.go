package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
)

// people resolves handles and ids, from one listing of the workspace.
type people struct {
	byHandle map[string]string
	byID     map[string]string
}

func newPeople() *people { return &people{map[string]string{}, map[string]string{}} }

func (p *people) add(person *identityv1.Person) {
	p.byHandle[person.GetHandle()], p.byID[person.GetId()] = person.GetId(), person.GetHandle()
}

func loadPeople(ctx context.Context, h grpc.ClientConnInterface) (*people, error) {
	p := newPeople()
	err := eachPerson(ctx, identityv1.NewPeopleServiceClient(h), true, func(person *identityv1.Person) error {
		p.add(person)
		return nil
	})
	if client.CodeOf(err) == edgev1.Code_CODE_PERMISSION_DENIED {
		err = eachMet(ctx, h, func(person *identityv1.Person) error {
			p.add(person)
			return nil
		})
	}
	return p, err
}

// eachMet is eachPerson for guests, who see no directory: they know the members of their channels.
func eachMet(ctx context.Context, h grpc.ClientConnInterface, f func(*identityv1.Person) error) error {
	var met []string
	if err := eachMine(ctx, h, func(c *chatv1.MyChannel) error {
		return eachMember(ctx, chatv1.NewChatServiceClient(h), c.GetChannel().GetId(), func(m *chatv1.Member) error {
			met = append(met, m.GetUser())
			return nil
		})
	}); err != nil {
		return err
	}
	return eachOf(ctx, h, met, f)
}

// learn asks for those who are not known yet: to a guest, who has left a channel is in no list.
func (p *people) learn(ctx context.Context, h grpc.ClientConnInterface, ids []string) error {
	unknown := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || p.byID[id] != "" })
	return eachOf(ctx, h, unknown, func(person *identityv1.Person) error {
		p.add(person)
		return nil
	})
}

// eachOf asks for people by their ids.
func eachOf(ctx context.Context, h grpc.ClientConnInterface, ids []string, f func(*identityv1.Person) error) error {
	const atOnce = 500
	for some := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), atOnce) {
		res, err := identityv1.NewPeopleServiceClient(h).GetPeople(ctx, &identityv1.GetPeopleRequest{Ids: some})
		if err != nil {
			return err
		}
		for _, person := range res.GetPeople() {
			if err := f(person); err != nil {
				return err
			}
		}
	}
	return nil
}

// knowing is p, or loaded anew where an event comes from somebody who joined since.
func (p *people) knowing(ctx context.Context, h grpc.ClientConnInterface, events []*edgev1.Event) (*people, error) {
	for _, event := range events {
		var c chatv1.ChannelEvent
		if proto.Unmarshal(event.GetBody(), &c) == nil && c.GetActor() != "" && p.byID[c.GetActor()] == "" {
			return loadPeople(ctx, h)
		}
	}
	return p, nil
}

func (p *people) id(handle string) (string, error) {
	handle = strings.TrimPrefix(handle, "@")
	if id, ok := p.byHandle[strings.ToLower(handle)]; ok {
		return id, nil
	}
	if _, ok := p.byID[handle]; ok {
		return handle, nil
	}
	return "", fmt.Errorf("there is no @%s in this workspace", handle)
}

func (p *people) ids(handles []string) (ids []string, err error) {
	for _, handle := range handles {
		id, err := p.id(handle)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (p *people) handle(id string) string {
	if handle, ok := p.byID[id]; ok {
		return "@" + handle
	}
	return id
}
