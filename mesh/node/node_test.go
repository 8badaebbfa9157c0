package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/meshtest"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/run"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authorityPart serves one key, and heartbeats.
type authorityPart struct {
	authv1.UnimplementedAuthServiceServer
	key auth.SigningKey
}

func (p *authorityPart) Register(r grpc.ServiceRegistrar) { authv1.RegisterAuthServiceServer(r, p) }
func (p *authorityPart) Run(ctx context.Context) error    { <-ctx.Done(); return nil }
func (p *authorityPart) Ready() <-chan struct{}           { return closed() }

func (p *authorityPart) Keys(context.Context, *authv1.KeysRequest) (*authv1.KeysResponse, error) {
	return &authv1.KeysResponse{Keys: []*authv1.Key{auth.PublicKey(p.key)}}, nil
}

func (p *authorityPart) Revocations(_ *authv1.RevocationsRequest, s grpc.ServerStreamingServer[authv1.RevocationsResponse]) error {
	for {
		if err := s.Send(&authv1.RevocationsResponse{}); err != nil {
			return err
		}
		select {
		case <-s.Context().Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// otherPart is a service of the mesh that offers nothing.
type otherPart struct{}

func (otherPart) Register(grpc.ServiceRegistrar) {}
func (otherPart) Run(ctx context.Context) error  { <-ctx.Done(); return nil }
func (otherPart) Ready() <-chan struct{}         { return closed() }

// lastingPart notes what holds when it is to close, and when it is stopped.
type lastingPart struct {
	authorityPart
	closing func(ctx context.Context)
	stopped func()
}

func (p *lastingPart) Closing(ctx context.Context)   { p.closing(ctx) }
func (p *lastingPart) Run(ctx context.Context) error { <-ctx.Done(); p.stopped(); return nil }

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// certificates writes a certificate for each service and returns their rpc.TLSConfig.
func certificates(t *testing.T, services ...string) map[string]rpc.TLSConfig {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	template := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := template(1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	caFile := write("ca.pem", "CERTIFICATE", der)
	out := map[string]rpc.TLSConfig{}
	for i, service := range services {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		leaf := template(int64(i + 2))
		leaf.DNSNames = []string{service + rpc.Domain}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		out[service] = rpc.TLSConfig{Cert: write(service+".pem", "CERTIFICATE", der), Key: write(service+".key", "PRIVATE KEY", pkcs8), CA: caFile}
	}
	return out
}

// start runs a service on a node of its own until the test ends.
func start(t *testing.T, cfg Config, s Service) (*Node, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	nodes := make(chan *Node, 1)
	build := s.New
	s.New = func(n *Node) (Part, error) { nodes <- n; return build(n) }
	var done sync.WaitGroup
	done.Go(func() {
		if err := Run(ctx, cfg, s, t.Output()); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	})
	stop := func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return <-nodes, stop
}

// Processes find each other whatever the order of their start, with NATS and etcd coming last; a token that one signs is
// understood by the other; one that stops is gone at once.
func TestProcessesFindEachOther(t *testing.T) {
	nats, etcd := meshtest.StartNATS(t), meshtest.StartEtcd(t)
	nats.Kill()
	etcdWorks(t, etcd.URL) // one that is killed while it writes its first files may never come back
	etcd.Kill()
	tls := certificates(t, "identity", "chat")
	config := func(service string) Config {
		cfg := DefaultConfig()
		cfg.RPC.TLS, cfg.Bus.URLs, cfg.Etcd.Endpoints, cfg.Lease.TTL = tls[service], []string{nats.URL}, []string{etcd.URL}, 2*time.Second
		cfg.Obs.Log.Level = "error"
		cfg.Database.URL = meshtest.SQLite(t)
		return cfg
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := auth.SigningKey{ID: "1", Private: private, NotAfter: time.Now().Add(time.Hour)}
	chat, _ := start(t, config("chat"), Service{
		Name: "chat", Migrations: fstest.MapFS{"00001_x.sql": {Data: []byte("-- +goose Up\nCREATE TABLE x (y integer);\n")}},
		New: func(*Node) (Part, error) { return otherPart{}, nil },
	})
	identity, stopIdentity := start(t, config("identity"), Service{
		Name:     "identity",
		Internal: map[string][]string{authv1.AuthService_Keys_FullMethodName: {rpc.AnyPeer}, authv1.AuthService_Revocations_FullMethodName: {rpc.AnyPeer}},
		New:      func(*Node) (Part, error) { return &authorityPart{key: key}, nil },
	})
	if identity.DB != nil {
		t.Error("a service without migrations has a database")
	}
	nats.Start(t)
	etcd.Start(t)

	waitFor(t, func() bool { nodes, _ := chat.Registry.Watch(""); return len(nodes) == 2 })
	nodes, _ := chat.Registry.Watch("identity")
	if len(nodes) != 1 || len(nodes[0].Schema) != 32 {
		t.Errorf("identity stands in the registry as %v", nodes)
	}
	if _, err := chat.DB.Query(t.Context(), "SELECT y FROM x"); err != nil {
		t.Errorf("the schema was not made: %v", err)
	}
	token, err := auth.Sign(key, auth.Claims{
		User: "u", Workspace: "w", Device: "d", Role: "member", Kind: auth.Kind("person"), IssuedAt: time.Now(), Expires: time.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	if caller, err := chat.Verifier.Verify(t.Context(), token); err != nil || caller.User != "u" {
		t.Errorf("chat reads identity's token: %v, %v", caller, err)
	}
	// The bus works between them.
	waitFor(t, func() bool { return chat.Bus.Connected() && identity.Bus.Connected() })
	heard := make(chan bus.Message, 1)
	if _, err := chat.Bus.Subscribe("s", heard); err != nil {
		t.Fatal(err)
	}
	if err := chat.Bus.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := identity.Bus.Publish("s", []byte("x")); err != nil {
		t.Fatal(err)
	}
	<-heard

	stopIdentity()
	waitFor(t, func() bool {
		answer, err := chat.etcd.Get(t.Context(), "/plenum/nodes/identity/"+identity.ID)
		return err == nil && answer.Count == 0
	})
}

func etcdWorks(t *testing.T, url string) {
	t.Helper()
	client, err := lease.Connect(lease.Config{Endpoints: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	waitFor(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Put(ctx, "x", "y")
		return err == nil
	})
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 30 s in vain")
		}
	}
}

// TestClosing: a part is told before the process gives its lease back, while others believe in it and call it; then it is stopped, and has no lease.
func TestClosing(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Etcd.Endpoints, cfg.Bus.URLs, cfg.Obs.Log.Level = []string{meshtest.Etcd(t)}, []string{meshtest.NATS(t)}, "error"
	var told []string
	n, stop := start(t, cfg, Service{
		Name:     "identity",
		Internal: map[string][]string{authv1.AuthService_Keys_FullMethodName: {rpc.AnyPeer}, authv1.AuthService_Revocations_FullMethodName: {rpc.AnyPeer}},
		New: func(n *Node) (Part, error) {
			_, private, err := ed25519.GenerateKey(rand.Reader)
			peers := n.Peers()
			say := func(what string) {
				_, err := authv1.NewAuthServiceClient(n.Self()).Keys(context.Background(), &authv1.KeysRequest{})
				told = append(told, fmt.Sprint(what, ": valid ", peers.Valid(), ", known ", peers.Lives(peers.Self()), ", answers ", err == nil))
			}
			return &lastingPart{
				authorityPart: authorityPart{key: auth.SigningKey{ID: "1", Private: private, NotAfter: time.Now().Add(time.Hour)}},
				closing: func(ctx context.Context) {
					if end, is := ctx.Deadline(); !is || time.Until(end) > run.DefaultStopTimeout || ctx.Err() != nil {
						t.Errorf("it has until %v, %v: %v", end, is, ctx.Err())
					}
					say("closing")
				},
				stopped: func() { told = append(told, fmt.Sprint("stopped: valid ", peers.Valid())) },
			}, err
		},
	})
	waitFor(t, func() bool { return n.Peers().Valid() && n.Peers().Lives(n.Peers().Self()) })
	stop()
	if want := []string{"closing: valid true, known true, answers true", "stopped: valid false"}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}

// What cannot work fails before anything is announced, with nothing left open.
func TestFailuresAtStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		change func(*Config)
		new    error
		want   string
	}{
		"service":  {func(*Config) {}, broken, "broken"},
		"port":     {func(c *Config) { c.RPC.Listen = taken.Addr().String() }, nil, "address already in use"},
		"database": {func(c *Config) { c.Database.URL = "sqlite:/nowhere/at/all.db" }, nil, "database"},
		"bus":      {func(c *Config) { c.Bus.NKeyFile = "/nowhere" }, nil, "/nowhere"},
		"etcd":     {func(c *Config) { c.Etcd.Endpoints = nil }, nil, "etcd"},
		"rpc":      {func(c *Config) { c.RPC.TLS.Cert = "/nowhere" }, nil, "tls"},
		"lease":    {func(c *Config) { c.Lease.TTL = 0 }, nil, "lease"},
		"log":      {func(c *Config) { c.Obs.Log.Level = "loud" }, nil, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Etcd.Endpoints = []string{meshtest.Etcd(t)}
			cfg.Bus.URLs = []string{meshtest.NATS(t)}
			cfg.Database.URL = meshtest.SQLite(t)
			c.change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := Run(ctx, cfg, Service{
				Name: "identity", Migrations: fstest.MapFS{"00001_x.sql": {Data: []byte("-- +goose Up\nSELECT 1;\n")}},
				New: func(*Node) (Part, error) { return otherPart{}, c.new },
			}, t.Output())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestListeningEverywhereNeedsAnAddress(t *testing.T) {
	for listen, ok := range map[string]bool{"127.0.0.1:0": true, "0.0.0.0:1": false, "[::]:1": false, ":1": false, "": true} {
		cfg := DefaultConfig()
		cfg.RPC.Listen = listen
		if err := cfg.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", listen, err)
		}
		cfg.Advertise = "host:1"
		if err := cfg.Validate(); err != nil {
			t.Errorf("%q with an address: %v", listen, err)
		}
	}
}
