// Package presence knows who is here: it is told of sessions by gateways, and tells people of people.
//
// Each person has a home, the process of presence that their id belongs to by rendezvous hashing. Gateways tell it the person's sessions (roster.go,
// gateway.go), it knows what the person has chosen (choice.go, privacy.go), and it decides what others see: a status (status.go), what the person is
// doing (activity.go, infer.go), and when they were here last (seen.go). Who hides is in hide.go.
//
// All of this is kept in a hub (hub.go): people, sessions and watchers in memory, with one lock and no clock of its own.
//
// Who wants to see people asks their own home (people.go), which watches those of other homes there (mirror.go, home.go). Who wants to see a channel's
// members asks the channel's home (channel.go), where all who do read the same frames (rooms.go, room.go). Who may see whom is known by memberships.go.
//
// Where a workspace has switched it on, homes write down the stretches in which somebody was there and to be seen (record.go, keep.go), of which
// analytics are computed (analytics.go). Nothing of it lies on the way of who is here.
//
// Invariant: presence is derived. Somebody is online because a gateway that lives says that their client is connected, or was within the time of
// grace. Nothing of it is read back, and a process that takes over from another one knows nothing until every gateway has told it.
// Invariant: what is not known is told as not known. A home says that somebody is offline only if each gateway has told it all that it has,
// and none has died that may have told another home (absence.go).
// Invariant: who has chosen to be invisible is told as offline, by the same bytes, at the same moments, as who is.
package presence
