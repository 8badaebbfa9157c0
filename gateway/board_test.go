package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest/board"
	"plenum.internal/mesh/meshtest/board/boardv1"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

const (
	wall  = "board.wall/b"
	notes = "board.notes/b"
)

// boards is the way to the board service: its streams can be cut, it can be away, and another incarnation can take its place.
type boards struct {
	*system

	mu      sync.Mutex // guards all below
	svc     *board.Service
	conn    grpc.ClientConnInterface
	stop    context.CancelFunc
	offline bool
	lag     time.Duration               // of a call on its way
	alone   int                         // Opens that were not shared
	change  func(*topicv1.TailResponse) // of what is received; nil: nothing
	open    map[*tail]struct{}
	begun   int // Tails and views
	said    []said
}

// said is a message of TailEach.
type said struct {
	at     time.Time
	begins int
}

// tail is a stream of Tail or TailEach.
type tail struct {
	grpc.ClientStream
	b      *boards
	cancel context.CancelFunc
	views  map[uint64]struct{} // of TailEach: that have not ended; nil: it is a Tail
}

func (x *tail) SendMsg(m any) error {
	if req, ok := m.(*topicv1.TailEachRequest); ok {
		x.b.mu.Lock()
		x.b.said = append(x.b.said, said{time.Now(), len(req.GetBegins())})
		for _, v := range req.GetBegins() {
			x.views[v.GetId()] = struct{}{}
			x.b.begun++
		}
		for _, id := range req.GetEnds() {
			delete(x.views, id)
		}
		x.b.mu.Unlock()
	}
	return x.ClientStream.SendMsg(m)
}

func (x *tail) RecvMsg(m any) error {
	err := x.ClientStream.RecvMsg(m)
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	if err != nil {
		delete(x.b.open, x)
		return err
	}
	if res, ok := m.(*topicv1.TailEachResponse); ok {
		for _, p := range res.GetParts() {
			if p.GetError() != nil {
				delete(x.views, p.GetId())
			} else if x.b.change != nil {
				x.b.change(p.GetResponse())
			}
		}
	}
	return nil
}

// mangle changes what is told of views, as long as it is not called with nil.
func (b *boards) mangle(change func(*topicv1.TailResponse)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change = change
}

// onBoard runs a test with a system whose second service is a board.
func onBoard(t *testing.T, limits board.Config, test func(*testing.T, *boards)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &boards{open: map[*tail]struct{}{}}
		newSystem(t, nil, func(s *system) (string, grpc.ClientConnInterface) {
			b.system = s
			b.restart(limits)
			return "board", b
		})
		test(t, b)
	})
}

// restart puts another incarnation into the place of the one that is there.
func (b *boards) restart(limits board.Config) {
	time.Sleep(time.Millisecond) // which names it
	limits.Attachments = b.t.TempDir()
	svc, err := board.New(uint64(time.Now().UnixMilli()), limits)
	b.must(err)
	server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{Service: "board", Verifier: b.verifier, Internal: board.Callers()})
	b.must(err)
	svc.Register(server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		b.must(<-done)
		b.must(svc.Close())
	})
	b.mu.Lock()
	stop := b.stop
	b.svc, b.conn, b.stop = svc, server.Pipe("gateway"), cancel
	b.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// away cuts all streams, and refuses all until it is called with false.
func (b *boards) away(on bool) {
	b.mu.Lock()
	b.offline = on
	b.mu.Unlock()
	if on {
		b.cut()
	}
}

// cut breaks the streams that are open.
func (b *boards) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for x := range b.open {
		x.cancel()
	}
}

// tails is how many Tails and views are open now, and how many ever were.
func (b *boards) tails() (open, begun int) {
	time.Sleep(looksGap)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for x := range b.open {
		if open += len(x.views); x.views == nil {
			open++
		}
	}
	return open, b.begun
}

// streams is how many are open.
func (b *boards) streams() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

// sayings is what was said on streams of TailEach since it was called last.
func (b *boards) sayings() []said {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.said
	b.said = nil
	return list
}

func (b *boards) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	b.mu.Lock()
	conn, offline, lag := b.conn, b.offline, b.lag
	if strings.HasSuffix(method, "/Open") {
		b.alone++
	}
	b.mu.Unlock()
	if offline {
		return away
	}
	time.Sleep(lag)
	return conn.Invoke(ctx, method, args, reply, opts...)
}

func (b *boards) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	b.mu.Lock()
	conn, offline := b.conn, b.offline
	b.mu.Unlock()
	if offline {
		return nil, away
	}
	views := strings.HasSuffix(method, "/TailEach")
	if !views && !strings.HasSuffix(method, "/Tail") {
		return conn.NewStream(ctx, desc, method, opts...)
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := conn.NewStream(ctx, desc, method, opts...)
	if err != nil {
		cancel()
		return nil, err
	}
	x := &tail{ClientStream: stream, b: b, cancel: cancel}
	if views {
		x.views = map[uint64]struct{}{}
	}
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.open, x)
	})
	b.mu.Lock()
	b.open[x] = struct{}{}
	if !views {
		b.begun++
	}
	b.mu.Unlock()
	return x, nil
}

// as is the context of a call that a user makes.
func as(user string) context.Context {
	return auth.NewContext(context.Background(), auth.Caller{Claims: auth.Claims{User: user, Workspace: "w"}})
}

func (b *boards) post(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		_, err := b.svc.Post(as("author"), &boardv1.PostRequest{Board: "b", Text: text})
		b.must(err)
	}
}

func (b *boards) put(key, text string) {
	b.t.Helper()
	_, err := b.svc.Put(as("author"), &boardv1.PutRequest{Board: "b", Key: key, Text: text})
	b.must(err)
}

func (b *boards) remove(key string) {
	b.t.Helper()
	_, err := b.svc.Remove(as("author"), &boardv1.RemoveRequest{Board: "b", Key: key})
	b.must(err)
}

func (b *boards) ban(user string) {
	b.t.Helper()
	_, err := b.svc.Ban("w", "b", user)
	b.must(err)
}

// follow subscribes and returns where that began.
func (c *client) follow(id uint32, want *edgev1.Want) *edgev1.Subscription {
	c.s.t.Helper()
	c.send(subscribe(id, want))
	x := c.subscribed()[want.GetTopic()]
	if x == nil {
		c.s.t.Fatalf("%s was not answered", want.GetTopic())
	}
	return x
}

// answers reads Subscribed frames until n topics are answered.
func (c *client) answers(n int) (out []*edgev1.Subscription) {
	c.s.t.Helper()
	for len(out) < n {
		f := c.next()
		if f.GetSubscribed() == nil {
			c.s.t.Fatalf("not Subscribed: %v", f)
		}
		out = append(out, f.GetSubscribed().GetSubscriptions()...)
	}
	return out
}

// asText is a client that speaks JSON.
type asText struct {
	s     *system
	ws    *websocket.Conn
	lines []string
}

// json signs in.
func (s *system) json(user, line string) *asText {
	s.t.Helper()
	ws, _, err := websocket.Dial(s.t.Context(), "ws://plenum.test/edge/v1/ws", &websocket.DialOptions{HTTPClient: s.http(), Subprotocols: []string{wire.JSONName}}) //nolint:bodyclose // the library has
	s.must(err)
	j := &asText{s: s, ws: ws}
	j.send(`{"hello":{"token":"` + s.token(user, time.Minute) + `","clientId":"c","sessionId":"s"}}` + "\n" + line)
	return j
}

func (j *asText) send(line string) {
	j.s.t.Helper()
	j.s.must(j.ws.Write(j.s.t.Context(), websocket.MessageText, []byte(line)))
}

// until reads to the first line that holds a text. protojson varies its blanks: there are none in what is returned.
func (j *asText) until(holds string) string {
	j.s.t.Helper()
	for {
		for len(j.lines) == 0 {
			_, data, err := j.ws.Read(j.s.t.Context())
			j.s.must(err)
			j.lines = strings.Split(strings.TrimSpace(string(data)), "\n")
		}
		var line bytes.Buffer
		j.s.must(json.Compact(&line, []byte(j.lines[0])))
		j.lines = j.lines[1:]
		if strings.Contains(line.String(), holds) {
			return line.String()
		}
	}
}

func (j *asText) close() { _ = j.ws.Close(websocket.StatusNormalClosure, "") }

// posts reads n events of the wall.
func (c *client) posts(n int) (texts []string, at *edgev1.Cursor) {
	c.s.t.Helper()
	at = &edgev1.Cursor{}
	for len(texts) < n {
		f := c.next()
		if f.GetEvents().GetTopic() != wall {
			c.s.t.Fatalf("after %v: %v", texts, f)
		}
		for _, e := range f.GetEvents().GetEvents() {
			var p boardv1.Posted
			c.s.must(proto.Unmarshal(e.GetBody(), &p))
			texts, at.Offset = append(texts, p.GetText()), e.GetOffset()
		}
	}
	return texts, at
}

// sight is what a client sees of a view.
type sight struct {
	notes     map[string]string
	at        *edgev1.Cursor
	snapshots int
	frames    int
	bytes     int
	stale     bool
}

// look reads the next whole update of the notes.
func (c *client) look(s *sight) *sight {
	c.s.t.Helper()
	for {
		f := c.next()
		v := f.GetView()
		if v.GetTopic() != notes {
			c.s.t.Fatalf("no view: %v", f)
		}
		s.see(c.s, v)
		if !v.GetMore() {
			return s
		}
	}
}

func (s *sight) see(in *system, v *edgev1.View) {
	in.t.Helper()
	if v.GetSnapshot() {
		s.notes = map[string]string{}
		s.snapshots++
	}
	s.frames++
	if s.bytes = proto.Size(v); s.bytes > 64<<10 {
		in.t.Errorf("a frame of %d bytes", s.bytes)
	}
	for _, e := range v.GetEntries() {
		if e.GetRemoved() {
			delete(s.notes, e.GetKey())
			continue
		}
		var n boardv1.Note
		in.must(proto.Unmarshal(e.GetBody(), &n))
		s.notes[e.GetKey()] = n.GetText()
	}
	if s.stale = v.GetStale(); v.GetAt() != nil {
		s.at = v.GetAt()
	}
}

func watch(params *boardv1.NotesParams, after *edgev1.Cursor) *edgev1.Want {
	data, _ := proto.Marshal(params)
	return &edgev1.Want{Topic: notes, Mode: edgev1.Mode_MODE_EVENTS, Params: data, Cursor: after}
}
