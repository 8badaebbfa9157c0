package topic

import (
	"time"

	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// silence is after how long a writer that said nothing counts as gone, and its last words as missed.
const silence = 3 * time.Second

// tracker notices missed digests: a hole in a writer's sequence, a writer not heard of before, one that falls silent, and partitions
// of which nobody speaks. Pure: time is given.
type tracker struct {
	parts [Partitions]struct {
		writers map[uint64]*writer // by incarnation; the silent are dropped
		quiet   time.Time          // when its silence was last counted as a miss, or it was last heard
	}
}

type writer struct {
	sequence uint64
	heard    time.Time
}

func newTracker(now time.Time) *tracker {
	t := &tracker{}
	for i := range t.parts {
		t.parts[i].writers = map[uint64]*writer{}
		t.parts[i].quiet = now
	}
	return t
}

// digest takes one in and reports whether something before it was missed.
func (t *tracker) digest(now time.Time, number uint32, d *topicv1.Digest) (missed bool) {
	p := &t.parts[number]
	p.quiet = now
	w := p.writers[d.GetIncarnation()]
	if w == nil {
		p.writers[d.GetIncarnation()] = &writer{d.GetSequence(), now}
		return true
	}
	w.heard = now
	missed = d.GetSequence() > w.sequence+1
	w.sequence = max(w.sequence, d.GetSequence())
	return missed
}

// tick reports whether a writer or a partition has fallen silent.
func (t *tracker) tick(now time.Time) (missed bool) {
	for i := range t.parts {
		p := &t.parts[i]
		for incarnation, w := range p.writers {
			if now.Sub(w.heard) >= silence {
				delete(p.writers, incarnation)
				missed = true
			}
		}
		if now.Sub(p.quiet) >= silence {
			p.quiet = now
			missed = true
		}
	}
	return missed
}
