/** Followed threads, mentions and messages to look at. */
import { message } from '@plenum/sdk'
import type { Hit, Query } from '@plenum/sdk/chat/cache'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { createSignal } from 'solid-js'
import type { Followed, Inbox, Named } from '../inbox/inbox.ts'

const minute = 60_000 // ms
const now = Date.now()

const said = [
  ['design', 6, 'tomas', 12, '@ines shall we show it to the board on **Thursday**? @amara has the numbers.'],
  ['launch', 41, 'amara', 75, 'The press list is final, @ines: forty names, none of them twice. Have a look before it goes to the agency.'],
  ['field-notes', 19, 'wei', 26 * 60, 'For @research: the rollout in Oslo took four minutes, and nobody noticed.'],
  ['infra', 12, 'lucia', 3 * 24 * 60, '@ines can I have the old banner’s source? The one with the hall.'],
] as const

const messages = said.map(([channel, offset, author, ago, text]): Hit => ({ channel, message: message(Message, { offset, author, timeMs: now - ago * minute, text }) }))

const thread = (channel: string, root: number, ago: number, unread: number, replies = 8): Followed => ({
  key: `${channel}/${root}`, channel, root, replies, lastReply: 12, lastReplyMs: now - ago * minute, read: unread > 0 ? 10 : 12, unread, following: true,
})

/** sampleInbox holds what a lively workspace leaves overnight; `empty`: nothing. */
export function sampleInbox(empty: boolean): Inbox {
  const [threads, setThreads] = createSignal<readonly Followed[]>(empty ? [] : [thread('design', 1, 4, 2), thread('launch', 9, 52, 1, 2), thread('field-notes', 3, 26 * 60, 0, 2)])
  const mentions: readonly Named[] = empty
    ? []
    : messages.map(({ channel, message: m }, n) => ({ key: `${channel}/${m.offset}`, channel, offset: m.offset, root: 0, author: m.author, group: n === 2 ? 'research' : '', timeMs: m.timeMs, unread: n < 1 }))
  const change = (key: string, to: Partial<Followed>) => setThreads(threads().map((t) => (t.key === key ? { ...t, ...to } : t)))
  const unreadThreads = () => threads().filter((t) => t.unread > 0 && t.following).length
  return {
    known: () => true,
    threads: () => threads().filter((t) => t.following),
    thread: (channel, root) => threads().find((t) => t.channel === channel && t.root === root),
    mentions: () => mentions,
    unreadThreads,
    unread: () => unreadThreads() + mentions.filter((m) => m.unread).length,
    hasOlder: () => false,
    older: () => Promise.resolve(),
    message: (channel, offset) => messages.find((hit) => hit.channel === channel && hit.message.offset === offset)?.message,
    follow: (channel, root, on) => change(`${channel}/${root}`, { following: on }),
    read: (t) => change(t.key, { unread: 0, read: t.lastReply }),
  }
}

/** sampleSearch finds what has the words in it, as they are written. */
export async function* sampleSearch({ text, author, channel }: Query): AsyncGenerator<readonly Hit[]> {
  await Promise.resolve()
  const words = text.toLowerCase().split(/\s+/)
  yield messages.filter((hit) => (author === undefined || hit.message.author === author) && (channel === undefined || hit.channel === channel) && words.every((word) => hit.message.text.toLowerCase().includes(word)))
}
