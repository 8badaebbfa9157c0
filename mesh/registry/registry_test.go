package registry

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"plenum.internal/mesh/lease"
	"plenum.internal/mesh/meshtest"
)

func etcdClient(t *testing.T, url string) *clientv3.Client {
	t.Helper()
	client, err := lease.Connect(lease.Config{Endpoints: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func run(t *testing.T, what string, fn func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := fn(ctx); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	})
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

// present registers a node by a session of its own, as a process does.
func present(t *testing.T, client *clientv3.Client, n Node) (s *lease.Session, leave func()) {
	t.Helper()
	s, err := lease.NewSession(lease.SessionConfig{TTL: lease.MinTTL}, client, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Register(s, n); err != nil {
		t.Fatal(err)
	}
	return s, run(t, "session", s.Run)
}

// waitNodes follows the registry's own notifications until it lists these ids.
func waitNodes(t *testing.T, r *Registry, ids ...string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		nodes, changed := r.Watch("chat")
		got := make([]string, 0, len(nodes))
		for _, n := range nodes {
			got = append(got, n.ID)
		}
		if slices.Equal(got, ids) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("nodes %v, want %v", got, ids)
		}
	}
}

func chatNode(id string) Node { return Node{ID: id, Service: "chat", Address: "127.0.0.1:1"} }

func TestNodesComeAndGo(t *testing.T) {
	client := etcdClient(t, meshtest.Etcd(t))
	r, err := New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "registry", r.Run)
	<-r.Ready()
	waitNodes(t, r)
	_, leaveA := present(t, client, chatNode("a"))
	waitNodes(t, r, "a")
	present(t, client, chatNode("b"))
	waitNodes(t, r, "a", "b")
	leaveA() // gives the lease back: nobody waits for its TTL
	waitNodes(t, r, "b")

	// One who comes later sees the same, and what others wrote into the place is skipped.
	if _, err := client.Put(t.Context(), prefix+"chat/evil", "{"); err != nil {
		t.Fatal(err)
	}
	late, err := New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "second registry", late.Run)
	<-late.Ready()
	waitNodes(t, late, "b")
}

// etcd is away far longer than a lease lives. Nobody loses sight of anybody, and afterwards everything is as before
// without a restart, even if etcd lost all that it had.
func TestEtcdAway(t *testing.T) {
	for name, lose := range map[string]bool{"and back": false, "and back empty": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			s := meshtest.StartEtcd(t, "--data-dir="+data)
			r, err := New(etcdClient(t, s.URL), nil)
			if err != nil {
				t.Fatal(err)
			}
			run(t, "registry", r.Run)
			a, _ := present(t, etcdClient(t, s.URL), chatNode("a"))
			_, leaveB := present(t, etcdClient(t, s.URL), chatNode("b"))
			waitNodes(t, r, "a", "b")
			lost := a.Current()

			s.Kill()
			<-lost.Done()
			if a.Current() != nil {
				t.Error("a session holds a lease of an etcd that is away")
			}
			if nodes, _ := r.Watch("chat"); len(nodes) != 2 {
				t.Errorf("while etcd is away, the registry knows %v", nodes)
			}
			if lose {
				if err := os.RemoveAll(data); err != nil {
					t.Fatal(err)
				}
			}
			s.Start(t)
			again, err := a.Held(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if again.ID == lost.ID {
				t.Error("the lost lease was taken up again")
			}
			waitNodes(t, r, "a", "b")
			_, _ = present(t, etcdClient(t, s.URL), chatNode("c"))
			waitNodes(t, r, "a", "b", "c")
			leaveB()
			waitNodes(t, r, "a", "c")
		})
	}
}

// A process that dies without a word is gone after its TTL; the last node of a service stays known.
func TestSilentDeath(t *testing.T) {
	client := etcdClient(t, meshtest.Etcd(t))
	r, err := New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "registry", r.Run)
	dead, err := client.Grant(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := client.Put(t.Context(), prefix+"chat/"+id, `{"id":"`+id+`","service":"chat","address":"x"}`, clientv3.WithLease(dead.ID)); err != nil {
			t.Fatal(err)
		}
	}
	waitNodes(t, r, "a", "b")
	_, leave := present(t, client, chatNode("c"))
	waitNodes(t, r, "c")
	leave()
	waitNodes(t, r, "c")
	_, _ = present(t, client, chatNode("d"))
	waitNodes(t, r, "d")
}

// A lease that somebody revokes is replaced, and its keys with it.
func TestRevokedLease(t *testing.T) {
	client := etcdClient(t, meshtest.Etcd(t))
	session, _ := present(t, client, chatNode("a"))
	<-session.Ready()
	lost := session.Current()
	if !lost.Valid() {
		t.Error("not valid")
	}
	if _, err := client.Revoke(t.Context(), lost.ID); err != nil {
		t.Fatal(err)
	}
	<-lost.Done()
	eventually(t, "the key stands again", func() bool {
		answer, err := client.Get(t.Context(), chatNode("a").key())
		return err == nil && len(answer.Kvs) == 1 && answer.Kvs[0].Lease != int64(lost.ID)
	})
}

func TestWrongNodesAreRefused(t *testing.T) {
	session, err := lease.NewSession(lease.DefaultSessionConfig(), clientv3.NewCtxClient(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []Node{{}, {ID: "a/b", Service: "chat", Address: "x"}, {ID: "a", Service: "", Address: "x"}} {
		if Register(session, n) == nil {
			t.Errorf("%v is accepted", n)
		}
	}
	if _, err := New(nil, nil); err == nil {
		t.Error("a registry without etcd")
	}
	if _, err := lease.NewSession(lease.DefaultSessionConfig(), nil, nil); err == nil {
		t.Error("a session without etcd")
	}
}
