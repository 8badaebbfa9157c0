package chat

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// feedBuffer is how many publications may wait to be taken in; what finds no place is seen as a hole.
const feedBuffer = 8192

// accessFeed keeps the access cache where the logs of channels are: by what is published of them, and by the heads that tell what was
// not.
type accessFeed struct {
	cache *accessCache
	bus   *bus.Bus
	heads *topic.HeadsFeed
	log   *slog.Logger
	whole atomic.Bool // publications come in since the cache was last emptied
}

// newAccessFeed returns a feed; without a bus there is none, and it is never fresh.
func newAccessFeed(cache *accessCache, l *topic.Log, b topic.Bus, log *slog.Logger) (*accessFeed, error) {
	f := &accessFeed{cache: cache, log: log}
	if f.bus, _ = b.(*bus.Bus); f.bus == nil {
		return f, nil
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	var err error
	f.heads, err = topic.NewHeadsFeed(topic.FeedConfig{Service: "chat"}, topic.FeedDeps{
		Source: ownHeads{log: l}, Bus: f.bus, Log: f.log, Handle: func(workspace string, h *edgev1.Head) {
			if id, ok := strings.CutPrefix(h.GetTopic(), topicChannel); ok {
				cache.head(channelKey{workspace, id}, h)
			}
		},
	})
	return f, err
}

// fresh tells whether the cache hears of every change within about a second.
func (f *accessFeed) fresh() bool { return f.whole.Load() && f.bus.Connected() && !f.heads.Stale() }

// run feeds the cache until ctx ends.
func (f *accessFeed) run(ctx context.Context) error {
	if f.bus == nil {
		return nil
	}
	messages := make(chan bus.Message, feedBuffer)
	s, err := f.bus.Subscribe("plenum.*.chat.channel.*", messages)
	if err != nil {
		return fmt.Errorf("chat: follow channels: %w", err)
	}
	defer s.Unsubscribe()
	again := make(chan struct{}, 1)
	defer f.bus.OnReconnect(func() { // what was published meanwhile is missing
		f.whole.Store(false)
		select {
		case again <- struct{}{}:
		default:
		}
	})()
	again <- struct{}{}
	defer f.whole.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if err := f.heads.Run(ctx); err != nil && ctx.Err() == nil {
			f.log.Error("following chat's heads ended", "error", err)
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			f.begin(ctx)
		case m := <-messages:
			f.take(m)
		}
	}
}

// begin empties the cache once the interest in publications has reached NATS and the heads are followed. While NATS is away that
// waits for the reconnection.
func (f *accessFeed) begin(ctx context.Context) {
	for f.bus.Flush(ctx) != nil {
		if ctx.Err() != nil || !f.bus.Connected() {
			return
		}
	}
	select {
	case <-f.heads.Ready():
	case <-ctx.Done():
		return
	}
	f.cache.clear()
	f.whole.Store(true)
}

func (f *accessFeed) take(m bus.Message) {
	k, ok := channelOf(m.Subject)
	if !ok || !f.cache.knows(k) {
		return
	}
	var p topicv1.Publication
	if err := proto.Unmarshal(m.Data, &p); err != nil {
		f.log.Error("a publication can't be read", "subject", m.Subject, "error", err)
		f.cache.clear()
		return
	}
	f.cache.publish(k, p.GetRecords())
}

// channelOf is the channel of a subject, plenum.<workspace>.chat.channel.<id>.
func channelOf(subject string) (k channelKey, ok bool) {
	parts := strings.Split(subject, ".")
	if len(parts) != 5 {
		return k, false
	}
	return channelKey{parts[1], parts[4]}, true
}

// ownHeads asks chat's own log what moved.
type ownHeads struct {
	topicv1.TopicServiceClient
	log *topic.Log
}

func (o ownHeads) Heads(ctx context.Context, req *topicv1.HeadsRequest, _ ...grpc.CallOption) (*topicv1.HeadsResponse, error) {
	return o.log.Heads(ctx, req.GetSince(), req.GetWorkspace())
}
