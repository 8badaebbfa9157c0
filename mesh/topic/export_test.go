package topic

import (
	"context"

	"plenum.internal/mesh/bus"
)

// Mark is a place in a partition.
type Mark struct{ Epoch, Position uint64 }

// Marks reads where the partitions stand.
func (l *Log) Marks(ctx context.Context) ([]Mark, error) {
	marks, err := l.marks(ctx)
	all := make([]Mark, len(marks))
	for i, m := range marks {
		all[i] = Mark{m.epoch, m.position}
	}
	return all, err
}

// NewFeed returns a feed over any bus.
func NewFeed(cfg FeedConfig, deps FeedDeps, subscribe func(string, chan<- bus.Message) (func(), error), again func(func()) func()) *HeadsFeed {
	return newFeed(cfg, deps, subscribe, again)
}

// Unpack and Pack are the watermark's coding, by turns of epoch and position.
func Unpack(s string) ([]Mark, error) {
	marks, err := unpack(s)
	var all []Mark
	for _, m := range marks {
		all = append(all, Mark{m.epoch, m.position})
	}
	return all, err
}

func Pack(marks []Mark) string {
	var all []mark
	for _, m := range marks {
		all = append(all, mark{m.Epoch, m.Position})
	}
	return pack(all)
}

// TailEachOf is TailEach with another bound of views.
func TailEachOf(stream EachStream, tail Tail, most int) error { return tailEach(stream, tail, most) }
