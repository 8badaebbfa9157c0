import { message } from '../method.ts'
import { ChannelEvent, Message, type HistoryRequest, type HistoryResponse, type Reaction, type System, type Thread } from '../proto/plenum/chat/v1/chat.ts'
import type { Cursor, Event } from '../proto/plenum/edge/v1/edge.ts'

/** TAIL is how many of the last events a window remembers, for pages that were read before them. */
export const TAIL = 512

/** NAMED is how many of those who reacted are named, as the server does it. */
export const NAMED = 20

/** EVERYTHING in place of a root: what is shown in the channel, and all replies. */
export const EVERYTHING = -1

/** Told is an event of a channel. Without `what` it was erased, or isn't known to this client: it takes its place, and nothing is shown. */
export interface Told {
  readonly offset: number
  readonly timeMs: number
  /** Event.mutation; '0': no client's. */
  readonly mutation: string
  readonly actor: string
  readonly what: ChannelEvent['event']
}

/** told decodes an event of "chat.channel/…". */
export function told({ offset, timeMs, mutation, body }: Event): Told {
  if (body.length === 0) return { offset, timeMs, mutation, actor: '', what: undefined }
  const { actor, event } = ChannelEvent.decode(body)
  return { offset, timeMs, mutation, actor, what: event }
}

/**
 * Window is a run of a channel's messages, or of a thread's, without holes between `from` and `to`. It never changes: what happens makes another one,
 * in which all messages that stayed the same are the same objects.
 */
export interface Window {
  readonly channel: string
  /** The reader, by which reactions are `mine`. */
  readonly me: string
  /** 0: what is shown in the channel; else the first message of the thread that this is of; or EVERYTHING. */
  readonly root: number
  /** By offset. Deleted ones and system messages too. */
  readonly messages: readonly Message[]
  /** The first offset that it would hold; 0: from the beginning, there is nothing older. */
  readonly from: number
  /** The last one; Infinity: to the end, and it goes on with what is posted. */
  readonly to: number
  /** Of the channel's topic: every event up to it is in here. */
  readonly cursor: Cursor
  /** Messages, by offset, that were read at a later cursor than the window's: what happened up to that is in them. */
  readonly ahead: ReadonlyMap<number, number>
  /** Messages whose text was edited and isn't told by the event: read them by GetMessages, and `reread` the window. */
  readonly omitted: readonly number[]
  readonly tail: Tail
}

/** Tail is what was told last: all events behind `after`. */
export interface Tail {
  readonly after: number
  readonly events: readonly Told[]
}

/** Page is an answer of History, or what the cache has: all messages from `from` to `to`, as of `cursor` or later. */
export interface Page extends Pick<Window, 'messages' | 'from' | 'to' | 'cursor'>, Partial<Pick<Window, 'ahead' | 'omitted'>> {}

/** pageOf is what an answer of History covers, by where it was asked for. */
export function pageOf(place: HistoryRequest['place'], { messages, moreBefore, moreAfter, cursor }: HistoryResponse): Page {
  const first = place?.$case === 'after' ? place.value + 1 : (messages[0]?.offset ?? 0)
  const last = place?.$case === 'before' ? place.value - 1 : (messages.at(-1)?.offset ?? Infinity)
  return { messages, from: moreBefore ? first : 0, to: moreAfter ? last : Infinity, cursor: cursor ?? { epoch: 0, offset: 0 } }
}

/** opened is a window on a page. */
export function opened(channel: string, me: string, root: number, page: Page): Window {
  const { messages, from, to, cursor, ahead = none, omitted = [] } = page
  return { channel, me, root, messages, from, to, cursor, ahead, omitted, tail: { after: page.cursor.offset, events: [] } }
}

const none: ReadonlyMap<number, number> = new Map()

/** apply is the window with what was told since, in order; what it knows is skipped. `cursor` is where the topic stands with it. */
export function apply(w: Window, events: readonly Told[], cursor: Cursor): Window {
  if (cursor.epoch !== w.cursor.epoch) throw new RangeError('these events are of another history of the channel: open the window anew')
  if (cursor.offset <= w.cursor.offset) return w
  const news = events.filter((e) => e.offset > w.cursor.offset)
  let { after } = w.tail
  let kept = [...w.tail.events, ...news]
  if (kept.length > TAIL) {
    after = kept[kept.length - TAIL - 1]?.offset ?? after
    kept = kept.slice(-TAIL)
  }
  return { ...fold(w, news, cursor), tail: { after, events: kept } }
}

/** fold applies events all of which lie behind the window's cursor. */
function fold(w: Window, news: readonly Told[], cursor: Cursor): Window {
  const run = new Run(w)
  for (const e of news) run.take(e)
  const ahead = w.ahead.size > 0 ? new Map([...w.ahead].filter(([, asOf]) => asOf > cursor.offset)) : w.ahead
  return { ...w, messages: run.messages, omitted: run.omitted, cursor, ahead }
}

/**
 * merge is the window with a page that adjoins or overlaps it; with any other page it stays as it is (`opened` jumps there). undefined: the page was read
 * before events that aren't remembered any more, or in another history: ask for it again.
 */
export function merge(w: Window, page: Page): Window | undefined {
  const p = caughtUp(w, page)
  if (p === undefined) return undefined
  if (p.from > w.to + 1 || p.to + 1 < w.from) return w
  const messages: Message[] = []
  const ahead = new Map(w.ahead)
  let omitted = w.omitted
  let i = 0
  for (const theirs of p.messages) {
    while ((w.messages[i]?.offset ?? Infinity) < theirs.offset) messages.push(w.messages[i++] as Message)
    const ours = w.messages[i]
    if (ours?.offset === theirs.offset) {
      i++
      const [asOf, theirAsOf] = [w, p].map((x) => x.ahead.get(theirs.offset) ?? x.cursor.offset) as [number, number]
      if (theirAsOf < asOf || (theirAsOf === asOf && !omitted.includes(ours.offset))) {
        messages.push(ours)
        continue
      }
      if (!p.omitted.includes(ours.offset)) omitted = omitted.filter((o) => o !== ours.offset)
    } else if (p.omitted.includes(theirs.offset)) {
      omitted = [...omitted, theirs.offset]
    }
    const asOf = p.ahead.get(theirs.offset) ?? p.cursor.offset
    if (asOf > w.cursor.offset) ahead.set(theirs.offset, asOf)
    messages.push(theirs)
  }
  while (i < w.messages.length) messages.push(w.messages[i++] as Message)
  return { ...w, messages, ahead, omitted, from: Math.min(w.from, p.from), to: Math.max(w.to, p.to) }
}

/** caughtUp is a page with what was told since it was read. Of a thread or channel as the window. */
export function caughtUp(w: Window, page: Page): Window | undefined {
  if (page.cursor.epoch !== w.cursor.epoch) return undefined
  const as = opened(w.channel, w.me, w.root, page)
  if (page.cursor.offset >= w.cursor.offset) return as
  if (page.cursor.offset < w.tail.after) return undefined
  return { ...fold(as, w.tail.events.filter((e) => e.offset > page.cursor.offset), w.cursor), tail: w.tail }
}

/**
 * reread takes over messages that were read again by GetMessages; those asked for and not answered may not be read. undefined: they were read before
 * events that aren't remembered: ask again.
 */
export function reread(w: Window, asked: readonly number[], answer: { readonly messages: readonly Message[]; readonly cursor: Cursor | undefined }): Window | undefined {
  const cursor = answer.cursor ?? { epoch: 0, offset: 0 }
  const p = caughtUp(w, { messages: answer.messages, from: Infinity, to: 0, cursor })
  if (p === undefined) return undefined
  const messages = [...w.messages]
  const ahead = new Map(w.ahead)
  for (const m of p.messages) {
    const i = bisect(messages, m.offset)
    if (messages[i]?.offset !== m.offset || (ahead.get(m.offset) ?? 0) > p.cursor.offset) continue
    messages[i] = m
    if (p.cursor.offset > w.cursor.offset) ahead.set(m.offset, p.cursor.offset)
  }
  return { ...w, messages, ahead, omitted: w.omitted.filter((o) => !asked.includes(o) || p.omitted.includes(o)) }
}

/** trimmed is the window without all but so many messages at one side: what scrolled away can be read again. */
export function trimmed(w: Window, most: number, drop: 'before' | 'after'): Window {
  if (w.messages.length <= most) return w
  const messages = drop === 'before' ? w.messages.slice(-most) : w.messages.slice(0, most)
  const [from, to] = [messages[0]?.offset ?? 0, messages.at(-1)?.offset ?? 0]
  const within = (o: number) => o >= from && o <= to
  return {
    ...w,
    messages,
    from: drop === 'before' ? from : w.from,
    to: drop === 'after' ? to : w.to,
    ahead: new Map([...w.ahead].filter(([o]) => within(o))),
    omitted: w.omitted.filter(within),
  }
}

/** find is the message of an offset, if the window holds it. */
export function find(w: Window, offset: number): Message | undefined {
  const m = w.messages[bisect(w.messages, offset)]
  return m?.offset === offset ? m : undefined
}

/** countable says that a message counts as unread until it is read: those shown in the channel, deleted ones too; no system messages. */
export function countable(m: Message): boolean {
  return m.system === undefined && inChannel(m)
}

/** inChannel says that a message is shown in its channel, not in its thread alone. */
export function inChannel(m: Message): boolean {
  return m.root === 0 || m.alsoInChannel
}

/** bisect is where an offset stands, or would. */
export function bisect(messages: readonly { readonly offset: number }[], offset: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((messages[middle]?.offset ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Run is a window's messages under a batch of events: copied once, before the first change. */
class Run {
  readonly #w: Window
  messages: readonly Message[]
  omitted: readonly number[]
  #own: Message[] | undefined

  constructor(w: Window) {
    this.#w = w
    this.messages = w.messages
    this.omitted = w.omitted
  }

  take(e: Told): void {
    switch (e.what?.$case) {
      case 'posted': {
        const { value } = e.what
        this.#insert({ ...value, ...placed(e), author: value.author === '' ? e.actor : value.author, thread: undefined, reactions: [] })
        const t = value.thread
        if (t !== undefined) this.#change(e, value.root, (m) => threaded(m, { ...t, lastReply: t.lastReply || e.offset, lastReplyMs: t.lastReplyMs || e.timeMs }))
        return
      }
      case 'edited': {
        const { offset, text, mentions, edits, textOmitted } = e.what.value
        this.#change(e, offset, (m) => {
          if (m.deleted) return m
          if (!textOmitted) {
            this.omitted = this.omitted.filter((o) => o !== offset)
            return { ...m, text, mentions, edits, editedMs: e.timeMs }
          }
          if (!this.omitted.includes(offset)) this.omitted = [...this.omitted, offset]
          return { ...m, edits, editedMs: e.timeMs }
        })
        return
      }
      case 'deleted': {
        const { offset, thread } = e.what.value
        this.#change(e, offset, emptied)
        this.omitted = this.omitted.filter((o) => o !== offset)
        if (thread !== undefined) this.#change(e, thread.root, (m) => threaded(m, thread))
        return
      }
      case 'reaction': {
        const { offset, emoji, removed } = e.what.value
        this.#change(e, offset, (m) => reacted(m, { emoji, user: e.actor, removed, mine: e.actor === this.#w.me }))
        return
      }
      case 'pin': {
        const { offset, removed } = e.what.value
        this.#change(e, offset, (m) => (m.deleted || m.pinned === !removed ? m : { ...m, pinned: !removed }))
        this.#system(e, { $case: 'pin', value: e.what.value })
        return
      }
      case 'members':
        this.#system(e, { $case: 'members', value: e.what.value })
        return
      case 'channel':
        this.#system(e, { $case: 'channel', value: e.what.value })
        return
      case undefined:
    }
  }

  #system(e: Told, change: System['change']): void {
    this.#insert(message(Message, { ...placed(e), author: e.actor, system: { change } }))
  }

  #insert(m: Message): void {
    const { root, from, to } = this.#w
    const shown = root === EVERYTHING || (root === 0 ? inChannel(m) : m.offset === root || (m.root === root && m.system === undefined))
    if (!shown || m.offset < from || m.offset > to) return
    const i = bisect(this.messages, m.offset)
    if (this.messages[i]?.offset !== m.offset) this.#copy().splice(i, 0, m) // else a page has told of it, and of what became of it
  }

  #change(e: Told, offset: number, to: (m: Message) => Message): void {
    if ((this.#w.ahead.get(offset) ?? 0) >= e.offset) return
    const i = bisect(this.messages, offset)
    const old = this.messages[i]
    if (old?.offset !== offset) return
    const m = to(old)
    if (m !== old) this.#copy()[i] = m
  }

  #copy(): Message[] {
    this.#own ??= [...this.messages]
    this.messages = this.#own
    return this.#own
  }
}

/** placed is what a message has of its event. */
function placed({ offset, timeMs, mutation }: Told): Pick<Message, 'offset' | 'timeMs' | 'mutation'> {
  return { offset, timeMs, mutation }
}

/** threaded is a thread's first message with how many replies there are now. A deletion may be told with a last reply that was known before others. */
function threaded(m: Message, t: Thread): Message {
  const old = m.thread
  const last = old !== undefined && old.lastReply > t.lastReply ? { lastReply: old.lastReply, lastReplyMs: old.lastReplyMs } : {}
  return { ...m, thread: { ...t, ...last } }
}

/** emptied is a message that was deleted: its place stays, and its thread. */
export function emptied(m: Message): Message {
  if (m.deleted) return m
  return { ...m, deleted: true, text: '', mentions: undefined, context: [], reactions: [], pinned: false }
}

/**
 * reacted is a message with a reaction more or less; done twice it changes nothing, as far as those who reacted are named. Emoji keep the order in which
 * they were first seen here.
 */
export function reacted(m: Message, change: { readonly emoji: string; readonly user: string; readonly removed: boolean; readonly mine: boolean }): Message {
  if (m.deleted) return m
  const { emoji, user, removed, mine } = change
  const old = m.reactions.find((r) => r.emoji === emoji)
  const all = old !== undefined && old.users.length === old.count // are named
  const there = old !== undefined && (mine ? old.mine : old.users.includes(user))
  if (!removed) {
    if (there) return m
    if (old === undefined) return { ...m, reactions: [...m.reactions, { emoji, count: 1, users: [user], mine }] }
    const users = all && old.users.length < NAMED ? [...old.users, user] : old.users
    return replaced(m, old, { emoji, count: old.count + 1, users, mine: old.mine || mine })
  }
  if (old === undefined || (!there && (mine || all))) return m
  return replaced(m, old, { emoji, count: old.count - 1, users: old.users.filter((u) => u !== user), mine: old.mine && !mine })
}

function replaced(m: Message, old: Reaction, r: Reaction): Message {
  return { ...m, reactions: m.reactions.flatMap((x) => (x !== old ? [x] : r.count > 0 ? [r] : [])) }
}
