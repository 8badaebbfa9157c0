package lease

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcd is what a session needs of it; errGone from renew and put means that the lease has ended.
type etcd interface {
	grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error)
	renew(ctx context.Context, id clientv3.LeaseID) (ttl time.Duration, err error)
	revoke(ctx context.Context, id clientv3.LeaseID) error
	put(ctx context.Context, id clientv3.LeaseID, key, value string) error
	remove(ctx context.Context, key string) error
}

type remote struct{ client *clientv3.Client }

func (r remote) grant(ctx context.Context, ttl time.Duration) (clientv3.LeaseID, error) {
	answer, err := r.client.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return 0, err
	}
	return answer.ID, nil
}

// renew asks once. The client's own KeepAliveOnce spins without a pause while no server is there.
func (r remote) renew(ctx context.Context, id clientv3.LeaseID) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := etcdserverpb.NewLeaseClient(r.client.ActiveConnection()).LeaseKeepAlive(ctx)
	if err != nil {
		return 0, err
	}
	if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
		return 0, err
	}
	answer, err := stream.Recv()
	switch {
	case err != nil:
		return 0, err
	case answer.TTL <= 0:
		return 0, errGone
	}
	return time.Duration(answer.TTL) * time.Second, nil
}

func (r remote) revoke(ctx context.Context, id clientv3.LeaseID) error {
	_, err := r.client.Revoke(ctx, id)
	return err
}

func (r remote) put(ctx context.Context, id clientv3.LeaseID, key, value string) error {
	_, err := r.client.Put(ctx, key, value, clientv3.WithLease(id))
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return errGone
	}
	return err
}

func (r remote) remove(ctx context.Context, key string) error {
	_, err := r.client.Delete(ctx, key)
	return err
}
