package chat

import "plenum.internal/mesh/topic"

// remembered is what a send needs to know of its channel and its author's membership, as the log's writers have read it: rights are decided
// for each batch under the lock of the partition, and mostly they are the same as for the batch before.
//
// Invariant: what is kept of a partition is what its rows say, whenever a batch holds its lock. topic.Step.Alone vouches that no other
// process has mutated there since; a batch of this process with anything in the partition that may write chat_channel or chat_member forgets
// it before it plans, and reads for itself. Nothing but mutations writes them. A send doesn't ask whether its author is a guest by chat_person,
// which a follower writes: the token says so.
//
// A partition is used by the one writer that owns it.
type remembered struct {
	limit int // memberships of each partition
	parts [topic.Partitions]struct {
		channels map[channelKey]*channel
		members  map[memberKey]*member
	}
}

// opens returns the partitions of which something may be remembered in a batch, and forgets the others of the batch.
func (r *remembered) opens(steps []*topic.Step) topic.PartitionSet {
	var all, others topic.PartitionSet
	for _, st := range steps {
		n := topic.PartitionOf(st.Workspace, st.Route)
		all.Add(n)
		switch st.Op.(type) {
		case *send, *mark, *notify: // a person's own state is in other tables
			if !st.Alone {
				r.forget(n)
			}
		default:
			others.Add(n)
			r.forget(n)
		}
	}
	return all &^ others
}

func (r *remembered) forget(number uint32) {
	r.parts[number].channels, r.parts[number].members = nil, nil
}

// find puts what is known of keys into channels and members, and returns the other keys.
func (r *remembered) find(open topic.PartitionSet, keys map[memberKey]bool, channels map[channelKey]*channel, members map[memberKey]*member) (unknown []memberKey) {
	for k := range keys {
		if n := topic.PartitionOf(k.workspace, k.channel); open.Has(n) {
			p := &r.parts[n]
			if ch, m := p.channels[k.of()], p.members[k]; ch != nil && m != nil {
				channels[k.of()], members[k] = ch, m
				continue
			}
		}
		unknown = append(unknown, k)
	}
	return unknown
}

// keep remembers members and their channels. Where a partition's memory is full, it begins anew.
func (r *remembered) keep(open topic.PartitionSet, channels map[channelKey]*channel, members map[memberKey]*member) {
	for k, m := range members {
		n := topic.PartitionOf(k.workspace, k.channel)
		if !open.Has(n) {
			continue
		}
		p := &r.parts[n]
		if p.members == nil || len(p.members) >= r.limit {
			p.channels, p.members = map[channelKey]*channel{}, map[memberKey]*member{}
		}
		p.channels[k.of()], p.members[k] = channels[k.of()], m
	}
}
