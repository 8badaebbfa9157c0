package client_test

import (
	"context"
	"log"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// A bot that repeats what it reads, and loses nothing when it or the server is restarted.
func Example() {
	ctx := context.Background()
	outbox, err := client.OpenOutbox("/var/lib/echo/outbox")
	if err != nil {
		log.Fatal(err)
	}
	defer outbox.Close()
	account, err := client.OpenAccount("/var/lib/echo/session.json", &client.HTTP{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{Server: account.Server(), Tokens: account, Outbox: outbox, Agent: "echo/1.0"})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(c.Run(ctx)) }()

	const channel = "ldbzopyk5tm43akzwkfzo67bca"
	page, err := chatv1.NewChatServiceClient(c).History(ctx, &chatv1.HistoryRequest{Channel: channel})
	if err != nil {
		log.Fatal(err)
	}
	sub, err := c.Follow(ctx, "chat.channel/"+channel, client.From(page.GetCursor()))
	if err != nil {
		log.Fatal(err)
	}
	for {
		update, err := sub.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		for _, event := range update.Events {
			var e chatv1.ChannelEvent
			if proto.Unmarshal(event.GetBody(), &e) != nil || e.GetPosted() == nil || e.GetActor() == account.User() {
				continue
			}
			again := &chatv1.SendRequest{Channel: channel, Text: e.GetPosted().GetText()}
			if _, err := c.Enqueue(chatv1.ChatService_Send_FullMethodName, again); err != nil {
				log.Fatal(err)
			}
		}
	}
}
