package ctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

type presenceRoomsCmd struct {
	Channels []string `arg:"" optional:"" help:"Which, by name or id, or @handle for a direct conversation. Absent: how many are here, of each channel of mine." placeholder:"CHANNEL"`
	Offset   uint32   `help:"How many members to leave out: who is here comes first." placeholder:"NUMBER"`
	Limit    uint32   `short:"n" help:"How many members to show, at most 200." default:"20"`
}

// room is a channel that is looked at, and what it is called.
type room struct{ id, title string }

// roomsAtOnce is how many views are open at a time.
const roomsAtOnce = 20

func (c *presenceRoomsCmd) Run(e *env) error {
	var p *people
	var rooms []room
	err := e.calls(func(ctx context.Context, h *client.HTTP) (err error) {
		if p, err = loadPeople(ctx, h); err != nil {
			return err
		}
		for _, name := range c.Channels {
			id, err := channelID(ctx, h, name)
			if err != nil {
				return err
			}
			rooms = append(rooms, room{id, name})
		}
		if len(rooms) > 0 {
			return nil
		}
		c.Offset, c.Limit = 0, 0 // counts alone
		return eachMine(ctx, h, func(m *chatv1.MyChannel) error {
			rooms = append(rooms, room{m.GetChannel().GetId(), title(m.GetChannel(), p)})
			return nil
		})
	})
	if err != nil {
		return err
	}
	params, err := proto.Marshal(&presencev1.Window{Offset: c.Offset, Limit: c.Limit})
	if err != nil {
		return err
	}
	return e.session(false, unseen, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		for some := range slices.Chunk(rooms, roomsAtOnce) {
			var subs []*client.Subscription
			for _, r := range some {
				sub, err := cl.Follow(ctx, "presence.channel/"+r.id, client.WithParams(params))
				if err != nil {
					return err
				}
				subs = append(subs, sub)
			}
			for i, sub := range subs {
				v, err := beginning(ctx, sub)
				if client.CodeOf(err) == edgev1.Code_CODE_REVOKED { // nothing was told yet: they have never been in it, or there is none
					return fmt.Errorf("there is no channel %s of which you are a member", some[i].title)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", some[i].title, err)
				}
				if err := e.room(p, some[i], v); err != nil {
					return err
				}
				sub.Close()
			}
		}
		return nil
	})
}

// beginning is what a view holds when it begins.
func beginning(ctx context.Context, sub *client.Subscription) (*edgev1.View, error) {
	whole := &edgev1.View{Topic: sub.Topic()}
	for {
		u, err := sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		if u.View.GetSnapshot() {
			whole.Entries = nil
		}
		whole.Entries = append(whole.Entries, u.View.GetEntries()...)
		if u.View.GetAt() != nil && !u.View.GetMore() {
			return whole, nil
		}
	}
}

// room prints how many members of a channel are here, and those that are shown, in the order that the server shows them in.
func (e *env) room(p *people, r room, v *edgev1.View) error {
	if e.JSON {
		line, err := contract().frame(&edgev1.ServerFrame{Frame: &edgev1.ServerFrame_View{View: v}})
		if err != nil {
			return err
		}
		fmt.Fprintln(e.out, string(line))
		return nil
	}
	type seen struct {
		key string
		*presencev1.Entry
	}
	var members []seen
	var old *presencev1.Entry
	for _, entry := range v.GetEntries() {
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
			return err
		}
		switch {
		case m.GetCounts() != nil:
			fmt.Fprintf(e.out, "%-32s %s\n", r.title, countsOf(m.GetCounts()))
		case m.GetAsOfMs() != 0:
			old = m
		default:
			members = append(members, seen{entry.GetKey(), m})
		}
	}
	slices.SortFunc(members, func(a, b seen) int {
		return cmp.Or(cmp.Compare(placeOf(a.GetStatus()), placeOf(b.GetStatus())), strings.Compare(a.key, b.key))
	})
	for _, m := range members {
		e.seenAs(p, m.key, m.Entry)
	}
	if old != nil {
		e.seenAs(p, "~", old)
	}
	return nil
}

// countsOf says how many are here, and what the others are where it is anything else than gone.
func countsOf(c *presencev1.Counts) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%5d members", c.GetMembers())
	for _, n := range []struct {
		of   string
		many uint32
	}{
		{"online", c.GetOnline()}, {"busy", c.GetBusy()}, {"dnd", c.GetDoNotDisturb()}, {"away", c.GetAway()}, {"unknown", c.GetUnknown()},
		{"offline", c.GetOffline()}, {"looking", c.GetLooking()},
	} {
		if n.many > 0 {
			fmt.Fprintf(&text, "  %d %s", n.many, n.of)
		}
	}
	return text.String()
}

// placeOf is where a state stands among those of a channel's members.
func placeOf(s *presencev1.Status) int {
	return slices.Index([]presencev1.State{
		presencev1.State_STATE_ONLINE, presencev1.State_STATE_BUSY, presencev1.State_STATE_DO_NOT_DISTURB, presencev1.State_STATE_AWAY,
		presencev1.State_STATE_UNSPECIFIED, presencev1.State_STATE_OFFLINE,
	}, s.GetState())
}
