package cluster

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"plenum.internal/mesh/lease"
)

// root is the user of etcd that may do everything, and the name in its certificate.
const root = "root"

// nodesPrefix is where the processes tell of themselves, each service below its name; see mesh/registry.
const nodesPrefix = "/plenum/nodes/"

// rightsLimit bounds the setting up of etcd's users.
const rightsLimit = 30 * time.Second

// limitEtcd has etcd know each process by the name in its certificate: all may read who is there, and each service may write about
// itself alone. Nobody else may do anything.
func (c *Cluster) limitEtcd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rightsLimit)
	defer cancel()
	f := c.files(root)
	client, err := lease.Connect(lease.Config{Endpoints: c.cfg.etcdEndpoints(), CAFile: f.CA, CertFile: f.Cert, KeyFile: f.Key})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	defer client.Close()
	for _, set := range c.members() {
		if set.service == "" {
			continue
		}
		if err := addRole(ctx, client, set.service); err != nil {
			return fmt.Errorf("etcd's role %s: %w", set.service, err)
		}
		for i := range set.count {
			if err := addUser(ctx, client, set.name(i+1), set.service); err != nil {
				return fmt.Errorf("etcd's user %s: %w", set.name(i+1), err)
			}
		}
	}
	if err := addUser(ctx, client, root, root); err != nil {
		return fmt.Errorf("etcd's user %s: %w", root, err)
	}
	if _, err := client.AuthEnable(ctx); err != nil {
		return fmt.Errorf("etcd's users: %w", err)
	}
	return nil
}

func addRole(ctx context.Context, client *clientv3.Client, service string) error {
	if _, err := client.RoleAdd(ctx, service); err != nil {
		return err
	}
	own := nodesPrefix + service + "/"
	if _, err := client.RoleGrantPermission(ctx, service, own, clientv3.GetPrefixRangeEnd(own), clientv3.PermissionType(clientv3.PermReadWrite)); err != nil {
		return err
	}
	_, err := client.RoleGrantPermission(ctx, service, nodesPrefix, clientv3.GetPrefixRangeEnd(nodesPrefix), clientv3.PermissionType(clientv3.PermRead))
	return err
}

// addUser makes a user without a password, whom a certificate proves.
func addUser(ctx context.Context, client *clientv3.Client, name, role string) error {
	if _, err := client.UserAddWithOptions(ctx, name, "", &clientv3.UserAddOptions{NoPassword: true}); err != nil {
		return err
	}
	_, err := client.UserGrantRole(ctx, name, role)
	return err
}
