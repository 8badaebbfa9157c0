package rpc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// ClientConfig says whom a connection trusts and what it bounds. Zero values mean the defaults.
type ClientConfig struct {
	Service         string // that answers; with TLS its certificate must say so
	TLS             TLSConfig
	MaxMessageBytes int           // default 4 MiB
	Timeout         time.Duration // of unary calls that come without a deadline; default 10 s
	Metrics         prometheus.Registerer
	Tracer          trace.TracerProvider // nil: no tracing
}

// Dial returns a connection to the server at target, host:port. It connects with the first call, and again whenever it has to;
// while the server is away calls fail at once with CODE_UNAVAILABLE.
func Dial(target string, cfg ClientConfig) (*grpc.ClientConn, error) {
	if !strings.Contains(target, "://") {
		target = "passthrough:///" + target
	}
	return newClient(target, cfg)
}

func newClient(target string, cfg ClientConfig, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	if cfg.MaxMessageBytes == 0 {
		cfg.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultMethodTimeout
	}
	creds, err := cfg.TLS.client(cfg.Service)
	if err != nil {
		return nil, fmt.Errorf("rpc: dial %s: %w", target, err)
	}
	m, err := newMetrics(cfg.Metrics, cfg.Service, "client")
	if err != nil {
		return nil, err
	}
	c := client{cfg.Timeout, m}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(cfg.MaxMessageBytes), grpc.MaxCallSendMsgSize(cfg.MaxMessageBytes)),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.5, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
		grpc.WithChainUnaryInterceptor(c.measure, c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}
	if cfg.Tracer != nil {
		options = append(options, grpc.WithStatsHandler(otelgrpc.NewClientHandler(traceOptions(cfg.Tracer)...)))
	}
	conn, err := grpc.NewClient(target, append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("rpc: dial %s: %w", target, err)
	}
	return conn, nil
}

// client holds the interceptors of one connection.
type client struct {
	timeout time.Duration
	metrics *metrics
}

func (c client) measure(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	done := c.metrics.begin(method)
	err := invoke(ctx, method, req, reply, cc, opts...)
	done(err)
	return err
}

// unary sets the deadline and tells a call that was never sent from one that may have run.
func (c client) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	var reached peer.Peer
	err := invoke(ctx, method, req, reply, cc, append(opts, grpc.Peer(&reached))...)
	if err != nil && reached.Addr == nil {
		return unsent(ctx, err)
	}
	return err
}

func (c client) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, unsent(ctx, err)
	}
	return s, nil
}

// unsent names the error of a call that reached no server: nothing was done, for certain.
func unsent(ctx context.Context, err error) error {
	s, ok := status.FromError(err)
	if !ok || len(s.Details()) > 0 {
		return err
	}
	switch s.Code() { //nolint:exhaustive // the others are told as they are
	case codes.Canceled:
		if ctx.Err() != nil {
			return err // the caller gave up
		}
		return away.Because(err) // the connection was closed on our side
	case codes.Unavailable, codes.DeadlineExceeded: // not connected, or no stream was free in time
		return away.Because(err)
	}
	return err
}

// brokenConn answers every call with the error that kept a pipe from being made.
type brokenConn struct{ err error }

func (b brokenConn) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return b.err }

func (b brokenConn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, b.err
}
