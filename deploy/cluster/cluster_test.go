package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// up starts a cluster for one test.
func up(t *testing.T, net int) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "plenum-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := DefaultConfig()
	cfg.Dir, cfg.Bin, cfg.Net = filepath.Join(dir, "c"), "../../bin", net
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("started in %v", time.Since(began))
	return c
}

func (c *Cluster) bus(t *testing.T, service string) *bus.Bus {
	t.Helper()
	f := c.files("nats-1") // any certificate of the cluster opens the connection; the nkey says who it is
	cfg := bus.DefaultConfig()
	cfg.URLs, cfg.NKeyFile, cfg.CAFile, cfg.CertFile, cfg.KeyFile = c.cfg.natsURLs(), c.cfg.path("keys", service+".nk"), f.CA, f.Cert, f.Key
	b, err := bus.Connect(t.Context(), cfg, bus.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func TestBackboneComesUpAndSurvives(t *testing.T) {
	c := up(t, 101)

	// A service may say what is its own, and nothing else.
	gateway, chat, identity := c.bus(t, "gateway"), c.bus(t, "chat"), c.bus(t, "identity")
	heard := make(chan bus.Message, 8)
	if _, err := gateway.Subscribe("plenum.>", heard); err != nil {
		t.Fatal(err)
	}
	if err := gateway.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // interest travels between the servers
	for _, say := range []struct {
		b    *bus.Bus
		text string
	}{{identity, "forged"}, {chat, "true"}} {
		if err := say.b.Publish(bus.Subject("w", "chat.channel/1"), []byte(say.text)); err != nil {
			t.Fatal(err)
		}
		if err := say.b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-heard; string(m.Data) != "true" {
		t.Errorf("heard %q of a service that may not speak for chat", m.Data)
	}

	// etcd answers with any one member killed.
	f := c.files("etcd-1")
	client, err := lease.Connect(lease.Config{Endpoints: c.cfg.etcdEndpoints(), CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, name := range []string{"etcd-2", "nats-2", "postgres"} {
		if err := c.Kill(name); err != nil {
			t.Fatal(err)
		}
		if c.Running(name) {
			t.Errorf("%s runs after Kill", name)
		}
	}
	// What was on its way to the leader that died is lost after etcd's 7 s; the next attempt finds the new one.
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := client.Put(ctx, "key", "value")
		cancel()
		if err == nil {
			break
		}
		if attempt == 5 {
			t.Fatalf("etcd with one member dead: %v", err)
		}
	}
	// Another process finds the cluster, and brings it back.
	other, err := Open(c.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.StartAgain(t.Context(), "etcd-2", "nats-2", "postgres"); err != nil {
		t.Fatal(err)
	}
	if err := c.adopt(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(t.Context(), "key", clientv3.WithSerializable()); err != nil || len(got.Kvs) != 1 {
		t.Errorf("etcd after a restart: %v, %v", got, err)
	}
}
