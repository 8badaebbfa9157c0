package chat

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// scanFactor is how many memberships are passed over, for each that is asked for, rather than looked up one by one: passing over one
// takes a tenth of the time.
const scanFactor = 8

// readRules reads what decides of channels; those that are not there have none.
func (s *Server) readRules(ctx context.Context, channels map[channelKey]*held) error {
	rows := make([][]any, 0, len(channels))
	for k := range channels {
		rows = append(rows, []any{k.workspace, k.channel, ""})
	}
	return s.reads(ctx, s.sql.rules, s.sql.keys.Args(rows), func(r *sql.Rows) error {
		var ch channel
		if err := r.Scan(&ch.workspace, &ch.channel, &ch.kind, &ch.posting, &ch.archived); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		channels[ch.channelKey].ch = &ch
		return nil
	})
}

// person is one account.
type person struct{ workspace, user string }

// readMembers answers who is what in the channels that they ask for: as much of the memberships as grants are made of.
//
// Most people are in few other channels than they have open: their memberships stand side by side in an index, and come as one row.
// Of those who are in many, what did not come so is looked up.
func (s *Server) readMembers(ctx context.Context, asks []*asked) error {
	people := make(map[person][]*asked, len(asks)) // a person may have several devices
	rows := make([][]any, 0, len(asks))
	keys := 0
	for _, a := range asks {
		k := person{a.workspace, a.user}
		if people[k] == nil {
			rows = append(rows, []any{a.workspace, "", a.user})
		}
		people[k] = append(people[k], a)
		a.members = make([]*member, len(a.channels))
		keys += len(a.channels)
	}
	limit := scanFactor * (1 + keys/max(1, len(rows)))
	plain := &member{role: chatv1.ChannelRole_CHANNEL_ROLE_MEMBER} // which almost all are
	in := map[string]*member{}
	var rest [][]any
	err := s.reads(ctx, s.sql.memberships, append(s.sql.keys.Args(rows), int64(limit)), func(r *sql.Rows) error {
		var k person
		var list sql.NullString
		if err := r.Scan(&k.workspace, &k.user, &list); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		clear(in)
		if err := readList(in, list.String, plain); err != nil {
			return err
		}
		for _, a := range people[k] {
			for i, ch := range a.channels {
				if a.members[i] = in[ch]; a.members[i] == nil && len(in) >= limit {
					rest = append(rest, []any{k.workspace, ch, k.user})
				}
			}
		}
		return nil
	})
	if err != nil || len(rest) == 0 {
		return err
	}
	return s.reads(ctx, s.sql.membership, s.sql.keys.Args(rest), func(r *sql.Rows) error {
		var k memberKey
		m := &member{}
		if err := r.Scan(&k.workspace, &k.channel, &k.user, &m.role, &m.from); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		for _, a := range people[person{k.workspace, k.user}] {
			for i, ch := range a.channels {
				if ch == k.channel {
					a.members[i] = m
				}
			}
		}
		return nil
	})
}

// readList reads what the statement memberships lists: channels divided by commas, with role and first offset behind those whose
// member is not plain.
func readList(in map[string]*member, list string, plain *member) error {
	for len(list) > 0 {
		var entry string
		entry, list, _ = strings.Cut(list, ",")
		channel, rest, more := strings.Cut(entry, " ")
		if !more {
			in[channel] = plain
			continue
		}
		role, from, _ := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(role, 10, 32)
		if err != nil {
			return fmt.Errorf("a role: %w", err)
		}
		m := &member{role: chatv1.ChannelRole(n)}
		if m.from, err = strconv.ParseUint(from, 10, 64); err != nil {
			return fmt.Errorf("an offset: %w", err)
		}
		in[channel] = m
	}
	return nil
}

// reads runs a statement for grants.
func (s *Server) reads(ctx context.Context, text string, args []any, row func(*sql.Rows) error) error {
	if err := each(ctx, s.db.Query, text, args, row); err != nil {
		return fmt.Errorf("chat: read channels: %w", err)
	}
	return nil
}
