package backbone

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// maxQuota is the most that etcd keeps, in bytes; it refuses writes beyond.
const maxQuota = 256 << 20

// smallSegments has etcd reserve 4 MB at a time for its log, not 64: the log lies in memory.
var smallSegments = sync.OnceFunc(func() { wal.SegmentSizeBytes = 4 << 20 })

// Etcd is a cluster of one member that listens on a unix socket in a folder that only this user may enter. It begins empty:
// what it holds, leases and nodes, means nothing once the process is gone.
type Etcd struct {
	etcd   *embed.Etcd
	home   *home
	client string
}

// StartEtcd returns when the member leads itself. path is where its folder can be found; beside it, path.log gets its errors.
func StartEtcd(ctx context.Context, path string) (*Etcd, error) {
	h, err := newHome(path, memory)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	smallSegments()
	cfg := embed.NewConfig()
	cfg.Name = "plenum"
	cfg.Dir = filepath.Join(h.dir, "data")
	cfg.LogLevel = "error"
	cfg.LogOutputs = []string{path + ".log"}
	cfg.QuotaBackendBytes = min(h.room/2, maxQuota)
	cfg.SnapshotCount = 2000
	cfg.AutoCompactionMode = embed.CompactorModeRevision
	cfg.AutoCompactionRetention = "1000"
	peer, client := h.socket("peer"), h.socket("client")
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		h.close()
		return nil, fmt.Errorf("etcd: %w", err)
	}
	out := &Etcd{etcd: e, home: h, client: "unix:" + client.Path}
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

// Close stops the member and removes its folder.
func (e *Etcd) Close() {
	e.etcd.Close()
	e.home.close()
}
