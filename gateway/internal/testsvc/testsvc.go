// Package testsvc is the service behind the gateway in its tests: calls that tell what they saw, and topics over a log in memory,
// whose publications, reads and grants can be disturbed.
package testsvc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"plenum.internal/gateway/internal/testsvc/testv1"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	httpv1 "plenum.internal/proto/plenum/http/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// Epoch of every topic until Restart.
const Epoch = 7

// Internal is the allow-list for rpc.ServerDeps.
var Internal = map[string][]string{
	"/plenum.topic.v1.TopicService/Open": {"gateway"}, "/plenum.topic.v1.TopicService/OpenEach": {"gateway"},
	"/plenum.topic.v1.TopicService/Tail": {"gateway"}, "/plenum.topic.v1.TopicService/Heads": {"gateway"},
	"/plenum.http.v1.HttpService/Exchange": {"gateway"},
}

// Service implements TestService and TopicService.
type Service struct {
	testv1.UnimplementedTestServiceServer
	topicv1.UnimplementedTopicServiceServer
	Bus *bus.Bus

	mu      sync.Mutex                   // guards all below
	logs    map[string][]*topicv1.Record // by workspace "/" topic
	keys    map[string]uint64
	barred  map[string]bool           // user "/" topic
	members map[string][]*edgev1.Head // of bundles, by user
	epoch   uint64
	// Publish, if set, decides what becomes of a publication; the default is to publish it.
	Publish func(*topicv1.Record) bool
	// Grant, if set, changes what Open grants.
	Grant func(user string, g *topicv1.Grant)
	// Digest, if true, publishes a digest with every append.
	Digest bool
	// Down, if set, fails every topic's call.
	Down error
	// Poison is a user whose opening breaks the call that it is in.
	Poison string
	// Lag is how long Open's answers take on their way.
	Lag      time.Duration
	Tails    int
	Sweeps   int              // calls of Heads
	Opens    int              // of one user each
	Calls    int              // by which they came
	Old      bool             // OpenEach is unknown. Not to be changed while it runs
	Web      http.HandlerFunc // answers the requests of the routes
	sequence uint64
	desks    desks
}

// New returns a service that publishes on b.
func New(b *bus.Bus) *Service {
	return &Service{Bus: b, logs: map[string][]*topicv1.Record{}, keys: map[string]uint64{}, barred: map[string]bool{}, members: map[string][]*edgev1.Head{}, epoch: Epoch}
}

// Register puts both services on a server.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	testv1.RegisterTestServiceServer(r, s)
	topicv1.RegisterTopicServiceServer(r, s)
	web, err := rpc.NewHTTPService("plenum.test.v1.TestService", http.HandlerFunc(s.serveHTTP))
	if err != nil {
		panic(err)
	}
	httpv1.RegisterHttpServiceServer(r, web)
}

func (s *Service) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	web := s.Web
	s.mu.Unlock()
	if web == nil {
		http.NotFound(w, r)
		return
	}
	web(w, r)
}

// Set changes what is disturbed.
func (s *Service) Set(f func(*Service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// Append writes an event and publishes it; change may add to its envelope.
func (s *Service) Append(workspace, topic, text string, change func(*topicv1.Record)) uint64 {
	s.mu.Lock()
	rec := s.append(workspace, topic, text, change)
	publish := s.Publish == nil || s.Publish(rec)
	var digest *topicv1.Digest
	if s.Digest {
		s.sequence++
		digest = &topicv1.Digest{Incarnation: 1, Sequence: s.sequence, Workspaces: []string{workspace},
			Heads: []*edgev1.Head{{Topic: topic, Epoch: s.epoch, Offset: rec.GetEvent().GetOffset(), Count: rec.GetEvent().GetOffset()}}}
	}
	s.mu.Unlock()
	if publish {
		s.Send(workspace, topic, rec)
	}
	if digest != nil {
		data, _ := proto.Marshal(digest)
		_ = s.Bus.Publish("plenum._.digest.test.0", data)
	}
	return rec.GetEvent().GetOffset()
}

// Send publishes records.
func (s *Service) Send(workspace, topic string, recs ...*topicv1.Record) {
	s.mu.Lock()
	data, _ := proto.Marshal(&topicv1.Publication{Records: recs})
	s.mu.Unlock()
	_ = s.Bus.Publish(bus.Subject(workspace, topic), data)
}

func (s *Service) append(workspace, topic, text string, change func(*topicv1.Record)) *topicv1.Record {
	body, _ := proto.Marshal(&testv1.Posted{Text: text})
	key := workspace + "/" + topic
	rec := &topicv1.Record{Workspace: workspace, Topic: topic, Epoch: s.epoch, Event: &edgev1.Event{
		Offset: uint64(len(s.logs[key]) + 1), Body: body, TimeMs: time.Now().UnixMilli(), Mutation: 42,
	}}
	if change != nil {
		change(rec)
	}
	for _, at := range rec.GetRedacts() {
		s.logs[key][at-1].Event.Body = nil
	}
	for i := range rec.GetFloor() {
		s.logs[key][i].Event.Body = nil
	}
	for _, a := range rec.GetAccess() {
		if a.GetPrincipal() == "*" {
			continue // everybody is asked anew: what they are told is in barred already
		}
		s.barred[a.GetPrincipal()+"/"+topic] = !a.GetRead()
	}
	s.logs[key] = append(s.logs[key], rec)
	return rec
}

// Bar refuses a user a topic from the next Open on, without an event; "*" means everybody.
func (s *Service) Bar(user, topic string, on bool) {
	s.Set(func(s *Service) { s.barred[user+"/"+topic] = on })
}

// Members sets a user's bundle.
func (s *Service) Members(user string, heads ...*edgev1.Head) {
	s.Set(func(s *Service) { s.members[user] = heads })
}

// Post implements TestService.
func (s *Service) Post(ctx context.Context, r *testv1.PostRequest) (*testv1.PostResponse, error) {
	caller, err := rpc.Caller(ctx)
	if err != nil {
		return nil, err
	}
	id, seq, ok := rpc.MutationFrom(ctx)
	if !ok {
		return nil, rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "test.KEY_MISSING", "A change needs a number.")
	}
	key := fmt.Sprint(caller.User, "/", id, "/", seq)
	s.mu.Lock()
	at, done := s.keys[key]
	s.mu.Unlock()
	if !done {
		at = s.Append(caller.Workspace, "test.room/"+r.GetRoom(), r.GetText(), nil)
		s.Set(func(s *Service) { s.keys[key] = at })
	}
	return &testv1.PostResponse{Offset: at}, nil
}

// Echo implements TestService.
func (s *Service) Echo(ctx context.Context, r *testv1.EchoRequest) (*testv1.EchoResponse, error) {
	if r.GetWaitMs() > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(r.GetWaitMs()) * time.Millisecond):
		}
	}
	if r.GetCode() != 0 {
		return nil, rpc.Errorf(edgev1.Code(r.GetCode()), "test.ASKED", "As you asked.")
	}
	out := &testv1.EchoResponse{Text: r.GetText()}
	if c, ok := auth.FromContext(ctx); ok {
		out.User = c.User
	}
	out.ClientId, out.ClientSeq, _ = rpc.MutationFrom(ctx)
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md["plenum-client-address"]) == 1 {
		out.Address = md["plenum-client-address"][0]
	}
	return out, nil
}

// Hello implements TestService.
func (s *Service) Hello(ctx context.Context, r *testv1.EchoRequest) (*testv1.EchoResponse, error) {
	return s.Echo(ctx, r)
}

// Open implements TopicService.
func (s *Service) Open(ctx context.Context, r *topicv1.OpenRequest) (*topicv1.OpenResponse, error) {
	return topic.OpenOne(ctx, r, s.open)
}

// OpenEach implements TopicService.
func (s *Service) OpenEach(ctx context.Context, r *topicv1.OpenEachRequest) (*topicv1.OpenEachResponse, error) {
	if s.Old {
		return s.UnimplementedTopicServiceServer.OpenEach(ctx, r)
	}
	return topic.OpenEach(ctx, r, s.open)
}

func (s *Service) open(_ context.Context, openings []*topic.Opening) error {
	s.mu.Lock()
	defer func() {
		lag := s.Lag
		s.mu.Unlock()
		time.Sleep(lag)
	}()
	s.Calls++
	s.Opens += len(openings)
	if s.Down != nil {
		return s.Down
	}
	for _, o := range openings {
		if s.Poison != "" && o.Caller.User == s.Poison {
			return errors.New("broken down")
		}
		o.Grants = s.grants(o.Caller, o.Wants)
	}
	return nil
}

// grants needs the lock.
func (s *Service) grants(caller auth.Caller, wants []*edgev1.Want) (grants []*topicv1.Grant) {
	for _, w := range wants {
		g := &topicv1.Grant{Topic: w.GetTopic(), Signal: true}
		log := w.GetTopic()
		kind, id, _ := strings.Cut(log, "/")
		switch {
		case kind == "test.mine", kind == "test.user" && id == "me":
			log = "test.user/" + caller.User
			g.Canonical = log
		}
		if w.GetMode() == edgev1.Mode_MODE_HEADS && kind != "test.mine" {
			n := uint64(len(s.logs[caller.Workspace+"/"+log]))
			g.Members = []*edgev1.Head{{Topic: log, Epoch: s.epoch, Offset: n, Count: n}}
		}
		if kind == "test.mine" {
			for _, m := range s.members[caller.User] {
				g.Members = append(g.Members, proto.CloneOf(m))
			}
			g.Members = append(g.Members, s.bundle(caller.User)...)
		}
		g.Head = &edgev1.Cursor{Epoch: s.epoch, Offset: uint64(len(s.logs[caller.Workspace+"/"+log]))}
		g.Floor = &edgev1.Cursor{Epoch: s.epoch}
		if s.barred[caller.User+"/"+log] || s.barred["*/"+log] {
			g = &topicv1.Grant{Topic: w.GetTopic(), Error: &edgev1.Error{Code: edgev1.Code_CODE_NOT_FOUND, Reason: "test.TOPIC"}}
		}
		if s.Grant != nil && g.GetError() == nil {
			s.Grant(caller.User, g)
		}
		grants = append(grants, g)
	}
	return grants
}

// Tail implements TopicService.
func (s *Service) Tail(r *topicv1.TailRequest, stream grpc.ServerStreamingServer[topicv1.TailResponse]) error {
	s.mu.Lock()
	s.Tails++
	if s.Down != nil {
		defer s.mu.Unlock()
		return s.Down
	}
	log := s.logs[r.GetWorkspace()+"/"+r.GetTopic()]
	after, size := r.GetAfter().GetOffset(), 0
	res := &topicv1.TailResponse{Head: &edgev1.Cursor{Epoch: s.epoch, Offset: uint64(len(log))}}
	if r.GetAfter().GetEpoch() != s.epoch || after > uint64(len(log)) {
		res.Reset_ = &edgev1.Error{Code: edgev1.Code_CODE_RESET_EPOCH}
	} else if floor(log) > after {
		res.Reset_ = &edgev1.Error{Code: edgev1.Code_CODE_RESET_FLOOR}
	} else {
		for _, rec := range log[after:] {
			res.Records = append(res.Records, proto.CloneOf(rec))
			size += len(rec.GetEvent().GetBody())
		}
		if size > int(r.GetMaxBytes()) {
			res.Records, res.Reset_ = nil, &edgev1.Error{Code: edgev1.Code_CODE_RESET_TOO_LONG}
		}
	}
	s.mu.Unlock()
	return stream.Send(res)
}

// floor is the highest that a log's records have raised it to.
func floor(log []*topicv1.Record) (at uint64) {
	for _, rec := range log {
		at = max(at, rec.GetFloor())
	}
	return at
}

// Heads implements TopicService: everything, whenever anything moved.
func (s *Service) Heads(_ context.Context, r *topicv1.HeadsRequest) (*topicv1.HeadsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Sweeps++
	if s.Down != nil {
		return nil, s.Down
	}
	if r.GetDerived() {
		return s.derivedHeads(r), nil
	}
	res := &topicv1.HeadsResponse{}
	total := 0
	for key, log := range s.logs {
		workspace, topic, _ := strings.Cut(key, "/")
		total += len(log)
		res.Heads = append(res.Heads, &edgev1.Head{Topic: topic, Epoch: s.epoch, Offset: uint64(len(log)), Count: uint64(len(log))})
		res.Workspaces = append(res.Workspaces, workspace)
	}
	if res.Next = fmt.Sprint(s.epoch, "/", total); res.GetNext() == r.GetSince() || r.GetSince() == "" {
		res.Heads, res.Workspaces = nil, nil
	}
	return res, nil
}

// Restart begins all logs anew, as a restore from a backup would.
func (s *Service) Restart() { s.Set(func(s *Service) { s.epoch++ }) }
