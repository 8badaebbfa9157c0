package crowd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/deploy/faults/history"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// glance is how often a device takes what has come.
const glance = 5 * time.Millisecond

// screen is what one device is shown: the channels' events, and its bundle.
type screen struct {
	d      *device
	subs   map[string]*client.Subscription // by channel
	bundle *client.Subscription
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex                 // guards what follows
	queues map[string][]*edgev1.Event // by channel: taken from its subscription, not shown yet
	at     map[string]uint64          // by channel: the last event shown
	shown  []history.Shown            // in the order of showing
	heads  map[string]*edgev1.Head    // by channel, of the bundle
	resets int
	failed error // why nothing more comes
}

// newScreen follows the device's channels from their beginning.
func newScreen(ctx context.Context, d *device) (*screen, error) {
	s := &screen{d: d, subs: map[string]*client.Subscription{}, queues: map[string][]*edgev1.Event{}, at: map[string]uint64{}, heads: map[string]*edgev1.Head{}}
	for _, ch := range d.channels {
		sub, err := d.Client.Follow(ctx, topicOf(ch.id), client.From(&edgev1.Cursor{Epoch: ch.epoch}))
		if err != nil {
			return nil, fmt.Errorf("follow: %w", err)
		}
		s.subs[ch.id] = sub
	}
	var err error
	if s.bundle, err = d.Client.Follow(ctx, "chat.mine/me", client.HeadsOnly()); err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx)) // until close
	s.stop = stop
	s.done.Go(func() { s.watch(running) })
	s.done.Go(func() { s.count(running) })
	return s, nil
}

func (s *screen) close() {
	s.stop()
	s.done.Wait()
}

// watch takes what has come on any channel, from one goroutine, so that there is one order over all of them.
func (s *screen) watch(ctx context.Context) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for channel := range s.subs {
			s.pull(channel)
		}
		for channel := range s.subs {
			for len(s.queues[channel]) > 0 {
				s.show(channel)
			}
		}
		s.mu.Unlock()
	}
}

// pull takes what a subscription has, without waiting: Next looks at its context last.
func (s *screen) pull(channel string) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		u, err := s.subs[channel].Next(over)
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			s.failed = fmt.Errorf("channel %s: %w", channel, err)
			return
		}
		if u.Reset != nil {
			s.resets++
		}
		s.queues[channel] = append(s.queues[channel], u.Events...)
	}
}

// show shows the first event that waits, behind those which it depends on: the client has put these into their channels' subscriptions first.
func (s *screen) show(channel string) {
	event := s.queues[channel][0]
	s.queues[channel] = s.queues[channel][1:]
	e, text, err := decode(event)
	if err != nil {
		s.failed = err
		return
	}
	for _, need := range e.Needs {
		if s.subs[need.Channel] == nil || need.Channel == channel {
			continue
		}
		if s.at[need.Channel] < need.Offset && len(s.queues[need.Channel]) == 0 {
			s.pull(need.Channel)
		}
		for s.at[need.Channel] < need.Offset && len(s.queues[need.Channel]) > 0 {
			s.show(need.Channel)
		}
	}
	s.at[channel] = e.Offset
	s.shown = append(s.shown, history.Shown{Channel: channel, Event: e})
	if text != "" {
		own := strings.HasPrefix(e.ID, fmt.Sprintf("d%d-", s.d.number))
		s.d.learn(channel, shownMessage{e.Offset, text, own})
	}
}

// count follows the bundle, which has the unread counts.
func (s *screen) count(ctx context.Context) {
	for {
		u, err := s.bundle.Next(ctx)
		if err != nil {
			return
		}
		s.mu.Lock()
		if u.Anew {
			clear(s.heads)
		}
		for _, h := range u.Heads {
			channel, ok := channelOf(h.GetTopic())
			if old := s.heads[channel]; ok && h.GetBadge() == nil && old != nil {
				h = proto.CloneOf(h)
				h.Badge = old.GetBadge()
			}
			if ok {
				s.heads[channel] = h
			}
		}
		s.mu.Unlock()
	}
}

// seen is what the device has seen so far, with the unread counts of its bundle and, where those differ, of the service.
func (d *device) seen(ctx context.Context) (history.Device, error) {
	out := history.Device{
		Name: d.name, Transport: d.transport, User: d.ID, Violations: d.Client.State().Violations,
		Unread: map[string]history.Unread{}, Listed: map[string]history.Unread{},
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	list, err := d.Chat.ListMyChannels(ctx, &chatv1.ListMyChannelsRequest{})
	if err != nil {
		return out, fmt.Errorf("%v: list: %w", &out, err)
	}
	for _, entry := range list.GetChannels() {
		mine := entry.GetMine()
		out.Listed[entry.GetChannel().GetId()] = history.Unread{Marker: mine.GetMarker().GetOffset(), Messages: mine.GetUnread(), Mentions: mine.GetMentions()}
	}
	s := d.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return out, fmt.Errorf("%v: %w", &out, s.failed)
	}
	out.Resets, out.Shown = s.resets, s.shown[:len(s.shown):len(s.shown)]
	for _, ch := range d.channels {
		out.Channels = append(out.Channels, ch.id)
		head := s.heads[ch.id]
		var badge chatv1.Badge
		if err := proto.Unmarshal(head.GetBadge(), &badge); err != nil {
			return out, fmt.Errorf("%v: badge: %w", &out, err)
		}
		marker := badge.GetMarker()
		out.Unread[ch.id] = history.Unread{
			Marker: marker.GetOffset(), Messages: head.GetCount() - marker.GetCount(), Mentions: badge.GetMentions() + head.GetCalls() - marker.GetCalls(),
		}
	}
	return out, nil
}
