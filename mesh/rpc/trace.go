package rpc

import (
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceOptions keep tracing free of globals: the provider is given, and the trace goes on as W3C Trace Context.
func traceOptions(p trace.TracerProvider) []otelgrpc.Option {
	return []otelgrpc.Option{otelgrpc.WithTracerProvider(p), otelgrpc.WithPropagators(propagation.TraceContext{})}
}
