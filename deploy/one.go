package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"google.golang.org/grpc"

	"plenum.internal/mesh/node"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/run"
	"plenum.internal/mesh/sqldb"
)

// later stands for a connection that is made after those who use it.
type later struct{ grpc.ClientConnInterface }

// server makes the gRPC server of a service.
func (p *one) server(name string, service node.Part, internal map[string][]string) (*rpc.Server, error) {
	server, err := rpc.NewServer(rpc.ServerConfig{}, rpc.ServerDeps{
		Service: name, Verifier: p.tokens, Refusals: p.refusals, Log: p.obs.Log, Metrics: p.obs.Metrics, Tracer: p.obs.Tracer, Internal: internal,
	})
	if err != nil {
		return nil, err
	}
	p.onClose(server.Close)
	service.Register(server)
	p.servers[name] = server
	return server, nil
}

// database opens the SQLite file of a service, and has its schema brought up to date before the service starts.
func (p *one) database(ctx context.Context, name string, migrations func() (fs.FS, error)) (*sqldb.DB, error) {
	files, err := migrations()
	if err != nil {
		return nil, err
	}
	path := p.data.Path(name + ".db")
	db, err := sqldb.Open(ctx, sqldb.Config{URL: "sqlite:" + path})
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	db.Register(p.obs.Metrics, name)
	p.onClose(func() { _ = db.Close() }) // every transaction is over
	p.group.Add(name+"'s schema", run.Step(func(ctx context.Context) error { return db.Migrate(ctx, files) }, nil))
	return db, nil
}

// run works until ctx ends; ready is called once everything serves.
func (p *one) run(ctx context.Context, ready func()) error {
	p.group.Add("greeting", run.Step(func(context.Context) error { ready(); return nil }, nil))
	return p.group.Run(ctx)
}

func (p *one) onClose(f func()) { p.closers = append(p.closers, f) }

func (p *one) close() {
	for _, f := range slices.Backward(p.closers) {
		f()
	}
}

// cannotListen says what to do when an address cannot be had.
func cannotListen(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is in use by another program: stop that one, or choose another address with --addr", addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("the address %s is not allowed for this user: choose a port of 1024 or above with --addr", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("the address %s is not one of this machine: choose another one with --addr", addr)
	default:
		return fmt.Errorf("cannot listen on %s (%w): choose another address with --addr", addr, err)
	}
}
