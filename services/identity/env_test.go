package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/run"
	"plenum.internal/mesh/sqldb"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	chatv1 "plenum.internal/proto/plenum/chat/v1"
	identityv1 "plenum.internal/proto/plenum/identity/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
	"plenum.internal/services/identity"
)

const (
	testKey  = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	goodWord = "correct horse battery"
)

// env is the service behind its real server, called as the gateway does.
type env struct {
	url      string
	cfg      identity.Config
	db       *sqldb.DB
	service  *identity.Server
	verifier *auth.Verifier
	server   *rpc.Server
	metrics  *prometheus.Registry
	stop     func()
	sessions identityv1.SessionServiceClient
	people   identityv1.PeopleServiceClient
	admin    identityv1.AdminServiceClient
	operator identityv1.OperatorServiceClient
	topics   topicv1.TopicServiceClient
	auth     authv1.AuthServiceClient
	met      acquaintances
}

// acquaintances stands for chat: whom each person meets.
type acquaintances map[string][]string

func (a acquaintances) Invoke(_ context.Context, _ string, in, out any, _ ...grpc.CallOption) error {
	q := in.(*chatv1.ListMetRequest)
	for _, id := range q.GetOthers() {
		if slices.Contains(a[q.GetWorkspace()+"/"+q.GetUser()], id) {
			out.(*chatv1.ListMetResponse).Met = append(out.(*chatv1.ListMetResponse).Met, id)
		}
	}
	return nil
}

func (acquaintances) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.ErrUnsupported
}

// cheap is a configuration whose passwords cost next to nothing.
func cheap() identity.Config {
	cfg := identity.DefaultConfig()
	cfg.Key, cfg.Generate = testKey, true
	cfg.PasswordMemory, cfg.PasswordPasses, cfg.PasswordConcurrency = 64, 1, 4
	return cfg
}

// start runs the service on a database until the test ends, or stop is called.
func start(t *testing.T, url string, cfg identity.Config) *env {
	t.Helper()
	e := &env{url: url, cfg: cfg, met: acquaintances{}}
	var err error
	if e.db, err = sqldb.Open(t.Context(), sqldb.Config{URL: url}); err != nil {
		t.Fatal(err)
	}
	migrations, err := identity.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.db.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	e.metrics = prometheus.NewRegistry()
	if e.service, err = identity.New(cfg, identity.Deps{DB: e.db, Chat: e.met, Metrics: e.metrics}); err != nil {
		t.Fatal(err)
	}
	keys := &later{}
	if e.verifier, err = auth.NewVerifier(auth.VerifierConfig{}, auth.RemoteSource(keys), auth.VerifierDeps{}); err != nil {
		t.Fatal(err)
	}
	if e.server, err = rpc.NewServer(rpc.ServerConfig{StopGrace: 100 * time.Millisecond}, rpc.ServerDeps{Service: "identity", Verifier: e.verifier, Internal: identity.Callers()}); err != nil {
		t.Fatal(err)
	}
	keys.ClientConnInterface = e.server.Pipe("identity")
	e.service.Register(e.server)
	group := run.NewGroup(nil, 0)
	group.Add("identity", e.service)
	group.Add("rpc", e.server)
	group.Add("verifier", e.verifier)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- group.Run(ctx) }()
	var stopped atomic.Bool
	e.stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := e.db.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(e.stop)
	select {
	case <-group.Ready():
	case err := <-ended:
		t.Fatalf("it did not start: %v", err)
	}
	gateway := e.server.Pipe("gateway")
	e.sessions, e.people, e.admin = identityv1.NewSessionServiceClient(gateway), identityv1.NewPeopleServiceClient(gateway), identityv1.NewAdminServiceClient(gateway)
	e.topics, e.auth = topicv1.NewTopicServiceClient(gateway), authv1.NewAuthServiceClient(gateway)
	e.operator = identityv1.NewOperatorServiceClient(e.server.Pipe("operator"))
	return e
}

// later stands for a connection that is made after those who use it.
type later struct{ grpc.ClientConnInterface }

// user is somebody signed in on a client.
type user struct {
	*identityv1.Session
	client *identityv1.Client
	seq    uint64
}

func (u *user) id() string { return u.GetPerson().GetId() }

// read is a context that speaks for the user.
func (u *user) read(ctx context.Context) context.Context {
	return rpc.WithToken(ctx, u.GetAccessToken())
}

// write is a context for the user's next mutation.
func (u *user) write(ctx context.Context) context.Context {
	u.seq++
	return u.again(ctx)
}

// again is a context for a retry of the user's last mutation.
func (u *user) again(ctx context.Context) context.Context {
	return rpc.WithMutation(u.read(ctx), u.client.GetClientId(), u.seq)
}

var clients atomic.Int64

func newClient() *identityv1.Client {
	return &identityv1.Client{ClientId: fmt.Sprintf("client-%015d", clients.Add(1)), Name: "Test", Agent: "test/1"}
}

// from names the client's address, as the gateway does.
func from(ctx context.Context, address string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "plenum-client-address", address)
}

// owner makes a workspace.
func (e *env) owner(t *testing.T, slug string) *user {
	t.Helper()
	var secret string
	if link := e.service.SetupLink("http://host"); link != "" {
		secret = strings.TrimPrefix(link, "http://host/#setup=")
	} else {
		issued, err := e.operator.IssueSetup(t.Context(), &identityv1.IssueSetupRequest{})
		if err != nil {
			t.Fatal(err)
		}
		secret = issued.GetSecret()
	}
	c := newClient()
	out, err := e.sessions.SetUp(t.Context(), &identityv1.SetUpRequest{Secret: secret, WorkspaceSlug: slug, Handle: "owner", Password: goodWord, Client: c})
	if err != nil {
		t.Fatal(err)
	}
	return &user{Session: out.GetSession(), client: c}
}

// join invites somebody, who follows.
func (e *env) join(t *testing.T, by *user, handle string, role identityv1.Role) *user {
	t.Helper()
	invited, err := e.admin.Invite(by.write(t.Context()), &identityv1.InviteRequest{Role: role})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient()
	out, err := e.sessions.Join(t.Context(), &identityv1.JoinRequest{Secret: invited.GetSecret(), Handle: handle, Password: goodWord, Client: c})
	if err != nil {
		t.Fatal(err)
	}
	return &user{Session: out.GetSession(), client: c}
}

func (e *env) signIn(ctx context.Context, slug, handle, word string, c *identityv1.Client) (*user, error) {
	out, err := e.sessions.SignIn(ctx, &identityv1.SignInRequest{WorkspaceSlug: slug, Handle: handle, Password: word, Client: c})
	return &user{Session: out.GetSession(), client: c}, err
}

func (e *env) refresh(ctx context.Context, token, client string) (*identityv1.Session, error) {
	out, err := e.sessions.Refresh(ctx, &identityv1.RefreshRequest{RefreshToken: token, ClientId: client})
	return out.GetSession(), err
}

// renew refreshes the user's session.
func (e *env) renew(t *testing.T, u *user) {
	t.Helper()
	s, err := e.refresh(t.Context(), u.GetRefreshToken(), u.client.GetClientId())
	if err != nil {
		t.Fatal(err)
	}
	u.Session = s
}

// refused checks an error's reason.
func refused(t *testing.T, err error, reason string) {
	t.Helper()
	if got := rpc.FromError(err); got.GetReason() != reason {
		t.Errorf("got %v, want %s", got, reason)
	}
}

func ok[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// events reads the whole log of a workspace.
func (e *env) events(t *testing.T, workspace string) (out []*identityv1.WorkspaceEvent, records []*topicv1.Record) {
	t.Helper()
	stream, err := e.topics.Tail(t.Context(), &topicv1.TailRequest{Workspace: workspace, Topic: "identity.workspace/" + workspace})
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return out, records
		}
		if r.GetReset_() != nil {
			t.Fatal(r.GetReset_())
		}
		for _, rec := range r.GetRecords() {
			event := &identityv1.WorkspaceEvent{}
			if err := proto.Unmarshal(rec.GetEvent().GetBody(), event); err != nil {
				t.Fatal(err)
			}
			out, records = append(out, event), append(records, rec)
		}
	}
}

// counted reads one of the service's counters without labels.
func (e *env) counted(t *testing.T, name string) float64 {
	t.Helper()
	families := ok(e.metrics.Gather())(t)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// eventually tries for as long as a revocation may take.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 5 s: %s", what)
		}
	}
}
