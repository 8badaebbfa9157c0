// Package chat keeps channels and their messages: one log for each channel, and what each person has read of it.
//
// A channel's mutations run in the partition of its id (planChannel…): they append to topic "chat.channel/<id>" and keep the channel's
// tables. A person's own mutations run in the partition of the user's id: they append to "chat.user/<id>" and keep chat_mine and what
// follows it. What crosses from the first to the second is derived by the deriver, which follows chat's own log.
//
// Invariant: who may read a channel is decided by chat_member and chat_channel.kind alone, written in the channel's partition in the
// transaction of the event that tells it; chat_mine is only for showing.
// Invariant: a person never gets what lies below their chat_member.visible_from, over any path.
// Invariant: what the caller may not know is answered as if it were absent.
package chat
