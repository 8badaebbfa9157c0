package control

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"plenum.internal/loadtest/internal/account"
	"plenum.internal/loadtest/internal/cli"
	"plenum.internal/loadtest/internal/edge"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves until the test ends.
func start(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New().Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// reader hands over what it gets, without what the connection reads into next.
type reader struct {
	events chan edge.Event
	frames chan *edgev1.ServerFrame
}

func (r *reader) Event(_ []byte, e edge.Event) {
	e.Body = append([]byte(nil), e.Body...)
	r.events <- e
}

func (r *reader) Frame(f *edgev1.ServerFrame) { r.frames <- f }

func connect(t *testing.T, address string, topics ...string) (*edge.Conn, *reader) {
	t.Helper()
	var wants []*edgev1.Want
	for _, name := range topics {
		wants = append(wants, &edgev1.Want{Topic: name})
	}
	r := &reader{make(chan edge.Event, 100), make(chan *edgev1.ServerFrame, 100)}
	c, err := edge.Dial(t.Context(), edge.Config{Address: address, Token: "t", ClientID: "c", SessionID: "s", Wants: wants}, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, r
}

func channel(t *testing.T, address string) string {
	t.Helper()
	api := account.NewAPI([]string{address}, nil)
	defer api.Close()
	var made chatv1.CreateChannelResponse
	method := chatv1.ChatService_CreateChannel_FullMethodName[1:]
	if err := api.Call(t.Context(), nil, account.Key{}, method, &chatv1.CreateChannelRequest{}, &made); err != nil {
		t.Fatal(err)
	}
	return made.GetChannel()
}

func TestAllReadersGetAllEventsInOrder(t *testing.T) {
	address := start(t)
	id := channel(t, address)
	author, authors := connect(t, address, channelKind+id)
	_, others := connect(t, address, channelKind+id)
	for _, r := range []*reader{authors, others} {
		if s := (<-r.frames).GetSubscribed().GetSubscriptions(); len(s) != 1 || s[0].GetStart().GetOffset() != 0 || s[0].GetError() != nil {
			t.Fatal(s)
		}
	}
	const events = 20
	for i := range events {
		f, _, err := author.NewCall(chatv1.ChatService_Send_FullMethodName[1:], &chatv1.SendRequest{Channel: id, Text: strings.Repeat("x", i)}, uint64(i+1))
		if err != nil || author.Send(f) != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(events) {
		for _, r := range []*reader{authors, others} {
			var sent chatv1.SendRequest
			if e := <-r.events; e.Offset != i+1 || proto.Unmarshal(e.Body, &sent) != nil || len(sent.GetText()) != int(i) {
				t.Errorf("event %d: %+v", i+1, e)
			}
		}
		var sent chatv1.SendResponse
		if f := <-authors.frames; proto.Unmarshal(f.GetReply().GetBody(), &sent) != nil || sent.GetOffset() != i+1 {
			t.Errorf("reply %d: %v", i+1, f)
		}
	}
	_, late := connect(t, address, channelKind+id)
	if s := (<-late.frames).GetSubscribed().GetSubscriptions(); len(s) != 1 || s[0].GetStart().GetOffset() != events {
		t.Error(s)
	}
}

func TestABundleNamesAllChannels(t *testing.T) {
	address := start(t)
	want := map[string]bool{channelKind + channel(t, address): true, channelKind + channel(t, address): true}
	_, r := connect(t, address, bundle)
	if s := (<-r.frames).GetSubscribed().GetSubscriptions(); len(s) != 1 || s[0].GetTopic() != bundle {
		t.Error(s)
	}
	for _, h := range (<-r.frames).GetHeads().GetHeads() {
		delete(want, h.GetTopic())
	}
	if len(want) != 0 {
		t.Errorf("not named: %v", want)
	}
}

func TestWhatItDoesNotKnowEndsTheConnection(t *testing.T) {
	address := start(t)
	c, _ := connect(t, address, channelKind+"nowhere")
	<-c.Done()
	c, _ = connect(t, address)
	f, _, err := c.NewCall(chatv1.ChatService_EditMessage_FullMethodName[1:], &chatv1.EditMessageRequest{}, 1)
	if err != nil || c.Send(f) != nil {
		t.Fatal(err)
	}
	<-c.Done()
}

func TestALoadTestRunsAgainstIt(t *testing.T) {
	address, accounts := start(t), filepath.Join(t.TempDir(), "accounts.jsonl")
	if err := account.Save(accounts, Accounts(20)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"fanout", "--channels", "2", "--rate", "100", "--warmup", "0s", "--duration", "200ms"},
		{"connect", "--topics", "3", "--ramp", "0"},
		{"docs", "--documents", "2", "--editors", "10", "--rate", "20", "--warmup", "0s", "--duration", "500ms", "--cursors"},
	} {
		var said strings.Builder
		args = append(args, "--address", address, "--accounts", accounts, "-n", "20")
		if code := cli.Main(args, io.Discard, &said); code != 0 {
			t.Errorf("%v: exit code %d: %s", args, code, said.String())
		}
	}
}
