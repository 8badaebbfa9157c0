package obs

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

func newLogger(cfg LogConfig, deps Deps) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // Validate has read it
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(deps.Out, options)
	if cfg.Format == "json" {
		h = slog.NewJSONHandler(deps.Out, options)
	}
	return slog.New(traced{h}).With("service", deps.Service)
}

// traced adds the trace's id to what is logged within a trace.
type traced struct{ slog.Handler }

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", c.TraceID().String()))
	}
	return t.Handler.Handle(ctx, r) //nolint:wrapcheck // it is a handler's error
}

func (t traced) WithAttrs(a []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(a)} }
func (t traced) WithGroup(name string) slog.Handler   { return traced{t.Handler.WithGroup(name)} }
