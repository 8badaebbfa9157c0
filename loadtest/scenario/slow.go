package scenario

import (
	"context"
	"fmt"
	"sync"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/edge"
	"plenum.internal/loadtest/internal/run"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// slowReaders are connections that follow topics and read nothing of them: the server has to bear them, and so have the others.
type slowReaders struct {
	conns []*edge.Conn
	wait  *stuck
}

// stuck implements edge.Handler: it keeps the reading goroutine of its connections until it is released.
type stuck struct{ released chan struct{} }

func (s *stuck) Event([]byte, edge.Event) { <-s.released }

func (*stuck) Frame(*edgev1.ServerFrame) {}

// connectSlow opens n of them on a topic, as the accounts of this process in turn.
func connectSlow(ctx context.Context, r *run.Run, n int, topics []*edgev1.Want) (*slowReaders, error) {
	s := &slowReaders{wait: &stuck{make(chan struct{})}}
	for i := range r.Share(n) {
		who := r.Accounts[i%len(r.Accounts)]
		conn, err := edge.Dial(ctx, edge.Config{
			Address: r.API.Address(), Token: who.Access, ClientID: account.NewID(), SessionID: account.NewID(), Wants: topics,
		}, s.wait)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connect a slow reader: %w", err)
		}
		s.conns = append(s.conns, conn)
	}
	return s, nil
}

// close ends them; the server may have done so before.
func (s *slowReaders) close() {
	close(s.wait.released)
	var gone sync.WaitGroup
	for _, c := range s.conns {
		gone.Go(c.Cut)
	}
	gone.Wait()
}
