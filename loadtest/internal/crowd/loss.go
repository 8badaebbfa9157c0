package crowd

import (
	"context"
	"sync"
	"time"
)

// Loss is what became of connections that broke.
type Loss struct {
	Took time.Duration // until the last of those who lost one had all its topics again
	Lost int           // connections
	Away int           // members that have not resumed when waiting ended
}

// Cut breaks the connections of members at once and without a word, and waits until all of them have resumed all their topics, or ctx
// ends.
func (c *Crowd) Cut(ctx context.Context, members []*Member) Loss {
	begin := time.Now()
	var cut sync.WaitGroup
	for _, m := range members {
		cut.Go(m.Cut)
	}
	cut.Wait()
	away := wait(ctx, members, (*Member).back)
	return Loss{time.Since(begin), len(members), away}
}

// lossQuiet is how long nobody is lost before the loss counts as over: a server's end is noticed within a moment.
const lossQuiet = 2 * time.Second

// Lose has somebody else break connections, and waits until some were lost and all members have resumed all their topics, or ctx ends.
func (c *Crowd) Lose(ctx context.Context, by func() error) (l Loss, err error) {
	before, begin := c.Dropped.Load(), time.Now()
	if err := by(); err != nil {
		return l, err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for last := begin; l.Lost == 0 || time.Since(last) < lossQuiet; {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if lost := int(c.Dropped.Load() - before); lost > l.Lost {
			l.Away = wait(ctx, c.Members, (*Member).back)
			l.Lost, l.Took, last = int(c.Dropped.Load()-before), time.Since(begin), time.Now()
		}
		if ctx.Err() != nil {
			break
		}
	}
	return l, nil
}

// wait waits until ok is true of each member in its turn, or ctx ends; it returns for how many it is not.
func wait(ctx context.Context, members []*Member, ok func(*Member) bool) (left int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(members); {
		if ok(members[i]) {
			i++
			continue
		}
		select {
		case <-ctx.Done():
			for _, m := range members {
				if !ok(m) {
					left++
				}
			}
			return left
		case <-tick.C:
		}
	}
	return 0
}

// Away counts the members that have not left for good, and are not connected with all their topics.
func (c *Crowd) Away() (n int) {
	for _, m := range c.Members {
		if !m.gone.Load() && !m.back() {
			n++
		}
	}
	return n
}
