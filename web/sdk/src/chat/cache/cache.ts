import type { IDBPIndex, IDBPTransaction } from 'idb'
import { tell } from '../../tell.ts'
import type { Cursor } from '../../proto/plenum/edge/v1/edge.ts'
import type { Message } from '../../proto/plenum/chat/v1/chat.ts'
import { databaseOf } from '../../account/wipe.ts'
import { transact } from '../../transaction.ts'
import { topicOf, type Channels } from '../channels.ts'
import type { Writing } from '../drafts.ts'
import { mentionsRead, threadKey, type Inbox } from '../inbox.ts'
import { EVERYTHING, apply, inChannel, opened, type Page, type Told, type Window } from '../messages.ts'
import type { Directory } from '../people.ts'
import { ALL_MESSAGES, CHANNEL_MESSAGES, EVICTED, KEPT_MS } from './limits.ts'
import { erase, openAt, steps, type Database, type Name, type Row, type Schema, type Stand } from './schema.ts'

type Transaction = IDBPTransaction<Schema, Name[], 'readwrite'>
type Shown = IDBPIndex<Schema, Name[], 'messages', 'shown'>

/** RETRY_MS is how often it is looked, in milliseconds, whether a disk that was full has room again: by what there is to be written then. */
export const RETRY_MS = 30_000

const all: Name[] = ['messages', 'channels', 'people', 'groups', 'drafts', 'threads', 'mentions', 'cursors']

/**
 * How the cache does. `full`: the disk has no room even without the oldest, until something is written again; `closed`: a page of a later version took the database over, or the browser did;
 * `broken`: it can't be opened. In all but the first the application goes on without it: nothing is written any more, reads find nothing.
 */
export type CacheState = 'open' | 'full' | 'closed' | 'broken'

/**
 * Cache is what one account has read, on disk. It holds, of each channel, one run of messages that reaches to its stand, and is pruned by age and number.
 * Several pages may write it: each write goes on from the stand that it finds, and does nothing where another page was faster.
 */
export class Cache {
  readonly #name: string
  readonly #me: string
  #db: Database | undefined
  #state: CacheState = 'open'
  /** When a full disk may be tried again. */
  #retryAt = 0
  /** What is on disk: the last that was written. A write that fails leaves it behind what the next one takes for known. undefined: what was read. */
  #channels: Channels | undefined
  #directory: Directory | undefined
  #inbox: Inbox | undefined
  /** Channels that could not be forgotten yet. */
  readonly #unforgotten = new Set<string>()
  readonly #listeners = new Set<(state: CacheState) => void>()

  private constructor(name: string, me: string) {
    this.#name = name
    this.#me = me
  }

  /**
   * open opens the cache of an account, `user` its id, or makes it. It never fails: see `state`. A database that can't be read, or is of a later version of the
   * application, is deleted and made anew; drafts that aren't on the server are carried over, where they can be read.
   */
  static async open(user: string): Promise<Cache> {
    const cache = new Cache(Cache.nameOf(user), user)
    const closing = () => { cache.#set('closed') }
    try {
      cache.#db = await openAt(cache.#name, steps.length, closing)
    } catch {
      try {
        const drafts = await rescued(cache.#name)
        await erase(cache.#name)
        cache.#db = await openAt(cache.#name, steps.length, closing)
        for (const d of drafts) await cache.#db.put('drafts', d)
      } catch {
        cache.#set('broken')
      }
    }
    return cache
  }

  /** nameOf is the name of an account's database. */
  static nameOf(user: string): string {
    return databaseOf(user, 'cache') // by which it is found when the account is erased
  }

  /** wipe erases what an account has on disk: at sign-out, and when the device was revoked. Pages that have it open are closed by it. */
  static wipe(user: string): Promise<void> {
    return erase(Cache.nameOf(user))
  }

  get state(): CacheState {
    return this.#state
  }

  /** onState tells each change of the state, until the function that it returns is called. */
  onState(listener: (state: CacheState) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  close(): void {
    this.#db?.close()
    this.#set('closed')
  }

  #set(state: CacheState): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of this.#listeners) tell(listener, state)
  }

  // ---- reads: what a page paints before the network answers

  /** window is the end of a channel, or of a thread, as it was last known: at most `limit` messages. undefined: nothing is known of it. */
  window(channel: string, root: number, limit: number): Promise<Window | undefined> {
    return this.#read(undefined, async (db) => {
      const tx = db.transaction(['messages', 'cursors'])
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand === undefined) return undefined
      const messages = tx.objectStore('messages')
      const ranged = root === 0 ? messages.index('shown').getAll(newestOf([channel], Infinity, stand.from), limit) : messages.index('thread').getAll(newestOf([channel, root]), limit)
      const rows = (await ranged).reverse()
      const cursor = { epoch: stand.epoch, offset: stand.offset }
      const list = rows.map((r) => r.message)
      const page = { messages: list, from: fromOf(root, list, rows.length === limit, stand), to: Infinity, cursor, ahead: aheadOf(rows), omitted: omittedOf(stand, list) }
      return opened(channel, this.#me, root, page)
    })
  }

  /** older is what is on disk of a channel right before an offset: at most `limit` messages, the window that `merge` takes as a page. */
  older(channel: string, before: number, limit: number): Promise<Page | undefined> {
    return this.#read(undefined, async (db) => {
      const tx = db.transaction(['messages', 'cursors'])
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand === undefined || stand.from >= before) return undefined
      const rows = (await tx.objectStore('messages').index('shown').getAll(newestOf([channel], before, stand.from), limit)).reverse()
      const messages = rows.map((r) => r.message)
      const from = rows.length === limit ? (messages[0]?.offset ?? stand.from) : stand.from
      return { messages, from, to: before - 1, cursor: { epoch: stand.epoch, offset: stand.offset }, ahead: aheadOf(rows), omitted: omittedOf(stand, messages) }
    })
  }

  /** newer is what is on disk of a channel right behind an offset, likewise. */
  newer(channel: string, after: number, limit: number): Promise<Page | undefined> {
    return this.#read(undefined, async (db) => {
      const tx = db.transaction(['messages', 'cursors'])
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand === undefined || stand.from > after + 1) return undefined
      return pageFrom(after + 1, await upwards(tx.objectStore('messages').index('shown'), channel, after + 1, limit), limit, stand)
    })
  }

  /** around is what is on disk of a channel around a message: half of `limit` below it, the rest from it on. undefined: it isn't shown there, or not on disk. */
  around(channel: string, offset: number, limit: number): Promise<Page | undefined> {
    return this.#read(undefined, async (db) => {
      const tx = db.transaction(['messages', 'cursors'])
      const shown = tx.objectStore('messages').index('shown')
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand === undefined || stand.from > offset || (await shown.getKey([channel, -offset])) === undefined) return undefined
      const half = Math.floor(limit / 2)
      const below = (await shown.getAll(newestOf([channel], offset, stand.from), half)).reverse()
      const from = below.length === half ? (below[0]?.offset ?? offset) : stand.from
      return pageFrom(from, [...below, ...(await upwards(shown, channel, offset, limit - half))], below.length + limit - half, stand)
    })
  }

  /** messages are those of the places that are on disk, in no order. */
  messages(places: readonly (readonly [channel: string, offset: number])[]): Promise<{ readonly channel: string; readonly message: Message }[]> {
    return this.#read([], async (db) => {
      const store = db.transaction('messages').store
      const rows = await Promise.all(places.map(([channel, offset]) => store.get([channel, offset])))
      return rows.flatMap((row) => (row === undefined ? [] : [{ channel: row.channel, message: row.message }]))
    })
  }

  /** inbox are followed threads and mentions as they were last known. */
  inbox(): Promise<Inbox> {
    return this.#read({ threads: new Map(), mentions: [] }, async (db) => {
      const tx = db.transaction(['threads', 'mentions'])
      const [threads, mentions] = await Promise.all([tx.objectStore('threads').getAll(), tx.objectStore('mentions').getAll()])
      return mentionsRead({ threads: new Map(threads.map((t) => [threadKey(t.channel, t.thread?.root ?? 0), t])), mentions: [] }, mentions)
    })
  }

  /** channels is the list as it was last known. */
  channels(): Promise<Channels> {
    return this.#read(new Map(), async (db) => new Map((await db.getAll('channels')).map((e) => [e.id, e])))
  }

  directory(): Promise<Directory> {
    return this.#read({ people: new Map(), groups: new Map(), gone: new Set() }, async (db) => {
      const [people, groups] = await Promise.all([db.getAll('people'), db.getAll('groups')])
      return { people: new Map(people.map((p) => [p.id, p])), groups: new Map(groups.map((g) => [g.id, g])), gone: new Set() }
    })
  }

  drafts(): Promise<Writing[]> {
    return this.#read([], (db) => db.getAll('drafts'))
  }

  /** stand is up to where a topic is on disk. */
  stand(topic: string): Promise<Stand | undefined> {
    return this.#read(undefined, (db) => db.get('cursors', topic))
  }

  /** recent are the channels that were opened last, newest first. */
  recent(limit: number): Promise<string[]> {
    return this.#read([], async (db) => {
      const tx = db.transaction('cursors')
      const [keys, stands] = await Promise.all([tx.store.getAllKeys(range(topicOf(''))), tx.store.getAll(range(topicOf('')))])
      const opened = keys.map((topic, i) => ({ id: topic.slice(topicOf('').length), at: stands[i]?.openedMs ?? 0 }))
      return opened.filter(({ at }) => at > 0).sort((a, b) => b.at - a.at).slice(0, limit).map((o) => o.id)
    })
  }

  /** newest reads messages by time, the newest first, for a search: those behind a row, at most `limit`. */
  newest(behind: Pick<Row, 'newest'> | undefined, limit: number): Promise<Row[]> {
    const range = behind === undefined ? undefined : IDBKeyRange.lowerBound(behind.newest, true)
    return this.#read([], (db) => db.getAllFromIndex('messages', 'newest', range, limit))
  }

  // ---- writes

  /**
   * opened puts a window that reaches to the end in place of all that is on disk of its channel, where another page isn't further. `openedMs` is when the reader
   * opened the channel last, Unix milliseconds; 0: not here.
   */
  opened(w: Window, openedMs: number): Promise<boolean> {
    return this.#write(async (tx) => {
      const stand = await tx.objectStore('cursors').get(topicOf(w.channel))
      if (stand?.epoch === w.cursor.epoch && stand.offset > w.cursor.offset) return
      await tx.objectStore('messages').delete(within(w.channel))
      for (const m of w.messages) await tx.objectStore('messages').put(rowOf(w.channel, m, undefined))
      await tx.objectStore('cursors').put(standOf(w, Math.max(stand?.openedMs ?? 0, openedMs)), topicOf(w.channel))
    })
  }

  /**
   * merged keeps what a page has added to a window of the same channel: `messages` are those of the page as the window has them, of the channel from `from` on.
   * Where they don't adjoin what is on disk, replies and what is there already are kept alone.
   */
  merged(w: Window, messages: readonly Message[], from: number, to: number): Promise<boolean> {
    return this.#write(async (tx) => {
      const stand = await tx.objectStore('cursors').get(topicOf(w.channel))
      if (stand === undefined || stand.epoch !== w.cursor.epoch || stand.offset !== w.cursor.offset) return // another page is ahead, or behind
      const joins = w.root === 0 && to + 1 >= stand.from
      for (const m of messages) {
        const old = await tx.objectStore('messages').get([w.channel, m.offset])
        if (old === undefined && !joins && m.root === 0 && w.root === 0) continue
        await tx.objectStore('messages').put(rowOf(w.channel, m, w.ahead.get(m.offset)))
      }
      const omitted = [...new Set([...stand.omitted.filter((o) => !messages.some((m) => m.offset === o)), ...w.omitted])]
      await tx.objectStore('cursors').put({ ...stand, from: joins ? Math.min(stand.from, from) : stand.from, omitted }, topicOf(w.channel))
    })
  }

  /**
   * told applies what was told of a channel behind the offset `after`, as far as it lies behind the stand on disk, together with the new stand. Of a channel
   * that isn't on disk, or not as far as `after`, nothing is kept.
   */
  told(channel: string, after: number, events: readonly Told[], cursor: Cursor): Promise<boolean> {
    return this.#write(async (tx) => {
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand === undefined || stand.epoch !== cursor.epoch || stand.offset >= cursor.offset || stand.offset < after) return
      const store = tx.objectStore('messages')
      const touched = new Set(events.filter((e) => e.offset > stand.offset).flatMap(concerned))
      const rows: Row[] = []
      for (const offset of [...touched].sort((a, b) => a - b)) {
        const row = await store.get([channel, offset])
        if (row !== undefined) rows.push(row)
      }
      const stood = { epoch: stand.epoch, offset: stand.offset }
      const page = { messages: rows.map((r) => r.message), from: 0, to: Infinity, cursor: stood, ahead: aheadOf(rows), omitted: stand.omitted }
      const before = opened(channel, this.#me, EVERYTHING, page)
      const now = apply(before, events, cursor)
      const known = new Set(before.messages)
      for (const m of now.messages) if (!known.has(m)) await store.put(rowOf(channel, m, before.ahead.get(m.offset)))
      await tx.objectStore('cursors').put({ ...stand, offset: cursor.offset, omitted: now.omitted }, topicOf(channel))
    })
  }

  /** used says that a channel was opened: which ones are kept ready goes by it. */
  used(channel: string, now: number): Promise<boolean> {
    return this.#write(async (tx) => {
      const stand = await tx.objectStore('cursors').get(topicOf(channel))
      if (stand !== undefined) await tx.objectStore('cursors').put({ ...stand, openedMs: now }, topicOf(channel))
    })
  }

  /** forget drops what is on disk of a channel: it may not be read any more, was reset, or something in it was deleted that we haven't been told. */
  async forget(channel: string): Promise<boolean> {
    const done = await this.#write((tx) => forgotten(tx, channel))
    if (!done) this.#unforgotten.add(channel)
    return done
  }

  /**
   * putChannels keeps the entries that changed, and drops those that left with all that was kept of them, with drafts and the inbox of which the same topic has told, and its cursor. What an
   * earlier write could not keep is kept with it, here and below: a cursor is never ahead of what it stands for.
   */
  async putChannels(before: Channels, after: Channels, topic: string, cursor: Cursor | undefined, drafts: readonly Writing[] = [], inbox?: readonly [before: Inbox, after: Inbox]): Promise<boolean> {
    const old = (this.#channels ??= before)
    const oldInbox = inbox && (this.#inbox ??= inbox[0])
    const done = await this.#write(async (tx) => {
      for (const w of drafts) await tx.objectStore('drafts').put(w)
      if (inbox && oldInbox) await putInbox(tx, oldInbox, inbox[1])
      for (const [id, e] of after) if (old.get(id) !== e) await tx.objectStore('channels').put(e)
      for (const id of old.keys()) {
        if (after.has(id)) continue
        await tx.objectStore('channels').delete(id)
        await forgotten(tx, id) // whoever says first that it may not be read any more
      }
      await putCursor(tx, topic, cursor)
    })
    if (done) this.#channels = after
    if (done && inbox) this.#inbox = inbox[1]
    return done
  }

  /** putInbox keeps what changed of followed threads and mentions, and drops what is gone. */
  async putInbox(before: Inbox, after: Inbox): Promise<boolean> {
    const old = (this.#inbox ??= before)
    const done = await this.#write((tx) => putInbox(tx, old, after))
    if (done) this.#inbox = after
    return done
  }

  async putDirectory(before: Directory, after: Directory, topic: string, cursor: Cursor | undefined): Promise<boolean> {
    const old = (this.#directory ??= before)
    const done = await this.#write(async (tx) => {
      for (const [id, p] of after.people) if (old.people.get(id) !== p) await tx.objectStore('people').put(p)
      for (const [id, g] of after.groups) if (old.groups.get(id) !== g) await tx.objectStore('groups').put(g)
      for (const id of old.groups.keys()) if (!after.groups.has(id)) await tx.objectStore('groups').delete(id)
      await putCursor(tx, topic, cursor)
    })
    if (done) this.#directory = after
    return done
  }

  /** putDraft keeps what is being written; what is nothing and known to the server so is dropped. It is on disk when this resolves. */
  putDraft(w: Writing): Promise<boolean> {
    return this.#write(async (tx) => {
      const empty = w.text === '' && w.saved === '' && w.sending === undefined && w.theirs === undefined && w.leaving === undefined
      if (empty && w.version === 0) await tx.objectStore('drafts').delete([w.channel, w.root])
      else await tx.objectStore('drafts').put(w)
    }, true)
  }

  /** prune drops what is too old or too much: call it at the start and every few hours. It returns how many messages went. */
  async prune(now: number): Promise<number> {
    let gone = 0
    await this.#write(async (tx) => {
      gone += await drop(tx, await tx.objectStore('messages').index('newest').getAllKeys(IDBKeyRange.lowerBound([KEPT_MS - now, []], true)))
      const topics = await tx.objectStore('cursors').getAllKeys(range(topicOf('')))
      for (const topic of topics) {
        const channel = topic.slice(topicOf('').length)
        const many = (await tx.objectStore('messages').count(within(channel))) - CHANNEL_MESSAGES
        if (many <= 0) continue
        gone += await drop(tx, await tx.objectStore('messages').getAllKeys(within(channel), many))
      }
      gone += await drop(tx, await oldest(tx, (await tx.objectStore('messages').count()) - ALL_MESSAGES))
    })
    return gone
  }

  /**
   * makeRoom drops the oldest of all messages, for what matters more and found the disk full: what waits to be sent. It returns whether there were any.
   */
  async makeRoom(): Promise<boolean> {
    if (this.#db === undefined || (this.#state !== 'open' && this.#state !== 'full')) return false
    try {
      return (await evict(this.#db)) > 0
    } catch (e) {
      return isQuota(e) ? false : this.#failed(e)
    }
  }

  async #read<T>(nothing: T, read: (db: Database) => Promise<T>): Promise<T> {
    if (this.#db === undefined || this.#state === 'closed') return nothing
    try {
      return await read(this.#db)
    } catch (e) {
      if (e instanceof DOMException) return nothing // closed under us
      throw e
    }
  }

  /**
   * write is one transaction: all of it is there, or nothing. Where the disk is full it makes room once. It returns whether it was written. Where there was no room
   * before, it is tried now and then, and what must be kept each time.
   */
  async #write(write: (tx: Transaction) => Promise<void>, must = false): Promise<boolean> {
    const db = this.#db
    const full = this.#state === 'full'
    if (db === undefined || (this.#state !== 'open' && !full)) return false
    if (full && !must && Date.now() < this.#retryAt) return false
    this.#retryAt = full && !must ? Date.now() + RETRY_MS : this.#retryAt
    try {
      await transact(db.transaction(all, 'readwrite'), write)
      if (full && !must) this.#hasRoom() // what must be kept is small, and says nothing
      return true
    } catch (e) {
      if (!isQuota(e)) return this.#failed(e)
      if (full && !must) return false
    }
    try {
      await evict(db)
      await transact(db.transaction(all, 'readwrite'), write)
      return true
    } catch (e) {
      if (!isQuota(e)) return this.#failed(e)
      this.#retryAt = Date.now() + RETRY_MS
      this.#set('full')
      return false
    }
  }

  /** hasRoom goes on as before the disk was full. */
  #hasRoom(): void {
    this.#set('open')
    const late = [...this.#unforgotten]
    this.#unforgotten.clear()
    for (const channel of late) void this.forget(channel)
  }

  /** failed goes on without the cache; what can't be cloned is a fault of the program's. */
  #failed(e: unknown): false {
    if (!(e instanceof DOMException) || e.name === 'DataCloneError') throw e
    this.#set(e.name === 'InvalidStateError' ? 'closed' : 'broken')
    return false
  }
}

/** evict drops a part of all messages, the oldest, and returns how many. */
async function evict(db: Database): Promise<number> {
  let gone = 0
  await transact(db.transaction(all, 'readwrite'), async (tx) => {
    gone = await drop(tx, await oldest(tx, Math.ceil((await tx.objectStore('messages').count()) * EVICTED)))
  })
  return gone
}

const isQuota = (e: unknown) => e instanceof DOMException && e.name === 'QuotaExceededError'

/** within is where a channel's messages lie, up to an offset. */
const within = (channel: string, to = Infinity) => IDBKeyRange.bound([channel, 0], [channel, to])
const range = (prefix: string) => IDBKeyRange.bound(prefix, `${prefix}\uffff`)

/**
 * drop deletes messages, those of the keys, and all of the same channel before them: they are older. It raises where the runs of their channels begin, and
 * returns how many went.
 */
async function drop(tx: Transaction, keys: readonly (readonly [channel: string, offset: number])[]): Promise<number> {
  const last = new Map<string, number>()
  for (const [channel, offset] of keys) last.set(channel, Math.max(last.get(channel) ?? 0, offset))
  for (const [channel, offset] of last) {
    await tx.objectStore('messages').delete(within(channel, offset))
    await raise(tx, channel, offset + 1)
  }
  return keys.length
}

/** oldest are the keys of so many messages. */
async function oldest(tx: Transaction, many: number): Promise<[string, number][]> {
  return many <= 0 ? [] : (await tx.objectStore('messages').index('newest').getAllKeys()).slice(-many)
}

async function forgotten(tx: Transaction, channel: string): Promise<void> {
  await tx.objectStore('messages').delete(within(channel))
  await tx.objectStore('cursors').delete(topicOf(channel))
}

async function raise(tx: Transaction, channel: string, from: number): Promise<void> {
  const stand = await tx.objectStore('cursors').get(topicOf(channel))
  if (stand !== undefined && stand.from < from) await tx.objectStore('cursors').put({ ...stand, from }, topicOf(channel))
}

async function putCursor(tx: Transaction, topic: string, cursor: Cursor | undefined): Promise<void> {
  if (cursor !== undefined) await tx.objectStore('cursors').put({ ...cursor, from: 0, openedMs: 0, omitted: [] }, topic)
}

async function putInbox(tx: Transaction, before: Inbox, after: Inbox): Promise<void> {
  const threads = tx.objectStore('threads')
  for (const [key, t] of after.threads) if (before.threads.get(key) !== t) await threads.put(t, [t.channel, t.thread?.root ?? 0])
  for (const [key, t] of before.threads) if (!after.threads.has(key)) await threads.delete([t.channel, t.thread?.root ?? 0])
  if (before.mentions === after.mentions) return
  const mentions = tx.objectStore('mentions')
  const [old, now] = [before, after].map((i) => new Map(i.mentions.map((m) => [threadKey(m.channel, m.offset), m])))
  for (const [key, m] of now ?? []) if (old?.get(key) !== m) await mentions.put(m, [m.channel, m.offset])
  for (const [key, m] of old ?? []) if (!now?.has(key)) await mentions.delete([m.channel, m.offset])
}

/** upwards are the first messages shown in a channel from an offset on, ascending. */
async function upwards(shown: Shown, channel: string, from: number, limit: number): Promise<Row[]> {
  const rows: Row[] = []
  for await (const cursor of shown.iterate(IDBKeyRange.bound([channel, -Infinity], [channel, -from]), 'prev')) {
    rows.push(cursor.value)
    if (rows.length === limit) break
  }
  return rows
}

/** pageFrom is a page of rows from an offset on, in which there are so many if it doesn't reach to the end. */
function pageFrom(from: number, rows: readonly Row[], full: number, stand: Stand): Page {
  const messages = rows.map((r) => r.message)
  const to = rows.length === full ? (messages.at(-1)?.offset ?? from) : Infinity
  return { messages, from, to, cursor: { epoch: stand.epoch, offset: stand.offset }, ahead: aheadOf(rows), omitted: omittedOf(stand, messages) }
}

/** newestOf is a range of an index that has the newest first: all whose key begins so, below an offset, from another one on. */
function newestOf(prefix: readonly IDBValidKey[], before = Infinity, from = 0): IDBKeyRange {
  return IDBKeyRange.bound([...prefix, -before], [...prefix, -from], true, false)
}

/** concerned are the offsets that an event may change, or make. */
function concerned(e: Told): number[] {
  switch (e.what?.$case) {
    case 'posted':
      return [e.offset, e.what.value.root]
    case 'edited':
    case 'reaction':
      return [e.what.value.offset]
    case 'deleted':
      return [e.what.value.offset, e.what.value.thread?.root ?? 0]
    case 'pin':
      return [e.what.value.offset, e.offset]
    default:
      return [e.offset]
  }
}

function rowOf(channel: string, m: Message, asOf: number | undefined): Row {
  const shown = inChannel(m) ? { shown: [channel, -m.offset] as const } : {}
  const root = m.root !== 0 ? m.root : m.thread !== undefined ? m.offset : 0
  const thread = root !== 0 ? { thread: [channel, root, -m.offset] as const } : {}
  return { channel, offset: m.offset, timeMs: m.timeMs, message: m, newest: [-m.timeMs, channel, -m.offset], ...shown, ...thread, ...(asOf === undefined ? {} : { asOf }) }
}

const aheadOf = (rows: readonly Row[]) => new Map(rows.flatMap((r) => (r.asOf === undefined ? [] : [[r.offset, r.asOf] as const])))
const omittedOf = (stand: Stand, list: readonly Message[]) => stand.omitted.filter((o) => list.some((m) => m.offset === o))

function standOf(w: Window, openedMs: number): Stand {
  return { epoch: w.cursor.epoch, offset: w.cursor.offset, from: w.from, openedMs, omitted: w.omitted }
}

/** fromOf is where a window from disk begins: of a thread at its root, where all replies that it counts are there. */
function fromOf(root: number, list: readonly Message[], full: boolean, stand: Stand): number {
  const first = list[0]
  if (root === 0) return full ? (first?.offset ?? stand.from) : stand.from
  const complete = first?.offset === root && first.thread?.replies === list.filter((m) => m.offset !== root && !m.deleted).length
  return complete ? 0 : (first?.offset ?? Infinity)
}

/** rescued are the drafts of a database that this version can't use, which the server doesn't have. */
async function rescued(name: string): Promise<Writing[]> {
  return new Promise((done) => {
    const request = indexedDB.open(name)
    request.onerror = () => { done([]) }
    request.onsuccess = () => {
      const db = request.result
      const end = (drafts: Writing[]) => {
        db.close()
        done(drafts)
      }
      if (!db.objectStoreNames.contains('drafts')) {
        end([])
        return
      }
      const read = db.transaction('drafts').objectStore('drafts').getAll()
      read.onerror = () => { end([]) }
      read.onsuccess = () => { end((read.result as Writing[]).filter((w) => typeof w.text === 'string' && (w.text !== w.saved || w.leaving !== undefined))) }
    }
  })
}
