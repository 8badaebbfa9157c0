package check

import (
	"context"
	"fmt"
	"sync"
	"time"

	chatv1 "plenum.internal/proto/plenum/chat/v1"
)

// Load is people who write to a channel, whatever happens, until they are stopped.
type Load struct {
	ledger *Ledger
	stop   chan struct{}
	writes sync.WaitGroup  // of people
	waits  sync.WaitGroup  // of messages
	ctx    context.Context //nolint:containedctx // bounds the waiting for answers, beyond the writing
	cancel context.CancelFunc

	mu     sync.Mutex
	failed []string // guarded by mu
}

// Write has each of the people write a message every pause.
func Write(ledger *Ledger, channel string, pause time.Duration, people ...*Person) *Load {
	l := &Load{ledger: ledger, stop: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for i, p := range people {
		l.writes.Go(func() { l.write(p, fmt.Sprintf("%s/%d", p.Handle, i), channel, pause) })
	}
	return l
}

func (l *Load) write(p *Person, sender, channel string, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		text, begun := fmt.Sprintf("%s says %d", sender, i), time.Now()
		pending, err := p.Client.Enqueue(chatv1.ChatService_Send_FullMethodName, &chatv1.SendRequest{Channel: channel, Text: text})
		if err != nil {
			l.fail("%q cannot wait to be sent: %v", text, err)
			return
		}
		l.ledger.Sent(sender, text)
		l.waits.Go(func() {
			var answer chatv1.SendResponse
			if err := pending.Wait(l.ctx, &answer); err != nil {
				l.fail("UNSETTLED %q: %v; %+v", text, err, p.Client.State())
				return
			}
			l.ledger.Acknowledged(text, answer.GetOffset(), time.Since(begun))
		})
	}
}

func (l *Load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, fmt.Sprintf(format, args...))
}

// Stop ends the writing and waits until every message has its answer, or for ctx. It returns what failed.
func (l *Load) Stop(ctx context.Context) (failed []string) {
	close(l.stop)
	l.writes.Wait()
	defer context.AfterFunc(ctx, l.cancel)()
	l.waits.Wait()
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}
