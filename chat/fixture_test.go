package chat

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	"plenum.internal/mesh/topic"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "8"); err != nil { // each is a history of some 30 calls; the command line may ask for more
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("plenum.internal/mesh/meshtest.startPostgres"))
}

// world is chat with all that it works with, over real gRPC. Only identity is a double: a log of events in memory.
type world struct {
	tb       testing.TB
	db       *sqldb.DB
	server   *Server
	rpc      *rpc.Server
	gateway  topicv1.TopicServiceClient
	api      chatv1.ChatServiceClient
	identity *directory
	key      auth.SigningKey
	verifier *auth.Verifier
}

// everyEngine runs a test on both databases.
func everyEngine(t *testing.T, test func(t *testing.T, w *world)) {
	meshtest.Databases(t, func(t *testing.T, url string) { test(t, newWorld(t, url)) })
}

func newWorld(tb testing.TB, url string, change ...func(*Config, *Deps)) *world {
	tb.Helper()
	w := &world{tb: tb, identity: newDirectory(), key: newKey(tb)}
	w.start(url, change)
	return w
}

func newKey(tb testing.TB) auth.SigningKey {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return auth.SigningKey{ID: "k", Private: private}
}

// replica is another process of the same service.
func (w *world) replica(url string, change ...func(*Config, *Deps)) *world {
	w.tb.Helper()
	r := &world{tb: w.tb, identity: w.identity, key: w.key}
	r.start(url, change)
	return r
}

func (w *world) start(url string, change []func(*Config, *Deps)) {
	tb := w.tb
	tb.Helper()
	var err error
	if w.db, err = sqldb.Open(tb.Context(), sqldb.Config{URL: url}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = w.db.Close() })
	all, err := Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.db.Migrate(tb.Context(), all); err != nil {
		tb.Fatal(err)
	}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{}, auth.NewMemory(w.key), auth.VerifierDeps{})
	if err != nil {
		tb.Fatal(err)
	}
	w.verifier = verifier
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("CHAT_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if w.rpc, err = rpc.NewServer(rpc.ServerConfig{StopGrace: time.Millisecond}, rpc.ServerDeps{
		Service: "chat", Verifier: verifier, Log: log, Internal: Callers(),
	}); err != nil {
		tb.Fatal(err)
	}
	people, err := rpc.NewServer(rpc.ServerConfig{StopGrace: time.Millisecond}, rpc.ServerDeps{
		Service: "identity", Log: log, Internal: map[string][]string{topicv1.TopicService_Follow_FullMethodName: {"chat"}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	topicv1.RegisterTopicServiceServer(people, w.identity)
	cfg, deps := DefaultConfig(), Deps{DB: w.db, Self: w.rpc.Pipe("chat"), Identity: people.Pipe("chat"), Log: log}
	for _, f := range change {
		f(&cfg, &deps)
	}
	if w.server, err = New(cfg, deps); err != nil {
		tb.Fatal(err)
	}
	w.server.Register(w.rpc)
	w.gateway = topicv1.NewTopicServiceClient(w.rpc.Pipe("gateway"))
	w.api = chatv1.NewChatServiceClient(w.rpc.Pipe("gateway"))
	start(tb, verifier.Run, people.Run, w.rpc.Run, w.server.Run)
	<-w.server.Ready()
	<-verifier.Ready()
}

// withBus connects a process to NATS.
func withBus(tb testing.TB, url string) func(*Config, *Deps) {
	cfg := bus.DefaultConfig()
	cfg.URLs, cfg.Retry = []string{url}, 100*time.Millisecond
	b, err := bus.Connect(tb.Context(), cfg, bus.Deps{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(b.Close)
	return func(_ *Config, d *Deps) { d.Bus = b }
}

// eventually waits for what real servers and connections bring about.
func eventually(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within 20 s", what)
		}
	}
}

// start runs components until the test ends, and stops them in reverse order.
func start(tb testing.TB, runs ...func(context.Context) error) {
	for _, run := range runs {
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				tb.Error(err)
			}
		})
		tb.Cleanup(func() { cancel(); done.Wait() })
	}
}

// directory is identity's log as chat follows it.
type directory struct {
	topicv1.UnimplementedTopicServiceServer
	mu      sync.Mutex // guards all below
	records [topic.Partitions][]*topicv1.Record
	changed chan struct{}
}

func newDirectory() *directory { return &directory{changed: make(chan struct{})} }

func (d *directory) put(workspace string, e *identityv1.WorkspaceEvent) {
	body, err := proto.Marshal(e)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := topic.PartitionOf(workspace, workspace)
	at := uint64(len(d.records[p]) + 1)
	d.records[p] = append(d.records[p], &topicv1.Record{
		Workspace: workspace, Topic: "identity.workspace/" + workspace, Position: at, Event: &edgev1.Event{Offset: at, Body: body},
	})
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *directory) Follow(req *topicv1.FollowRequest, stream grpc.ServerStreamingServer[topicv1.FollowResponse]) error {
	for after := req.GetAfter(); ; {
		d.mu.Lock()
		records, changed := d.records[req.GetPartition()][after:], d.changed
		d.mu.Unlock()
		after += uint64(len(records))
		if err := stream.Send(&topicv1.FollowResponse{Records: records, Upto: after, Epoch: 1}); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// user is somebody at a client.
type user struct {
	*world
	id, workspace, handle string
	token                 string
	client                string
	seq                   uint64
	version               uint64
}

var permissions = map[identityv1.Role][]string{
	identityv1.Role_ROLE_OWNER:  {mayPost, mayCall, mayEdit, mayDelete, mayCreate, mayManage},
	identityv1.Role_ROLE_MEMBER: {mayPost, mayCall, mayEdit, mayCreate},
	identityv1.Role_ROLE_GUEST:  {mayPost, mayEdit},
}

// person makes an account; chat learns of it a little later (settle).
func (w *world) person(workspace, handle string, role identityv1.Role) *user {
	w.tb.Helper()
	u := &user{world: w, id: derivedID(workspace, handle), workspace: workspace, handle: handle, client: "client-" + handle}
	kind := auth.KindPerson
	if role == identityv1.Role_ROLE_GUEST {
		kind = auth.KindGuest
	}
	u.token = w.token(u, kind, permissions[role]...)
	u.change(role, false)
	return u
}

func (u *user) change(role identityv1.Role, deactivated bool) {
	u.version++
	u.identity.put(u.workspace, &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_PersonAdded{PersonAdded: &identityv1.PersonAdded{
		Person: &identityv1.Person{Id: u.id, Handle: u.handle, Role: role, Version: u.version, Deactivated: deactivated},
	}}})
}

func (w *world) token(u *user, kind auth.Kind, permissions ...string) string {
	now := time.Now()
	token, err := auth.Sign(w.key, auth.Claims{
		User: u.id, Workspace: u.workspace, Device: "d", Kind: kind, Permissions: permissions, IssuedAt: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return token
}

// group makes a group of people.
func (w *world) group(workspace, handle string, members ...*user) string {
	g := &identityv1.Group{Id: derivedID(workspace, "group", handle), Handle: handle, Version: 1}
	for _, m := range members {
		g.Members = append(g.Members, m.id)
	}
	w.identity.put(workspace, &identityv1.WorkspaceEvent{Event: &identityv1.WorkspaceEvent_GroupCreated{GroupCreated: &identityv1.GroupCreated{Group: g}}})
	return g.GetId()
}

// caller is who the token says.
func (w *world) caller(u *user) (auth.Caller, error) {
	return w.verifier.Verify(w.tb.Context(), u.token)
}

// read is a context that carries the user's token; write adds the next mutation's name.
func (u *user) read() context.Context { return rpc.WithToken(u.tb.Context(), u.token) }

func (u *user) write() context.Context {
	u.seq++
	return u.again()
}

// again repeats the last mutation's name.
func (u *user) again() context.Context { return rpc.WithMutation(u.read(), u.client, u.seq) }

// settle waits until chat has followed both logs to their ends.
func (w *world) settle() {
	w.tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !w.followed() {
		if time.Now().After(deadline) {
			w.tb.Fatal("chat doesn't follow")
		}
		time.Sleep(5 * time.Millisecond) // real databases and followers: no bubble of fake time holds them
	}
}

func (w *world) followed() bool {
	var behind int
	err := w.db.QueryRow(w.tb.Context(), `SELECT count(*) FROM chat_partition p LEFT JOIN chat_cursor c
		ON c.partition = p.partition AND c.follower = 'mine' WHERE (SELECT l.position FROM chat_log l
		WHERE l.partition = p.partition AND l.topic LIKE 'chat.channel/%' ORDER BY l.position DESC LIMIT 1) > coalesce(c.position, 0)`).Scan(&behind)
	if err != nil {
		w.tb.Fatal(err)
	}
	if behind > 0 {
		return false
	}
	w.identity.mu.Lock()
	defer w.identity.mu.Unlock()
	for p, records := range w.identity.records {
		var at int
		if len(records) == 0 {
			continue
		}
		_ = w.db.QueryRow(w.tb.Context(), `SELECT position FROM chat_cursor WHERE follower = 'people' AND partition = $1`, p).Scan(&at)
		if at < len(records) {
			return false
		}
	}
	return true
}

// must fails the test on an error: w.must(api.Send(…)).
func must[T any](t T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatalf("%v", describe(err))
		}
		return t
	}
}

func describe(err error) string {
	e := rpc.FromError(err)
	return fmt.Sprintf("%v %s: %s (%s)", e.GetCode(), e.GetReason(), e.GetMessage(), e.GetField())
}

// refused checks an error's reason.
func refused(tb testing.TB, err error, reason string) {
	tb.Helper()
	if got := rpc.FromError(err).GetReason(); got != reason || err == nil {
		tb.Fatalf("error %v, want reason %s", err, reason)
	}
}

func (u *user) create(name string, kind chatv1.ChannelKind) string {
	u.tb.Helper()
	return must(u.api.CreateChannel(u.write(), &chatv1.CreateChannelRequest{Name: name, Kind: kind}))(u.tb).GetChannel()
}

func (u *user) public(name string) string {
	return u.create(name, chatv1.ChannelKind_CHANNEL_KIND_PUBLIC)
}

func (u *user) private(name string) string {
	return u.create(name, chatv1.ChannelKind_CHANNEL_KIND_PRIVATE)
}

func (u *user) add(channel string, others ...*user) uint64 {
	u.tb.Helper()
	var ids []string
	for _, o := range others {
		ids = append(ids, o.id)
	}
	return must(u.api.AddMembers(u.write(), &chatv1.AddMembersRequest{Channel: channel, Users: ids}))(u.tb).GetOffset()
}

func (u *user) join(channel string) uint64 {
	u.tb.Helper()
	return must(u.api.JoinChannel(u.write(), &chatv1.JoinChannelRequest{Channel: channel}))(u.tb).GetOffset()
}

func (u *user) send(channel, text string) uint64 {
	u.tb.Helper()
	return must(u.api.Send(u.write(), &chatv1.SendRequest{Channel: channel, Text: text}))(u.tb).GetOffset()
}

func (u *user) reply(channel string, root uint64, text string) uint64 {
	u.tb.Helper()
	return must(u.api.Send(u.write(), &chatv1.SendRequest{Channel: channel, Root: root, Text: text}))(u.tb).GetOffset()
}

func (u *user) delete(channel string, at uint64) uint64 {
	u.tb.Helper()
	return must(u.api.DeleteMessage(u.write(), &chatv1.DeleteMessageRequest{Channel: channel, Offset: at}))(u.tb).GetOffset()
}

func (u *user) mine(channel string) *chatv1.Mine {
	u.tb.Helper()
	return must(u.api.GetChannel(u.read(), &chatv1.GetChannelRequest{Channel: channel}))(u.tb).GetMine()
}

func (u *user) message(channel string, at uint64) *chatv1.Message {
	u.tb.Helper()
	res := must(u.api.GetMessages(u.read(), &chatv1.GetMessagesRequest{Channel: channel, Offsets: []uint64{at}}))(u.tb)
	if len(res.GetMessages()) == 0 {
		return nil
	}
	return res.GetMessages()[0]
}

// texts are the shown messages' texts, without system messages.
func (u *user) texts(req *chatv1.HistoryRequest) []string {
	u.tb.Helper()
	var texts []string
	for _, m := range must(u.api.History(u.read(), req))(u.tb).GetMessages() {
		if m.GetSystem() == nil {
			texts = append(texts, m.GetText())
		}
	}
	return texts
}

// open asks for topics as the gateway does for the user.
func (u *user) open(wants ...*edgev1.Want) []*topicv1.Grant {
	u.tb.Helper()
	return must(u.gateway.Open(u.read(), &topicv1.OpenRequest{Wants: wants}))(u.tb).GetGrants()
}

// tail reads a topic as a hub does.
func (w *world) tail(workspace, name string, after *edgev1.Cursor) []*topicv1.Record {
	w.tb.Helper()
	stream := must(w.gateway.Tail(w.tb.Context(), &topicv1.TailRequest{Workspace: workspace, Topic: name, After: after}))(w.tb)
	var records []*topicv1.Record
	for {
		r, err := stream.Recv()
		if err != nil {
			return records
		}
		if r.GetReset_() != nil {
			w.tb.Fatalf("reset: %v", r.GetReset_())
		}
		records = append(records, r.GetRecords()...)
	}
}

func (w *world) channelEvents(workspace, channel string) []*chatv1.ChannelEvent {
	var events []*chatv1.ChannelEvent
	for _, r := range w.tail(workspace, topicChannel+channel, nil) {
		e := &chatv1.ChannelEvent{}
		if err := proto.Unmarshal(r.GetEvent().GetBody(), e); err != nil {
			w.tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func (u *user) events() []*chatv1.UserEvent {
	var events []*chatv1.UserEvent
	for _, r := range u.tail(u.workspace, topicUser+u.id, nil) {
		e := &chatv1.UserEvent{}
		if err := proto.Unmarshal(r.GetEvent().GetBody(), e); err != nil {
			u.tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func equal[T comparable](tb testing.TB, what string, got, want []T) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func rpcError(err error) *edgev1.Error { return rpc.FromError(err) }

func invoke(ctx context.Context, w *world, method string, body []byte) ([]byte, error) {
	return rpc.Invoke(ctx, w.rpc.Pipe("gateway"), method, body)
}
