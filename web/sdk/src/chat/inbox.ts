import type { ListThreadsResponse, Mention, MyThread, UserEvent } from '../proto/plenum/chat/v1/chat.ts'
import type { Channels } from './channels.ts'
import { changeOf, type Outgoing } from './outgoing.ts'

/** MENTIONS is how many mentions are kept; older ones are read by ListMentions. */
export const MENTIONS = 500

/** Inbox is what was said to the reader: followed threads, and mentions by name or group, newest first. */
export interface Inbox {
  /** By threadKey. */
  readonly threads: ReadonlyMap<string, MyThread>
  readonly mentions: readonly Mention[]
}

export const emptyInbox: Inbox = { threads: new Map(), mentions: [] }

export const threadKey = (channel: string, root: number) => `${channel}/${root}`

/** threadsRead takes over a page of ListThreads, or an answer of MarkThreadRead; a thread that was told with a later reply or read further stays. */
export function threadsRead(i: Inbox, { threads }: Pick<ListThreadsResponse, 'threads'>): Inbox {
  const all = new Map(i.threads)
  for (const t of threads) {
    const key = threadKey(t.channel, t.thread?.root ?? 0)
    const old = all.get(key)
    if (old !== undefined && (old.read > t.read || (old.thread?.lastReply ?? 0) > (t.thread?.lastReply ?? 0))) continue
    all.set(key, t)
  }
  return { ...i, threads: all }
}

/** mentionsRead takes over a page of ListMentions. */
export function mentionsRead(i: Inbox, mentions: readonly Mention[]): Inbox {
  const all = new Map([...i.mentions, ...mentions].map((m) => [threadKey(m.channel, m.offset), m]))
  return { ...i, mentions: [...all.values()].sort((a, b) => b.timeMs - a.timeMs || b.offset - a.offset).slice(0, MENTIONS) }
}

/** inboxTold applies an event of "chat.user/me". */
export function inboxTold(i: Inbox, { event }: UserEvent): Inbox {
  switch (event?.$case) {
    case 'thread': {
      const t = event.value.thread
      if (t === undefined) return i
      return { ...i, threads: new Map(i.threads).set(threadKey(t.channel, t.thread?.root ?? 0), t) }
    }
    case 'mention':
      return mentionsRead(i, [event.value])
    case 'unmentioned': {
      const { channel, offset } = event.value
      return { ...i, mentions: i.mentions.filter((m) => m.channel !== channel || m.offset !== offset) }
    }
    case 'channel': {
      const { channel, removed } = event.value
      if (!removed) return i
      return { threads: new Map([...i.threads].filter(([, t]) => t.channel !== channel)), mentions: i.mentions.filter((m) => m.channel !== channel) }
    }
    default:
      return i
  }
}

/** overlaidInbox is the inbox with what waits in the outbox: threads that were read, followed and left. */
export function overlaidInbox(i: Inbox, o: Outgoing): Inbox {
  let threads: Map<string, MyThread> | undefined
  for (const p of o.entries) {
    const change = p.state === 'refused' ? undefined : changeOf(p)
    if (change?.kind !== 'MarkThreadRead' && change?.kind !== 'FollowThread') continue
    const key = threadKey(change.request.channel, change.request.root)
    const old = (threads ?? i.threads).get(key)
    if (old === undefined) continue
    threads ??= new Map(i.threads)
    if (change.kind === 'FollowThread') threads.set(key, { ...old, following: change.request.follow })
    else if (change.request.offset > old.read) threads.set(key, { ...old, read: change.request.offset, unread: change.request.offset >= (old.thread?.lastReply ?? 0) ? 0 : old.unread })
  }
  return threads === undefined ? i : { ...i, threads }
}

/**
 * isUnread says that a mention has not been read: in its channel, or in its thread, of which it is unread as long as that is not read so far. `shown`: a reply that
 * stands in its channel too, where it may have been read as well.
 */
export function isUnread(m: Mention, i: Inbox, c: Channels, shown = false): boolean {
  const inChannel = m.offset > (c.get(m.channel)?.badge.marker?.offset ?? 0)
  if (m.root === 0) return inChannel
  const thread = i.threads.get(threadKey(m.channel, m.root))
  if (thread === undefined) return inChannel
  return m.offset > thread.read && (!shown || inChannel)
}

/** unreadThreads is how many followed threads have unread replies. */
export function unreadThreads(i: Inbox): number {
  return [...i.threads.values()].filter((t) => t.following && t.unread > 0).length
}
