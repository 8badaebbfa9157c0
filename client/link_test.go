package client

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// sizes is a connection that notes how long the messages are.
type sizes struct {
	Conn
	bytes, frames []int
}

func (s *sizes) Write(_ context.Context, m *edgev1.ClientMessage) error {
	s.bytes, s.frames = append(s.bytes, proto.Size(m)), append(s.frames, len(m.GetFrames()))
	return nil
}

// However much waits, the message that begins with Hello is short enough for who doesn't know us yet, and the next ones for who does.
func TestMessagesStayWithinTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &sizes{}
		l := &link{conn: conn, out: make(chan *edgev1.ClientFrame, outQueue)}
		const calls = 200
		l.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Hello{Hello: &edgev1.Hello{Token: "token"}}})
		for range calls {
			l.send(&edgev1.ClientFrame{Frame: &edgev1.ClientFrame_Call{Call: &edgev1.Call{Id: 1, Body: make([]byte, 20_000)}}})
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = l.write(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		sum := 0
		for i, n := range conn.bytes {
			most := maxBody
			if i == 0 {
				most = firstMessage
			}
			if sum += conn.frames[i]; n > most || conn.frames[i] > maxFrames {
				t.Errorf("message %d has %d bytes, %d frames", i, n, conn.frames[i])
			}
		}
		if sum != calls+1 || conn.frames[0] < 2 {
			t.Errorf("%v of %d frames", conn.frames, calls+1)
		}
	})
}
