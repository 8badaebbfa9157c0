package topic

import (
	"context"
	"sync"
	"time"

	"plenum.internal/mesh/rpc"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	heartbeat = 10 * time.Second // how often a silent Follow says that it lives
	// followGap lies between two reads of a partition that moves all the time: who follows wants runs, and a read for each commit would
	// cost as much as the commit. After silence a record is sent at once.
	followGap = 50 * time.Millisecond
)

// Follow sends the rows of a partition after a position, in commit order, in responses of at most 64 KiB or one record; upto is where
// the reader stands once it has applied a response. Without wait it returns at the end, with a last response that has no records;
// with wait it goes on until ctx ends; an empty response tells that the end was reached for the first time, and then every 10 s of
// silence that it still lives.
//
// A position of another life of the history (epoch; both 0: from the beginning) is answered by a reset.
func (l *Log) Follow(ctx context.Context, number uint32, epoch, after uint64, wait bool, send func(*topicv1.FollowResponse) error) error {
	if number >= Partitions {
		return errBadPartition
	}
	marks, err := l.marks(ctx)
	if err != nil {
		return numbered(err)
	}
	m := marks[number]
	if after > m.position || epoch != m.epoch && (epoch != 0 || after != 0) {
		return send(&topicv1.FollowResponse{Reset_: rpc.FromError(resetEpoch), Epoch: m.epoch})
	}
	if wait {
		defer l.wakes.enter()()
	}
	l.wakes.note(number, m.position)
	answer := func(records []*topicv1.Record, upto uint64) error {
		return send(&topicv1.FollowResponse{Records: records, Upto: upto, Epoch: m.epoch, Head: max(upto, l.wakes.head(number))})
	}
	silence := time.NewTimer(heartbeat)
	defer silence.Stop()
	for caught := false; ; {
		woken := l.wakes.at(number) // taken before reading, so that no commit falls between
		var records []*topicv1.Record
		size := 0
		// Invariant: positions become visible in order, because each is numbered and committed under the partition's lock. So what
		// one read returns has no hole that could be filled later.
		err := l.records(ctx, l.sql.follow, []any{int64(number), signed(after), followRows}, func(r *topicv1.Record) bool {
			records = append(records, r)
			size += sizeOf(r)
			return size < responseBytes
		})
		if err != nil {
			return numbered(err)
		}
		if n := len(records); n > 0 {
			full := size >= responseBytes || n == followRows
			if size > responseBytes && n > 1 {
				n--
			}
			after = records[n-1].GetPosition()
			if err := answer(records[:n], after); err != nil {
				return err
			}
			silence.Reset(heartbeat)
			if wait && !full && !sleep(ctx, followGap) {
				return ctx.Err()
			}
			continue
		}
		if !wait {
			return answer(nil, after)
		}
		if !caught {
			caught = true
			if err := answer(nil, after); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-woken:
		case <-silence.C:
			if err := answer(nil, after); err != nil {
				return err
			}
			silence.Reset(heartbeat)
		}
	}
}

// wakes tells those who follow that a partition has moved.
type wakes struct {
	mu      sync.Mutex // guards all below
	ch      [Partitions]chan struct{}
	heads   [Partitions]uint64 // newest positions seen
	waiting int
	first   chan struct{} // holds one while somebody began to wait
}

func (w *wakes) init() {
	for i := range w.ch {
		w.ch[i] = make(chan struct{})
	}
	w.first = make(chan struct{}, 1)
}

// at returns a channel that is closed at the partition's next commit.
func (w *wakes) at(number uint32) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ch[number]
}

// head is the newest position of a partition that this process has seen.
func (w *wakes) head(number uint32) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heads[number]
}

func (w *wakes) note(number uint32, position uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heads[number] = max(w.heads[number], position)
}

func (w *wakes) wake(number uint32, position uint64) {
	w.note(number, position)
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.ch[number])
	w.ch[number] = make(chan struct{})
}

func (w *wakes) enter() (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting++
	select {
	case w.first <- struct{}{}:
	default:
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
	}
}

func (w *wakes) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting == 0
}

// poll finds what other processes committed, while somebody follows.
func (l *Log) poll(ctx context.Context) {
	known := make([]mark, Partitions)
	for {
		if l.wakes.idle() {
			select {
			case <-ctx.Done():
				return
			case <-l.wakes.first:
			}
		}
		marks, err := l.marks(ctx)
		if err == nil {
			for n, m := range marks {
				if m != known[n] {
					l.wakes.wake(uint32(n), m.position)
				}
			}
			known = marks
		}
		if !sleep(ctx, l.cfg.Poll) {
			return
		}
	}
}
