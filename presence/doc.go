// Package presence knows who is here: it is told of sessions by gateways, and tells people of people.
//
// Each person has a home, the process of presence that their id belongs to by rendezvous hashing. All gateways tell it the person's sessions, each by
// one stream (roster.go); it knows what the person has chosen to be seen as (choice.go, custom.go), and decides what others see (look.go), of what they
// do (activity.go, infer.go) and when they were here last (seen.go), too. Who wants to see people asks their own home (people.go): it has those whose home it is itself, and watches the others at theirs
// (mirror.go). Who wants to see a channel's members asks where the channel is at home (channel.go), and all who do read the same frames (hall.go).
//
// All that changes is kept in a house (house.go): people, sessions and watchers in memory, with one lock and no clock of its own.
//
// Where a workspace has switched it on, homes write down the stretches in which somebody was there and to be seen (record.go, keep.go), and analytics are
// computed of these (analytics.go): nothing of it lies on the way of who is here.
//
// Invariant: presence is derived. Somebody is online because a gateway that lives says that their client is connected, or was within the time of
// grace. Nothing of it is read back, and a process that takes over from another one knows nothing until every gateway has told it.
// Invariant: what is not known is told as not known. A home says that somebody is offline only if each gateway has told it all that it has,
// and none has died that may have told another home (absence.go).
// Invariant: who has chosen to be invisible is told as offline, by the same bytes, at the same moments, as who is.
package presence
