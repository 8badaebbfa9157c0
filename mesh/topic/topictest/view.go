package topictest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// View is one view on a stream of its own.
type View struct {
	stream grpc.BidiStreamingClient[topicv1.TailEachRequest, topicv1.TailEachResponse]
	parts  []*topicv1.TailPart
}

// Look opens a view as a gateway does, for the user whose token ctx carries (rpc.WithToken), until ctx ends.
func Look(tb testing.TB, ctx context.Context, topics topicv1.TopicServiceClient, req *topicv1.TailRequest) *View { //nolint:revive // as testing.TB stands elsewhere
	tb.Helper()
	md, _ := metadata.FromOutgoingContext(ctx)
	token := strings.TrimPrefix(strings.Join(md["authorization"], ""), "Bearer ")
	stream, err := topics.TailEach(metadata.NewOutgoingContext(ctx, nil))
	if err == nil {
		err = stream.Send(&topicv1.TailEachRequest{Begins: []*topicv1.TailBegin{{Id: 1, Token: token, Tail: req}}})
	}
	if err != nil && err != io.EOF { //nolint:errorlint // gRPC returns it bare; why it is so Recv says
		tb.Fatal(err)
	}
	return &View{stream: stream}
}

// Recv returns what is told next, or why the view has ended.
func (v *View) Recv() (*topicv1.TailResponse, error) {
	for len(v.parts) == 0 {
		res, err := v.stream.Recv()
		if err != nil {
			return nil, fmt.Errorf("topictest: %w", err)
		}
		v.parts = res.GetParts()
	}
	p := v.parts[0]
	v.parts = v.parts[1:]
	if e := p.GetError(); e != nil {
		return nil, numbered(e)
	}
	return p.GetResponse(), nil
}

// numbered is an error that came in a message, as it would come of a call.
func numbered(e *edgev1.Error) error {
	return rpc.Errorf(e.GetCode(), e.GetReason(), "%s", e.GetMessage()).On(e.GetField())
}
