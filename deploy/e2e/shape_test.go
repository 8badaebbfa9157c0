package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenum.internal/deploy/cluster"
	"plenum.internal/deploy/clustertest"
)

// shape is a running Plenum, whatever it consists of.
type shape struct {
	server   string   // the address that people know: http://host:port
	gateways []string // the addresses behind it
	link     string   // of the set-up
	// crash ends by SIGKILL, one after the other, everything that can die without losing a disk, and brings it back.
	crash []fault
	// halt ends in order, one after the other, every process, the first gateway first, and starts it again.
	halt    []fault
	pid     func() int       // of the first gateway
	trust   *tls.Config      // nil: it is no https
	cluster *cluster.Cluster // nil: the one binary
	owner   *person
}

// grace is how long somebody who has gone is shown as here: as long as anybody takes to come back while processes die, and no longer than tests can wait.
const grace = 20 * time.Second

// fault is something that happens, and its end.
type fault struct {
	name string
	do   func(t *testing.T)
	undo func(t *testing.T)
}

// The shapes run side by side: what takes time here is waiting.

func TestOneBinary(t *testing.T) {
	t.Parallel()
	s := oneBinaryOf(t, "plenum", filepath.Join(t.TempDir(), "data"), "--presence.grace="+grace.String())
	scenarios(t, s)
	t.Run("documents outlive deaths", func(t *testing.T) { documentsOutliveDeaths(t, s) })
	s.together(t, "slow and asleep", scenario{"asleep", asleep}, scenario{"slow readers", slowReaders})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	s := manyProcesses(t)
	scenarios(t, s)
	for _, c := range []scenario{{"without NATS", withoutNATS}, {"without etcd", withoutEtcd}, {"frozen processes", frozen}, {"owners of documents", ownersOfDocuments}, {"presence outlives deaths", presenceOutlivesDeaths}, {"the checker", checker}} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

type scenario struct {
	name string
	run  func(*testing.T, *shape)
}

// scenarios share the system, and each has channels and people of its own.
func scenarios(t *testing.T, s *shape) {
	s.owner = s.setUp(t)
	for _, c := range []scenario{
		{"the examples of PROTOCOL.md", workedExamples},
		{"the web application", webApplication},
		{"conversation", conversation},
		{"signals", signals},
		{"unread counts on two devices", unreadOnTwoDevices},
		{"what is private cannot be seen", privateCannotBeSeen},
		{"one key, one message", oneKeyOneMessage},
		{"removed in mid-stream", removedInMidStream},
		{"revoked device", revokedDevice},
		{"refusals at the door", refusalsAtTheDoor},
		{"refusals on record", refusalsOnRecord},
		{"documents", documents},
		{"access to documents", accessToDocuments},
		{"who is here", whoIsHere},
		{"who is in a channel", whoIsInAChannel},
		{"analytics", analytics},
		{"who is in a document", whoIsInADocument},
		{"notices of documents", noticesOfDocuments},
		{"offline and back", offlineAndBack},
		{"drain", drain},
		{"rolling restart", rollingRestart},
		{"bad proxies", badProxies},
		{"everything dies in turn under load", everythingDies},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

// together runs scenarios that don't disturb each other, at the same time.
func (s *shape) together(t *testing.T, name string, all ...scenario) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, s)
			})
		}
	})
}

// oneBinary runs the program as make run does.
func oneBinary(t *testing.T) *shape {
	t.Helper()
	return oneBinaryAt(t, filepath.Join(t.TempDir(), "data"))
}

func oneBinaryAt(t *testing.T, data string) *shape {
	t.Helper()
	return oneBinaryOf(t, "plenum", data)
}

// oneBinaryOf runs a program that is one: plenum, or one with more in it.
func oneBinaryOf(t *testing.T, program, data string, args ...string) *shape {
	t.Helper()
	bin, err := clustertest.Programs()
	if err != nil {
		t.Fatal(err)
	}
	b := &binary{path: filepath.Join(bin, program), address: freeAddress(t), data: data, args: args, log: filepath.Join(t.TempDir(), "log")}
	server, link := b.start(t)
	t.Cleanup(func() {
		b.stop(t)
		if text, err := os.ReadFile(b.log); err == nil && t.Failed() {
			t.Logf("--- %s\n%s", program, text[max(0, len(text)-6000):])
		}
	})
	if link == "" {
		t.Fatal("the first start prints no link")
	}
	again := func(t *testing.T) { b.start(t) }
	return &shape{
		server: server, gateways: []string{server}, link: link, pid: func() int { return b.cmd.Process.Pid },
		crash: []fault{{program, func(*testing.T) { b.kill() }, again}},
		halt:  []fault{{program, b.stop, again}},
	}
}

type binary struct {
	path, address, data, log string
	args                     []string
	cmd                      *exec.Cmd
}

// start returns when the program is ready, with where it is, and the link of the first run if it prints one.
func (b *binary) start(t *testing.T) (server, link string) {
	t.Helper()
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(b.path, append([]string{"--addr", b.address, "--data", b.data}, b.args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	printed := filepath.Join(t.TempDir(), "printed")
	if cmd.Stdout, err = os.Create(printed); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b.cmd = cmd
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(printed)
		if err != nil {
			t.Fatal(err)
		}
		if _, at, ready := strings.Cut(string(text), "Plenum is ready at "); ready {
			server, _, _ := strings.Cut(at, " ")
			_, link, _ := strings.Cut(at, "plenumctl setup '")
			link, _, _ = strings.Cut(link, "'")
			return server, link
		}
		if time.Since(begun) > patience {
			t.Fatalf("plenum is not ready after %v", patience)
		}
	}
}

func (b *binary) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

// stop asks for an orderly end, as Ctrl-C does.
func (b *binary) stop(t *testing.T) {
	begun := time.Now()
	_ = b.cmd.Process.Signal(os.Interrupt)
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("plenum, when asked to stop: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// manyProcesses runs a cluster, behind a balancer.
func manyProcesses(t *testing.T) *shape {
	c := clustertest.Start(t, func(cfg *cluster.Config) { cfg.Grace = grace })
	s := &shape{cluster: c, server: "http://" + balance(t, c.Addresses()), pid: func() int { return c.PID("gateway-1") }}
	for _, address := range c.Addresses() {
		s.gateways = append(s.gateways, "http://"+address)
	}
	s.link = strings.Replace(c.SetupLink(), s.gateways[0], s.server, 1)
	again := func(names ...string) func(t *testing.T) {
		return func(t *testing.T) {
			if err := c.StartAgain(t.Context(), names...); err != nil {
				t.Fatal(err)
			}
		}
	}
	die := func(names ...string) fault {
		return fault{strings.Join(names, " "), func(t *testing.T) { s.kill(t, names...) }, again(names...)}
	}
	for _, name := range []string{"gateway-1", "chat-1", "identity-1", "nats-1", "etcd-1", "postgres", "chat-2", "gateway-2"} {
		s.crash = append(s.crash, die(name))
	}
	s.crash = append(s.crash, die("nats-1", "nats-2", "nats-3"), die("etcd-1", "etcd-2", "etcd-3"))
	for _, name := range slices.Backward(c.Names()) {
		if name == "postgres" { // the only one of its kind
			continue
		}
		s.halt = append(s.halt, fault{
			name, func(t *testing.T) {
				if err := c.Stop(name); err != nil {
					t.Error(err)
				}
			}, again(name),
		})
	}
	i := slices.IndexFunc(s.halt, func(f fault) bool { return f.name == "gateway-1" })
	s.halt[0], s.halt[i] = s.halt[i], s.halt[0]
	return s
}

// kill crashes processes of a cluster.
func (s *shape) kill(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.cluster.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
}

// balance forwards connections to any target that takes them, as a load balancer does.
func balance(t *testing.T, targets []string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { forward(ctx, conn, targets) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); cancel(); tasks.Wait() })
	return l.Addr().String()
}

func forward(ctx context.Context, from net.Conn, targets []string) {
	defer from.Close()
	for _, i := range rand.Perm(len(targets)) {
		to, err := net.DialTimeout("tcp", targets[i], time.Second)
		if err != nil {
			continue
		}
		defer to.Close()
		stop := context.AfterFunc(ctx, func() { _ = from.Close(); _ = to.Close() })
		defer stop()
		var both sync.WaitGroup
		for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
			both.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
				_ = pair[1].Close()
			})
		}
		both.Wait()
		return
	}
}
