package crowd

import (
	"context"
	"fmt"

	"plenum.internal/client"
	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// audit reads every channel's log from its beginning, by way of each gateway and transport, on a device that has seen nothing of it.
func (c *Crowd) audit(ctx context.Context) (map[string]map[string][]history.Event, error) {
	logs := map[string]map[string][]history.Event{}
	for _, ch := range c.channels {
		logs[ch.id] = map[string][]history.Event{}
	}
	for way, door := range c.cfg.Ways() {
		read, err := c.readAll(ctx, door)
		if err != nil {
			return nil, fmt.Errorf("audit at %s: %w", way, err)
		}
		for channel, log := range read {
			logs[channel][way] = log
		}
	}
	return logs, nil
}

// readAll reads the log of every channel, behind one door.
func (c *Crowd) readAll(ctx context.Context, door check.Door) (map[string][]history.Event, error) {
	auditor, err := check.Enter(ctx, door, check.SignIn(c.slug, c.people[0].handle, c.people[0].password))
	if err != nil {
		return nil, err
	}
	defer auditor.Close()
	logs := map[string][]history.Event{}
	for _, ch := range c.channels {
		if logs[ch.id], err = readLog(ctx, auditor, ch); err != nil {
			return nil, fmt.Errorf("channel %s: %w", ch.id, err)
		}
	}
	return logs, nil
}

// readLog follows a channel up to its head.
func readLog(ctx context.Context, p *check.Person, ch *channel) ([]history.Event, error) {
	page, err := p.Chat.History(ctx, &chatv1.HistoryRequest{Channel: ch.id, Limit: 1})
	if err != nil {
		return nil, err
	}
	sub, err := p.Client.Follow(ctx, topicOf(ch.id), client.From(&edgev1.Cursor{Epoch: ch.epoch}))
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	var log []history.Event
	for uint64(len(log)) < page.GetCursor().GetOffset() {
		u, err := sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		if u.Reset != nil {
			return nil, u.Reset.Cause
		}
		for _, e := range u.Events {
			event, _, err := decode(e)
			if err != nil {
				return nil, err
			}
			log = append(log, event)
		}
	}
	return log, nil
}
