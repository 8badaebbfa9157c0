package registry

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func someNodes(n int, salt string) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{ID: fmt.Sprintf("%s-%d", salt, i), Service: "chat", Address: "a"}
	}
	return nodes
}

func owner(t interface{ Fatal(...any) }, nodes []Node, key string) string {
	n, ok := Owner(nodes, key)
	if !ok {
		t.Fatal("no owner")
	}
	return n.ID
}

func TestOwnerOfNothing(t *testing.T) {
	if _, ok := Owner(nil, "key"); ok {
		t.Error("an owner without nodes")
	}
}

// Keys spread evenly: the standard deviation of a node's share is sqrt(share); six of them are beyond chance.
func TestOwnersAreBalanced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(2, 20).Draw(t, "nodes")
		nodes := someNodes(count, rapid.StringMatching(`[a-z0-9]{1,12}`).Draw(t, "salt"))
		const keys = 4000
		load := map[string]int{}
		for i := range keys {
			load[owner(t, nodes, fmt.Sprint(i))]++
		}
		share := float64(keys) / float64(count)
		for _, n := range nodes {
			if off := math.Abs(float64(load[n.ID]) - share); off > 6*math.Sqrt(share) {
				t.Fatalf("%s owns %d of %d keys, its share is %.0f", n.ID, load[n.ID], keys, share)
			}
		}
	})
}

// A node that leaves gives away its own keys only; one that comes takes keys and moves none between others. The order
// in which nodes are known does not matter.
func TestOwnersMoveMinimally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := someNodes(rapid.IntRange(2, 12).Draw(t, "nodes"), rapid.StringMatching(`[a-z0-9]{1,12}`).Draw(t, "salt"))
		gone := rapid.IntRange(0, len(nodes)-1).Draw(t, "gone")
		rest := slices.Delete(slices.Clone(nodes), gone, gone+1)
		slices.Reverse(rest)
		moved := 0
		for i := range 500 {
			key := fmt.Sprint(i)
			with, without := owner(t, nodes, key), owner(t, rest, key)
			if with != without {
				moved++
				if with != nodes[gone].ID {
					t.Fatalf("key %s moved from %s to %s when %s left", key, with, without, nodes[gone].ID)
				}
			}
		}
		if moved == 0 {
			t.Fatal("the node that left owned nothing")
		}
	})
}

// The set against a model: what is live is listed; a service without a live node lists who was there last.
func TestSetNeverForgetsAService(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSet()
		live := map[Node]bool{}
		known := map[string]bool{}
		services := []string{"chat", "identity"}
		node := rapid.Custom(func(t *rapid.T) Node {
			return Node{
				ID:      rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id"),
				Service: rapid.SampledFrom(services).Draw(t, "service"),
				Address: "a",
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				n := node.Draw(t, "node")
				if s.put(n) == live[n] {
					t.Fatal("put told the contrary of what it did")
				}
				live[n], known[n.Service] = true, true
			},
			"remove": func(t *rapid.T) {
				n := node.Draw(t, "node")
				s.remove(n.Service, n.ID)
				delete(live, n)
			},
			"replace": func(t *rapid.T) {
				nodes := rapid.SliceOfN(node, 0, 4).Draw(t, "nodes")
				before := s.list("")
				changed := s.replace(nodes)
				clear(live)
				for _, n := range nodes {
					live[n], known[n.Service] = true, true
				}
				if changed == slices.Equal(before, s.list("")) {
					t.Fatal("replace told the contrary of what it did")
				}
			},
			"": func(t *rapid.T) {
				for _, service := range services {
					listed := s.list(service)
					if known[service] && len(listed) == 0 {
						t.Fatalf("%s was forgotten", service)
					}
					count := 0
					for n := range live {
						if n.Service == service {
							count++
							if !slices.Contains(listed, n) {
								t.Fatalf("%v is live and not listed", n)
							}
						}
					}
					if count > 0 && count != len(listed) {
						t.Fatalf("%d live nodes of %s, %d listed", count, service, len(listed))
					}
				}
			},
		})
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(prefix+"chat/1", `{"id":"1","service":"chat","address":"127.0.0.1:1"}`)
	f.Add(prefix+"chat/1", `{"id":"2","service":"chat","address":"127.0.0.1:1"}`)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, key, value string) {
		n, err := decode([]byte(key), []byte(value))
		if err == nil && n.key() != key {
			t.Errorf("node %v was accepted under key %q", n, key)
		}
		if err == nil {
			if service, id, ok := identity([]byte(key)); !ok || service != n.Service || id != n.ID {
				t.Errorf("identity(%q) = %q, %q, %v", key, service, id, ok)
			}
		}
	})
}

// A node that comes or goes moves no keys but its own, and nobody who sees the same nodes chooses another one.
func TestChoose(t *testing.T) {
	nodes := []Node{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}}
	if got := Choose(nil, "key"); got != (Node{}) {
		t.Errorf("of none: %v", got)
	}
	count := map[string]int{}
	for i := range 4000 {
		key := fmt.Sprint("workspace/", i)
		all := Choose(nodes, key)
		count[all.ID]++
		without := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.ID == "c" })
		slices.Reverse(without)
		if less := Choose(without, key); all.ID != "c" && less != all {
			t.Fatalf("%s moved from %s to %s", key, all.ID, less.ID)
		}
	}
	for id, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("%s has %d of 4,000", id, n)
		}
	}
}
