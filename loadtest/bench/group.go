package bench

import (
	"context"
	"slices"
)

// group is what one kind of run tells: a sample for each of its goals, in their order.
type group struct {
	name  string // with the name of its kind and a slash before it, if there are several
	goals []goal
	run   func(ctx context.Context, l *lab) ([]sample, error)
}

// groups are all bars. A group is one file, or several of a kind are.
func groups() []group {
	return append([]group{idle(), encrypted(), bundle(), fanout(), crowded(), connect(), sends(), chat(), slow(), resume(), docs(), web()}, slices.Concat(edits(), presence())...)
}
