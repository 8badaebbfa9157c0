package bench

import "context"

// group is what one kind of run tells: a sample for each of its goals, in their order.
type group struct {
	name  string
	goals []goal
	run   func(ctx context.Context, l *lab) ([]sample, error)
}

// groups are all bars. A group is one file.
func groups() []group {
	return []group{idle(), encrypted(), bundle(), fanout(), crowded(), connect(), sends(), chat(), slow(), resume(), docs()}
}
