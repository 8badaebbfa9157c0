package rpc

import (
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// traceOptions keep tracing free of globals: the provider is given, and the trace goes on as W3C Trace Context.
func traceOptions(p trace.TracerProvider) []otelgrpc.Option {
	return []otelgrpc.Option{otelgrpc.WithTracerProvider(p), otelgrpc.WithPropagators(propagation.TraceContext{}), otelgrpc.WithFilter(answersOnce)}
}

// answersOnce says whether a call is worth a span: one whose server streams may last for as long as both live, and is exported only when it ends.
func answersOnce(call *stats.RPCTagInfo) bool {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(call.FullMethodName, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	m, is := d.(protoreflect.MethodDescriptor)
	return err != nil || !is || !m.IsStreamingServer()
}
