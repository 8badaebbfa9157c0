import type { MarkReadRequest, MarkUnreadRequest } from '../proto/plenum/chat/v1/chat.ts'
import type { Pending } from '../session.ts'
import { names, type Channels, type Entry } from './channels.ts'
import { countable, type Window } from './messages.ts'
import { changeOf, nothingOutgoing, type Outgoing } from './outgoing.ts'

/** Counts is what holds at a marker: put it beside the request, as the outbox's note, so that badges are right before the server has answered. */
export interface Counts {
  readonly count: number
  readonly calls: number
  /** Behind it, by name or group, in messages that do not mention everybody: as Badge.mentions. */
  readonly mentions: number
}

/** Mark is a marker to be moved. */
export interface Mark<Q> {
  readonly request: Q
  readonly note: Counts | undefined
}

/**
 * readTo moves the marker forward to an offset, that of the last message which was seen in a focused window; undefined: it stands there or beyond. `e` is the
 * entry with what goes out (`overlaid`). By the window, if it reaches to the end, badges are exact at once, else when the server has answered.
 */
export function readTo(e: Entry, offset: number, w: Window | undefined, groups: ReadonlySet<string>): Mark<MarkReadRequest> | undefined {
  const marker = e.badge.marker
  const to = Math.min(offset, Math.max(e.place.offset, w?.cursor.offset ?? 0))
  if (to <= (marker?.offset ?? 0)) return undefined
  return { request: { channel: e.id, offset: to, version: marker?.version ?? 0 }, note: countsAt(e, to, w, groups) }
}

/** unreadFrom moves the marker back, so that the message at the offset is the first unread one. */
export function unreadFrom(e: Entry, offset: number, w: Window | undefined, groups: ReadonlySet<string>): Mark<MarkUnreadRequest> {
  return { request: { channel: e.id, offset, version: e.badge.marker?.version ?? 0 }, note: countsAt(e, offset - 1, w, groups) }
}

/** countsAt are the counts at an offset, from where the channel stands and what the window has behind that offset. */
export function countsAt(e: Entry, offset: number, w: Window | undefined, groups: ReadonlySet<string>): Counts | undefined {
  const { place } = e
  if (offset >= place.offset) return { count: place.count, calls: place.calls, mentions: 0 }
  if (w === undefined || w.root !== 0 || w.channel !== e.id || w.from > offset + 1 || w.to !== Infinity || w.cursor.offset < place.offset) return undefined
  let { count, calls } = place
  let named = 0
  for (const m of w.messages) {
    if (m.offset <= offset || m.offset > place.offset || !countable(m)) continue
    count--
    if (m.mentions?.everybody === true) calls--
    else if (names(m, w.me, groups)) named++
  }
  return { count: Math.max(0, count), calls: Math.max(0, calls), mentions: named }
}

/** overlaid is the list with what waits in the outbox: markers, mutes, names; what is refused counts no more. What one sends reads the channel. */
export function overlaid(c: Channels, o: Outgoing): Channels {
  let next: Map<string, Entry> | undefined
  for (const p of [...o.landed.filter((l) => l.offset === undefined).map((l) => l.pending), ...o.entries]) {
    if (p.state === 'refused') continue
    const change = changeOf(p)
    if (change === undefined) continue
    const old = (next ?? c).get(change.request.channel)
    if (old === undefined) continue
    const { badge, place } = old
    const note = isCounts(p.note) ? p.note : undefined
    const version = badge.marker?.version ?? 0
    let e: Entry | undefined = old
    switch (change.kind) {
      case 'Send':
        if (change.request.root === 0 || change.request.alsoInChannel) e = moved(old, place.offset, version, { count: place.count, calls: place.calls, mentions: 0 })
        break
      case 'MarkRead':
        e = moved(old, change.request.offset, change.request.version, note)
        break
      case 'MarkUnread':
        e = moved(old, change.request.offset - 1, change.request.version + 1, note)
        break
      case 'SetNotifications':
        e = { ...old, badge: { ...badge, muted: change.request.muted, level: change.request.level } }
        break
      case 'UpdateChannel':
        if (old.channel !== undefined) {
          const { name = old.channel.name, topic = old.channel.topic, purpose = old.channel.purpose, history, posting } = change.request
          e = { ...old, channel: { ...old.channel, name, topic, purpose, history: history || old.channel.history, posting: posting || old.channel.posting } }
        }
        break
      case 'ArchiveChannel':
        if (old.channel !== undefined) e = { ...old, channel: { ...old.channel, archived: change.request.archived } }
        break
      case 'LeaveChannel':
        e = undefined
        break
      default:
    }
    if (e === old) continue
    next ??= new Map(c)
    if (e === undefined) next.delete(change.request.channel)
    else next.set(e.id, e)
  }
  return next ?? c
}

/**
 * taken is the list with an entry of the outbox that the server has answered: it holds until what the server tells next. Of marks, take what was answered (`marked`).
 * `offset` is that of a message which was sent: it reads what is before it, so that a list which is further already knows better.
 */
export function taken(c: Channels, p: Pending, offset: number): Channels {
  const change = changeOf(p)
  if (change?.kind === 'Send' && (c.get(change.request.channel)?.place.offset ?? 0) > offset) return c
  return overlaid(c, { ...nothingOutgoing, entries: [{ ...p, state: 'sent' }] })
}

/** moved is an entry with its marker at a place, if it is not beyond. Without counts they stay, until the server tells them. */
function moved(e: Entry, offset: number, version: number, counts: Counts | undefined): Entry {
  const old = e.badge.marker
  const [v, at] = [old?.version ?? 0, old?.offset ?? 0]
  if (version < v || (version === v && offset <= at)) return e
  const marker = { offset, version, count: counts?.count ?? old?.count ?? 0, calls: counts?.calls ?? old?.calls ?? 0 }
  return { ...e, badge: { ...e.badge, marker, mentions: counts?.mentions ?? e.badge.mentions } }
}

function isCounts(note: unknown): note is Counts {
  return typeof note === 'object' && note !== null && 'count' in note && 'calls' in note && 'mentions' in note
}
