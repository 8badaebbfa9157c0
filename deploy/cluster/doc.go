// Package cluster runs Plenum as it runs in production, on one machine: three NATS and three etcd servers, PostgreSQL, two
// of each service and three gateways, each a process of its own on a loopback address of its own, with mutual TLS.
//
// Everything lives in one folder: certificates, configuration files, data, logs (logs/<name>.log), and state.json, by which
// another process finds and ends what this one started.
package cluster
