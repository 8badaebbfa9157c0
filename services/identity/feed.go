package identity

import (
	"context"
	"sync"
	"time"

	authv1 "plenum.internal/proto/plenum/auth/v1"
)

const (
	feedPoll  = 200 * time.Millisecond // between two looks at the log of revocations
	heartbeat = 500 * time.Millisecond
	feedFresh = 2 * time.Second // a heartbeat is true if the log was read so recently
	feedPage  = 500             // revocations in one response
)

// feed knows how far the log of revocations goes, and wakes those who follow it.
type feed struct {
	wake chan struct{} // capacity 1: look now

	mu      sync.Mutex // guards all below
	last    int64      // number of the last revocation
	read    time.Time  // of the last successful look; zero: none yet
	changed chan struct{}
}

func (f *feed) init() {
	f.wake = make(chan struct{}, 1)
	f.changed = make(chan struct{})
}

// nudge makes the feed look at once, after this process committed a revocation.
func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *feed) state() (last int64, read time.Time, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.read, f.changed
}

// run looks at the log until ctx ends. Other processes append to it too, so it is polled.
func (f *feed) run(ctx context.Context, s *Server) {
	tick := time.NewTicker(feedPoll)
	defer tick.Stop()
	for {
		if last, err := s.store.Reads().LastRevocation(ctx); err == nil {
			f.mu.Lock()
			if f.last != last || f.read.IsZero() {
				f.last = last
				close(f.changed)
				f.changed = make(chan struct{})
			}
			f.read = time.Now()
			f.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// follow sends the log after a number, an empty response behind the backlog, and then news and heartbeats until ctx ends.
func (s *Server) follow(ctx context.Context, after uint64, send func(*authv1.RevocationsResponse) error) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	due := true // a heartbeat
	at := int64(min(after, 1<<62))
	for {
		last, read, changed := s.feed.state()
		fresh := time.Since(read) < feedFresh
		switch {
		case fresh && last < at: // another life of the log: a backup was restored. The follower begins anew.
			return send(&authv1.RevocationsResponse{Upto: uint64(max(last, 1))})
		case fresh && last > at:
			rows, err := s.store.Reads().Revocations(ctx, at, feedPage)
			if err != nil {
				return err
			}
			out := &authv1.RevocationsResponse{}
			for _, r := range rows {
				out.Revocations = append(out.Revocations, &authv1.Revocation{
					Workspace: r.Workspace, User: r.Person, Device: r.Device, IssuedBeforeMs: r.IssuedBeforeMs, Wipe: r.Wipe, Ends: r.Ends,
				})
				at = r.Seq
			}
			if len(rows) < feedPage {
				at = max(at, last) // the rest was pruned
			}
			out.Upto = uint64(at)
			if len(rows) > 0 {
				if err := send(out); err != nil {
					return err
				}
			}
			continue
		case fresh && due:
			due = false
			if err := send(&authv1.RevocationsResponse{}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-beat.C:
			due = true
		}
	}
}

// authService is what every process asks of identity.
type authService struct {
	authv1.UnimplementedAuthServiceServer
	s *Server
}

// Keys answers the verification keys.
func (a *authService) Keys(context.Context, *authv1.KeysRequest) (*authv1.KeysResponse, error) {
	k := a.s.keys.response()
	if len(k.GetKeys()) == 0 {
		return nil, errStarting
	}
	return k, nil
}

// Revocations streams the log of revocations.
func (a *authService) Revocations(r *authv1.RevocationsRequest, stream authv1.AuthService_RevocationsServer) error {
	return a.s.follow(stream.Context(), r.GetAfter(), stream.Send)
}
