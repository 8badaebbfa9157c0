// Package lease keeps a process's lease in etcd alive, gets it again when it is lost, and keeps keys under it.
//
// A lease says "this process is reachable", never "this process may write": the fence for writes is a term in SQL.
package lease
