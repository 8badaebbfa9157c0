package rpc

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"plenum.internal/mesh/auth"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

func expect(t *testing.T, what string, err error, code edgev1.Code) {
	t.Helper()
	if got := CodeOf(err); got != code {
		t.Errorf("%s: %v (%v), want %v", what, got, err, code)
	}
}

func TestInvokePassesBytesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, func(_ context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			if in.GetId() == 0 {
				return nil, Errorf(edgev1.Code_CODE_CONFLICT, "echo.ZERO", "Send a number.").On("id")
			}
			return in, nil
		})
		defer stop()
		ctx := WithToken(t.Context(), token(t, "ada"))
		in, _ := proto.Marshal(&edgev1.Call{Id: 7, Body: []byte("hi")})
		out, err := Invoke(ctx, s.Pipe("gateway"), echoService+"/User", in)
		if err != nil || !bytes.Equal(out, in) {
			t.Errorf("%q %v", out, err)
		}
		_, err = Invoke(ctx, s.Pipe("gateway"), echoService+"/User", nil)
		if e := FromError(err); e.GetReason() != "echo.ZERO" || e.GetField() != "id" || e.GetMessage() != "Send a number." {
			t.Errorf("got %v", e)
		}
		_, err = Invoke(ctx, s.Pipe("gateway"), echoService+"/User", []byte{0xff})
		if err == nil {
			t.Error("bytes that are no message were accepted")
		}
	})
}

func TestWhoMayCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, func(ctx context.Context, _ *edgev1.Call) (*edgev1.Call, error) {
			caller, _ := auth.FromContext(ctx)
			return &edgev1.Call{Method: Peer(ctx) + "/" + caller.User}, nil
		})
		defer stop()
		const ok, notFound, refusedCode = edgev1.Code_CODE_UNSPECIFIED, edgev1.Code_CODE_NOT_FOUND, edgev1.Code_CODE_TOKEN_REFUSED
		good := token(t, "ada")
		for _, x := range []struct {
			peer, method, token string
			code                edgev1.Code
			saw                 string
		}{
			{"gateway", "User", good, ok, "gateway/ada"},
			{"", "User", good, ok, "/ada"},
			{"gateway", "User", "", refusedCode, ""},
			{"gateway", "User", good + "x", refusedCode, ""},
			{"gateway", "Public", "", ok, "gateway/"},
			{"gateway", "Public", "rubbish", ok, "gateway/"},
			{"gateway", "Internal", "", ok, "gateway/"},
			{"gateway", "Internal", good, ok, "gateway/ada"},
			{"gateway", "Internal", "rubbish", refusedCode, ""},
			{"chat", "Internal", good, notFound, ""},
			{"", "Internal", good, notFound, ""},
			{"gateway", "Closed", good, notFound, ""},
			{"gateway", "Nothing", good, notFound, ""},
		} {
			ctx := t.Context()
			if x.token != "" {
				ctx = WithToken(ctx, x.token)
			}
			out, err := call(ctx, s.Pipe(x.peer), x.method, &edgev1.Call{})
			what := x.peer + " " + x.method + " " + x.token
			expect(t, what, err, x.code)
			if out.GetMethod() != x.saw {
				t.Errorf("%s: the handler saw %q, want %q", what, out.GetMethod(), x.saw)
			}
		}
		two := metadata.AppendToOutgoingContext(t.Context(), tokenKey, bearer+good, tokenKey, bearer+good)
		_, err := call(two, s.Pipe("gateway"), "User", &edgev1.Call{})
		expect(t, "two tokens", err, refusedCode)
		_, err = call(two, s.Pipe("gateway"), "Internal", &edgev1.Call{})
		expect(t, "two tokens, internal", err, refusedCode)
		if _, err := Caller(t.Context()); CodeOf(err) != refusedCode {
			t.Errorf("a context without a caller: %v", err)
		}
	})
}

func TestAllowListMustNameMethodsThatAreServed(t *testing.T) {
	s, err := NewServer(ServerConfig{}, ServerDeps{Service: "echo", Internal: map[string][]string{echoService + "/Intrenal": {"gateway"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.RegisterService(echo(same).desc(), same)
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Intrenal") {
		t.Errorf("got %v", err)
	}
}

func TestPanicsAndCausesStayInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		registry := prometheus.NewRegistry()
		s, stop := serve(t, ServerConfig{}, ServerDeps{Metrics: registry, Log: slog.New(slog.NewTextHandler(&logged, nil))},
			func(_ context.Context, in *edgev1.Call) (*edgev1.Call, error) {
				switch in.GetId() {
				case 1:
					panic("secret 1")
				case 2:
					return nil, errors.New("secret 2")
				case 3:
					return nil, Errorf(edgev1.Code_CODE_UNAVAILABLE, "echo.AWAY", "Later.").Because(errors.New("secret 3"))
				}
				return in, nil
			})
		for id, code := range map[uint32]edgev1.Code{1: edgev1.Code_CODE_INTERNAL, 2: edgev1.Code_CODE_INTERNAL, 3: edgev1.Code_CODE_UNAVAILABLE, 4: 0} {
			_, err := call(t.Context(), s.Pipe("gateway"), "Public", &edgev1.Call{Id: id})
			expect(t, "call", err, code)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the caller was told %v", err)
			}
		}
		stop()
		for _, secret := range []string{"secret 1", "secret 2", "secret 3"} {
			if !strings.Contains(logged.String(), secret) {
				t.Errorf("%q is missing in the log", secret)
			}
		}
		expected := `
# HELP plenum_rpc_server_calls_total Calls that ended, by method and code; code is 0 where it went well.
# TYPE plenum_rpc_server_calls_total counter
plenum_rpc_server_calls_total{code="0",method="/plenum.echo.v1.EchoService/Public",service="echo"} 1
plenum_rpc_server_calls_total{code="107",method="/plenum.echo.v1.EchoService/Public",service="echo"} 2
plenum_rpc_server_calls_total{code="200",method="/plenum.echo.v1.EchoService/Public",service="echo"} 1
# HELP plenum_rpc_server_panics_total Handlers that panicked.
# TYPE plenum_rpc_server_panics_total counter
plenum_rpc_server_panics_total{service="echo"} 1
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(expected), "plenum_rpc_server_calls_total", "plenum_rpc_server_panics_total"); err != nil {
			t.Error(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, func(ctx context.Context, _ *edgev1.Call) (*edgev1.Call, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		defer stop()
		for _, x := range []struct {
			method       string
			asked, takes time.Duration
		}{
			{"User", time.Hour, 2 * time.Second}, // its option
			{"User", time.Second, time.Second},
			{"Public", time.Hour, DefaultMethodTimeout},
			{"Internal", time.Hour, time.Hour},
			{"Internal", 0, DefaultMethodTimeout}, // the client's default
		} {
			ctx, cancel := WithToken(t.Context(), token(t, "ada")), context.CancelFunc(func() {})
			if x.method != "User" {
				ctx = t.Context()
			}
			if x.asked != 0 {
				ctx, cancel = context.WithTimeout(ctx, x.asked)
			}
			start := time.Now()
			_, err := call(ctx, s.Pipe("gateway"), x.method, &edgev1.Call{})
			expect(t, x.method, err, edgev1.Code_CODE_OUTCOME_UNKNOWN)
			if took := time.Since(start); took != x.takes {
				t.Errorf("%s asking for %v took %v, want %v", x.method, x.asked, took, x.takes)
			}
			cancel()
		}
	})
}

func TestSizeLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{MaxMessageBytes: 2000}, ServerDeps{}, func(_ context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			return &edgev1.Call{Body: make([]byte, in.GetTimeoutMs())}, nil
		})
		defer stop()
		ctx := WithToken(t.Context(), token(t, "ada"))
		for _, x := range []struct {
			method       string
			send, answer int
			code         edgev1.Code
		}{
			{"User", 900, 0, 0},
			{"User", 1001, 0, edgev1.Code_CODE_BODY_TOO_LARGE}, // its option
			{"Internal", 1900, 1900, 0},
			{"Internal", 2001, 0, edgev1.Code_CODE_BODY_TOO_LARGE},
			{"Internal", 0, 2001, edgev1.Code_CODE_BODY_TOO_LARGE},
		} {
			_, err := call(ctx, s.Pipe("gateway"), x.method, &edgev1.Call{Body: make([]byte, x.send), TimeoutMs: uint32(x.answer)})
			expect(t, x.method, err, x.code)
		}
	})
}

func TestConcurrentCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		s, stop := serve(t, ServerConfig{MaxStreams: 2}, ServerDeps{}, func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			<-free
			return in, nil
		})
		defer stop()
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := call(t.Context(), s.Pipe("gateway"), "Public", &edgev1.Call{})
				ended <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := call(ctx, s.Pipe("gateway"), "Public", &edgev1.Call{})
		expect(t, "a third call", err, edgev1.Code_CODE_UNAVAILABLE) // it was never sent
		close(free)
		for range 2 {
			expect(t, "the first two", <-ended, 0)
		}
	})
}

func TestGracefulStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{StopGrace: 5 * time.Second}, ServerDeps{}, func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error) {
			select {
			case <-time.After(time.Duration(in.GetTimeoutMs()) * time.Millisecond):
				return in, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		pipe := s.Pipe("gateway")
		stream, err := pipe.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/"+echoService+"/Stream")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stream.SendMsg(&edgev1.Call{}), stream.CloseSend(), stream.RecvMsg(new(edgev1.Call))); err != nil {
			t.Fatal(err)
		}
		quick, slow := make(chan error, 1), make(chan error, 1)
		for ms, ended := range map[uint32]chan error{3000: quick, 9000: slow} {
			go func() {
				_, err := call(t.Context(), pipe, "Internal", &edgev1.Call{TimeoutMs: ms})
				ended <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		go stop()
		if err := stream.RecvMsg(new(edgev1.Call)); FromError(err).GetReason() != "rpc.DRAINING" {
			t.Errorf("an endless stream ended with %v", err)
		}
		expect(t, "a call within the grace", <-quick, 0)
		_, err = call(t.Context(), pipe, "Internal", &edgev1.Call{})
		expect(t, "a new call", err, edgev1.Code_CODE_UNAVAILABLE)
		expect(t, "a call beyond the grace", <-slow, edgev1.Code_CODE_OUTCOME_UNKNOWN)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
		synctest.Wait()
		_, err = call(t.Context(), s.Pipe("gateway"), "Internal", &edgev1.Call{})
		expect(t, "a call after the end", err, edgev1.Code_CODE_UNAVAILABLE)
		_, err = call(t.Context(), s.Pipe("late"), "Internal", &edgev1.Call{})
		expect(t, "a pipe opened after the end", err, edgev1.Code_CODE_UNAVAILABLE)
	})
}

func TestPipesOpenedBeforeRunWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewServer(ServerConfig{}, ServerDeps{Service: "echo"})
		if err != nil {
			t.Fatal(err)
		}
		s.RegisterService(echo(same).desc(), same)
		ended := make(chan error, 2)
		go func() {
			_, err := call(t.Context(), s.Pipe("gateway"), "Public", &edgev1.Call{})
			ended <- err
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- s.Run(ctx) }()
		expect(t, "call", <-ended, 0)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a server ran twice")
		}
	})
}

func TestMutationName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := serve(t, ServerConfig{}, ServerDeps{}, func(ctx context.Context, _ *edgev1.Call) (*edgev1.Call, error) {
			id, seq, ok := MutationFrom(ctx)
			if !ok {
				id = "none"
			}
			return &edgev1.Call{Method: id, ClientSeq: seq}, nil
		})
		defer stop()
		for _, x := range []struct {
			ctx context.Context
			id  string
			seq uint64
		}{
			{t.Context(), "none", 0},
			{WithMutation(t.Context(), "c", 1), "c", 1},
			{WithMutation(WithMutation(t.Context(), "c", 1), "d", 2), "d", 2},
			{WithMutation(t.Context(), "c", maxClientSeq), "c", maxClientSeq},
			{WithMutation(t.Context(), "c", maxClientSeq+1), "none", 0},
			{WithMutation(t.Context(), "c", 0), "none", 0},
			{WithMutation(t.Context(), "", 1), "none", 0},
			{WithMutation(t.Context(), strings.Repeat("c", maxClientID+1), 1), "none", 0},
			{metadata.AppendToOutgoingContext(WithMutation(t.Context(), "c", 1), clientSeqKey, "2"), "none", 0},
			{metadata.AppendToOutgoingContext(t.Context(), clientIDKey, "c", clientSeqKey, "-1"), "none", 0},
		} {
			out, err := call(x.ctx, s.Pipe(""), "Public", &edgev1.Call{})
			if err != nil || out.GetMethod() != x.id || out.GetClientSeq() != x.seq {
				t.Errorf("got %v %v, want %s %d", out, err, x.id, x.seq)
			}
		}
	})
}

// A port in use, and a server that goes away: over TCP, so outside of a bubble.
func TestNetworkFaults(t *testing.T) {
	reached := make(chan struct{})
	s, stop := serve(t, ServerConfig{Listen: "127.0.0.1:0", StopGrace: time.Millisecond}, ServerDeps{}, func(ctx context.Context, in *edgev1.Call) (*edgev1.Call, error) {
		if in.GetId() == 1 {
			close(reached)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return in, nil
	})
	other, err := NewServer(ServerConfig{Listen: s.Addr()}, ServerDeps{Service: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a port in use: %v", err)
	}
	other.Close()

	conn, err := Dial(s.Addr(), ClientConfig{Service: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = call(WithToken(t.Context(), token(t, "ada")), conn, "User", &edgev1.Call{})
	expect(t, "a user over plain TCP", err, 0)
	_, err = call(t.Context(), conn, "Internal", &edgev1.Call{})
	expect(t, "a peer without identity", err, edgev1.Code_CODE_NOT_FOUND)

	ended := make(chan error, 1)
	go func() {
		_, err := call(t.Context(), conn, "Public", &edgev1.Call{Id: 1})
		ended <- err
	}()
	<-reached
	stop()
	expect(t, "cut off in mid-call", <-ended, edgev1.Code_CODE_OUTCOME_UNKNOWN)
	_, err = call(t.Context(), conn, "Public", &edgev1.Call{})
	expect(t, "nobody listens", err, edgev1.Code_CODE_UNAVAILABLE)

	// At the same address another server is found again.
	again, stopAgain := serve(t, ServerConfig{Listen: s.Addr()}, ServerDeps{}, same)
	defer stopAgain()
	if again.Addr() != s.Addr() {
		t.Fatalf("listens at %s", again.Addr())
	}
	_, err = Invoke(t.Context(), conn, echoService+"/Public", nil, grpc.WaitForReady(true))
	expect(t, "a server that came back", err, 0)
}

// identityStub serves AuthService from memory, as identity does from its database.
type identityStub struct {
	authv1.UnimplementedAuthServiceServer
	src *auth.Memory
}

func (i identityStub) Keys(ctx context.Context, _ *authv1.KeysRequest) (*authv1.KeysResponse, error) {
	return i.src.Keys(ctx)
}

func (i identityStub) Revocations(r *authv1.RevocationsRequest, out grpc.ServerStreamingServer[authv1.RevocationsResponse]) error {
	in, err := i.src.Revocations(out.Context(), r.GetAfter())
	for err == nil {
		var answer *authv1.RevocationsResponse
		if answer, err = in.Recv(); err == nil {
			err = out.Send(answer)
		}
	}
	return err
}

func TestVerifierFollowsIdentityOverRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := auth.NewMemory(testKey)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		s, err := NewServer(ServerConfig{}, ServerDeps{Service: "identity", Internal: map[string][]string{
			authv1.AuthService_Keys_FullMethodName: {AnyPeer}, authv1.AuthService_Revocations_FullMethodName: {AnyPeer},
		}})
		if err != nil {
			t.Fatal(err)
		}
		authv1.RegisterAuthServiceServer(s, identityStub{src: src})
		v, err := auth.NewVerifier(auth.VerifierConfig{}, auth.RemoteSource(s.Pipe("chat")), auth.VerifierDeps{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- s.Run(ctx) }()
		go func() { ended <- v.Run(ctx) }()
		<-v.Ready()
		tok := token(t, "ada")
		if _, err := v.Verify(ctx, tok); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Second)
		if v.Stale() {
			t.Error("stale")
		}
		src.Revoke(&authv1.Revocation{Workspace: "w", User: "ada", IssuedBeforeMs: time.Now().UnixMilli()})
		synctest.Wait()
		if _, err := v.Verify(ctx, tok); !errors.Is(err, auth.ErrRevoked) {
			t.Errorf("got %v", err)
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func BenchmarkPipe(b *testing.B) {
	s, err := NewServer(ServerConfig{}, ServerDeps{Service: "echo"})
	if err != nil {
		b.Fatal(err)
	}
	s.RegisterService(echo(same).desc(), same)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	body, _ := proto.Marshal(&edgev1.Call{Body: make([]byte, 200)})
	pipe := s.Pipe("gateway")
	for b.Loop() {
		if _, err := Invoke(ctx, pipe, echoService+"/Public", body); err != nil {
			b.Fatal(err)
		}
	}
}

// A listener that the operating system guards brings one service in, with what that service may do, and goes with the server.
func TestLocalListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(ServerConfig{}, ServerDeps{Service: "echo", Internal: map[string][]string{echoService + "/Internal": {"operator"}}})
	if err != nil {
		t.Fatal(err)
	}
	e := echo(func(ctx context.Context, _ *edgev1.Call) (*edgev1.Call, error) {
		return &edgev1.Call{Method: Peer(ctx)}, nil
	})
	s.RegisterService(e.desc(), e)
	s.Local(l, "operator")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	conn, err := Dial("unix:"+path, ClientConfig{Service: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := call(t.Context(), conn, "Internal", &edgev1.Call{}); err != nil || out.GetMethod() != "operator" {
		t.Errorf("over the socket: %v, %v", out, err)
	}
	_, err = call(t.Context(), conn, "Closed", &edgev1.Call{})
	expect(t, "a method of others", err, edgev1.Code_CODE_NOT_FOUND)
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's file is left: %v", err)
	}
}
