package gateway

import (
	"maps"
	"slices"

	"google.golang.org/grpc"

	"plenum.internal/mesh/registry"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// self is the name by which services know the gateway.
const self = "gateway"

// Services is where the gateway finds the services: pipes within one binary, the registry's connections in a cluster.
type Services interface {
	// Watch returns the nodes that are there, ordered by service and id, and a channel that is closed when they change.
	// A node's Schema changes when its descriptors do; what stands in it is not looked into.
	Watch() (nodes []registry.Node, changed <-chan struct{})
	// Conn returns the connection for a routing key.
	Conn(service, key string) (grpc.ClientConnInterface, error)
	// Bulk returns another connection to the node that Conn would choose, for exchanges over HTTP, so that no call stands behind a body.
	Bulk(service, key string) (grpc.ClientConnInterface, error)
	// To returns the connection to one node.
	To(node registry.Node) (grpc.ClientConnInterface, error)
	// All returns the connections to every node of a service.
	All(service string) []grpc.ClientConnInterface
}

// Server is a service of the same binary: *rpc.Server.
type Server interface {
	Pipe(as string) grpc.ClientConnInterface
	BulkPipe(as string) grpc.ClientConnInterface // another one
}

// Static are the services of one binary: "chat" -> its server, which sees the gateway as "gateway".
func Static(servers map[string]Server) Services { return static(maps.Clone(servers)) }

type static map[string]Server

func (s static) Watch() ([]registry.Node, <-chan struct{}) {
	var nodes []registry.Node
	for _, name := range slices.Sorted(maps.Keys(s)) {
		nodes = append(nodes, registry.Node{ID: name, Service: name})
	}
	return nodes, nil
}

func (s static) Conn(service, _ string) (grpc.ClientConnInterface, error) {
	if server := s[service]; server != nil {
		return server.Pipe(self), nil
	}
	return nil, away
}

func (s static) Bulk(service, _ string) (grpc.ClientConnInterface, error) {
	if server := s[service]; server != nil {
		return server.BulkPipe(self), nil
	}
	return nil, away
}

func (s static) To(node registry.Node) (grpc.ClientConnInterface, error) {
	return s.Conn(node.Service, "")
}

func (s static) All(service string) []grpc.ClientConnInterface {
	if server := s[service]; server != nil {
		return []grpc.ClientConnInterface{server.Pipe(self)}
	}
	return nil
}

// Registered are the services of a cluster.
func Registered(r *registry.Registry, c *registry.Conns) Services { return registered{r, c} }

type registered struct {
	registry *registry.Registry
	*registry.Conns
}

func (s registered) To(node registry.Node) (grpc.ClientConnInterface, error) {
	return s.Conns.To(node.Service, node.ID)
}

// Watch hides gateways: they serve no methods.
func (s registered) Watch() ([]registry.Node, <-chan struct{}) {
	nodes, changed := s.registry.Watch("")
	return slices.DeleteFunc(slices.Clone(nodes), func(n registry.Node) bool { return n.Service == self }), changed
}

var away = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.AWAY", "The service can't be reached just now. Try again shortly.")
