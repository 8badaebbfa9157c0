// Package backbone runs what a cluster has as servers of their own, NATS and etcd, inside this process.
package backbone

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.etcd.io/etcd/server/v3/embed"
)

// startTimeout limits the start of either server; both take well below a second.
const startTimeout = 20 * time.Second

// NATS is a server that only this process can reach: it listens nowhere. It satisfies nats.InProcessConnProvider.
type NATS struct{ *server.Server }

// StartNATS returns when the server takes connections.
func StartNATS() (*NATS, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "plenum",
		DontListen: true,
		NoSigs:     true,
		NoLog:      true,
		MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		return nil, fmt.Errorf("NATS: not ready within %v", startTimeout)
	}
	return &NATS{s}, nil
}

// Close ends every connection and waits for the server to be gone.
func (n *NATS) Close() {
	n.Shutdown()
	n.WaitForShutdown()
}

// Etcd is a cluster of one member that listens on a unix socket in a folder that only this user may enter.
type Etcd struct {
	etcd   *embed.Etcd
	client string
	sweep  func()
}

// maxSocket is the longest path that a unix socket can have on every system we know.
const maxSocket = 100

// StartEtcd returns when the member leads itself. dir is its own; what it keeps there is no data of ours (leases and
// nodes), and may be deleted while the process is down.
func StartEtcd(ctx context.Context, dir string) (*Etcd, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	sockets, sweep, err := socketDir(dir)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	cfg := embed.NewConfig()
	cfg.Name = "plenum"
	cfg.Dir = filepath.Join(dir, "data")
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{filepath.Join(dir, "etcd.log")}
	cfg.QuotaBackendBytes = 256 << 20
	cfg.SnapshotCount = 2000
	cfg.AutoCompactionMode = embed.CompactorModeRevision
	cfg.AutoCompactionRetention = "1000"
	peer, client := socket(sockets, "peer"), socket(sockets, "client")
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		sweep()
		return nil, fmt.Errorf("etcd: %w", err)
	}
	out := &Etcd{etcd: e, client: "unix:" + client.Path, sweep: sweep}
	select {
	case <-e.Server.ReadyNotify():
		return out, nil
	case err = <-e.Err():
	case <-e.Server.StopNotify():
		err = fmt.Errorf("stopped while starting; see %s", cfg.LogOutputs[0])
	case <-time.After(startTimeout):
		err = fmt.Errorf("not ready within %v; see %s", startTimeout, cfg.LogOutputs[0])
	case <-ctx.Done():
		err = ctx.Err()
	}
	out.Close()
	return nil, fmt.Errorf("etcd: %w", err)
}

// socketDir is dir, or a fresh folder with a shorter path; sweep removes what it made.
func socketDir(dir string) (sockets string, sweep func(), err error) {
	if len(filepath.Join(dir, "client")) <= maxSocket {
		return dir, func() {}, nil
	}
	sockets, err = os.MkdirTemp("", "plenum-etcd-")
	return sockets, func() { _ = os.RemoveAll(sockets) }, err
}

func socket(dir, name string) url.URL {
	return url.URL{Scheme: "unix", Path: filepath.Join(dir, name)}
}

// Endpoint is for lease.Config.
func (e *Etcd) Endpoint() string { return e.client }

// Run reports a failure after the start; it returns nil when ctx ends, and leaves the member to Close.
func (e *Etcd) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.etcd.Err():
		return fmt.Errorf("etcd: %w", err)
	case <-e.etcd.Server.StopNotify():
		return errors.New("etcd: stopped by itself")
	}
}

// Close stops the member.
func (e *Etcd) Close() {
	e.etcd.Close()
	e.sweep()
}
