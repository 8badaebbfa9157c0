package topic

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/bus"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// committed tells the world of a transaction. Invariant: it runs after COMMIT only, and nothing depends on its success.
func (l *Log) committed(t *transaction) {
	if len(t.rows) == 0 {
		return
	}
	l.metrics.rows.Add(float64(len(t.rows)))
	if l.bus != nil {
		l.publish(t)
	}
	moved := make(map[uint32]bool, len(t.parts))
	for _, s := range t.touched {
		moved[s.partition] = true
		l.digests.note(s.partition, t.parts[s.partition].position, s.state())
	}
	l.digests.flush()
	for n := range moved {
		l.wakes.wake(n, t.parts[n].position)
	}
}

// publish sends the rows by topic, in messages of at most 64 KiB.
func (l *Log) publish(t *transaction) {
	records := make(map[topicKey][]*topicv1.Record, len(t.touched))
	for i := range t.rows {
		k := topicKey{t.rows[i].Workspace, t.rows[i].Topic}
		records[k] = append(records[k], t.records[i])
	}
	for _, s := range t.touched {
		run := records[s.topicKey]
		for len(run) > 0 {
			n := prefix(run, responseBytes)
			if sizeOf(run[0]) > responseBytes {
				n = 1
				run[0].GetEvent().Body, run[0].BodyOmitted = nil, true
			}
			data, err := proto.Marshal(&topicv1.Publication{Records: run[:n]})
			if err == nil {
				err = l.bus.Publish(bus.Subject(s.workspace, s.topic), data)
			}
			if err != nil {
				l.metrics.unpublished.Add(float64(n))
			}
			run = run[n:]
		}
	}
}

const (
	digestGap   = time.Second
	digestHeads = 500         // in one message; more go in several
	digestStay  = time.Minute // how long a partition that isn't assigned gets digests after a commit
	digestTick  = 100 * time.Millisecond
)

// digests tells gateways once a second what this process has committed (derivations tell what it has derived). Who misses one
// sees it: a hole in the sequence, a new incarnation, or silence.
type digests struct {
	service     string
	incarnation uint64
	assigned    func(uint32) bool
	bus         Bus // nil: nothing is sent

	mu    sync.Mutex // guards what follows
	parts [Partitions]digest
}

type digest struct {
	sequence, position uint64
	heads              map[topicKey]State // since the last digest
	sent               time.Time          // the last digest
	told               time.Time          // the last one with heads
	committed          time.Time
}

func newDigests(service string, incarnation uint64, assigned func(uint32) bool, b Bus) *digests {
	return &digests{service: service, incarnation: incarnation, assigned: assigned, bus: b}
}

// note remembers a head for the next digest.
func (d *digests) note(number uint32, position uint64, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := &d.parts[number]
	p.position = max(p.position, position)
	p.committed = time.Now()
	k := topicKey{s.Workspace, s.Topic}
	if p.heads == nil {
		p.heads = map[topicKey]State{}
	}
	if old := p.heads[k]; s.Epoch > old.Epoch || s.Epoch == old.Epoch && s.Offset > old.Offset {
		p.heads[k] = s
	}
}

// miss leaves a hole in a partition's sequence: gateways will ask what moved.
func (d *digests) miss(number uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.parts[number].sequence++
	d.parts[number].committed = time.Now()
}

// flush sends what has waited, at once where the last heads were told more than a second ago.
func (d *digests) flush() {
	if d.bus == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for n := range d.parts {
		p := &d.parts[n]
		number := uint32(n)
		switch {
		case len(p.heads) > 0 && now.Sub(p.told) >= digestGap:
			p.told = now
		case now.Sub(p.sent) < digestGap:
			continue
		case !d.assigned(number) && now.Sub(p.committed) > digestStay:
			continue
		}
		d.send(number, p, now)
	}
}

func (d *digests) send(number uint32, p *digest, now time.Time) {
	m := &topicv1.Digest{Incarnation: d.incarnation, Position: p.position}
	subject := DigestSubject(d.service, number)
	emit := func() {
		p.sequence++
		m.Sequence = p.sequence
		if data, err := proto.Marshal(m); err == nil {
			_ = d.bus.Publish(subject, data) // a lost one is seen by its sequence
		}
		m.Heads, m.Workspaces = nil, nil
	}
	for k, s := range p.heads {
		m.Heads = append(m.Heads, s.Head())
		m.Workspaces = append(m.Workspaces, k.workspace)
		if len(m.GetHeads()) == digestHeads {
			emit()
		}
	}
	if len(m.GetHeads()) > 0 || len(p.heads) == 0 {
		emit()
	}
	p.heads, p.sent = nil, now
}

// run sends digests on time until ctx ends, and then what is left.
func (d *digests) run(ctx context.Context) {
	for sleep(ctx, digestTick) {
		d.flush()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.parts {
		if p := &d.parts[n]; d.bus != nil && len(p.heads) > 0 {
			d.send(uint32(n), p, time.Now())
		}
	}
}

// DigestSubject is where the digests of a service's partition are published.
func DigestSubject(service string, partition uint32) string {
	return fmt.Sprintf("plenum._.digest.%s.%d", service, partition)
}
