package topic

import "context"

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
