package registry

import (
	"cmp"
	"maps"
	"slices"
)

// set is what is known of the nodes: pure, and not safe for concurrent use.
//
// Invariant: a service once known never becomes empty. While etcd is away, wiped or wrong, calls go on to who was there
// last; a node that is really gone refuses the connection, and is forgotten when another one comes.
type set struct {
	live map[string]map[string]Node // service -> id -> node; no empty inner map
	last map[string]map[string]Node // of the services without a live node: who was there before
}

func newSet() set {
	return set{live: map[string]map[string]Node{}, last: map[string]map[string]Node{}}
}

// put tells whether it changed anything, like remove and replace: a new lease of a known node does not.
func (s *set) put(n Node) bool {
	if s.live[n.Service][n.ID] == n {
		return false
	}
	if s.live[n.Service] == nil {
		s.live[n.Service] = map[string]Node{}
		delete(s.last, n.Service)
	}
	s.live[n.Service][n.ID] = n
	return true
}

func (s *set) remove(service, id string) bool {
	nodes := s.live[service]
	if _, ok := nodes[id]; !ok {
		return false
	}
	if len(nodes) > 1 {
		delete(nodes, id)
		return true
	}
	s.last[service] = nodes
	delete(s.live, service)
	return false // who asks still gets this node
}

// replace makes nodes the live ones.
func (s *set) replace(nodes []Node) bool {
	before := s.list("")
	was := maps.Clone(s.live)
	clear(s.live)
	for _, n := range nodes {
		s.put(n)
	}
	for service, old := range was {
		if s.live[service] == nil {
			s.last[service] = old
		}
	}
	return !slices.Equal(before, s.list(""))
}

// list returns the nodes of a service ("" means all), ordered by service and id.
func (s *set) list(service string) []Node {
	var out []Node
	for _, known := range []map[string]map[string]Node{s.live, s.last} {
		for name, nodes := range known {
			if service == "" || service == name {
				out = slices.AppendSeq(out, maps.Values(nodes))
			}
		}
	}
	slices.SortFunc(out, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID))
	})
	return out
}
