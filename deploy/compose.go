package deploy

import (
	"context"
	"io"
	"net"
	"time"

	"plenum.internal/chat"
	"plenum.internal/deploy/backbone"
	"plenum.internal/deploy/datadir"
	"plenum.internal/deploy/page"
	"plenum.internal/docs"
	"plenum.internal/gateway"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/node"
	"plenum.internal/mesh/obs"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/run"
	"plenum.internal/presence"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	"plenum.internal/services/identity"
)

// one is everything in one process. What a cluster has between its processes stands here in memory: a NATS server without a
// port, an etcd on a unix socket, and for each service one gRPC server that its peers reach through a pipe.
type one struct {
	cfg      Config
	obs      *obs.Obs
	data     *datadir.Dir
	nats     *backbone.NATS
	etcd     *backbone.Etcd
	bus      *bus.Bus
	tokens   *auth.Verifier
	refusals *auth.Reporter
	servers  map[string]*rpc.Server // by service
	identity *identity.Server
	chat     *later       // for identity, which starts before it
	clients  net.Listener // the gateway's
	gateway  *gateway.Gateway
	group    *run.Group
	closers  []func() // of what has no Run; called in reverse
}

// compose builds the process. What can fail because of its surroundings fails here, before anything runs, and leaves
// nothing behind.
func compose(ctx context.Context, cfg Config, log io.Writer, extra ...node.Service) (_ *one, err error) {
	p := &one{cfg: cfg, servers: map[string]*rpc.Server{}, chat: &later{}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.observe(log); err != nil {
		return nil, err
	}
	more := func(context.Context) error { return p.addExtra(extra) }
	for _, step := range []func(context.Context) error{p.listen, p.openData, p.startBackbone, p.addIdentity, p.addChat, p.addDocs, p.addPresence, more, p.addGateway} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *one) observe(log io.Writer) (err error) {
	if p.obs, err = obs.New(p.cfg.Node.Obs, obs.Deps{Service: "plenum", Out: log}); err != nil {
		return err
	}
	p.group = run.NewGroup(p.obs.Log, 0)
	p.obs.ReadyWhen("started", p.group.Ready())
	p.group.Add("obs", p.obs)
	p.group.Add("memory", run.Func(run.Trim))
	return nil
}

// listen takes the address first, before anything is touched that another instance may be working with. Who connects meanwhile waits.
func (p *one) listen(ctx context.Context) (err error) {
	if p.clients, err = gateway.Listening().Listen(ctx, "tcp", p.cfg.Addr); err != nil {
		return cannotListen(p.cfg.Addr, err)
	}
	p.onClose(func() { _ = p.clients.Close() }) // the gateway has, if it ran
	return nil
}

func (p *one) openData(context.Context) (err error) {
	if p.data, err = datadir.Open(p.cfg.Data); err != nil {
		return err
	}
	p.onClose(func() { _ = p.data.Close() })
	if err := notACopy(p.data); err != nil || !p.cfg.SelfSigned {
		return err
	}
	p.cfg.Gateway.TLS, err = selfSigned(p.data.Path("tls"), p.cfg.Addr, time.Now())
	return err
}

func (p *one) startBackbone(ctx context.Context) (err error) {
	if p.nats, err = backbone.StartNATS(); err != nil {
		return err
	}
	p.onClose(p.nats.Close)
	if p.etcd, err = backbone.StartEtcd(ctx, p.data.Path("etcd")); err != nil {
		return err
	}
	p.onClose(p.etcd.Close)
	p.group.Add("etcd", run.Func(p.etcd.Run))
	if p.bus, err = bus.Connect(ctx, bus.DefaultConfig(), bus.Deps{Log: p.obs.Log, Metrics: p.obs.Metrics, InProcess: p.nats}); err != nil {
		return err
	}
	p.onClose(p.bus.Close)
	return nil
}

func (p *one) addIdentity(ctx context.Context) error {
	db, err := p.database(ctx, "identity", identity.Migrations)
	if err != nil {
		return err
	}
	cfg := p.cfg.Identity
	cfg.KeyFile = within(p.data.Path(), cfg.KeyFile)
	if p.identity, err = identity.New(cfg, identity.Deps{DB: db, Bus: p.bus, Chat: p.chat, Log: p.obs.Log, Metrics: p.obs.Metrics}); err != nil {
		return err
	}
	// Every server asks the verifier, and the verifier asks identity's server; what is refused goes the same way back.
	keys, records := &later{}, &later{}
	if p.tokens, err = auth.NewVerifier(auth.VerifierConfig{}, auth.RemoteSource(keys), auth.VerifierDeps{Log: p.obs.Log, Metrics: p.obs.Metrics}); err != nil {
		return err
	}
	if p.refusals, err = auth.NewReporter(authv1.NewAuthServiceClient(records), auth.VerifierDeps{Log: p.obs.Log, Metrics: p.obs.Metrics}); err != nil {
		return err
	}
	server, err := p.server("identity", p.identity, identity.Callers())
	if err != nil {
		return err
	}
	keys.ClientConnInterface, records.ClientConnInterface = server.Pipe("identity"), server.Pipe("plenum")
	local, err := listenLocally(ctx, p.data.Path())
	if err != nil {
		return err
	}
	server.Local(local, "operator")
	p.group.Add("identity", p.identity)
	p.group.Add("identity's server", server)
	p.group.Add("tokens", p.tokens)
	p.group.Add("refusals", run.Func(p.refusals.Run))
	return nil
}

func (p *one) addChat(ctx context.Context) error {
	db, err := p.database(ctx, "chat", chat.Migrations)
	if err != nil {
		return err
	}
	self := &later{}
	service, err := chat.New(p.cfg.Chat, chat.Deps{
		DB: db, Bus: p.bus, Self: self, Identity: p.servers["identity"].Pipe("chat"), Log: p.obs.Log, Metrics: p.obs.Metrics,
	})
	if err != nil {
		return err
	}
	server, err := p.server("chat", service, chat.Callers())
	if err != nil {
		return err
	}
	self.ClientConnInterface, p.chat.ClientConnInterface = server.Pipe("chat"), server.Pipe("identity")
	// The other way round than in a cluster: here nobody calls before the gateway starts, and chat, which follows its own
	// log through its server, stops first.
	p.group.Add("chat's server", server)
	p.group.Add("chat", service)
	return nil
}

func (p *one) addDocs(ctx context.Context) error {
	db, err := p.database(ctx, "docs", docs.Migrations)
	if err != nil {
		return err
	}
	service, err := docs.New(p.cfg.Docs, docs.Deps{
		DB: db, Bus: p.bus, Identity: p.servers["identity"].Pipe("docs"), Chat: p.servers["chat"].Pipe("docs"), Log: p.obs.Log, Metrics: p.obs.Metrics,
	})
	if err != nil {
		return err
	}
	server, err := p.server("docs", service, docs.Callers())
	if err != nil {
		return err
	}
	p.group.Add("docs", service)
	p.group.Add("docs' server", server)
	return nil
}

func (p *one) addPresence(ctx context.Context) error {
	db, err := p.database(ctx, "presence", presence.Migrations)
	if err != nil {
		return err
	}
	service, err := presence.New(p.cfg.Presence, presence.Deps{DB: db, Chat: p.servers["chat"].Pipe("presence"), Identity: p.servers["identity"].Pipe("presence"), Log: p.obs.Log, Metrics: p.obs.Metrics, Tracer: p.obs.Tracer})
	if err != nil {
		return err
	}
	server, err := p.server("presence", service, presence.Callers())
	if err != nil {
		return err
	}
	p.group.Add("presence", service)
	p.group.Add("presence's server", server)
	return nil
}

// addExtra adds services without a database.
func (p *one) addExtra(services []node.Service) error {
	for _, s := range services {
		part, err := s.New(&node.Node{ID: s.Name, Obs: p.obs, Bus: p.bus, Verifier: p.tokens, Refusals: p.refusals})
		if err != nil {
			return err
		}
		server, err := p.server(s.Name, part, s.Internal)
		if err != nil {
			return err
		}
		p.group.Add(s.Name, part)
		p.group.Add(s.Name+"'s server", server)
	}
	return nil
}

func (p *one) addGateway(context.Context) (err error) {
	cfg := p.cfg.Gateway
	cfg.Recheck = nil // interest reaches a server in the same process at once
	services := make(map[string]gateway.Server, len(p.servers))
	for name, server := range p.servers {
		services[name] = server
	}
	p.gateway, err = gateway.New(cfg, gateway.Deps{
		Services: gateway.Static(services),
		Tickets:  authv1.NewAuthServiceClient(p.servers["identity"].Pipe("gateway")),
		Listener: p.clients, Verifier: p.tokens, Refusals: p.refusals, Bus: p.bus, Static: page.Files(), Log: p.obs.Log, Metrics: p.obs.Metrics,
	})
	if err != nil {
		return err
	}
	p.group.Add("gateway", p.gateway)
	return nil
}
