package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/config"
	"plenum.internal/mesh/obs"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// The gateway learns methods and their options by reflection; a peer without identity learns nothing.
func TestReflection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, same)
		defer stop()
		ask := func(as string) (*grpc_reflection_v1.ServerReflectionResponse, error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := grpc_reflection_v1.NewServerReflectionClient(s.Pipe(as)).ServerReflectionInfo(ctx)
			if err != nil {
				return nil, err
			}
			if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
				MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: echoService},
			}); err != nil && !errors.Is(err, io.EOF) { // EOF: it has ended, Recv tells how
				return nil, err
			}
			return stream.Recv()
		}
		_, err := ask("")
		expect(t, "a peer without identity", err, edgev1.Code_CODE_NOT_FOUND)
		answer, err := ask("gateway")
		if err != nil {
			t.Fatal(err)
		}
		var file descriptorpb.FileDescriptorProto
		for _, b := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
			if bytes.Contains(b, []byte("EchoService")) {
				if err := proto.Unmarshal(b, &file); err != nil {
					t.Fatal(err)
				}
			}
		}
		options, _ := proto.GetExtension(file.GetService()[0].GetMethod()[0].GetOptions(), edgev1.E_Method).(*edgev1.MethodEdge)
		if options.GetExposure() != edgev1.Exposure_EXPOSURE_USER || options.GetMaxBodyBytes() != 1000 {
			t.Errorf("options of User: %v", options)
		}
	})
}

func TestATraceSpansBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		var inside trace.SpanContext
		s, stop := serve(t, ServerConfig{}, ServerDeps{Tracer: provider}, func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			inside = trace.SpanContextFromContext(ctx)
			return in, nil
		})
		ctx, span := provider.Tracer("test").Start(t.Context(), "caller")
		if _, err := call(ctx, s.Pipe("gateway"), "Public", &edgev1.Call{}); err != nil {
			t.Error(err)
		}
		span.End()
		stop()
		if inside.TraceID() != span.SpanContext().TraceID() {
			t.Errorf("the handler's trace is %s, the caller's %s", inside.TraceID(), span.SpanContext().TraceID())
		}
		if n := len(spans.Ended()); n != 3 {
			t.Errorf("%d spans, want the caller's, the client's and the server's", n)
		}
	})
}

// Streams from the server last for hours: none has a span.
func TestStreamsAreNotTraced(t *testing.T) {
	for method, want := range map[string]bool{
		authv1.AuthService_Revocations_FullMethodName:                           false,
		grpc_reflection_v1.ServerReflection_ServerReflectionInfo_FullMethodName: false,
		authv1.AuthService_Keys_FullMethodName:                                  true,
		"/not/known":                                                            true,
	} {
		if got := answersOnce(&stats.RPCTagInfo{FullMethodName: method}); got != want {
			t.Errorf("%s is traced: %t", method, got)
		}
	}
}

func TestSettingsAreDescribed(t *testing.T) {
	for name, x := range map[string]struct {
		settings any
		key      string
	}{
		"server": {&struct {
			RPC ServerConfig `koanf:"rpc"`
		}{}, "--rpc.tls.cert"},
		"verifier": {&auth.VerifierConfig{}, "--stale_after"},
		"obs":      {&obs.Config{}, "--log.level"},
	} {
		var help config.Help
		if err := config.Load(x.settings, []string{"--help"}, nil, name); !errors.As(err, &help) || !strings.Contains(help.Text, x.key) {
			t.Errorf("%s: %v\n%s", name, err, help.Text)
		}
	}
}
