// Package obs is what an operator sees of a process: its log, metrics, traces, health and profiles.
package obs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says what is told, and where.
type Config struct {
	Listen string      `koanf:"listen" doc:"address of the operator's listener, host:port (/metrics /livez /readyz /debug/pprof); not for users; empty: none"`
	Log    LogConfig   `koanf:"log"`
	Trace  TraceConfig `koanf:"trace"`
}

// LogConfig says how the log looks.
type LogConfig struct {
	Level  string `koanf:"level" doc:"least level that is logged: debug, info, warn or error"`
	Format string `koanf:"format" doc:"text or json"`
}

// TraceConfig says where traces go.
type TraceConfig struct {
	Endpoint string  `koanf:"endpoint" doc:"OTLP collector over gRPC, http://host:port or https://host:port; empty: no tracing"`
	Ratio    float64 `koanf:"ratio" doc:"share of the traces begun here that are kept, 0 to 1"`
}

// DefaultConfig logs text from level info on, listens nowhere and traces nothing.
func DefaultConfig() Config {
	return Config{Log: LogConfig{Level: "info", Format: "text"}, Trace: TraceConfig{Ratio: 0.01}}
}

// Validate checks the log's level and format, and the collector's address.
func (c Config) Validate() error {
	var level slog.Level
	switch {
	case level.UnmarshalText([]byte(c.Log.Level)) != nil:
		return fmt.Errorf("log.level is %q: set debug, info, warn or error", c.Log.Level)
	case c.Log.Format != "text" && c.Log.Format != "json":
		return fmt.Errorf("log.format is %q: set text or json", c.Log.Format)
	case c.Trace.Ratio < 0 || c.Trace.Ratio > 1:
		return fmt.Errorf("trace.ratio is %v: set it between 0 and 1", c.Trace.Ratio)
	}
	if c.Trace.Endpoint != "" {
		if u, err := url.Parse(c.Trace.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("trace.endpoint must look like http://host:port or https://host:port")
		}
	}
	return nil
}

// Deps name the process.
type Deps struct {
	Service string // "chat", or "plenum" for all in one; on every log line and trace
	Version string
	Out     io.Writer // where the log goes
}

// Obs holds what the parts of a process report to.
type Obs struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Tracer  trace.TracerProvider // nil: tracing is off

	cfg      Config
	exporter *otlptrace.Exporter
	provider *sdktrace.TracerProvider
	ready    chan struct{}

	mu     sync.Mutex // guards addr and checks
	addr   string
	checks []check

	examining chan struct{} // capacity 1: held while the conditions are tested; guards last
	last      report
}

// New validates the configuration and makes the logger and the registry. It listens and connects nowhere until Run.
func New(cfg Config, deps Deps) (*Obs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Service == "" || deps.Out == nil {
		return nil, errors.New("obs: a service's name and an output are required")
	}
	o := &Obs{cfg: cfg, Log: newLogger(cfg.Log, deps), Metrics: prometheus.NewRegistry(), ready: make(chan struct{}), examining: make(chan struct{}, 1)}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plenum_build_info", Help: "Always 1; the labels tell what runs.",
		ConstLabels: prometheus.Labels{"service": deps.Service, "version": deps.Version},
	}, func() float64 { return 1 })
	for _, c := range []prometheus.Collector{
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := o.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("obs: %w", err)
		}
	}
	if cfg.Trace.Endpoint != "" {
		o.exporter = otlptrace.NewUnstarted(otlptracegrpc.NewClient(otlptracegrpc.WithEndpointURL(cfg.Trace.Endpoint)))
		o.provider = sdktrace.NewTracerProvider(
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Trace.Ratio))),
			sdktrace.WithResource(resource.NewSchemaless(
				attribute.String("service.name", deps.Service), attribute.String("service.version", deps.Version))),
		)
		o.Tracer = o.provider
	}
	return o, nil
}
