import { expect, test } from 'vitest'
import { encode, message } from '../method.ts'
import { followThread, markThreadRead } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Channel, GetChannelResponse, Marker, Mention, Mine, MyThread, Thread, UserEvent } from '../proto/plenum/chat/v1/chat.ts'
import type { Pending } from '../session.ts'
import { emptyInbox, inboxTold, isUnread, mentionsRead, overlaidInbox, threadsRead, unreadThreads } from './inbox.ts'
import { channelRead } from './channels.ts'
import { nothingOutgoing } from './outgoing.ts'

const thread = (channel: string, root: number, lastReply: number, fields: Partial<MyThread> = {}) =>
  message(MyThread, { channel, thread: message(Thread, { root, replies: 2, lastReply }), unread: 2, following: true, ...fields })
const mention = (channel: string, offset: number) => message(Mention, { channel, offset, timeMs: offset })
const event = (e: NonNullable<UserEvent['event']>) => message(UserEvent, { event: e })

test('threads are as they were told last, whatever page comes late', () => {
  let i = threadsRead(emptyInbox, { threads: [thread('c', 1, 5), thread('d', 2, 6)] })
  i = inboxTold(i, event({ $case: 'thread', value: { thread: thread('c', 1, 9, { unread: 3 }) } }))
  i = threadsRead(i, { threads: [thread('c', 1, 5)] })
  expect(i.threads.get('c/1')).toMatchObject({ unread: 3, thread: { lastReply: 9 } })
  i = threadsRead(i, { threads: [thread('c', 1, 9, { read: 9, unread: 0 })] })
  expect(unreadThreads(i)).toBe(1)
  i = inboxTold(i, event({ $case: 'channel', value: { channel: 'd', removed: true, kind: 1 } }))
  expect([...i.threads.keys()]).toEqual(['c/1'])
})

test('mentions stand once, the newest first, until they are taken back', () => {
  let i = mentionsRead(emptyInbox, [mention('c', 2), mention('c', 1)])
  i = inboxTold(i, event({ $case: 'mention', value: mention('c', 3) }))
  i = inboxTold(i, event({ $case: 'mention', value: mention('c', 3) }))
  i = inboxTold(i, event({ $case: 'unmentioned', value: { channel: 'c', offset: 2 } }))
  expect(i.mentions.map((m) => m.offset)).toEqual([3, 1])
})

test('what waits in the outbox is done already', () => {
  const i = threadsRead(emptyInbox, { threads: [thread('c', 1, 5), thread('d', 2, 6)] })
  const base = { seq: 1, mutation: '1', lane: 'm', note: undefined, since: 0, state: 'waiting', cause: undefined } as const
  const read: Pending = { ...base, method: markThreadRead.name, body: encode(markThreadRead.request, { channel: 'c', root: 1, offset: 5 }) }
  const some: Pending = { ...base, method: markThreadRead.name, body: encode(markThreadRead.request, { channel: 'd', root: 2, offset: 4 }) }
  const leave: Pending = { ...base, method: followThread.name, body: encode(followThread.request, { channel: 'd', root: 2, follow: false }) }
  const left = overlaidInbox(i, { ...nothingOutgoing, entries: [read, some, leave] })
  expect(left.threads.get('c/1')).toMatchObject({ read: 5, unread: 0 })
  expect(left.threads.get('d/2')).toMatchObject({ read: 4, unread: 2, following: false })
  expect(overlaidInbox(i, { ...nothingOutgoing, entries: [{ ...read, state: 'refused' }] })).toBe(i)
})

test('a mention is unread in its channel, or in its thread', () => {
  const channels = channelRead(new Map(), message(GetChannelResponse, { channel: message(Channel, { id: 'c' }), mine: message(Mine, { marker: message(Marker, { offset: 5 }) }) }))
  const i = threadsRead(emptyInbox, { threads: [thread('c', 1, 9, { read: 6 })] })
  const reply = (offset: number, root = 1) => message(Mention, { channel: 'c', offset, root })
  expect([isUnread(mention('c', 5), i, channels), isUnread(mention('c', 6), i, channels)]).toEqual([false, true])
  expect([isUnread(reply(6), i, channels), isUnread(reply(7), i, channels)]).toEqual([false, true]) // whatever is read in the channel
  expect(isUnread(reply(7), i, channels, true)).toBe(true)
  expect(isUnread(reply(7), i, new Map([...channels].map(([id, e]) => [id, { ...e, badge: { ...e.badge, marker: message(Marker, { offset: 8 }) } }])), true)).toBe(false)
  expect(isUnread(reply(4, 2), i, channels)).toBe(false) // of a thread that isn't followed
})
