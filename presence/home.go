package presence

import (
	"time"

	"google.golang.org/grpc"

	presencev1 "plenum.internal/proto/plenum/presence/v1"
)

// home is the HomeService.
type home struct {
	presencev1.UnimplementedHomeServiceServer
	s *Server
}

const (
	watchGap      = 100 * time.Millisecond // between two responses
	watchLife     = time.Second            // without one
	watchPatience = 10 * time.Second       // for hub.mu
)

// Watch tells another process what is new of people.
func (r home) Watch(stream grpc.BidiStreamingServer[presencev1.WatchRequest, presencev1.WatchResponse]) error {
	h, w := r.s.hub, newWatcher(0)
	w.seesHidden = true
	ended := make(chan error, 1)
	r.s.tasks.Go(func() {
		defer func() { h.forget(w, nil, time.Now()) }() // here: nobody is watched behind it
		for {
			q, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			h.forget(w, keys(q.GetForget()), time.Now())
			h.watch(w, keys(q.GetWatch()))
		}
	})
	life := time.NewTicker(watchLife)
	defer life.Stop()
	for {
		select {
		case <-w.kick:
		case <-life.C:
		case err := <-ended:
			return err //nolint:wrapcheck // the stream's own
		}
		// While this process is frozen it changes nothing; who may be taken for dead loses its people to another home.
		list, err := r.awaitNews(w, life.C, ended, stream.Send)
		if err != nil {
			return err
		}
		for first := true; first || len(list) > 0; first = false {
			res := &presencev1.WatchResponse{}
			n := min(len(list), mirrorBatch)
			for _, n := range list[:n] {
				res.Seen = append(res.Seen, &presencev1.Seen{Person: &presencev1.Person{Workspace: n.workspace, User: n.user}, Status: n.status(), Hidden: n.hidden})
			}
			if err := stream.Send(res); err != nil {
				return err //nolint:wrapcheck // the stream's own
			}
			list = list[n:]
		}
		select {
		case <-time.After(watchGap):
		case err := <-ended:
			return err //nolint:wrapcheck // the stream's own
		}
	}
}

// awaitNews takes what is new to a watcher. Who waits for it is told meanwhile that this process lives, though others hold hub.mu: looking at everybody
// anew takes seconds where there are many.
func (r home) awaitNews(w *watcher, life <-chan time.Time, ended <-chan error, send func(*presencev1.WatchResponse) error) ([]news, error) {
	took := make(chan []news, 1)
	r.s.tasks.Go(func() {
		list, _ := r.s.hub.takeNews(w)
		took <- list
	})
	for patience := watchPatience; ; patience -= watchLife {
		if patience <= 0 {
			life = nil // who stands still for as long doesn't live
		}
		select {
		case list := <-took:
			return list, nil
		case <-life:
			if err := send(&presencev1.WatchResponse{}); err != nil {
				return nil, err
			}
		case err := <-ended:
			return nil, err
		}
	}
}

// keys are never nil: that would be everybody.
func keys(people []*presencev1.Person) []personKey {
	list := make([]personKey, len(people))
	for i, p := range people {
		list[i] = personKey{p.GetWorkspace(), p.GetUser()}
	}
	return list
}
