package run

import "context"

// Func makes a Component of a function that is ready at once.
func Func(f func(ctx context.Context) error) Component { return function(f) }

type function func(ctx context.Context) error

func (f function) Run(ctx context.Context) error { return f(ctx) }

func (f function) Ready() <-chan struct{} { return closed() }

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Step makes a Component of work that must be done before the next one starts, such as a migration, and of its undoing, which
// runs when the component stops; undo may be nil.
func Step(do func(ctx context.Context) error, undo func() error) Component {
	return &step{do: do, undo: undo, ready: make(chan struct{})}
}

type step struct {
	do    func(ctx context.Context) error
	undo  func() error
	ready chan struct{}
}

func (s *step) Run(ctx context.Context) error {
	if err := s.do(ctx); err != nil {
		return err
	}
	close(s.ready)
	<-ctx.Done()
	if s.undo == nil {
		return nil
	}
	return s.undo()
}

func (s *step) Ready() <-chan struct{} { return s.ready }
