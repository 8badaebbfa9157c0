package rpc

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"plenum.internal/mesh/auth"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

const echoService = "plenum.echo.v1.EchoService"

func TestMain(m *testing.M) {
	if err := protoregistry.GlobalFiles.RegisterFile(echoFile()); err != nil {
		panic(err)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// echoFile describes a service with one method for each way of being exposed. Every method takes and returns an edge.v1.Call.
func echoFile() protoreflect.FileDescriptor {
	method := func(name string, o *edgev1.MethodEdge, stream bool) *descriptorpb.MethodDescriptorProto {
		d := &descriptorpb.MethodDescriptorProto{
			Name: new(name), InputType: new(".plenum.edge.v1.Call"), OutputType: new(".plenum.edge.v1.Call"),
			ServerStreaming: new(stream),
		}
		if o != nil {
			d.Options = &descriptorpb.MethodOptions{}
			proto.SetExtension(d.Options, edgev1.E_Method, o)
		}
		return d
	}
	user, public := edgev1.Exposure_EXPOSURE_USER, edgev1.Exposure_EXPOSURE_PUBLIC
	owner := &descriptorpb.ServiceOptions{}
	proto.SetExtension(owner, edgev1.E_Service, &edgev1.ServiceEdge{Routes: []*edgev1.HttpRoute{
		{Prefix: "/echo/", Exposure: user}, {Prefix: "/echo/open/", Exposure: public},
	}})
	f, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("plenum/echo/v1/echo.proto"), Package: new("plenum.echo.v1"), Syntax: new("proto3"),
		Dependency: []string{"plenum/edge/v1/edge.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("EchoService"), Options: owner, Method: []*descriptorpb.MethodDescriptorProto{
			method("User", &edgev1.MethodEdge{Exposure: user, MaxBodyBytes: 1000, TimeoutMs: 2000}, false),
			method("Public", &edgev1.MethodEdge{Exposure: public}, false),
			method("Internal", nil, false),
			method("Closed", nil, false),
			method("Stream", nil, true),
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return f
}

// echo implements the service by one function.
type echo func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error)

func (e echo) desc() *grpc.ServiceDesc {
	d := &grpc.ServiceDesc{ServiceName: echoService, HandlerType: (*any)(nil), Metadata: "plenum/echo/v1/echo.proto"}
	for _, name := range []string{"User", "Public", "Internal", "Closed"} {
		d.Methods = append(d.Methods, grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, chain grpc.UnaryServerInterceptor) (any, error) {
			in := new(edgev1.Call)
			if err := decode(in); err != nil {
				return nil, err
			}
			return chain(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/" + echoService + "/" + name}, func(ctx context.Context, req any) (any, error) {
				return e(ctx, req.(*edgev1.Call))
			})
		}})
	}
	d.Streams = []grpc.StreamDesc{{StreamName: "Stream", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		in := new(edgev1.Call)
		if err := s.RecvMsg(in); err != nil {
			return err
		}
		out, err := e(s.Context(), in)
		if err != nil {
			return err
		}
		if err := s.SendMsg(out); err != nil {
			return err
		}
		<-s.Context().Done()
		return s.Context().Err()
	}}}
	return d
}

func same(_ context.Context, in *edgev1.Call) (*edgev1.Call, error) { return in, nil }

var testKey = auth.SigningKey{ID: "k1", Private: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

func token(t *testing.T, user string) string {
	t.Helper()
	s, err := auth.Sign(testKey, auth.Claims{
		User: user, Workspace: "w", Device: "d", Kind: auth.KindPerson, IssuedAt: time.Now(), Expires: time.Now().Add(10 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve runs an echo server, and a verifier, until the test ends or stop is called.
func serve(t *testing.T, cfg ServerConfig, deps ServerDeps, e echo, more ...func(*Server)) (s *Server, stop func()) {
	t.Helper()
	v, err := auth.NewVerifier(auth.VerifierConfig{}, auth.NewMemory(testKey), auth.VerifierDeps{})
	if err != nil {
		t.Fatal(err)
	}
	deps.Service, deps.Verifier = "echo", v
	if deps.Internal == nil {
		deps.Internal = map[string][]string{echoService + "/Internal": {"gateway"}, "/" + echoService + "/Stream": {"gateway"}}
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if s, err = NewServer(cfg, deps); err != nil {
		t.Fatal(err)
	}
	s.RegisterService(e.desc(), e)
	for _, register := range more {
		register(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- v.Run(ctx) }()
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("run: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	<-v.Ready()
	<-s.Ready()
	return s, stop
}

func call(ctx context.Context, cc grpc.ClientConnInterface, method string, in *edgev1.Call) (*edgev1.Call, error) {
	out := new(edgev1.Call)
	return out, cc.Invoke(ctx, "/"+echoService+"/"+method, in, out)
}
