// Package registry knows which nodes of each service are there, and which of them a key belongs to.
//
// Nodes stand in etcd under their session's lease. What was seen last stays in use while etcd is away.
package registry
