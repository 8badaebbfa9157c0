/** What has to be read to tell of what arrived: by how the lists of channels, threads and mentions have moved. */
import { mentions, threadKey, unread, type Channels, type Entry, type Inbox } from '@plenum/sdk/chat'

/** Stand is up to where has been looked. */
export interface Stand {
  readonly channels: ReadonlyMap<string, Pick<Entry['place'], 'epoch' | 'offset' | 'count' | 'calls'>>
  /** By threadKey, the last reply. */
  readonly threads: ReadonlyMap<string, number>
  /** By threadKey of channel and offset. */
  readonly mentions: ReadonlySet<string>
}

/** Ask is what to read: messages behind an offset of a channel, or of a thread (root != 0), of which there are about `count`; or one message. */
export type Ask =
  | { readonly kind: 'behind'; readonly channel: string; readonly root: number; readonly after: number; readonly count: number }
  | { readonly kind: 'one'; readonly channel: string; readonly offset: number }

export function standOf(channels: Channels, inbox: Inbox): Stand {
  return {
    channels: new Map([...channels].map(([id, { place }]) => [id, place])),
    threads: new Map([...inbox.threads].map(([key, { thread }]) => [key, thread?.lastReply ?? 0])),
    mentions: new Set(inbox.mentions.map(({ channel, offset }) => threadKey(channel, offset))),
  }
}

/**
 * moved is what is new since. A channel that has just come into the list is new from its marker on: a first direct message makes one. One whose history was begun anew
 * tells nothing. `since` is the server's clock, Unix ms: mentions of before are old ones that a page of the list has brought.
 */
export function moved(before: Stand, channels: Channels, inbox: Inbox, wants: (e: Entry) => 'all' | 'mentions' | 'none', since: number): readonly Ask[] {
  const asks: Ask[] = []
  const read = new Set<string>()
  for (const e of channels.values()) {
    const want = wants(e)
    const marker = e.badge.marker
    const old = before.channels.get(e.id) ?? { epoch: e.place.epoch, offset: marker?.offset ?? 0, count: marker?.count ?? 0, calls: marker?.calls ?? 0 }
    if (want === 'none' || e.place.offset <= old.offset || (old.epoch !== e.place.epoch && old.epoch !== 0)) continue
    const count = want === 'all' ? Math.min(e.place.count - old.count, unread(e)) : Math.min(e.place.calls - old.calls, mentions(e))
    if (count <= 0) continue
    asks.push({ kind: 'behind', channel: e.id, root: 0, after: Math.max(old.offset, marker?.offset ?? 0), count })
    read.add(e.id)
  }
  const listens = (channel: string) => {
    const e = channels.get(channel)
    return e !== undefined && wants(e) !== 'none'
  }
  for (const [key, { channel, thread, read: marker, unread: fresh, following }] of inbox.threads) {
    const [root, last] = [thread?.root ?? 0, thread?.lastReply ?? 0]
    const old = before.threads.get(key)
    if (!following || fresh === 0 || last <= Math.max(old ?? 0, marker) || (thread?.lastReplyMs ?? 0) < since || !listens(channel)) continue
    asks.push({ kind: 'behind', channel, root, after: Math.max(old ?? 0, marker, root), count: old === undefined ? fresh : 1 })
    read.add(threadKey(channel, root))
  }
  for (const { channel, offset, root, timeMs } of inbox.mentions) {
    if (before.mentions.has(threadKey(channel, offset)) || timeMs < since || !listens(channel)) continue
    if (!read.has(root === 0 ? channel : threadKey(channel, root))) asks.push({ kind: 'one', channel, offset })
  }
  return asks
}
