// Package node is a process of a cluster: what every service's program does in the same way when it runs by itself.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/obs"
	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/run"
	"plenum.internal/mesh/sqldb"
	authv1 "plenum.internal/proto/plenum/auth/v1"
)

// authority is the service that serves AuthService: everybody's source of keys and revocations.
const authority = "identity"

// Config of a process in a cluster.
type Config struct {
	Name      string              `koanf:"name" doc:"name of this process, unique in the cluster; empty: made up with each start"`
	Advertise string              `koanf:"advertise" doc:"host:port by which the other processes reach rpc.listen; empty: where it listens"`
	RPC       rpc.ServerConfig    `koanf:"rpc"`
	Bus       bus.Config          `koanf:"bus"`
	Etcd      lease.Config        `koanf:"etcd"`
	Lease     lease.SessionConfig `koanf:"lease"`
	Database  sqldb.Config        `koanf:"database"`
	Withdraw  bool                `koanf:"withdraw" doc:"while the database can't be reached from here, leave calls, and what this process owns, to the others of its service"`
	Obs       obs.Config          `koanf:"obs"`
}

// DefaultConfig finds NATS and etcd on this machine, and listens on a port that is free.
func DefaultConfig() Config {
	return Config{
		RPC: rpc.ServerConfig{Listen: "127.0.0.1:0"}, Bus: bus.DefaultConfig(), Etcd: lease.DefaultConfig(),
		Lease: lease.DefaultSessionConfig(), Withdraw: true, Obs: obs.DefaultConfig(),
	}
}

// Validate checks what no part checks itself.
func (c Config) Validate() error {
	if host, _, err := net.SplitHostPort(c.RPC.Listen); c.Advertise == "" && err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			return errors.New("rpc.listen names every address of the machine: set advertise to the one that the others can reach")
		}
	}
	return nil
}

// Part is what a service adds to a process.
type Part interface {
	run.Component
	Register(r grpc.ServiceRegistrar)
}

// Closer is a Part that has something to do when the process is told to stop and nobody knows yet: its lease holds, what it owns is still its own, and
// calls come. Closing returns when that is done, or ctx ends; then the lease is given back, calls end, and the Part is stopped, in this order.
type Closer interface {
	Closing(ctx context.Context)
}

// closingTime is how long that may take: less than run.DefaultStopTimeout.
const closingTime = 5 * time.Second

// Service says what runs on a node.
type Service struct {
	Name string
	// Migrations of its database; nil: it has none, and Node.DB is nil.
	Migrations fs.FS
	Internal   map[string][]string // see rpc.ServerDeps
	New        func(n *Node) (Part, error)
	// Restored prepares the database after a restore and returns the new epoch of its history; nil: it has none.
	Restored func(ctx context.Context, db *sqldb.DB, now time.Time) (epoch uint64, err error)
}

// Node is the process, as its Part sees it. Everything works from the beginning, except that calls to other services and
// verified tokens wait for etcd, and published events are dropped while NATS is away.
type Node struct {
	ID       string
	Obs      *obs.Obs
	Bus      *bus.Bus
	DB       *sqldb.DB
	Verifier *auth.Verifier
	Refusals *auth.Reporter
	Registry *registry.Registry
	Conns    *registry.Conns

	service     string
	incarnation string
	server      *rpc.Server
	etcd        *clientv3.Client
	session     *lease.Session
	guard       guard // of the database
}

// Conn is a connection to another service, whichever of its nodes answers.
func (n *Node) Conn(service string) grpc.ClientConnInterface { return n.Conns.Service(service, n.ID) }

// Self is a connection to this process's own server.
func (n *Node) Self() grpc.ClientConnInterface { return n.server.Pipe(n.service) }

// Run builds the process and runs it until ctx ends or a part of it fails. Nothing is announced before all of it works.
func Run(ctx context.Context, cfg Config, service Service, out io.Writer) error {
	n, err := open(ctx, cfg, service, out)
	if err != nil {
		return err
	}
	defer n.close()
	part, err := service.New(n)
	if err != nil {
		return err
	}
	part.Register(n.server)

	group := run.NewGroup(n.Obs.Log, 0)
	n.Obs.ReadyWhen("started", group.Ready())
	group.Add("obs", n.Obs)
	group.Add("memory", run.Func(run.Trim))
	if n.DB != nil {
		group.Add("schema", run.Step(func(ctx context.Context) error { return n.DB.Migrate(ctx, service.Migrations) }, nil))
	}
	group.Add("nodes", n.Registry)
	group.Add("connections", n.Conns)
	if service.Name == authority {
		group.Add(service.Name, part)
		group.Add("rpc", n.server)
		group.Add("tokens", n.Verifier)
		group.Add("refusals", run.Func(n.Refusals.Run))
	} else {
		group.Add("tokens", n.Verifier)
		group.Add("refusals", run.Func(n.Refusals.Run))
		group.Add(service.Name, part)
		group.Add("rpc", n.server)
	}
	group.Add("presence", run.Step(func(context.Context) error { return n.announce(cfg, service.Name) }, nil))
	group.Add("lease", n.session)
	if n.DB != nil && cfg.Withdraw {
		group.Add("database", run.Func(n.guard.Run))
	}
	if c, closes := part.(Closer); closes {
		group.Add("last words", run.Step(func(context.Context) error { return nil }, func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime) // ctx has ended
			defer cancel()
			c.Closing(ctx)
			return nil
		}))
	}
	return group.Run(ctx)
}

func open(ctx context.Context, cfg Config, service Service, out io.Writer) (_ *Node, err error) {
	n := &Node{ID: cfg.Name, service: service.Name}
	if n.ID == "" {
		n.ID = service.Name + "-" + strings.ToLower(rand.Text())[:13]
	}
	n.incarnation = n.ID + incarnationMark + strings.ToLower(rand.Text())[:13]
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	if n.Obs, err = obs.New(cfg.Obs, obs.Deps{Service: service.Name, Out: out}); err != nil {
		return nil, err
	}
	log, metrics := n.Obs.Log, n.Obs.Metrics
	if n.etcd, err = lease.Connect(cfg.Etcd); err != nil {
		return nil, err
	}
	if n.session, err = lease.NewSession(cfg.Lease, n.etcd, log); err != nil {
		return nil, err
	}
	if n.Registry, err = registry.New(n.etcd, log); err != nil {
		return nil, err
	}
	n.Conns = registry.NewConns(n.Registry, func(to registry.Node) (*grpc.ClientConn, error) {
		return rpc.Dial(to.Address, rpc.ClientConfig{
			Service: to.Service, TLS: cfg.RPC.TLS, MaxMessageBytes: cfg.RPC.MaxMessageBytes, Metrics: metrics, Tracer: n.Obs.Tracer,
		})
	}, log)
	own := &later{}
	keys := n.Conn(authority)
	if service.Name == authority {
		keys = own // its own answer needs no other process
	}
	if n.Verifier, err = auth.NewVerifier(auth.VerifierConfig{}, auth.RemoteSource(keys), auth.VerifierDeps{Log: log, Metrics: metrics}); err != nil {
		return nil, err
	}
	if n.Refusals, err = auth.NewReporter(authv1.NewAuthServiceClient(keys), auth.VerifierDeps{Log: log, Metrics: metrics}); err != nil {
		return nil, err
	}
	if n.server, err = rpc.NewServer(cfg.RPC, rpc.ServerDeps{
		Service: service.Name, Verifier: n.Verifier, Refusals: n.Refusals, Log: log, Metrics: metrics, Tracer: n.Obs.Tracer, Internal: service.Internal,
	}); err != nil {
		return nil, err
	}
	if service.Name == authority {
		own.ClientConnInterface = n.server.Pipe(authority)
	}
	if n.Bus, err = bus.Connect(ctx, cfg.Bus, bus.Deps{Log: log, Metrics: metrics}); err != nil {
		return nil, err
	}
	if service.Migrations == nil {
		return n, nil
	}
	if n.DB, err = sqldb.Open(ctx, cfg.Database); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	n.DB.Register(metrics, service.Name)
	n.guard.ping, n.guard.log = n.DB.Reach, log
	n.guard.others = func() bool {
		nodes, _ := n.Registry.Watch(service.Name)
		return slices.ContainsFunc(nodes, func(o registry.Node) bool { return o.ID != n.ID })
	}
	n.guard.announce = func() error { return n.announce(cfg, service.Name) }
	n.guard.withdraw = func() { registry.Withdraw(n.session, registry.Node{ID: n.ID, Service: service.Name}) }
	return n, nil
}

// later stands for a connection that is made after those who use it.
type later struct{ grpc.ClientConnInterface }

// announce lets the others know of this process, and find it if it listens.
func (n *Node) announce(cfg Config, service string) error {
	address := cfg.Advertise
	if address == "" {
		address = n.server.Addr()
	}
	return registry.Register(n.session, registry.Node{ID: n.ID, Service: service, Address: address, Schema: schema(n.server.GetServiceInfo()), Incarnation: n.incarnation})
}

// close ends what was opened, as far as it was.
func (n *Node) close() {
	if n.server != nil {
		n.server.Close()
	}
	if n.Bus != nil {
		n.Bus.Close()
	}
	if n.etcd != nil {
		_ = n.etcd.Close() // tells that its context ended
	}
	if n.DB != nil {
		_ = n.DB.Close() // every transaction is over
	}
}
