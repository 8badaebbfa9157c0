package cluster_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"plenum.internal/deploy/cluster"
	"plenum.internal/deploy/clustertest"
	"plenum.internal/mesh/bus"
	"plenum.internal/mesh/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place remembers what a cluster was made of, to talk to its servers as its services do.
type place struct {
	*cluster.Cluster
	cfg cluster.Config
}

func start(t *testing.T) *place {
	t.Helper()
	p := &place{}
	p.Cluster = clustertest.Start(t, func(c *cluster.Config) { c.Replicas, c.Gateways = 1, 1; p.cfg = *c })
	return p
}

func (p *place) file(elem ...string) string {
	return filepath.Join(append([]string{p.cfg.Dir}, elem...)...)
}

// bus connects as a service does.
func (p *place) bus(t *testing.T, service string) *bus.Bus {
	t.Helper()
	cfg := bus.DefaultConfig()
	cfg.URLs = []string{p.at(1, 1, "tls", "4222"), p.at(1, 2, "tls", "4222"), p.at(1, 3, "tls", "4222")}
	cfg.NKeyFile, cfg.CAFile = p.file("keys", service+".nk"), p.file("certs", "ca.pem")
	cfg.CertFile, cfg.KeyFile = p.file("certs", service+"-1.pem"), p.file("certs", service+"-1.key")
	b, err := bus.Connect(t.Context(), cfg, bus.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// etcd connects as a process does.
func (p *place) etcd(t *testing.T, name string) *clientv3.Client {
	t.Helper()
	client, err := lease.Connect(lease.Config{
		Endpoints: []string{p.at(2, 1, "https", "2379"), p.at(2, 2, "https", "2379"), p.at(2, 3, "https", "2379")},
		CAFile:    p.file("certs", "ca.pem"), CertFile: p.file("certs", name+".pem"), KeyFile: p.file("certs", name+".key"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// at is the URL of a server, by the kinds of config.go.
func (p *place) at(kind, number int, scheme, port string) string {
	return scheme + "://" + p.cfg.IP(kind, number) + ":" + port
}

// key is one that chat may write.
const key = "/plenum/nodes/chat/test"

func TestClusterSurvivesItsParts(t *testing.T) {
	c := start(t)

	t.Run("a service speaks for itself alone", func(t *testing.T) {
		gateway, chat, identity := c.bus(t, "gateway"), c.bus(t, "chat"), c.bus(t, "identity")
		heard := make(chan bus.Message, 100)
		if _, err := gateway.Subscribe("plenum.w.>", heard); err != nil {
			t.Fatal(err)
		}
		if err := gateway.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		say := func(b *bus.Bus, text string) {
			if err := b.Publish(bus.Subject("w", "chat.channel/1"), []byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := b.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for begun := time.Now(); ; { // until the interest has reached the server that chat is connected to
			say(identity, "forged")
			say(chat, "true")
			select {
			case m := <-heard:
				if string(m.Data) != "true" {
					t.Errorf("heard %q of a service that may not speak for chat", m.Data)
				}
				return
			case <-time.After(100 * time.Millisecond):
				if time.Since(begun) > 10*time.Second {
					t.Fatal("heard nothing for 10 s")
				}
			}
		}
	})

	t.Run("a service writes about itself alone", func(t *testing.T) {
		const others = "/plenum/nodes/identity/forged"
		for _, name := range []string{"chat-1", "gateway-1"} {
			client := c.etcd(t, name)
			if answer, err := client.Get(t.Context(), "/plenum/nodes/identity/", clientv3.WithPrefix()); err != nil || len(answer.Kvs) != 1 {
				t.Errorf("%s reads %v, %v", name, answer, err)
			}
			_, put := client.Put(t.Context(), others, "{}")
			_, del := client.Delete(t.Context(), "/plenum/nodes/identity/identity-1")
			_, read := client.Get(t.Context(), "/other")
			_, rights := client.AuthDisable(t.Context())
			for _, err := range []error{put, del, read, rights} {
				if !errors.Is(err, rpctypes.ErrPermissionDenied) {
					t.Errorf("%s may do what it may not: %v", name, err)
				}
			}
		}
		if _, err := c.etcd(t, "operator").Get(t.Context(), others); err == nil {
			t.Error("a certificate without a user may read")
		}
	})

	t.Run("who has no certificate is refused", func(t *testing.T) {
		for _, url := range []string{c.at(2, 1, "https", "2379") + "/health", c.at(4, 1, "https", "7000"), c.at(5, 1, "https", "7000")} {
			if answer, err := http.Get(url); err == nil {
				answer.Body.Close()
				t.Errorf("%s answers %s", url, answer.Status)
			}
		}
	})

	t.Run("a gateway answers", func(t *testing.T) {
		for path, want := range map[string]string{"/livez": "", "/readyz": "", "/": "<title>Plenum</title>"} {
			answer, err := http.Get("http://" + c.Addresses()[0] + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
				t.Errorf("GET %s: %s %q, %v", path, answer.Status, body, err)
			}
		}
	})

	t.Run("any one server of each kind may die", func(t *testing.T) {
		client := c.etcd(t, "chat-1")
		for _, name := range []string{"etcd-2", "nats-2", "postgres"} {
			if err := c.Kill(name); err != nil {
				t.Fatal(err)
			}
			if c.Running(name) {
				t.Errorf("%s runs after Kill", name)
			}
		}
		// What was on its way to a leader that died is lost after etcd's 7 s; the next attempt finds the new one.
		for attempt := 1; ; attempt++ {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			_, err := client.Put(ctx, key, "value")
			cancel()
			if err == nil {
				break
			}
			if attempt == 5 {
				t.Fatalf("etcd with one member dead: %v", err)
			}
		}
		// Another process finds the cluster, and brings it back.
		other, err := cluster.Open(c.cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.StartAgain(t.Context(), "etcd-2", "nats-2", "postgres"); err != nil {
			t.Fatal(err)
		}
		if err := c.Adopt(); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), key); err != nil || len(got.Kvs) != 1 {
			t.Errorf("etcd after a restart: %v, %v", got, err)
		}
	})

	t.Run("freeze and thaw", func(t *testing.T) {
		address := "http://" + c.Addresses()[0] + "/livez"
		if err := c.Freeze("gateway-1"); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
		if answer, err := client.Get(address); err == nil {
			answer.Body.Close()
			t.Error("a frozen gateway answers")
		}
		if err := c.Thaw("gateway-1"); err != nil {
			t.Fatal(err)
		}
		client.Timeout = 10 * time.Second
		answer, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	})

	t.Run("down, and up again with its data", func(t *testing.T) {
		if err := c.Down(); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.Names() {
			if c.Running(name) {
				t.Errorf("%s runs after Down", name)
			}
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := c.etcd(t, "chat-1").Get(t.Context(), key); err != nil || len(got.Kvs) != 1 {
			t.Errorf("etcd after a restart of all: %v, %v", got, err)
		}
	})
	http.DefaultClient.CloseIdleConnections()
}

func TestConfigIsChecked(t *testing.T) {
	bin, err := clustertest.Programs()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*cluster.Config){
		"no folder":         func(c *cluster.Config) { c.Dir = "/" + strings.Repeat("d", 100) },
		"no programs":       func(c *cluster.Config) { c.Bin = t.TempDir() },
		"net":               func(c *cluster.Config) { c.Net = 255 },
		"no replicas":       func(c *cluster.Config) { c.Replicas = 0 },
		"too many gateways": func(c *cluster.Config) { c.Gateways = 10 },
	} {
		cfg := cluster.DefaultConfig()
		cfg.Bin = bin
		change(&cfg)
		if _, err := cluster.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The command line says what is wrong, in one line, with exit code 1.
func TestCommandRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"--dir", dir, "status"}, {"--dir", dir, "down"}, {"--dir", dir, "check"}, {"check", "http://127.0.0.1:1"}, {"check", "http://127.0.0.1:1/#setup=x", "--patience", "1s"}, {"--dir", dir, "setup"}, {"--nonsense"}, {"--dir", dir, "--bin", dir, "up"}} {
		var out, problems strings.Builder
		if code := cluster.Command(t.Context(), args, &out, &problems); code != 1 {
			t.Errorf("%v: exit code %d", args, code)
		}
		if lines := strings.Count(strings.TrimSpace(problems.String()), "\n"); lines != 0 {
			t.Errorf("%v: %q", args, problems.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "state.json")); err == nil {
		t.Error("a refused command left a state behind")
	}
}

// Where another cluster has the addresses, one line says what to do and nothing is written; a first start that was broken
// off is begun anew by the next.
func TestFirstStartAnew(t *testing.T) {
	p := start(t)
	dir := filepath.Join(filepath.Dir(p.cfg.Dir), "second")
	up := func(ctx context.Context, args ...string) (code int, said string) {
		var problems strings.Builder
		args = append([]string{"--dir", dir, "--bin", p.cfg.Bin, "--net", strconv.Itoa(p.cfg.Net), "--replicas", "1", "--gateways", "1"}, args...)
		code = cluster.Command(ctx, args, io.Discard, &problems)
		return code, strings.TrimSpace(problems.String())
	}
	if code, said := up(t.Context()); code != 1 || !strings.Contains(said, "--net") || strings.Contains(said, "\n") {
		t.Errorf("beside another: %d, %q", code, said)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("beside another: left %v", err)
	}
	if err := p.Down(); err != nil {
		t.Fatal(err)
	}
	if code, said := up(t.Context(), "--dir", p.cfg.Dir, "check"); code != 1 || !strings.Contains(said, "start it first") {
		t.Errorf("a check of what does not run: %d, %q", code, said)
	}

	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { up(context.Background(), "wipe") })
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "state.json")); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	code, _ := up(ctx)
	cancel()
	<-begun
	if code == 0 {
		t.Fatal("started nevertheless")
	}
	for range 2 { // anew, and then it is kept
		if code, said := up(t.Context()); code != 0 {
			t.Errorf("the next start: %s", said)
		}
	}
}
