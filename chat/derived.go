package chat

import (
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// derived is what a run of channel events means for one person. It changes nothing when it is applied again: lists and threads
// remember the offset they came to, markers only rise, a mention is one row.
type derived struct {
	workspace, user string
	sources         topic.PartitionSet // of the channels
	lists           []listing
	markers         map[string]*chatv1.Marker // by channel: own messages, read by writing them
	mentions        map[mentionKey]*chatv1.Mention
	counted         map[mentionKey]bool
	unnamed         []mentionKey // an edit took the mention out
	replies         map[followKey]*reply
}

// listing is a channel that the person came to or left.
type listing struct {
	channel string
	at      uint64
	removed bool
}

// reply is the newest reply of a thread, as far as it concerns the person.
type reply struct {
	at    uint64
	own   uint64 // newest own reply; 0: none
	auto  bool   // follows from now on, if nothing was said before
	since uint64 // where the marker starts then
}

func (o *derived) need(n *needs) {
	for _, l := range o.lists {
		n.mine[memberKey{o.workspace, l.channel, o.user}] = true
	}
	for ch := range o.markers {
		n.mine[memberKey{o.workspace, ch, o.user}] = true
	}
	for k := range o.mentions {
		n.mine[k.memberKey] = true
	}
	for _, k := range o.unnamed {
		n.mine[k.memberKey] = true
	}
	for k := range o.replies {
		n.mine[k.memberKey], n.follows[k] = true, true
	}
}

func (o *derived) plan(b *batch, st *topic.Step) error { //nolint:unparam // an op's method
	o.planLists(b, st)
	for ch, to := range o.markers {
		m := b.user.mines[memberKey{o.workspace, ch, o.user}]
		if m == nil || m.role == 0 || to.GetOffset() <= m.marker.GetOffset() {
			continue
		}
		m.marker = &chatv1.Marker{Offset: to.GetOffset(), Version: m.marker.GetVersion(), Count: to.GetCount(), Calls: to.GetCalls()}
		b.changed(m)
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Marker{Marker: &chatv1.MarkerMoved{Channel: ch, Badge: m.badge()}}}
		})
	}
	for k, mention := range o.mentions {
		m := b.user.mines[k.memberKey]
		if m == nil || m.role == 0 {
			continue
		}
		b.user.mentions[k], b.user.counted[k], b.user.shown[m.key] = mention, o.counted[k], m
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			if !b.user.fresh[k] {
				return nil
			}
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Mention{Mention: mention}}
		})
	}
	for _, k := range o.unnamed {
		b.user.unnamed = append(b.user.unnamed, k)
		m := b.user.mines[k.memberKey]
		if m == nil || m.role == 0 {
			continue
		}
		b.user.shown[m.key] = m
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Unmentioned{Unmentioned: &chatv1.Unmentioned{Channel: k.channel, Offset: k.at}}}
		})
	}
	o.planReplies(b, st)
	return nil
}

func (o *derived) planLists(b *batch, st *topic.Step) {
	for _, l := range o.lists {
		m := b.user.mines[memberKey{o.workspace, l.channel, o.user}]
		if m == nil || l.at <= m.source {
			continue
		}
		m.source, m.listed = l.at, !l.removed
		b.changed(m)
		b.tell(st, o.user, m, func() *chatv1.UserEvent {
			return &chatv1.UserEvent{Event: &chatv1.UserEvent_Channel{Channel: &chatv1.ChannelListed{
				Channel: l.channel, Removed: l.removed, Kind: m.kind,
			}}}
		})
	}
}

func (o *derived) planReplies(b *batch, st *topic.Step) {
	for k, r := range o.replies {
		m, f := b.user.mines[k.memberKey], b.user.follows[k]
		if m == nil || m.role == 0 || m.joined > r.at {
			continue
		}
		if f == nil {
			if !r.auto {
				continue
			}
			f = &follow{following: true, seen: r.since}
			b.user.follows[k] = f
		}
		if r.at <= f.told {
			continue
		}
		f.told, f.seen = r.at, max(f.seen, r.own)
		b.user.moved[k] = f
		if f.following {
			b.tell(st, o.user, nil, func() *chatv1.UserEvent { return threadMoved(b.user.threads[k]) })
		}
	}
}

func threadMoved(t *chatv1.MyThread) *chatv1.UserEvent {
	if t == nil {
		return nil
	}
	return &chatv1.UserEvent{Event: &chatv1.UserEvent_Thread{Thread: &chatv1.ThreadMoved{Thread: t}}}
}
