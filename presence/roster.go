package presence

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"

	rosterv1 "plenum.internal/proto/plenum/roster/v1"
)

// roster is the RosterService. Its streams add to Server.tasks while Run may wait for these: rpc ends all streams before it lets a part end (mesh/node).
type roster struct {
	rosterv1.UnimplementedRosterServiceServer
	s *Server
}

// Report takes in what a gateway tells, and tells it whose connections may be seen, until it ends.
func (r roster) Report(stream grpc.BidiStreamingServer[rosterv1.ReportRequest, rosterv1.ReportResponse]) error {
	q, err := stream.Recv()
	if err != nil {
		return err //nolint:wrapcheck // the stream's own
	}
	g := r.s.hub.openStream(q.GetGateway(), time.Now())
	defer func() { r.s.hub.closeStream(g, time.Now()) }()
	ended := make(chan error, 1)
	r.s.tasks.Go(func() { ended <- r.hear(g, q, stream) })
	for {
		select {
		case <-g.kick:
		case <-g.ended:
			return errAway
		case err := <-ended:
			return err
		}
		if res := r.s.hub.answers(g); res != nil {
			if err := stream.Send(res); err != nil {
				return err //nolint:wrapcheck // the stream's own
			}
		}
		select {
		case <-time.After(answerGap/2 + rand.N(answerGap)): // in no step with the gateway, which hears of who hides at whatever moment
		case <-g.ended:
			return errAway
		case err := <-ended:
			return err
		}
	}
}

// hear takes in what a gateway tells, from a first message on.
func (r roster) hear(g *gateway, q *rosterv1.ReportRequest, stream grpc.BidiStreamingServer[rosterv1.ReportRequest, rosterv1.ReportResponse]) error {
	for r.s.hub.report(g, q, time.Now()) {
		var err error
		switch q, err = stream.Recv(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("presence: report: %w", err)
		}
	}
	return errAway
}
