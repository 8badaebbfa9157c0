package node

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/registry"
)

// Peers are the processes of one service that live, as far as etcd has told, for a service whose resources have one owner each. An owner
// is named by its incarnation, which is another one after each start of a process.
//
// Invariant: they say where something is to live and who has died, never who may write: that is fenced by a term in SQL.
type Peers struct {
	service, id, self string
	registry          *registry.Registry
	conns             *registry.Conns
	session           *lease.Session
	guard             *guard
}

// Peers are the processes of this node's service.
func (n *Node) Peers() *Peers {
	return &Peers{n.service, n.ID, n.incarnation, n.Registry, n.Conns, n.session, &n.guard}
}

// Self is this process's incarnation.
func (p *Peers) Self() string { return p.self }

// Node is this process, by its names.
func (p *Peers) Node() registry.Node {
	return registry.Node{ID: p.id, Service: p.service, Incarnation: p.self}
}

// Nodes are the processes of a service that live, as far as is known.
func (p *Peers) Nodes(service string) []registry.Node {
	nodes, _ := p.registry.Watch(service)
	return nodes
}

// Valid reports whether the others must believe at this moment that this process lives.
func (p *Peers) Valid() bool { return p.Lease() != 0 }

// Lease is this process's, by which the others must believe that it lives; 0: it has none that is valid at this moment. While it is one and the
// same nobody has taken the process for dead in between, and it has not withdrawn.
func (p *Peers) Lease() int64 {
	l := p.session.Current()
	if l == nil || !l.Valid() || p.guard.withdrawn.Load() {
		return 0
	}
	return int64(l.ID) + p.guard.times.Load()
}

// Withdrawn reports that this process does not reach its database while others of its service are there: they don't find it, and take over
// what it owns.
func (p *Peers) Withdrawn() bool { return p.guard.withdrawn.Load() }

// Place is the incarnation that a resource belongs to by its key; empty: no process is known.
func (p *Peers) Place(key string) string {
	nodes, _ := p.registry.Watch(p.service)
	return registry.Choose(nodes, key).Incarnation
}

// Lives reports whether an incarnation is known to live. What is known grows old while etcd is away.
func (p *Peers) Lives(incarnation string) bool {
	nodes, _ := p.registry.Watch(p.service)
	return slices.ContainsFunc(nodes, func(n registry.Node) bool { return n.Incarnation == incarnation })
}

// Changed is closed when a process comes or goes.
func (p *Peers) Changed() <-chan struct{} {
	_, changed := p.registry.Watch(p.service)
	return changed
}

// Conn is the connection to an incarnation.
func (p *Peers) Conn(incarnation string) (grpc.ClientConnInterface, error) {
	id, _, ok := strings.Cut(incarnation, incarnationMark)
	if !ok || !p.Lives(incarnation) {
		return nil, errors.New("node: the process has gone")
	}
	return p.conns.To(p.service, id)
}

const incarnationMark = "~" // what no id of a node has
