// Package gateway is Plenum's edge: it keeps the sessions of clients and connects them with the services, whose domains it does
// not know.
//
//	gateway.go    New, Run, drain                  session.go    one connection: its mail, its turns, its end
//	services.go   where the services are           receive.go    a client's frames: Hello, Refresh, Ping …
//	learn.go      what they offer, by reflection   calls.go      Call and Cancel
//	invoke.go     one call of a service            subscribe.go  Subscribe, Open, and what hubs answer
//	ws.go         WebSocket                        bundle.go     topics in mode HEADS
//	stream.go     sessions as answers of HTTP      filter.go     events by their types
//	sse.go        server-sent events, tickets      poll.go       one question, one answer
//	tunnel*.go    HTTP routes of the services      exchanges.go  how many at a time
//	http.go       the listener's HTTP              signal.go     signals
//	connect.go    unary calls over HTTP            mailbox.go    what waits for a session, bounded
//	tunnel.go     HTTP routes of services          tunnel_….go   exchange, headers, isolation; exchanges.go
//	hub.go        one topic with subscribers       shard.go      the goroutines that own the hubs; the bus
//	fanout.go     events to all who are live       read.go       reads of the log for hubs
//	people.go     sessions by user: revocations    subscription.go  one topic on one connection
//	openings.go   calls of Open that sessions share   crew.go     bundles, opened a few at a time
//	listen.go     waiting for a client, and reading   turners.go  goroutines that run turns
//	alarms.go     one timer for all sessions       windows.go     flush windows, likewise
//	work.go       what only a busy session has     shared.go      lists that a user's bundles share
//	ringhub.go    topics of the class RING         view.go        one topic of the class VIEW on one connection
//	roster.go     sessions, told to presence
//
// The parts without I/O stand in internal/: wire, catalog, lane, limit, intake, ring, heads, view; door and ws are the connections themselves.
//
// Invariant: a session belongs to its turn, a hub to its shard's goroutine; everybody else mails them. Who mails never waits.
// Invariant: a subscriber is given exactly the log's events after its cursor, in order, until it is stopped; and none behind an
// offset that took away its right to read. A hub gives out an event only after all before it, so the right is always known.
// Invariant: every queue, ring, cache and request is bounded by Config or by the limits of the protocol.
package gateway
