// Package bus carries events between processes over NATS: fast, in order from one publisher, and lossy by contract.
//
// What is published here was committed before (the log is the truth), so every failure is answered the same way: drop,
// count, go on. Who must not miss anything compares heads with the log (mesh/topic).
//
// Invariant: Publish never blocks and nothing in this package grows without a limit. Every queue is bounded by Config,
// and whatever does not fit is counted in the metrics plenum_bus_*.
package bus
