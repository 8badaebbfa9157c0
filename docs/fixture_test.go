package docs

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	topicv1 "plenum.internal/proto/plenum/topic/v1"
)

// TestMain turns the test program into the child that is killed, and otherwise looks for goroutines that outlive their tests.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		if err := child(url); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("plenum.internal/mesh/meshtest.startPostgres"))
}

// world is one process of the service with all that it works with, over real gRPC and SQL.
type world struct {
	tb       testing.TB
	url      string
	key      auth.SigningKey
	others   *processes // nil: it is alone
	self     string
	identity *followed // nil: it knows no people, …
	chat     *followed // … and no channels
	bus      *bus.Bus  // nil: it hears of nobody
	logs     io.Writer // nil: they are not kept
	db       *sqldb.DB
	server   *Server
	rpc      *rpc.Server
	verifier *auth.Verifier
	api      docsv1.DocsServiceClient
	topics   topicv1.TopicServiceClient // as a gateway
	stop     func()                     // of the service and its server
	jobless  bool                       // nothing is done but what is asked for
}

// everyEngine runs a test on both databases.
func everyEngine(t *testing.T, test func(t *testing.T, w *world), change ...func(*Config)) {
	meshtest.Databases(t, func(t *testing.T, url string) { test(t, newWorld(t, url, change...)) })
}

func newWorld(tb testing.TB, url string, change ...func(*Config)) *world {
	tb.Helper()
	w := unstarted(tb, url)
	w.start(change...)
	return w
}

func unstarted(tb testing.TB, url string) *world {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &world{tb: tb, url: url, key: auth.SigningKey{ID: "k", Private: private}}
}

// beside starts another process of the same service. Both know of each other then.
func (w *world) beside(name string, change ...func(*Config)) *world {
	w.tb.Helper()
	r := &world{tb: w.tb, url: w.url, key: w.key, others: w.others, identity: w.identity, chat: w.chat, bus: w.bus, self: name + "~" + fmt.Sprint(time.Now().UnixNano())}
	r.start(change...)
	return r
}

// withoutJobs goes on in another process, that does no jobs: the test does those it wants.
func (w *world) withoutJobs(change ...func(*Config)) *world {
	w.tb.Helper()
	w.stop()
	r := &world{tb: w.tb, url: w.url, key: w.key, jobless: true}
	r.start(change...)
	return r
}

// several starts as many processes.
func several(tb testing.TB, url string, names ...string) (all []*world) {
	tb.Helper()
	return unstarted(tb, url).several(names...)
}

func (w *world) several(names ...string) (all []*world) {
	w.others = newProcesses()
	for _, name := range names {
		all = append(all, w.beside(name))
	}
	return all
}

func (w *world) start(change ...func(*Config)) {
	tb := w.tb
	tb.Helper()
	var err error
	if w.db, err = sqldb.Open(tb.Context(), sqldb.Config{URL: w.url}); err != nil {
		tb.Fatal(err)
	}
	db := w.db // w may be started again
	tb.Cleanup(func() { _ = db.Close() })
	all, err := Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.db.Migrate(tb.Context(), all); err != nil {
		tb.Fatal(err)
	}
	if w.verifier, err = auth.NewVerifier(auth.VerifierConfig{}, auth.NewMemory(w.key), auth.VerifierDeps{}); err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("DOCS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if w.logs != nil {
		log = slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if w.rpc, err = rpc.NewServer(rpc.ServerConfig{StopGrace: time.Second}, rpc.ServerDeps{Service: "docs", Verifier: w.verifier, Log: log, Internal: Callers()}); err != nil {
		tb.Fatal(err)
	}
	cfg, deps := DefaultConfig(), Deps{DB: w.db, Log: log}
	if w.bus != nil {
		deps.Bus = w.bus
	}
	if w.identity != nil {
		deps.Identity, deps.Chat = w.identity.serve(tb, "identity"), w.chat.serve(tb, "chat")
	}
	if w.others != nil {
		deps.Peers = peer{w.others, w.self}
	}
	for _, f := range change {
		f(&cfg)
	}
	if w.server, err = New(cfg, deps); err != nil {
		tb.Fatal(err)
	}
	if w.jobless {
		w.server.jobs = nil
	}
	w.server.Register(w.rpc)
	w.api = docsv1.NewDocsServiceClient(w.rpc.Pipe("gateway"))
	w.topics = topicv1.NewTopicServiceClient(w.rpc.Pipe("gateway"))
	run(tb, w.verifier.Run)
	w.stop = run(tb, w.rpc.Run, w.server.Run)
	<-w.server.Ready()
	<-w.verifier.Ready()
	if w.others != nil {
		w.others.enter(w)
	}
}

// run starts components and stops them in reverse order: at the end of the test, or when stop is called.
func run(tb testing.TB, runs ...func(context.Context) error) (stop func()) {
	var stops []func()
	for _, f := range runs {
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				tb.Error(err)
			}
		})
		stops = append(stops, func() { cancel(); done.Wait() })
	}
	stop = sync.OnceFunc(func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	})
	tb.Cleanup(stop)
	return stop
}

// processes is what etcd would tell: who lives. What it tells can be wrong, as etcd's word can.
type processes struct {
	mu      sync.Mutex // guards all below
	live    map[string]*world
	believe map[string]func() []string // by who believes it: who lives; nil: the truth
	expired map[string]bool            // those whose lease has ended though they live
	adrift  map[string]bool            // those that have withdrawn
	leases  map[string]int64           // how many each has had that ended
	changed chan struct{}
}

func newProcesses() *processes {
	return &processes{live: map[string]*world{}, believe: map[string]func() []string{}, expired: map[string]bool{}, adrift: map[string]bool{}, leases: map[string]int64{}, changed: make(chan struct{})}
}

func (p *processes) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *processes) enter(w *world) { p.change(func() { p.live[w.self] = w }) }
func (p *processes) leave(w *world) { p.change(func() { delete(p.live, w.self) }) }

// peer is how one process sees the others.
type peer struct {
	*processes
	self string
}

func (p peer) Self() string { return p.self }

func (p peer) Lease() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live[p.self] == nil || p.expired[p.self] || p.adrift[p.self] {
		return 0
	}
	return 1 + p.leases[p.self]
}

func (p peer) Withdrawn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.adrift[p.self]
}

func (p peer) nodes() (nodes []registry.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.believe[p.self]; b != nil {
		for _, id := range b() {
			nodes = append(nodes, registry.Node{ID: id, Incarnation: id})
		}
		return nodes
	}
	for id := range p.live {
		if !p.expired[id] && !p.adrift[id] {
			nodes = append(nodes, registry.Node{ID: id, Incarnation: id})
		}
	}
	return nodes
}

func (p peer) Place(key string) string { return registry.Choose(p.nodes(), key).Incarnation }

func (p peer) Lives(incarnation string) bool {
	for _, n := range p.nodes() {
		if n.Incarnation == incarnation {
			return true
		}
	}
	return false
}

func (p peer) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p peer) Conn(incarnation string) (grpc.ClientConnInterface, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.live[incarnation]
	if w == nil {
		return nil, errAway
	}
	return w.rpc.Pipe("docs"), nil
}

// user is somebody at a client.
type user struct {
	*world
	id, workspace, token, client string
	seq                          uint64
}

func (w *world) person(id string) *user { return w.somebody("w", id, auth.KindPerson, mayCreate) }

func (w *world) somebody(workspace, id string, kind auth.Kind, permissions ...string) *user {
	w.tb.Helper()
	now := time.Now()
	token, err := auth.Sign(w.key, auth.Claims{
		User: id, Workspace: workspace, Device: "d", Kind: kind, Permissions: permissions, IssuedAt: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return &user{world: w, id: id, workspace: workspace, token: token, client: "client-" + id}
}

// at is the same person at another process.
func (u *user) at(w *world) *user {
	v := *u
	v.world = w
	return &v
}

// read is a context that carries the user's token; write adds the next mutation's name.
func (u *user) read() context.Context { return rpc.WithToken(u.tb.Context(), u.token) }

func (u *user) write() context.Context {
	u.seq++
	return u.again()
}

// again repeats the last mutation's name.
func (u *user) again() context.Context { return rpc.WithMutation(u.read(), u.client, u.seq) }

// create makes a document with a text.
func (u *user) create(text string) (document string) {
	u.tb.Helper()
	content := ""
	if text != "" {
		content = inserts(text)
	}
	return must(u.api.CreateDocument(u.write(), &docsv1.CreateDocumentRequest{Title: "A title", Content: content}))(u.tb).GetDocument()
}

func (u *user) share(document, with string, role docsv1.Role) uint64 {
	u.tb.Helper()
	return must(u.api.SetRole(u.write(), &docsv1.SetRoleRequest{Document: document, Principal: with, Role: role}))(u.tb).GetVersion()
}

// submit edits a document.
func (u *user) submit(document string, base uint64, delta string) (*docsv1.SubmitResponse, error) {
	return u.api.Submit(u.write(), &docsv1.SubmitRequest{Document: document, Base: base, Delta: delta})
}

// content reads a document whole, part by part.
func (u *user) content(document string, version uint64) (*ot.Document, uint64) {
	u.tb.Helper()
	var whole ot.Delta
	for after := uint32(0); ; {
		r := must(u.api.ReadDocument(u.read(), &docsv1.ReadDocumentRequest{Document: document, Version: version, After: after}))(u.tb)
		d, err := ot.Parse([]byte(r.GetDelta()), ot.Unlimited())
		if err != nil {
			u.tb.Fatal(err)
		}
		version, after, whole = r.GetVersion(), after+uint32(d.Length()), whole.Concat(d)
		if r.GetMore() {
			continue
		}
		doc, err := ot.NewDocument(whole, ot.DefaultLimits(), nil)
		if err != nil {
			u.tb.Fatal(err)
		}
		if hash := doc.Hash(); string(hash[:]) != string(r.GetHash()) || uint32(doc.Len()) != r.GetLength() {
			u.tb.Fatalf("%d code units of another content than %d with hash %x", doc.Len(), r.GetLength(), r.GetHash())
		}
		return doc, version
	}
}

// text is a document's text.
func (u *user) text(document string) (text string) {
	u.tb.Helper()
	doc, _ := u.content(document, 0)
	for _, op := range doc.Delta().Ops() {
		text += op.Text()
	}
	return text
}

// inserts is a delta that inserts a text at the beginning.
func inserts(text string) string { return at(0, text) }

// at is a delta that inserts a text at a place.
func at(place int, text string) string {
	var b ot.Builder
	if place > 0 {
		b.Retain(place, nil)
	}
	d, err := b.Insert(text, nil).Delta()
	if err != nil {
		panic(err)
	}
	return d.JSON()
}

// must fails the test on an error: must(api.Submit(…))(tb).
func must[T any](t T, err error) func(tb testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatalf("%v", rpc.FromError(err))
		}
		return t
	}
}

// refused checks why something was refused.
func refused(tb testing.TB, what string, err error, code edgev1.Code, reason string) {
	tb.Helper()
	if e := rpc.FromError(err); e.GetCode() != code || e.GetReason() != reason {
		tb.Errorf("%s: %v, want %v %s", what, e, code, reason)
	}
}
