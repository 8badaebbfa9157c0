package deploy

import (
	"google.golang.org/grpc"

	"plenum.internal/chat"
	"plenum.internal/deploy/page"
	"plenum.internal/docs"
	"plenum.internal/gateway"
	"plenum.internal/mesh/node"
	"plenum.internal/presence"
	authv1 "plenum.internal/proto/plenum/auth/v1"
	"plenum.internal/services/identity"
)

// targets are the services that can be a process of a cluster.
var targets = map[string]func(Config) (node.Service, error){
	"identity": identityNode,
	"chat":     chatNode,
	"docs":     docsNode,
	"presence": presenceNode,
	"gateway":  gatewayNode,
}

func identityNode(cfg Config) (node.Service, error) {
	migrations, err := identity.Migrations()
	return node.Service{
		Name: "identity", Migrations: migrations, Internal: identity.Callers(), Restored: identity.Restored,
		New: func(n *node.Node) (node.Part, error) {
			return identity.New(cfg.Identity, identity.Deps{DB: n.DB, Bus: n.Bus, Chat: n.Conn("chat"), Log: n.Obs.Log, Metrics: n.Obs.Metrics})
		},
	}, err
}

func chatNode(cfg Config) (node.Service, error) {
	migrations, err := chat.Migrations()
	return node.Service{
		Name: "chat", Migrations: migrations, Internal: chat.Callers(), Restored: chat.Restored,
		New: func(n *node.Node) (node.Part, error) {
			return chat.New(cfg.Chat, chat.Deps{
				DB: n.DB, Bus: n.Bus, Self: n.Self(), Identity: n.Conn("identity"), Log: n.Obs.Log, Metrics: n.Obs.Metrics,
			})
		},
	}, err
}

func docsNode(cfg Config) (node.Service, error) {
	migrations, err := docs.Migrations()
	return node.Service{
		Name: "docs", Migrations: migrations, Internal: docs.Callers(), Restored: docs.Restored,
		New: func(n *node.Node) (node.Part, error) {
			return docs.New(cfg.Docs, docs.Deps{
				DB: n.DB, Bus: n.Bus, Peers: n.Peers(), Identity: n.Conn("identity"), Chat: n.Conn("chat"), Log: n.Obs.Log, Metrics: n.Obs.Metrics,
			})
		},
	}, err
}

func presenceNode(cfg Config) (node.Service, error) {
	migrations, err := presence.Migrations()
	return node.Service{
		Name: "presence", Migrations: migrations, Internal: presence.Callers(),
		New: func(n *node.Node) (node.Part, error) {
			return presence.New(cfg.Presence, presence.Deps{DB: n.DB, Peers: n.Peers(), Chat: n.Conn("chat"), Identity: n.Conn("identity"), Log: n.Obs.Log, Metrics: n.Obs.Metrics, Tracer: n.Obs.Tracer})
		},
	}, err
}

func gatewayNode(cfg Config) (node.Service, error) {
	settings := cfg.Gateway
	settings.Listen = cfg.Addr
	return node.Service{
		Name: "gateway",
		New: func(n *node.Node) (node.Part, error) {
			g, err := gateway.New(settings, gateway.Deps{
				Services: gateway.Registered(n.Registry, n.Conns), Verifier: n.Verifier, Refusals: n.Refusals, Bus: n.Bus,
				Incarnation: n.Peers().Self(), Tickets: authv1.NewAuthServiceClient(n.Conn("identity")),
				Static: page.Files(), Log: n.Obs.Log, Metrics: n.Obs.Metrics,
			})
			return edge{g}, err
		},
	}, nil
}

// edge is the gateway as a part of a process: it offers nothing to the other processes.
type edge struct{ *gateway.Gateway }

func (edge) Register(grpc.ServiceRegistrar) {}
