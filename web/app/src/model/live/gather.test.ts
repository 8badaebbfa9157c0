import { message } from '@plenum/sdk'
import { emptyInbox, threadKey, type Channels, type Entry, type Inbox } from '@plenum/sdk/chat'
import { Badge, Mention, MyThread, Thread } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { expect, it } from 'vitest'
import { moved, standOf, type Stand } from './gather.ts'

const begun = 1_000_000

function entry(id: string, offset: number, count: number, more: { calls?: number; epoch?: number; read?: number; mentions?: number } = {}): Entry {
  const { calls = 0, epoch = 1, read = 0, mentions = 0 } = more
  return {
    id, channel: undefined, role: undefined, readableFrom: 1, movedMs: 0,
    place: { epoch, offset, count, calls, redacted: 0 },
    badge: message(Badge, { marker: { offset: read, version: 0, count: read, calls: 0 }, mentions }),
  }
}
const channels = (...all: Entry[]): Channels => new Map(all.map((e) => [e.id, e]))
const mention = (channel: string, offset: number, root = 0, timeMs = begun + 1) => message(Mention, { channel, offset, root, timeMs })
function inbox(mentions: Mention[], ...threads: { root: number; last: number; read?: number; unread?: number; following?: boolean; at?: number }[]): Inbox {
  return {
    mentions,
    threads: new Map(threads.map(({ root, last, read = 0, unread = 1, following = true, at = begun + 1 }) => [
      threadKey('c', root),
      message(MyThread, { channel: 'c', thread: message(Thread, { root, lastReply: last, lastReplyMs: at }), read, unread, following }),
    ])),
  }
}
const nowhere: Stand = standOf(new Map(), emptyInbox)
const all = () => 'all' as const
const only = () => 'mentions' as const
const behind = (root: number, after: number, count: number) => ({ kind: 'behind', channel: 'c', root, after, count })

it('reads what is behind where it looked, of what is wanted', () => {
  const before = standOf(channels(entry('c', 5, 5)), emptyInbox)
  const now = channels(entry('c', 9, 8))
  expect(moved(before, now, emptyInbox, all, begun)).toEqual([behind(0, 5, 3)])
  expect(moved(before, now, emptyInbox, only, begun)).toEqual([]) // nobody was called
  expect(moved(before, now, emptyInbox, () => 'none', begun)).toEqual([])
  expect(moved(before, channels(entry('c', 9, 8, { calls: 1 })), emptyInbox, only, begun)).toEqual([behind(0, 5, 1)])
  expect(moved(before, channels(entry('c', 9, 5)), emptyInbox, all, begun)).toEqual([]) // an edit, a reaction
  expect(moved(before, channels(entry('c', 9, 8, { read: 9 })), emptyInbox, all, begun)).toEqual([]) // it is read
  expect(moved(before, channels(entry('c', 9, 8, { read: 7 })), emptyInbox, all, begun)).toEqual([behind(0, 7, 1)])
})

it('takes a channel that is new from its marker on, and one that was begun anew for nothing', () => {
  expect(moved(nowhere, channels(entry('c', 2, 1)), emptyInbox, all, begun)).toEqual([behind(0, 0, 1)])
  const before = standOf(channels(entry('c', 5, 5)), emptyInbox)
  expect(moved(before, channels(entry('c', 9, 8, { epoch: 2 })), emptyInbox, all, begun)).toEqual([])
})

it('reads replies of threads that are followed', () => {
  const here = channels(entry('c', 9, 5))
  const before = standOf(here, inbox([], { root: 2, last: 7 }))
  const asks = (thread: Parameters<typeof inbox>[1]) => moved(before, here, inbox([], thread), only, begun)
  expect(asks({ root: 2, last: 9 })).toEqual([behind(2, 7, 1)])
  expect(asks({ root: 2, last: 7 })).toEqual([])
  expect(asks({ root: 2, last: 9, following: false })).toEqual([])
  expect(asks({ root: 2, last: 9, read: 9, unread: 0 })).toEqual([])
  expect(asks({ root: 3, last: 9, unread: 2 })).toEqual([behind(3, 3, 2)]) // one that has just begun
  expect(asks({ root: 3, last: 9, at: begun - 1 })).toEqual([]) // a page of old ones
  expect(moved(before, here, inbox([], { root: 2, last: 9 }), () => 'none', begun)).toEqual([])
})

it('reads mentions by themselves, unless it reads around them anyway', () => {
  const here = channels(entry('c', 9, 5))
  const before = standOf(here, inbox([mention('c', 4)]))
  const one = (offset: number) => ({ kind: 'one', channel: 'c', offset })
  expect(moved(before, here, inbox([mention('c', 8), mention('c', 4)]), only, begun)).toEqual([one(8)])
  expect(moved(before, here, inbox([mention('c', 3, 0, begun - 1)]), only, begun)).toEqual([])
  expect(moved(before, here, inbox([mention('c', 8)]), () => 'none', begun)).toEqual([])
  expect(moved(before, here, inbox([mention('d', 8)]), only, begun)).toEqual([]) // of a channel that was left
  expect(moved(before, channels(entry('c', 10, 6)), inbox([mention('c', 10)]), all, begun)).toEqual([behind(0, 9, 1)])
  expect(moved(before, here, inbox([mention('c', 9, 2)], { root: 2, last: 9 }), only, begun)).toEqual([behind(2, 2, 1)])
})
