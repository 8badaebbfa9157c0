package crowd

import (
	"context"
	"fmt"

	"plenum.internal/deploy/check"
	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// audit reads what every channel's log has by now, by way of each gateway and transport, on devices that saw no more of it than what was read before.
func (c *Crowd) audit(ctx context.Context) error {
	for _, a := range c.auditors {
		if err := a.Visit(ctx, c.read); err != nil {
			return err
		}
	}
	return nil
}

// read goes on in every channel's log, in one way.
func (c *Crowd) read(ctx context.Context, a *check.Auditor, p *check.Person) error {
	for _, ch := range c.channels {
		page, err := p.Chat.History(ctx, &chatv1.HistoryRequest{Channel: ch.id, Limit: 1})
		if err != nil {
			return fmt.Errorf("channel %s: %w", ch.id, err)
		}
		logs := c.logs[ch.id]
		err = a.Read(ctx, p, topicOf(ch.id), ch.epoch, page.GetCursor().GetOffset(), func(e *edgev1.Event) error {
			event, _, err := decode(e)
			if err == nil {
				logs[a.Way] = append(logs[a.Way], event)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newLogs is what was read before anything was.
func newLogs(channels []*channel) map[string]map[string][]history.Event {
	logs := map[string]map[string][]history.Event{}
	for _, ch := range channels {
		logs[ch.id] = map[string][]history.Event{}
	}
	return logs
}
