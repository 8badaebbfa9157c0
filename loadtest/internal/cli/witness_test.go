package cli

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	"plenum.internal/loadtest/internal/account"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// witness counts by itself what a channel's members are to get: over the client of every program, not over the harness's own.
type witness struct {
	chat     chatv1.ChatServiceClient
	channel  string                    // set before followed
	followed chan *client.Subscription // its only channel, from its beginning
}

// token lasts as long as a test.
type token string

func (t token) Token(context.Context, string) (string, error) { return string(t), nil }

// observe connects as an account, and follows its first channel as soon as there is one.
func observe(t *testing.T, server string, acc account.Account) *witness {
	t.Helper()
	c, err := client.New(client.Config{Server: server, Tokens: token(acc.Access), Agent: "witness"})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{chat: chatv1.NewChatServiceClient(c), followed: make(chan *client.Subscription, 1)}
	ctx, stop := context.WithCancel(t.Context())
	ended, found := make(chan error, 1), make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	go func() { found <- w.follow(ctx, c) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := <-found; err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *witness) follow(ctx context.Context, c *client.Client) error {
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		mine, err := w.chat.ListMyChannels(ctx, &chatv1.ListMyChannelsRequest{})
		if err != nil {
			return err
		}
		if len(mine.GetChannels()) > 0 {
			w.channel = mine.GetChannels()[0].GetChannel().GetId()
			break
		}
		<-tick.C
	}
	page, err := w.chat.History(ctx, &chatv1.HistoryRequest{Channel: w.channel, Limit: 1})
	if err != nil {
		return err
	}
	sub, err := c.Follow(ctx, "chat.channel/"+w.channel, client.From(&edgev1.Cursor{Epoch: page.GetCursor().GetEpoch()}))
	w.followed <- sub
	return err
}

// heard counts the messages that it is told of, up to the last that stands in the channel.
func (w *witness) heard(t *testing.T) (n uint64) {
	t.Helper()
	sub := <-w.followed
	page, err := w.chat.History(t.Context(), &chatv1.HistoryRequest{Channel: w.channel, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for at := uint64(0); at < page.GetCursor().GetOffset(); {
		update, err := sub.Next(t.Context())
		if err != nil || update.Reset != nil {
			t.Fatal(err, update.Reset)
		}
		for _, e := range update.Events {
			at = e.GetOffset()
			var event chatv1.ChannelEvent
			if err := proto.Unmarshal(e.GetBody(), &event); err != nil {
				t.Fatal(err)
			}
			if event.GetPosted() != nil {
				n++
			}
		}
	}
	return n
}

// stand counts the messages that stand in the channel, written by people.
func (w *witness) stand(t *testing.T) (n uint64) {
	t.Helper()
	for after, more := uint64(0), true; more; {
		page, err := w.chat.History(t.Context(), &chatv1.HistoryRequest{
			Channel: w.channel, Place: &chatv1.HistoryRequest_After{After: after}, Limit: 100,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetMessages() {
			after = m.GetOffset()
			if m.GetSystem() == nil {
				n++
			}
		}
		more = page.GetMoreAfter()
	}
	return n
}
