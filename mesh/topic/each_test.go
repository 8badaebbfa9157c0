package topic_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// source is a service of views.
type source struct {
	topicv1.UnimplementedTopicServiceServer
	t    *testing.T
	key  auth.SigningKey
	rpc  *rpc.Server
	stop func()
	tail topic.Tail
	most int          // views of a stream; 0: the usual
	open atomic.Int64 // tails
}

func serve(t *testing.T, tail topic.Tail) *source {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{t: t, key: auth.SigningKey{ID: "k", Private: private}, tail: tail}
	verifier, err := auth.NewVerifier(auth.VerifierConfig{}, auth.NewMemory(s.key), auth.VerifierDeps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = verifier.Run(ctx) })
	s.rpc, err = rpc.NewServer(rpc.ServerConfig{StopGrace: time.Second}, rpc.ServerDeps{
		Service: "views", Verifier: verifier, Internal: map[string][]string{topicv1.TopicService_TailEach_FullMethodName: {"gateway"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	topicv1.RegisterTopicServiceServer(s.rpc, s)
	tasks.Go(func() {
		if err := s.rpc.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		tasks.Wait()
	})
	return s
}

func (s *source) TailEach(stream topic.EachStream) error {
	tail := func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
		s.open.Add(1)
		defer s.open.Add(-1)
		return s.tail(ctx, req, send)
	}
	if s.most > 0 {
		return topic.TailEachOf(stream, tail, s.most)
	}
	return topic.TailEach(stream, tail)
}

func (s *source) token(user string, life time.Duration) string {
	s.t.Helper()
	now := time.Now()
	token, err := auth.Sign(s.key, auth.Claims{Workspace: "w", User: user, Device: "d", Kind: auth.KindPerson, IssuedAt: now, Expires: now.Add(life)})
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// views are those of one stream, as a gateway has them.
type views struct {
	s      *source
	stream grpc.BidiStreamingClient[topicv1.TailEachRequest, topicv1.TailEachResponse]
	end    context.CancelFunc
	ended  chan error // why the stream did

	mu    sync.Mutex // guards all below
	last  uint64
	hear  map[uint64]func(*topicv1.TailPart)
	parts int // in the longest response
}

// views opens a stream, which reads when a gate lets it; nil: always.
func (s *source) views(gate <-chan struct{}) *views {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := topicv1.NewTopicServiceClient(s.rpc.Pipe("gateway")).TailEach(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	v := &views{s: s, stream: stream, end: cancel, ended: make(chan error, 1), hear: map[uint64]func(*topicv1.TailPart){}}
	go func() {
		for {
			if gate != nil {
				<-gate
			}
			res, err := stream.Recv()
			if err != nil {
				v.ended <- err
				return
			}
			v.mu.Lock()
			v.parts = max(v.parts, len(res.GetParts()))
			for _, p := range res.GetParts() {
				if hear := v.hear[p.GetId()]; hear != nil {
					hear(p)
				}
			}
			v.mu.Unlock()
		}
	}()
	return v
}

// begin begins views; hear is told what comes of each, by its place.
func (v *views) begin(hear func(int, *topicv1.TailPart), begins ...*topicv1.TailBegin) {
	v.s.t.Helper()
	v.mu.Lock()
	for i, b := range begins {
		v.last++
		b.Id = v.last
		v.hear[b.Id] = func(p *topicv1.TailPart) { hear(i, p) }
	}
	v.mu.Unlock()
	v.send(&topicv1.TailEachRequest{Begins: begins})
}

func (v *views) send(req *topicv1.TailEachRequest) {
	v.s.t.Helper()
	if err := v.stream.Send(req); err != nil {
		v.s.t.Error(err)
	}
}

// forget ends a view, of which nothing is heard any more.
func (v *views) forget(id uint64) {
	v.mu.Lock()
	delete(v.hear, id)
	v.mu.Unlock()
	v.send(&topicv1.TailEachRequest{Ends: []uint64{id}})
}

// close ends the stream, and the service.
func (v *views) close() {
	v.end()
	<-v.ended
	v.s.stop()
	if n := v.s.open.Load(); n != 0 {
		v.s.t.Errorf("%d views are left", n)
	}
}

func look(token string) *topicv1.TailBegin {
	return &topicv1.TailBegin{Token: token, Tail: &topicv1.TailRequest{Topic: "test.view/v"}}
}

// Each view is its user's: who has no good token is refused alone.
func TestEachViewIsItsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			c, err := rpc.Caller(ctx)
			if err != nil {
				return err
			}
			if err := send(&topicv1.TailResponse{View: &edgev1.View{Topic: c.Workspace + "/" + c.User + "/" + req.GetTopic()}}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
		v := s.views(nil)
		defer v.close()
		got := make([]string, 6)
		stale := s.token("old", time.Minute)
		time.Sleep(time.Hour)
		stranger := &source{t: t, key: auth.SigningKey{ID: "k", Private: ed25519.NewKeyFromSeed(make([]byte, 32))}}
		v.begin(func(i int, p *topicv1.TailPart) {
			if got[i] += p.GetResponse().GetView().GetTopic(); p.GetError() != nil {
				got[i] += p.GetError().GetCode().String()
			}
		}, look(s.token("ada", time.Minute)), look(""), look("nonsense"), look(stale), look(stranger.token("eve", time.Minute)), look(s.token("bob", time.Minute)))
		time.Sleep(time.Second)
		refused := edgev1.Code_CODE_TOKEN_REFUSED.String()
		v.mu.Lock()
		defer v.mu.Unlock()
		want := []string{"w/ada/test.view/v", refused, refused, edgev1.Code_CODE_TOKEN_STALE.String(), refused, "w/bob/test.view/v"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, not %v", got, want)
		}
		if n := s.open.Load(); n != 2 {
			t.Errorf("%d are told", n)
		}
	})
}

// What ends one view ends no other: an answer, a fault of the service, a breakdown. The caller is told what it may know.
func TestEachViewEndsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := map[string]func() error{
			"gone": func() error {
				return rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "test.GONE", "Gone.").Because(errors.New("secret"))
			},
			"fault": func() error { return errors.New("secret") },
			"panic": func() error { panic("secret") },
			"over":  func() error { return nil },
		}
		s := serve(t, func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			if end := ends[req.GetTopic()]; end != nil {
				return end()
			}
			for n := range 3 {
				if err := send(&topicv1.TailResponse{View: &edgev1.View{At: &edgev1.Cursor{Offset: uint64(n)}}}); err != nil {
					return err
				}
				time.Sleep(time.Second)
			}
			<-ctx.Done()
			return ctx.Err()
		})
		v := s.views(nil)
		defer v.close()
		topics := []string{"gone", "fault", "panic", "over", "lives"}
		got := make([][]*topicv1.TailPart, len(topics))
		var begins []*topicv1.TailBegin
		for _, name := range topics {
			begins = append(begins, look(s.token("ada", time.Minute)))
			begins[len(begins)-1].Tail.Topic = name
		}
		v.begin(func(i int, p *topicv1.TailPart) { got[i] = append(got[i], p) }, begins...)
		time.Sleep(10 * time.Second)
		v.mu.Lock()
		defer v.mu.Unlock()
		for i, want := range []edgev1.Code{edgev1.Code_CODE_NOT_FOUND, edgev1.Code_CODE_INTERNAL, edgev1.Code_CODE_INTERNAL, edgev1.Code_CODE_UNAVAILABLE} {
			if len(got[i]) != 1 || got[i][0].GetError().GetCode() != want || got[i][0].GetError().GetMessage() == "secret" {
				t.Errorf("%s: %v", topics[i], got[i])
			}
		}
		if n := len(got[4]); n != 3 || got[4][2].GetResponse().GetView().GetAt().GetOffset() != 2 {
			t.Errorf("the other one: %v", got[4])
		}
		if n := s.open.Load(); n != 1 {
			t.Errorf("%d are told", n)
		}
	})
}

// While nobody reads the stream each view waits with one response, and then tells its newest state. The stream holds what its window does.
func TestSlowStreamConflates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 50
		all := topic.NewView(incarnation, topic.ViewLimits{})
		sent := [many]atomic.Int64{}
		s := serve(t, func(ctx context.Context, req *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			return all.Watch(ctx, topic.Watch{}, func(res *topicv1.TailResponse) error {
				sent[req.GetMaxBytes()].Add(1)
				return send(res)
			})
		})
		set := func(n int) {
			if err := all.Set("k", fmt.Appendf(nil, "%50000d", n)); err != nil {
				t.Error(err)
			}
		}
		set(0)
		gate := make(chan struct{})
		v := s.views(gate)
		defer v.close()
		screens := make([]screen, many)
		var begins []*topicv1.TailBegin
		for i := range many {
			begins = append(begins, look(s.token("ada", time.Hour)))
			begins[i].Tail.MaxBytes = uint32(i)
		}
		v.begin(func(i int, p *topicv1.TailPart) {
			if err := screens[i].apply(p.GetResponse()); err != nil {
				t.Error(err)
			}
		}, begins...)
		for n := range 100 {
			set(n)
			time.Sleep(100 * time.Millisecond)
		}
		most := int64(0)
		for i := range sent {
			most = max(most, sent[i].Load())
		}
		if most > 10 {
			t.Errorf("%d responses were taken of a view that nobody reads", most)
		}
		close(gate)
		time.Sleep(10 * time.Second)
		v.mu.Lock()
		defer v.mu.Unlock()
		for i := range screens {
			if x := screens[i].entries["k"]; x != fmt.Sprintf("%50000d", 99) {
				t.Errorf("%d sees %.60s after %d frames", i, x, screens[i].frames)
			}
		}
		if v.parts > 12 {
			t.Errorf("%d parts of 50 KB in a response", v.parts)
		}
	})
}

// Those who are told at the same time share a response.
func TestViewsShareResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 200
		all := topic.NewView(incarnation, topic.ViewLimits{})
		s := serve(t, func(ctx context.Context, _ *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			return all.Watch(ctx, topic.Watch{}, send)
		})
		v := s.views(nil)
		defer v.close()
		var begins []*topicv1.TailBegin
		for range many {
			begins = append(begins, look(s.token("ada", time.Hour)))
		}
		heard := 0
		v.begin(func(int, *topicv1.TailPart) { heard++ }, begins...)
		time.Sleep(time.Second)
		v.mu.Lock()
		defer v.mu.Unlock()
		if heard != many || v.parts < many/4 {
			t.Errorf("%d heard, %d at once at the most", heard, v.parts)
		}
	})
}

// A view that is ended ends alone; a stream that breaks, and a service that stops, end all.
func TestEndsOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(ctx context.Context, _ *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			err := send(&topicv1.TailResponse{View: &edgev1.View{}})
			<-ctx.Done()
			return errors.Join(err, ctx.Err())
		})
		begin := func() *views {
			v := s.views(nil)
			v.begin(func(_ int, p *topicv1.TailPart) {
				if p.GetError() != nil {
					t.Error(p)
				}
			}, look(s.token("ada", time.Hour)), look(s.token("bob", time.Hour)), look(s.token("cyn", time.Hour)))
			time.Sleep(time.Second)
			return v
		}
		open := func(want int64) {
			t.Helper()
			time.Sleep(time.Second)
			if n := s.open.Load(); n != want {
				t.Errorf("%d views are open, not %d", n, want)
			}
		}
		one, two := begin(), begin()
		open(6)
		one.forget(2)
		one.forget(2)
		one.forget(77)
		open(5)
		one.end()
		<-one.ended
		open(3)
		three := begin()
		if err := three.stream.CloseSend(); err != nil {
			t.Error(err)
		}
		if err := <-three.ended; err == nil {
			t.Error("it goes on")
		}
		open(3)
		go s.stop()
		if err := <-two.ended; rpc.FromError(err).GetReason() != rpc.ReasonDraining {
			t.Errorf("a service that stops: %v", err)
		}
		open(0)
	})
}

// What is more than may be is refused: views one by one, a request with its stream.
func TestEachLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(ctx context.Context, _ *topicv1.TailRequest, send func(*topicv1.TailResponse) error) error {
			err := send(&topicv1.TailResponse{View: &edgev1.View{}})
			<-ctx.Done()
			return errors.Join(err, ctx.Err())
		})
		s.most = 2
		v := s.views(nil)
		var got [5]edgev1.Code
		some := func(n int) (list []*topicv1.TailBegin) {
			for range n {
				list = append(list, look(s.token("ada", time.Hour)))
			}
			return list
		}
		v.begin(func(i int, p *topicv1.TailPart) { got[i] = p.GetError().GetCode() }, some(4)...)
		time.Sleep(time.Second)
		v.forget(1)
		time.Sleep(time.Second)
		v.begin(func(_ int, p *topicv1.TailPart) { got[4] = p.GetError().GetCode() }, some(1)...)
		time.Sleep(time.Second)
		v.mu.Lock()
		if got != [5]edgev1.Code{0, 0, edgev1.Code_CODE_UNAVAILABLE, edgev1.Code_CODE_UNAVAILABLE, 0} {
			t.Errorf("%v", got)
		}
		v.mu.Unlock()
		for name, req := range map[string]*topicv1.TailEachRequest{
			"a view that is open": {Begins: []*topicv1.TailBegin{proto.CloneOf(&topicv1.TailBegin{Id: 2})}},
			"begins":              {Begins: some(topic.MaxEachBegins + 1)},
			"ends":                {Ends: make([]uint64, topic.MaxEachEnds+1)},
		} {
			x := v
			if name != "a view that is open" {
				x = s.views(nil)
			}
			x.send(req)
			if err := <-x.ended; rpc.CodeOf(err) != edgev1.Code_CODE_INVALID_ARGUMENT {
				t.Errorf("%s: %v", name, err)
			}
			x.end()
		}
		s.stop()
		if n := s.open.Load(); n != 0 {
			t.Errorf("%d views are left", n)
		}
	})
}
