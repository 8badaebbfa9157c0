package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/test/bufconn"

	"plenum.internal/mesh/auth"
)

// Defaults of ServerConfig.
const (
	DefaultMaxMessageBytes = 4 << 20
	DefaultMaxStreams      = 100_000 // each topic of the class RING that somebody follows is one
	DefaultStopGrace       = 5 * time.Second
)

// Flow control, of servers and clients alike: what a stream, or a connection, may have sent that nobody has read yet. gRPC's own windows
// grow with the way's capacity to 16 MiB, for each stream whose reader is slow; a body needs no more than this to fill a data centre's.
const (
	streamWindow = 256 << 10
	connWindow   = 4 << 20
)

// ServerConfig says where a server listens and what it bounds. Zero values mean the defaults.
type ServerConfig struct {
	Listen          string        `koanf:"listen" doc:"address for the other processes, host:port; empty: only within the process"`
	TLS             TLSConfig     `koanf:"tls"`
	MaxMessageBytes int           `koanf:"max_message_bytes" doc:"longest message in either direction, in bytes; 0: 4 MiB"`
	MaxStreams      uint32        `koanf:"max_streams" doc:"calls at the same time on one connection; 0: 100000"`
	StopGrace       time.Duration `koanf:"stop_grace" doc:"how long calls under way may take when the process stops; 0: 5s"`
}

// Validate checks the bounds and the TLS files' names.
func (c ServerConfig) Validate() error {
	if c.MaxMessageBytes < 0 || c.StopGrace < 0 {
		return errors.New("rpc: a limit can't be negative")
	}
	return c.TLS.Validate()
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = DefaultMaxStreams
	}
	if c.StopGrace == 0 {
		c.StopGrace = DefaultStopGrace
	}
	return c
}

// ServerDeps are what a server works with. Only Service is required.
type ServerDeps struct {
	Service  string         // whose server it is, in metrics
	Verifier *auth.Verifier // nil: methods for users are refused
	Refusals *auth.Reporter // of the tokens that the gateway let pass, and this server did not; nil: not on record
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Tracer   trace.TracerProvider // nil: no tracing
	// Internal is the allow-list of methods that aren't exposed: "/plenum.topic.v1.TopicService/Tail" -> services that may
	// call it; AnyPeer stands for all that have an identity. What isn't listed is refused.
	Internal map[string][]string
}

// Server serves gRPC to other processes over mutual TLS and to its own process over pipes, with the same interceptors.
type Server struct {
	cfg      ServerConfig
	deps     ServerDeps
	log      *slog.Logger
	metrics  *metrics
	grpc     *grpc.Server
	methods  map[string]*method  // by "/service/method"; complete before Run
	internal map[string][]string // Internal with leading slashes
	ready    chan struct{}
	// draining ends when stopping begins: streams without an end are cut.
	draining context.Context //nolint:containedctx // the server's own, not a call's
	drain    context.CancelFunc

	mu    sync.Mutex // guards all below
	addr  string
	local []trusted
	pipes map[pipeName]*pipe
	state state
	serve sync.WaitGroup // one for each listener
}

type state int

const (
	stateNew state = iota
	stateRunning
	stateStopped
)

// trusted is a listener whose peers are all one service.
type trusted struct {
	net.Listener
	as string
}

func (t trusted) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // gRPC tells closed listeners by their error
	}
	return pipeConn{c, t.as}, nil
}

// pipeName tells the pipes of one peer apart.
type pipeName struct {
	as   string
	bulk bool
}

// pipe is one in-process peer: its identity is fixed where it is opened.
type pipe struct {
	trusted // the bufconn
	conn    *grpc.ClientConn
}

// NewServer returns a server with reflection, health checks and every interceptor, but without a service. It opens nothing until Run.
func NewServer(cfg ServerConfig, deps ServerDeps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Service == "" {
		return nil, errors.New("rpc: a server needs its service's name")
	}
	creds, err := cfg.TLS.server()
	if err != nil {
		return nil, fmt.Errorf("rpc: %w", err)
	}
	m, err := newMetrics(deps.Metrics, deps.Service, "server")
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg.withDefaults(), deps: deps, log: deps.Log, metrics: m,
		methods: map[string]*method{}, internal: map[string][]string{},
		ready: make(chan struct{}), pipes: map[pipeName]*pipe{},
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for name, peers := range deps.Internal {
		s.internal["/"+strings.TrimPrefix(name, "/")] = peers
	}
	options := []grpc.ServerOption{
		grpc.Creds(handshake{creds}), grpc.ForceServerCodecV2(serverCodec{encoding.GetCodecV2(proto.Name)}),
		grpc.MaxRecvMsgSize(s.cfg.MaxMessageBytes), grpc.MaxSendMsgSize(s.cfg.MaxMessageBytes),
		grpc.MaxConcurrentStreams(s.cfg.MaxStreams), grpc.MaxHeaderListSize(32 << 10),
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.ConnectionTimeout(10 * time.Second), grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.recoverUnary, s.measureUnary, s.admitUnary, s.limitUnary, s.mapUnary),
		grpc.ChainStreamInterceptor(s.recoverStream, s.measureStream, s.admitStream, s.drainStream, s.mapStream),
	}
	if deps.Tracer != nil {
		options = append(options, grpc.StatsHandler(otelgrpc.NewServerHandler(traceOptions(deps.Tracer)...)))
	}
	s.grpc = grpc.NewServer(options...)
	reflection.Register(s)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s, nil
}

// RegisterService implements grpc.ServiceRegistrar: the methods' edge options decide who may call them. Before Run only.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	maps.Copy(s.methods, describe(desc, s.internal))
	s.grpc.RegisterService(decoding(desc), impl)
}

// decoding makes a request that can't be decoded (no protobuf, text that isn't UTF-8) the caller's fault. gRPC would answer INTERNAL
// before any handler can speak, so the codec notes the fault in place of returning it.
func decoding(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	d := *desc
	d.Methods = slices.Clone(desc.Methods)
	for i, m := range desc.Methods {
		d.Methods[i].Handler = func(impl any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			return m.Handler(impl, ctx, func(v any) error {
				r := &request{into: v}
				if err := decode(r); err != nil {
					return err
				}
				if r.fault != nil {
					return malformed.Because(r.fault)
				}
				return nil
			}, chain)
		}
	}
	return &d
}

// GetServiceInfo lets reflection list the services.
func (s *Server) GetServiceInfo() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// Ready is closed once the server accepts calls.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is the address the server listens at, with the port that was chosen; empty before Ready or without Listen.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Run serves until ctx ends, then lets calls under way finish for StopGrace, and returns nil. It fails if it can't listen.
func (s *Server) Run(ctx context.Context) error {
	for name := range s.internal {
		if s.methods[name] == nil {
			return fmt.Errorf("rpc: the allow-list names %s, which %s does not serve", name, s.deps.Service)
		}
	}
	failed := make(chan error, 1+len(s.local))
	if err := s.start(ctx, failed); err != nil {
		return err
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stop()
	return err
}

func (s *Server) start(ctx context.Context, failed chan<- error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return errors.New("rpc: a server runs once")
	}
	if s.cfg.Listen != "" {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
		if err != nil {
			return fmt.Errorf("rpc: can't listen for other processes: %w", err)
		}
		s.addr = l.Addr().String()
		s.serve.Go(func() {
			if err := s.grpc.Serve(l); err != nil {
				failed <- fmt.Errorf("rpc: %w", err)
			}
		})
	}
	for _, l := range s.local {
		s.serve.Go(func() {
			if err := s.grpc.Serve(l); err != nil {
				failed <- fmt.Errorf("rpc: %w", err)
			}
		})
	}
	for _, p := range s.pipes {
		s.serve.Go(func() { _ = s.grpc.Serve(p) }) // a pipe's listener fails only when it is closed
	}
	s.state = stateRunning
	close(s.ready)
	return nil
}

func (s *Server) stop() {
	s.drain()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	late := time.NewTimer(s.cfg.StopGrace)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		s.log.Warn("calls were still under way and are cut off", "service", s.deps.Service, "after", s.cfg.StopGrace)
		s.grpc.Stop()
		<-done
	}
	s.mu.Lock()
	s.state = stateStopped
	pipes := s.pipes
	s.mu.Unlock()
	for _, p := range pipes {
		_ = p.conn.Close()
		_ = p.Close()
	}
	s.serve.Wait()
}

// Local serves a listener whose peers all are the service as, for nobody else can reach it: a unix socket that the permissions of its
// file guard. Before Run, whose end closes it.
func (s *Server) Local(l net.Listener, as string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local = append(s.local, trusted{l, as})
}

const pipeBuffer = 256 << 10 // bytes in each direction

// Pipe connects a peer in the same process, whose service identity is as. Calls before Run wait for it. Run's end closes it.
func (s *Server) Pipe(as string) grpc.ClientConnInterface { return s.pipe(pipeName{as: as}) }

// BulkPipe is another one for long streams of bytes, so that no call stands behind them.
func (s *Server) BulkPipe(as string) grpc.ClientConnInterface { return s.pipe(pipeName{as, true}) }

func (s *Server) pipe(name pipeName) grpc.ClientConnInterface {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pipes[name]; p != nil {
		return p.conn
	}
	l := bufconn.Listen(pipeBuffer)
	p := &pipe{trusted: trusted{l, name.as}}
	var err error
	p.conn, err = newClient("passthrough:///"+s.deps.Service, ClientConfig{
		Service: s.deps.Service, MaxMessageBytes: s.cfg.MaxMessageBytes, Metrics: s.deps.Metrics, Tracer: s.deps.Tracer,
	}, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		return brokenConn{err}
	}
	s.pipes[name] = p
	switch s.state {
	case stateNew:
	case stateRunning:
		s.serve.Go(func() { _ = s.grpc.Serve(p) })
	case stateStopped:
		_ = p.conn.Close()
		_ = p.Close()
	}
	return p.conn
}

// Close releases the listeners and pipes of a server that was never run.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return
	}
	s.state = stateStopped
	s.drain()
	s.grpc.Stop()
	for _, l := range s.local {
		_ = l.Close()
	}
	for _, p := range s.pipes {
		_ = p.conn.Close()
		_ = p.Close()
	}
}
