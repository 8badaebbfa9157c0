package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

type watchCmd struct {
	Topics []string `arg:"" optional:"" help:"Topics, like chat.channel/<id>; a bundle is followed by its heads." default:"chat.mine/me"`
}

func (c *watchCmd) Run(e *env) error {
	carried := contract()
	show := func(sent bool, frame any) {
		m, ok := frame.(proto.Message)
		if !ok {
			return
		}
		if f, ok := m.(*edgev1.ClientFrame); ok && (f.GetHello() != nil || f.GetRefresh() != nil) {
			m = proto.CloneOf(f) // the token and the client_id are secrets
			masked, _ := m.(*edgev1.ClientFrame)
			if h := masked.GetHello(); h != nil {
				h.Token, h.ClientId = "…", "…"
			} else {
				masked.GetRefresh().Token = "…"
			}
		}
		mark := "<"
		if sent {
			mark = ">"
		}
		data, err := carried.frame(m)
		if err != nil {
			data = []byte(err.Error())
		}
		fmt.Fprintln(e.out, mark, string(data))
	}
	return e.session(false, func(cfg *client.Config) { cfg.Watch = show }, func(ctx context.Context, cl *client.Client, _ []client.Pending) error {
		ends := make(chan error, len(c.Topics))
		for _, topic := range slices.Compact(slices.Sorted(slices.Values(c.Topics))) {
			var opts []client.FollowOption
			if strings.HasSuffix(topic, "/me") {
				opts = append(opts, client.HeadsOnly())
			}
			sub, err := cl.Follow(ctx, topic, opts...)
			if err != nil {
				return err
			}
			go func() {
				for {
					if _, err := sub.Next(ctx); err != nil {
						ends <- err
						return
					}
				}
			}()
		}
		return <-ends
	})
}
