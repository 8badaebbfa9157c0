package backbone

import (
	"context"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
)

func TestNATSCarriesTheBusWithoutAPort(t *testing.T) {
	n, err := StartNATS()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if addr := n.Addr(); addr != nil {
		t.Errorf("listens on %v", addr)
	}
	b, err := bus.Connect(t.Context(), bus.DefaultConfig(), bus.Deps{InProcess: n})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ch := make(chan bus.Message, 1)
	if _, err := b.Subscribe("plenum.w.>", ch); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(bus.Subject("w", "chat.channel/1"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if m := <-ch; m.Subject != "plenum.w.chat.channel.1" || string(m.Data) != "x" {
		t.Errorf("got %v", m)
	}
}

func TestEtcdKeepsItsFolder(t *testing.T) {
	for name, dir := range map[string]string{"short": "", "long": strings.Repeat("d", 120)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/" + dir
			put(t, dir, "a")
			if got := put(t, dir, "b"); got != "a" {
				t.Errorf("after a restart, the key holds %q", got)
			}
		})
	}
}

// put starts etcd, replaces a key, stops etcd and returns what was there before.
func put(t *testing.T, dir, value string) (before string) {
	t.Helper()
	began := time.Now()
	e, err := StartEtcd(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	t.Logf("ready after %v", time.Since(began))
	client, err := lease.Connect(lease.Config{Endpoints: []string{e.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := client.Put(ctx, "key", value, clientv3.WithPrevKV())
	if err != nil {
		t.Fatal(err)
	}
	if answer.PrevKv != nil {
		before = string(answer.PrevKv.Value)
	}
	return before
}
