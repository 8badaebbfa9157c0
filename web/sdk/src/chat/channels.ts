import { message } from '../method.ts'
import {
  Badge, ChannelKind, type Channel, type ChannelChanged, type ChannelRole, type GetChannelResponse, type MembersChanged, type Message, type Marker,
  type MyChannel, type UserEvent,
} from '../proto/plenum/chat/v1/chat.ts'
import type { Head } from '../proto/plenum/edge/v1/edge.ts'
import type { Update } from '../session.ts'

/** Where a channel's topic stands. */
export type Place = Pick<Head, 'epoch' | 'offset' | 'count' | 'calls' | 'redacted'>

/** Entry is one channel of the reader's list. */
export interface Entry {
  readonly id: string
  /** Its name and all else that everybody sees; undefined: not read yet. */
  readonly channel: Channel | undefined
  /** The reader's; undefined: not read yet. */
  readonly role: ChannelRole | undefined
  /** The first offset that may be read. */
  readonly readableFrom: number
  readonly place: Place
  readonly badge: Badge
  /** When it moved last, as far as we have seen it; Unix milliseconds, 0: not seen. */
  readonly movedMs: number
}

/**
 * Channels is the list of the reader's channels, by id. Where they stand comes from the bundle "chat.mine/me", their names from ListMyChannels and GetChannel,
 * and what the reader does on another device from "chat.user/me". It never changes: what comes makes another one.
 */
export type Channels = ReadonlyMap<string, Entry>

export const topicOf = (channel: string) => `chat.channel/${channel}`
const channelOf = (topic: string) => topic.slice(topic.indexOf('/') + 1)

const nowhere: Place = { epoch: 0, offset: 0, count: 0, calls: 0, redacted: 0 }

function blank(id: string): Entry {
  return { id, channel: undefined, role: undefined, readableFrom: 1, place: nowhere, badge: message(Badge, {}), movedMs: 0 }
}

function put(c: Channels, e: Entry): Channels {
  return c.get(e.id) === e ? c : new Map(c).set(e.id, e)
}

function without(c: Channels, id: string): Channels {
  if (!c.has(id)) return c
  const rest = new Map(c)
  rest.delete(id)
  return rest
}

/** headsTold applies what the bundle tells, in order. What a whole list doesn't have has left it. */
export function headsTold(c: Channels, update: Extract<Update, { kind: 'heads' }>, now: number): Channels {
  const next = new Map(c)
  if (update.snapshot) {
    const listed = new Set(update.heads.map((h) => channelOf(h.topic)))
    for (const id of c.keys()) if (!listed.has(id)) next.delete(id)
  }
  for (const h of update.heads) {
    const id = channelOf(h.topic)
    if (h.removed) {
      next.delete(id)
      continue
    }
    const old = next.get(id) ?? blank(id)
    const stands = h.epoch > old.place.epoch || (h.epoch === old.place.epoch && h.offset >= old.place.offset)
    const place = stands ? { epoch: h.epoch, offset: h.offset, count: h.count, calls: h.calls, redacted: Math.max(h.redacted, h.epoch === old.place.epoch ? old.place.redacted : 0) } : old.place
    const movedMs = old.place.epoch !== 0 && place.offset > old.place.offset ? now : old.movedMs
    const badge = h.badge.length === 0 ? old.badge : merged(old.badge, Badge.decode(h.badge), true)
    next.set(id, { ...old, place, badge, movedMs })
  }
  return next
}

/** ahead says that a marker holds against another. Markers are ordered by (version, offset). */
export function ahead(a: Pick<Marker, 'version' | 'offset'> | undefined, b: Pick<Marker, 'version' | 'offset'> | undefined): boolean {
  const [v, w] = [a?.version ?? 0, b?.version ?? 0]
  return v > w || (v === w && (a?.offset ?? 0) > (b?.offset ?? 0))
}

/** merged is what holds of two badges: the marker that is ahead, with its mentions; where they stand at the same place, `latest` says to take the newer's. */
function merged(old: Badge, news: Badge, latest: boolean): Badge {
  const back = ahead(old.marker, news.marker) || (!latest && !ahead(news.marker, old.marker))
  return back ? { ...news, marker: old.marker, mentions: old.mentions } : news
}

/** mineRead takes over a page of ListMyChannels. What the bundle has told is newer, as far as it goes. */
export function mineRead(c: Channels, page: readonly MyChannel[]): Channels {
  return page.reduce((all, m) => (m.channel === undefined ? all : channelRead(all, { channel: m.channel, mine: m.mine })), c)
}

/** channelRead takes over an answer of GetChannel; a channel that the reader isn't a member of doesn't come into the list by it. */
export function channelRead(c: Channels, { channel, mine }: GetChannelResponse): Channels {
  if (channel === undefined) return c
  const known = c.get(channel.id)
  if (mine === undefined) return known === undefined ? c : put(c, { ...known, channel })
  const old = known ?? blank(channel.id)
  const told = message(Badge, { marker: mine.marker, muted: mine.muted, level: mine.level, kind: channel.kind, mentions: mine.mentions })
  const counts = { count: (mine.marker?.count ?? 0) + mine.unread, calls: mine.marker?.calls ?? 0 } // its mentions have the calls in them
  const bundled = known !== undefined && known.place.epoch !== 0
  const place = bundled ? known.place : { ...nowhere, offset: mine.head?.offset ?? 0, ...counts } // of epoch 0: whatever the bundle tells replaces it
  const badge = bundled ? known.badge : told
  return put(c, { ...old, channel, role: mine.role, readableFrom: Math.max(1, mine.readableFrom), place, badge: { ...badge, kind: channel.kind } })
}

/** channelChanged applies a ChannelChanged that an open channel has told. */
export function channelChanged(c: Channels, { channel }: ChannelChanged): Channels {
  const old = channel && c.get(channel.id)
  return channel === undefined || old === undefined ? c : put(c, { ...old, channel })
}

/** membersChanged applies a MembersChanged that an open channel has told. */
export function membersChanged(c: Channels, id: string, me: string, change: MembersChanged): Channels {
  const old = c.get(id)
  if (old === undefined) return c
  const own = [...change.joined, ...change.roles].find((m) => m.user === me)
  const channel = old.channel && { ...old.channel, members: change.members }
  return put(c, { ...old, channel, role: own?.role ?? old.role })
}

/** userTold applies an event of "chat.user/me", as far as it is about the list: see also `inbox` and `drafts`. */
export function userTold(c: Channels, { event }: UserEvent): Channels {
  switch (event?.$case) {
    case 'channel': {
      const { channel: id, removed, kind } = event.value
      if (removed) return without(c, id)
      const old = c.get(id) ?? blank(id)
      return put(c, { ...old, badge: { ...old.badge, kind } })
    }
    case 'marker': {
      const { channel: id, badge } = event.value
      const old = c.get(id)
      return old === undefined || badge === undefined ? c : put(c, { ...old, badge: merged(old.badge, badge, false) })
    }
    case 'notifications': {
      const { channel: id, muted, level } = event.value
      const old = c.get(id)
      return old === undefined ? c : put(c, { ...old, badge: { ...old.badge, muted, level } })
    }
    default:
      return c
  }
}

/** marked takes over the marker that MarkRead and MarkUnread answer, with the mentions behind it as they were counted when it was asked for. */
export function marked(c: Channels, id: string, marker: Marker, mentions: number): Channels {
  const old = c.get(id)
  return old === undefined || !ahead(marker, old.badge.marker) ? c : put(c, { ...old, badge: { ...old.badge, marker, mentions } })
}

/** unnamed are the channels whose names are not known yet: ask GetChannel for them. */
export function unnamed(c: Channels): string[] {
  return [...c.values()].filter((e) => e.channel === undefined).map((e) => e.id)
}

const less = (a: number, b: number) => Math.max(0, a - b)

/** unread is how many messages the reader has not read. */
export function unread({ place, badge }: Pick<Entry, 'place' | 'badge'>): number {
  return less(place.count, badge.marker?.count ?? 0)
}

/** mentions is how many of them call the reader, by name, group or everybody. */
export function mentions({ place, badge }: Pick<Entry, 'place' | 'badge'>): number {
  return badge.mentions + less(place.calls, badge.marker?.calls ?? 0)
}

/** isDirect says that a channel is named by its people. */
export function isDirect({ channel, badge }: Pick<Entry, 'channel' | 'badge'>): boolean {
  const kind = channel?.kind ?? badge.kind
  return kind === ChannelKind.DIRECT || kind === ChannelKind.GROUP
}

/** names says that a message names somebody, or a group that they are in. Naming oneself is nothing. */
export function names(m: Message, me: string, groups: ReadonlySet<string>): boolean {
  return m.author !== me && (m.mentions?.users.includes(me) === true || m.mentions?.groups.some((g) => groups.has(g)) === true)
}
