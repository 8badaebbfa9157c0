package setup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const (
	settleMost = 5 * time.Minute
	witnesses  = 500 // channels whose last member is waited for
)

// settle waits until the last members that were added to some of the channels, among them the newest, are told of them: what belongs
// to people is derived from the channels' logs, and a server that still derives would be measured with it.
func (m *Maker) settle(ctx context.Context, channels []Channel, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, settleMost)
	defer cancel()
	wanted := map[int]map[string]bool{} // by member
	for n := range min(len(channels), witnesses) {
		i := len(channels) - 1 - n
		if n >= witnesses/2 {
			i = rand.IntN(i + 1)
		}
		who := channels[i].Members[len(channels[i].Members)-1]
		if wanted[who] == nil {
			wanted[who] = map[string]bool{}
		}
		wanted[who][ids[i]] = true
	}
	wait, inner := errgroup.WithContext(ctx)
	wait.SetLimit(callers)
	for who, topics := range wanted {
		wait.Go(func() error { return m.told(inner, m.owners[who%len(m.owners)], topics) })
	}
	return wait.Wait() //nolint:wrapcheck // its own
}

// told follows an account's bundle until it has all that is wanted.
func (m *Maker) told(ctx context.Context, who *account.Account, wanted map[string]bool) error {
	w := &witness{wanted: wanted, all: make(chan struct{})}
	conn, err := edge.Dial(ctx, edge.Config{
		Address: m.api.Address(), Token: who.Access, ClientID: account.NewID(), SessionID: account.NewID(),
		Wants: []*edgev1.Want{{Topic: "chat.mine/me", Mode: edgev1.Mode_MODE_HEADS}},
	}, w)
	if err != nil {
		return fmt.Errorf("connect %s: %w", who.Handle, err)
	}
	defer conn.Close()
	select {
	case <-w.all:
		return nil
	case <-conn.Done():
		return fmt.Errorf("%s was disconnected: %w", who.Handle, conn.Err())
	case <-ctx.Done():
		return fmt.Errorf("%s is not told of a new channel: %w", who.Handle, ctx.Err())
	}
}

// witness implements edge.Handler. The connection's goroutine has it.
type witness struct {
	wanted map[string]bool
	all    chan struct{} // closed when nothing is wanted any more
}

func (*witness) Event([]byte, edge.Event) {}

func (w *witness) Frame(f *edgev1.ServerFrame) {
	if len(w.wanted) == 0 {
		return
	}
	for _, h := range f.GetHeads().GetHeads() {
		delete(w.wanted, strings.TrimPrefix(h.GetTopic(), "chat.channel/"))
	}
	if len(w.wanted) == 0 {
		close(w.all)
	}
}
