package gateway

import "context"

// asks are what the session has asked of services and was not answered yet. They end with it; while there are none it has no context.
type asks struct {
	open   int
	ctx    context.Context //nolint:containedctx // of all that are open
	cancel context.CancelFunc
}

// ask returns the context of something that is asked on the session's behalf; answered is called by the turn when it is done.
func (s *session) ask() context.Context {
	a := &s.asks
	if a.ctx == nil {
		a.ctx, a.cancel = context.WithCancel(s.g.base)
	}
	a.open++
	return a.ctx
}

func (s *session) answered() {
	if s.asks.open--; s.asks.open == 0 {
		s.asks.end()
	}
}

// end gives up what is open. Of a session that has ended nothing is asked, and what is answered doesn't come to its turn.
func (a *asks) end() {
	if a.cancel != nil {
		a.cancel()
		a.ctx, a.cancel = nil, nil
	}
}
