package registry

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Placement says where the keys of a service live among some nodes, by rendezvous hashing, and can be compared with what another process
// believes. The zero Placement has no nodes.
type Placement struct {
	nodes  []Node
	number uint64
}

// NewPlacement places keys among nodes, in whatever order they come.
func NewPlacement(nodes []Node) Placement {
	p := Placement{nodes: slices.SortedFunc(slices.Values(nodes), func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })}
	if len(nodes) == 0 {
		return p
	}
	var d xxhash.Digest
	d.Reset()
	for _, n := range p.nodes {
		_, _ = d.WriteString(n.ID + "\x00" + n.Incarnation + "\x00")
	}
	p.number = max(d.Sum64(), 1)
	return p
}

// Number is the same where the same incarnations of nodes are; 0: there are none.
func (p Placement) Number() uint64 { return p.number }

// Home is the node that a key belongs to; the zero Node where there are none.
func (p Placement) Home(key string) Node { return Choose(p.nodes, key) }

// Nodes are the nodes, by their ids. The slice is not to be changed.
func (p Placement) Nodes() []Node { return p.nodes }
