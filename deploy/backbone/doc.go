// Package backbone runs what a cluster has as servers of their own, NATS and etcd, inside this process.
package backbone
