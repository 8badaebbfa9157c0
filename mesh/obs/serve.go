package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const stopTimeout = 2 * time.Second

// Ready is closed once the operator's listener answers, if there is one.
func (o *Obs) Ready() <-chan struct{} { return o.ready }

// Addr is the operator's listener's address, with the port that was chosen; empty before Ready or without Listen.
func (o *Obs) Addr() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addr
}

// Run serves the operator's listener and sends traces until ctx ends; then it sends what is left of them and returns nil.
// It fails if it can't listen. A collector that is away costs traces, nothing else.
func (o *Obs) Run(ctx context.Context) error {
	stopTraces, err := o.startTraces(ctx)
	if err != nil {
		return err
	}
	defer stopTraces()
	if o.cfg.Listen == "" {
		close(o.ready)
		<-ctx.Done()
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.cfg.Listen)
	if err != nil {
		return fmt.Errorf("obs: can't listen for the operator: %w", err)
	}
	o.mu.Lock()
	o.addr = l.Addr().String()
	o.mu.Unlock()
	server := &http.Server{
		Handler: o.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	close(o.ready)
	select {
	case err := <-failed:
		return fmt.Errorf("obs: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if server.Shutdown(end) != nil { // a profile is still being taken
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("obs: %w", err)
	}
	return nil
}

// Handler serves the operator: /metrics /livez /readyz /debug/pprof. It is not for users.
func (o *Obs) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4, Timeout: 30 * time.Second,
	}))
	mux.HandleFunc("GET /livez", o.Livez)
	mux.HandleFunc("GET /readyz", o.readyzVerbose)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (o *Obs) startTraces(ctx context.Context) (stop func(), err error) {
	if o.provider == nil {
		return func() {}, nil
	}
	if err := o.exporter.Start(ctx); err != nil { // it dials in the background: an error is one of configuration
		return nil, fmt.Errorf("obs: traces: %w", err)
	}
	o.provider.RegisterSpanProcessor(sdktrace.NewBatchSpanProcessor(loggedExporter{o.exporter, o.Log}))
	return func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := o.provider.Shutdown(end); err != nil {
			o.Log.WarnContext(end, "the last traces were lost", "error", err)
			_ = o.exporter.Shutdown(end) // ends what it still tries
		}
	}, nil
}

// loggedExporter logs failures: the library's own way is a global handler.
type loggedExporter struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (l loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := l.SpanExporter.ExportSpans(ctx, spans); err != nil {
		l.log.WarnContext(ctx, "traces were lost", "spans", len(spans), "error", err)
	}
	return nil
}
