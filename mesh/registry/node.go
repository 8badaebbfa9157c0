package registry

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/cespare/xxhash/v2"

	"plenum.internal/mesh/lease"
)

// prefix is where the nodes stand in etcd: <prefix><service>/<id>, the value a Node as JSON.
const prefix = "/plenum/nodes/"

// Node is one process of a service.
type Node struct {
	ID      string `json:"id"`               // unique among all nodes, new with every start
	Service string `json:"service"`          // "chat"
	Address string `json:"address"`          // host:port of its gRPC server; empty: it has none, and is there to be known of
	Schema  string `json:"schema,omitempty"` // hash of its proto descriptors; rolling deploys mix versions
	// Incarnation is another one with each start, also where the id is the same: what an earlier one owned has no owner any more.
	Incarnation string `json:"incarnation,omitempty"`
}

var name = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Validate names the first field that cannot work.
func (n Node) Validate() error {
	switch {
	case !name.MatchString(n.ID):
		return fmt.Errorf("registry: node id %q is not 1 to 64 of A-Z a-z 0-9 _ . -", n.ID)
	case !name.MatchString(n.Service):
		return fmt.Errorf("registry: service %q is not 1 to 64 of A-Z a-z 0-9 _ . -", n.Service)
	}
	return nil
}

func (n Node) key() string { return prefix + n.Service + "/" + n.ID }

// Register lets others find a node as long as the session's process lives. session.Ready says when it can be found.
func Register(session *lease.Session, n Node) error {
	if err := n.Validate(); err != nil {
		return err
	}
	value, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	session.Put(n.key(), string(value))
	return nil
}

// Withdraw takes back what Register did: the process lives on, and nobody finds it.
func Withdraw(session *lease.Session, n Node) { session.Delete(n.key()) }

// decode refuses what does not say the same as its key.
func decode(key, value []byte) (Node, error) {
	var n Node
	if err := json.Unmarshal(value, &n); err != nil {
		return Node{}, fmt.Errorf("registry: %s: %w", key, err)
	}
	if err := n.Validate(); err != nil {
		return Node{}, err
	}
	if n.key() != string(key) {
		return Node{}, fmt.Errorf("registry: %s holds node %s of %s", key, n.ID, n.Service)
	}
	return n, nil
}

// identity splits a key into service and node id.
func identity(key []byte) (service, id string, ok bool) {
	rest, ok := strings.CutPrefix(string(key), prefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// Owner is the node that a key belongs to by rendezvous hashing (Thaler and Ravishankar, 1996): the one with the highest
// hash of (node, key). When a node comes or goes, only the keys that it gains or had move. ok is false without nodes.
func Owner(nodes []Node, key string) (owner Node, ok bool) {
	var best uint64
	for _, n := range nodes {
		if s := score(n.ID, key); !ok || s > best || s == best && n.ID > owner.ID {
			owner, best, ok = n, s, true
		}
	}
	return owner, ok
}

// Choose returns the node that a key belongs to by rendezvous hashing, the zero Node where there are none. Every process that sees the same
// nodes chooses the same one, and a node that comes or goes moves no keys but its own.
func Choose(nodes []Node, key string) (best Node) {
	var most uint64
	for i, n := range nodes {
		if s := score(n.ID, key); i == 0 || s > most {
			best, most = n, s
		}
	}
	return best
}

func score(id, key string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(id)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(key)
	return d.Sum64()
}
