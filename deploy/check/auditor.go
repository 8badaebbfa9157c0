package check

import (
	"context"
	"fmt"
	"time"

	"plenum.internal/client"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Auditor is somebody who comes in by one gateway and transport now and then, goes on reading topics where they were the last time, from their
// beginning on, and leaves. A gateway replays so much to who comes back, and no more: what has become long can't be read at once.
type Auditor struct {
	Way string // a gateway and a transport

	door  Door
	enter Way
	at    map[string]uint64 // by topic: the last event that was read
}

// Times of auditors.
const (
	auditEvery = 2 * time.Minute
	auditTime  = 30 * time.Second // of a visit; what fails comes with the next
)

// Audit makes an auditor for each way; enter says how the n-th one gets a session.
func (d Doors) Audit(enter func(n int) Way) (all []*Auditor) {
	for name, door := range d.Ways() {
		all = append(all, &Auditor{name, door, enter(len(all)), map[string]uint64{}})
	}
	return all
}

// Audits has each of the auditors read now and then, until ctx ends.
func Audits(ctx context.Context, all []*Auditor, read func(context.Context, *Auditor, *Person) error) {
	tick := time.NewTicker(auditEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, a := range all {
			limited, cancel := context.WithTimeout(ctx, auditTime)
			_ = a.Visit(limited, read) // its way may fail just now
			cancel()
		}
	}
}

// Visit has the auditor come in and read.
func (a *Auditor) Visit(ctx context.Context, read func(context.Context, *Auditor, *Person) error) error {
	p, err := Enter(ctx, a.door, a.enter)
	if err == nil {
		defer p.Close()
		err = read(ctx, a, p)
	}
	if err != nil {
		return fmt.Errorf("audit at %s: %w", a.Way, err)
	}
	return nil
}

// Read goes on in a topic up to an offset, and hands its events on in their order. After an error it goes on where it was.
func (a *Auditor) Read(ctx context.Context, p *Person, topic string, epoch, upto uint64, each func(*edgev1.Event) error) error {
	if a.at[topic] >= upto {
		return nil
	}
	sub, err := p.Client.Follow(ctx, topic, client.From(&edgev1.Cursor{Epoch: epoch, Offset: a.at[topic]}))
	if err != nil {
		return fmt.Errorf("%s: %w", topic, err)
	}
	defer sub.Close()
	for a.at[topic] < upto {
		u, err := sub.Next(ctx)
		if err == nil && u.Reset != nil {
			err = u.Reset.Cause
		}
		for _, e := range u.Events {
			if err == nil {
				err = each(e)
			}
			if err == nil {
				a.at[topic] = e.GetOffset()
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", topic, err)
		}
	}
	return nil
}
