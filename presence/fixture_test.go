package presence

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	"plenum.internal/mesh/topic/topictest"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	presencev1 "plenum.internal/proto/plenum/presence/v1"
	rosterv1 "plenum.internal/proto/plenum/roster/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("plenum.internal/mesh/meshtest.startPostgres"))
}

// cluster is processes of presence with what they work with, over real gRPC and SQL: chat tells of rooms, and tests are the gateway.
type cluster struct {
	tb       testing.TB
	url      string
	key      auth.SigningKey
	chat     *fakeChat
	identity *directory

	mu        sync.Mutex // guards all below
	processes map[string]*process
	changed   chan struct{}
}

// process is one of them.
type process struct {
	*cluster
	node     registry.Node
	server   *Server
	rpc      *rpc.Server
	verifier *auth.Verifier
	stop     func()
	frozen   bool // its lease has ended
}

func newCluster(tb testing.TB, url string) *cluster {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &cluster{tb: tb, url: url, key: auth.SigningKey{ID: "k", Private: private}, chat: newFakeChat(), identity: newDirectory(), processes: map[string]*process{}, changed: make(chan struct{})}
}

func (c *cluster) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// start starts a process, of which the others learn at once.
func (c *cluster) start(id, incarnation string, change ...func(*Config)) *process {
	tb := c.tb
	tb.Helper()
	p := &process{cluster: c, node: registry.Node{ID: id, Service: "presence", Incarnation: incarnation}}
	db, err := sqldb.Open(tb.Context(), sqldb.Config{URL: c.url})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	all, err := Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	if err := db.Migrate(tb.Context(), all); err != nil {
		tb.Fatal(err)
	}
	if p.verifier, err = auth.NewVerifier(auth.VerifierConfig{}, auth.NewMemory(c.key), auth.VerifierDeps{}); err != nil {
		tb.Fatal(err)
	}
	if p.rpc, err = rpc.NewServer(rpc.ServerConfig{StopGrace: time.Second}, rpc.ServerDeps{Service: "presence", Verifier: p.verifier, Internal: Callers()}); err != nil {
		tb.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Interval = 100 * time.Millisecond
	for _, f := range change {
		f(&cfg)
	}
	if p.server, err = New(cfg, Deps{DB: db, Peers: p, Chat: c.chat.serve(tb), Identity: c.identity.serve(tb)}); err != nil {
		tb.Fatal(err)
	}
	p.server.Register(p.rpc)
	c.change(func() { c.processes[id] = p })
	run(tb, p.verifier.Run)
	p.stop = run(tb, p.rpc.Run, p.server.Run)
	<-p.server.Ready()
	<-p.verifier.Ready()
	return p
}

// kill ends a process, of which the others learn at once.
func (p *process) kill() {
	p.change(func() { delete(p.processes, p.node.ID) })
	p.stop()
}

// run runs components until the end of the test, or until stop is called.
func run(tb testing.TB, runs ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, f := range runs {
		done.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				tb.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	tb.Cleanup(stop)
	return stop
}

// Node and the others make a process its own Peers.
func (p *process) Node() registry.Node { return p.node }

func (p *process) Nodes(service string) (nodes []registry.Node) {
	if service == "gateway" {
		return []registry.Node{{ID: "gateway-1", Service: service, Incarnation: "gateway-1~1"}}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range p.processes {
		nodes = append(nodes, other.node)
	}
	return nodes
}

func (p *process) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *process) Valid() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.frozen
}

func (p *process) Conn(incarnation string) (grpc.ClientConnInterface, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range p.processes {
		if other.node.Incarnation == incarnation {
			return other.rpc.Pipe("presence"), nil
		}
	}
	return nil, errors.New("it has gone")
}

// fakeChat are chat's, who is in which.
type fakeChat struct {
	chatv1.UnimplementedAcquaintanceServiceServer
	chatv1.UnimplementedPaceServiceServer

	mu      sync.Mutex // guards all below
	asked   *chatv1.GetResponseTimeRequest
	refusal error // of them
	members map[string][]string
	streams map[chan *chatv1.Room]struct{}
}

func newFakeChat() *fakeChat {
	return &fakeChat{members: map[string][]string{}, streams: map[chan *chatv1.Room]struct{}{}}
}

func (r *fakeChat) serve(tb testing.TB) grpc.ClientConnInterface {
	s, err := rpc.NewServer(rpc.ServerConfig{StopGrace: time.Second}, rpc.ServerDeps{
		Service: "chat", Internal: map[string][]string{
			chatv1.AcquaintanceService_FollowRooms_FullMethodName: {"presence"}, chatv1.PaceService_GetResponseTime_FullMethodName: {"presence"},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	chatv1.RegisterAcquaintanceServiceServer(s, r)
	chatv1.RegisterPaceServiceServer(s, r)
	run(tb, s.Run)
	return s.Pipe("presence")
}

// pace is how long people wait for an answer, in milliseconds.
const pace = 42_000

// GetResponseTime tells it.
func (r *fakeChat) GetResponseTime(_ context.Context, q *chatv1.GetResponseTimeRequest) (*chatv1.GetResponseTimeResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = q
	if r.refusal != nil {
		return nil, r.refusal
	}
	return &chatv1.GetResponseTimeResponse{MedianMs: pace}, nil
}

// directory is identity's log of workspaces as presence follows it.
type directory struct {
	topicv1.UnimplementedTopicServiceServer

	mu      sync.Mutex // guards all below
	epoch   uint64
	records [topic.Partitions][]*topicv1.Record
	changed chan struct{}
}

func newDirectory() *directory { return &directory{epoch: 1, changed: make(chan struct{})} }

func (d *directory) serve(tb testing.TB) grpc.ClientConnInterface {
	s, err := rpc.NewServer(rpc.ServerConfig{StopGrace: time.Second}, rpc.ServerDeps{
		Service: "identity", Internal: map[string][]string{topicv1.TopicService_Follow_FullMethodName: {"presence"}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	topicv1.RegisterTopicServiceServer(s, d)
	run(tb, s.Run)
	return s.Pipe("presence")
}

// put has a workspace changed, in a history that begins anew with it or goes on.
func (d *directory) put(w *identityv1.Workspace, anew bool) {
	body, err := proto.Marshal(&identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_WorkspaceChanged{WorkspaceChanged: &identityv1.WorkspaceChanged{Workspace: w}}})
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if anew {
		d.epoch++
		clear(d.records[:])
	}
	p := topic.PartitionOf(w.GetId(), w.GetId())
	at := uint64(len(d.records[p]) + 1)
	d.records[p] = append(d.records[p], &topicv1.Record{
		Workspace: w.GetId(), Topic: "identity.workspace/" + w.GetId(), Position: at, Event: &edgev1.Event{Offset: at, Body: body},
	})
	close(d.changed)
	d.changed = make(chan struct{})
}

// Follow tells of them.
func (d *directory) Follow(req *topicv1.FollowRequest, stream grpc.ServerStreamingServer[topicv1.FollowResponse]) error {
	for after, epoch := req.GetAfter(), req.GetEpoch(); ; {
		d.mu.Lock()
		now, changed := d.epoch, d.changed
		if epoch != 0 && epoch != now {
			d.mu.Unlock()
			return stream.Send(&topicv1.FollowResponse{Epoch: now, Reset_: &edgev1.Error{Code: edgev1.Code_CODE_RESET_EPOCH}})
		}
		records := d.records[req.GetPartition()][after:]
		d.mu.Unlock()
		after, epoch = after+uint64(len(records)), now
		if err := stream.Send(&topicv1.FollowResponse{Records: records, Upto: after, Epoch: now}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// FollowRooms tells them.
func (r *fakeChat) FollowRooms(_ *chatv1.FollowRoomsRequest, stream grpc.ServerStreamingServer[chatv1.FollowRoomsResponse]) error {
	moves := make(chan *chatv1.Room, 100)
	r.mu.Lock()
	all := &chatv1.FollowRoomsResponse{Complete: true}
	for channel, users := range r.members {
		all.Rooms = append(all.Rooms, &chatv1.Room{Workspace: "w", Channel: channel, Members: users})
	}
	r.streams[moves] = struct{}{}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.streams, moves)
	}()
	for res := all; ; {
		if err := stream.Send(res); err != nil {
			return err
		}
		select {
		case room := <-moves:
			res = &chatv1.FollowRoomsResponse{Rooms: []*chatv1.Room{room}}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (r *fakeChat) move(channel string, members, left []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[channel] = append(slices.DeleteFunc(r.members[channel], func(user string) bool { return slices.Contains(left, user) }), members...)
	for s := range r.streams {
		s <- &chatv1.Room{Workspace: "w", Channel: channel, Members: members, Left: left}
	}
}

// ctx is somebody's.
func (c *cluster) ctx(user string) context.Context { return c.in("w", user) }

func (c *cluster) in(workspace, user string, permissions ...string) context.Context {
	now := time.Now() // once: a second that ends between two would make the token's life too long
	token, err := auth.Sign(c.key, auth.Claims{
		Workspace: workspace, User: user, Device: "d", Kind: auth.KindPerson, Permissions: permissions, IssuedAt: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		c.tb.Fatal(err)
	}
	return rpc.WithToken(c.tb.Context(), token)
}

// teller is a gateway as one process hears it.
type teller struct {
	tb     testing.TB
	stream grpc.BidiStreamingClient[rosterv1.ReportRequest, rosterv1.ReportResponse]
	end    context.CancelFunc
}

// report begins a gateway's stream to a process.
func (p *process) report() *teller {
	p.tb.Helper()
	ctx, cancel := context.WithCancel(p.tb.Context())
	p.tb.Cleanup(cancel)
	stream, err := rosterv1.NewRosterServiceClient(p.rpc.Pipe("gateway")).Report(ctx)
	if err != nil {
		p.tb.Fatal(err)
	}
	t := &teller{p.tb, stream, cancel}
	t.tell(&rosterv1.ReportRequest{Gateway: "gateway-1~1"})
	return t
}

func (t *teller) tell(q *rosterv1.ReportRequest) {
	t.tb.Helper()
	if err := t.stream.Send(q); err != nil {
		t.tb.Fatal(err)
	}
}

// complete tells that all was told, by where the processes are now.
func (t *teller) complete(p *process) {
	t.tell(&rosterv1.ReportRequest{Complete: registry.NewPlacement(p.Nodes("presence")).Number()})
}

func (t *teller) open(number uint64, user string) {
	t.tell(&rosterv1.ReportRequest{Opened: []*rosterv1.Connection{{Number: number, Workspace: "w", User: user, Session: "s", Agent: "plenum-desktop/1", Country: "DE"}}})
}

// eyes are a view that somebody has open.
type eyes struct {
	tb     testing.TB
	stream *topictest.View
	end    context.CancelFunc
	at     *edgev1.Cursor
	seen   map[string]string // by user: the state, and what they say
	told   int               // entries
	reset  int               // snapshots
}

// look opens a view at a process, and takes in what it begins with.
func (p *process) look(user string, after *edgev1.Cursor, users ...string) *eyes {
	p.tb.Helper()
	e := p.tail(p.ctx(user), topicPeople, &presencev1.People{Users: users}, after)
	if err := e.next(); err != nil {
		p.tb.Fatal(err)
	}
	return e
}

// tail opens a view at a process.
func (p *process) tail(ctx context.Context, topic string, params proto.Message, after *edgev1.Cursor) *eyes {
	p.tb.Helper()
	b, err := proto.Marshal(params)
	if err != nil {
		p.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	p.tb.Cleanup(cancel)
	stream := topictest.Look(p.tb, ctx, topicv1.NewTopicServiceClient(p.rpc.Pipe("gateway")), &topicv1.TailRequest{Topic: topic, Params: b, After: after})
	return &eyes{tb: p.tb, stream: stream, end: cancel, at: after, seen: map[string]string{}}
}

// next takes in one update.
func (e *eyes) next() error {
	res, err := e.stream.Recv()
	if err != nil {
		return err
	}
	v := res.GetView()
	if !v.GetSnapshot() && e.at == nil {
		return fmt.Errorf("%v goes on from nothing: gateways take that for broken", v)
	}
	if e.at = v.GetAt(); v.GetSnapshot() {
		e.seen = map[string]string{}
		e.reset++
	}
	for _, entry := range v.GetEntries() {
		if entry.GetKey() != entryView {
			e.told++
		}
		if entry.GetRemoved() {
			delete(e.seen, entry.GetKey())
			continue
		}
		m := &presencev1.Entry{}
		if err := proto.Unmarshal(entry.GetBody(), m); err != nil {
			return err
		}
		word := m.GetStatus().GetState().String()[len("STATE_"):] + m.GetStatus().GetCustom().GetText()
		if a := m.GetStatus().GetActivity(); a != nil {
			word += " " + a.GetKind().String()[len("ACTIVITY_KIND_"):] + " " + a.GetSubject()
		}
		if c := m.GetStatus().GetCountry(); c != "" {
			word += " in " + c
		}
		switch {
		case m.GetAsOfMs() != 0:
			word = "old"
		case m.GetLooking():
			word += " looks"
		case m.GetCounts() != nil:
			word = countsWord(m.GetCounts())
		}
		e.seen[entry.GetKey()] = word
	}
	return nil
}

// countsWord is how tests write counts: those that aren't 0.
func countsWord(c *presencev1.Counts) string {
	var word strings.Builder
	fmt.Fprint(&word, c.GetMembers())
	for _, n := range []struct {
		of   string
		many uint32
	}{
		{"online", c.GetOnline()}, {"busy", c.GetBusy()}, {"dnd", c.GetDoNotDisturb()}, {"away", c.GetAway()}, {"unknown", c.GetUnknown()},
		{"offline", c.GetOffline()}, {"looking", c.GetLooking()},
	} {
		if n.many > 0 {
			fmt.Fprintf(&word, " %d %s", n.many, n.of)
		}
	}
	return word.String()
}

// until takes in updates until somebody is seen so; empty: not at all.
func (e *eyes) until(user, want string) {
	e.tb.Helper()
	for e.seen[user] != want {
		if err := e.next(); err != nil {
			e.tb.Fatalf("%s is seen as %q, want %q: %v", user, e.seen[user], want, err)
		}
	}
}

// everyEngine runs a test on both databases.
func everyEngine(t *testing.T, test func(t *testing.T, c *cluster)) {
	meshtest.Databases(t, func(t *testing.T, url string) { test(t, newCluster(t, url)) })
}

// placeOf is a placement among the nodes of some ids.
func placeOf(nodes ...string) registry.Placement {
	var list []registry.Node
	for _, id := range nodes {
		list = append(list, registry.Node{ID: id})
	}
	return registry.NewPlacement(list)
}

// shortGrace has who leaves be seen to within a test.
func shortGrace(cfg *Config) { cfg.Grace = time.Second }

// choose has somebody choose a status, for a time; 0: for ever.
func (p *process) choose(user string, state presencev1.State, text string, lasts time.Duration) {
	p.tb.Helper()
	q := &presencev1.SetStatusRequest{User: user, State: state, Custom: &presencev1.Custom{Text: text}}
	if lasts != 0 {
		q.UntilMs = time.Now().Add(lasts).UnixMilli()
	}
	if _, err := p.api().SetStatus(key(p.ctx(user)), q); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *process) api() presencev1.PresenceServiceClient {
	return presencev1.NewPresenceServiceClient(p.rpc.Pipe("gateway"))
}

// key names a call by the next number.
func key(ctx context.Context) context.Context { return rpc.WithMutation(ctx, "c", numbers.Add(1)) }

var numbers atomic.Uint64
