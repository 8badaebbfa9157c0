import 'fake-indexeddb/auto'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { act, doings, steps } from '../../../test/chance.ts'
import { ChannelLog } from '../../../test/channel.ts'
import { message } from '../../method.ts'
import { Badge, Message, type HistoryRequest } from '../../proto/plenum/chat/v1/chat.ts'
import { Head } from '../../proto/plenum/edge/v1/edge.ts'
import { Person } from '../../proto/plenum/identity/v1/model.ts'
import { headsTold, type Entry } from '../channels.ts'
import { typed, unwritten } from '../drafts.ts'
import { apply, merge, opened, pageOf, told, type Window } from '../messages.ts'
import { nobody, withPeople } from '../people.ts'
import { Cache, RETRY_MS } from './cache.ts'
import { CHANNEL_MESSAGES, KEPT_MS } from './limits.ts'
import { erase, openAt, steps as migrations } from './schema.ts'
import { search } from './search.ts'

const me = 'ada'
let users = 0
const fresh = () => `user${++users}`

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

function page(log: ChannelLog, root = 0, place?: HistoryRequest['place'], limit = 4) {
  return pageOf(place, log.history(me, { root, place, limit }))
}

/** agree says that messages are what the server has from an offset on, but for what was erased before it was told. */
function agree(w: Window | undefined, log: ChannelLog): void {
  if (w === undefined) throw new Error('nothing is kept')
  const plain = (m: Message) => ({ ...m, ...(m.deleted ? { edits: 0, editedMs: 0 } : {}), reactions: [...m.reactions].sort((a, b) => (a.emoji < b.emoji ? -1 : 1)) })
  const ours = new Map(w.messages.map((m) => [m.offset, m]))
  for (const m of log.all(me, w.root).filter((x) => x.offset >= w.from)) {
    const own = ours.get(m.offset)
    ours.delete(m.offset)
    if (own === undefined) expect(m.deleted).toBe(true)
    else if (!w.omitted.includes(m.offset)) expect(plain(own)).toEqual(plain(m))
  }
  expect([...ours.keys()]).toEqual([])
}

/** Writer is one page: a window, and the cache that it writes. */
class Writer {
  w: Window
  readonly cache: Cache

  constructor(w: Window, cache: Cache) {
    this.w = w
    this.cache = cache
  }

  async tell(log: ChannelLog, n: number): Promise<void> {
    const events = log.events.slice(this.w.cursor.offset, this.w.cursor.offset + n).map(told)
    const cursor = { epoch: 7, offset: events.at(-1)?.offset ?? this.w.cursor.offset }
    const after = this.w.cursor.offset
    this.w = apply(this.w, events, cursor)
    await this.cache.told('c', after, events, cursor)
  }

  async read(log: ChannelLog, root: number): Promise<void> {
    const p = root === 0 ? page(log, 0, { $case: 'before', value: this.w.from }) : page(log, root, undefined, 3)
    const w = root === 0 ? merge(this.w, p) : p.cursor.offset === this.w.cursor.offset ? opened('c', me, root, p) : undefined
    if (w === undefined) return
    if (root === 0) this.w = w
    const of = new Set(p.messages.map((m) => m.offset))
    await this.cache.merged(w, w.messages.filter((m) => of.has(m.offset)), p.from, p.to)
  }
}

describe('the cache', () => {
  test('has what the server has, whatever pages and events write it, and however many of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps(...doings, 'tell', 'tell', 'older', 'thread', 'paint', 'prune', 'open'), { minLength: 10, maxLength: 60 }), async (all) => {
        const log = new ChannelLog()
        for (let n = 0; n < 6; n++) log.post('bob', `${n}`)
        await Cache.wipe(me)
        const cache = await Cache.open(me)
        const pages = [0, 1].map(() => new Writer(opened('c', me, 0, page(log)), cache))
        await cache.opened(opened('c', me, 0, page(log)), 1)
        for (const s of all) {
          const [what, who, which] = s
          const writer = pages[who % 2] as Writer
          if (what === 'tell') await writer.tell(log, 1 + (which % 5))
          else if (what === 'older') await writer.read(log, 0)
          else if (what === 'thread') {
            const roots = [...log.said.values()].filter((x) => x.last > 0)
            const root = roots[which % Math.max(1, roots.length)]
            if (root !== undefined) await writer.read(log, root.offset)
          } else if (what === 'open') {
            writer.w = opened('c', me, 0, page(log))
            await cache.opened(writer.w, 1)
          } else if (what === 'prune' && which % 3 === 0) {
            await cache.prune(KEPT_MS + 1_000 + (which % 100))
          } else if (what === 'paint') {
            const stand = await cache.stand('chat.channel/c')
            if (stand?.offset === log.head) agree(await cache.window('c', 0, 100), log)
          } else act(log, s)
        }
        for (const writer of pages) await writer.tell(log, Infinity)
        const w = await cache.window('c', 0, 1_000)
        expect(w?.cursor).toEqual(log.cursor)
        agree(w, log)
        for (const root of log.said.values()) if (root.last > 0) {
          const thread = await cache.window('c', root.offset, 1_000)
          if (thread?.from === 0) agree(thread, log)
        }
        const first = w?.messages[0]
        if (first !== undefined) {
          const few = await cache.window('c', 0, 3)
          const older = few && (await cache.older('c', few.from, 1_000))
          if (older !== undefined && few !== undefined) expect(merge(few, older)?.messages).toEqual(w?.messages)
        }
        cache.close()
      }),
      { numRuns: 100 },
    )
  }, 60_000)

  test('takes nothing that does not go on from what it has', async () => {
    const cache = await Cache.open(fresh())
    const log = new ChannelLog()
    log.post('bob', 'one')
    const old = opened('c', me, 0, page(log))
    await cache.opened(old, 1)
    log.edit('bob', 1, 'two')
    log.post('bob', 'three')
    const events = log.events.map(told)
    await cache.told('c', 2, events.slice(2), log.cursor) // a page that begins later: the second event is missing
    expect((await cache.window('c', 0, 9))?.cursor.offset).toBe(1)
    await cache.told('c', 1, events.slice(1), log.cursor)
    await cache.merged(old, old.messages, 0, Infinity) // a page that is behind
    await cache.opened(old, 1)
    expect((await cache.window('c', 0, 9))?.messages.map((m) => m.text)).toEqual(['two', 'three'])
    const late = { messages: [message(Message, { offset: 40, author: 'bob', text: 'kept' })], from: 40, to: Infinity, cursor: { epoch: 7, offset: 40 } }
    await cache.opened(opened('late', me, 0, late), 1)
    const past = opened('late', me, 0, { ...late, messages: [message(Message, { offset: 3, author: 'bob', text: 'past' })], from: 3, to: 5 })
    await cache.merged(past, past.messages, past.from, past.to) // what lies between isn't known
    expect((await cache.newest(undefined, 99)).map((r) => r.message.text).filter((t) => t === 'past')).toEqual([])
    await cache.told('unknown', 0, events, log.cursor)
    expect(await cache.window('unknown', 0, 9)).toBeUndefined()
  })

  test('keeps the list, the people and drafts, and forgets what is gone', async () => {
    const user = fresh()
    const cache = await Cache.open(user)
    const head = (id: string) => message(Head, { topic: `chat.channel/${id}`, epoch: 7, offset: 3 })
    const one = headsTold(new Map(), { kind: 'heads', snapshot: true, heads: [head('a'), head('b')], cursor: undefined }, 0)
    await cache.putChannels(new Map(), one, 'chat.mine/me', { epoch: 1, offset: 2 })
    const two = headsTold(one, { kind: 'heads', snapshot: false, heads: [message(Head, { topic: 'chat.channel/b', removed: true })], cursor: undefined }, 0)
    await cache.putChannels(one, two, 'chat.mine/me', { epoch: 1, offset: 3 })
    const people = withPeople(nobody, [message(Person, { id: 'ada', version: 1 })])
    await cache.putDirectory(nobody, people, 'identity.workspace/me', undefined)
    await cache.putDraft(typed(unwritten('a', 0), 'hello', 1))
    cache.close()
    expect(cache.state).toBe('closed')
    expect(await cache.channels()).toEqual(new Map())
    const again = await Cache.open(user)
    expect([...(await again.channels()).keys()]).toEqual(['a'])
    expect(await again.stand('chat.mine/me')).toMatchObject({ epoch: 1, offset: 3 })
    expect(await again.directory()).toEqual(people)
    expect((await again.drafts()).map((d) => d.text)).toEqual(['hello'])
    await again.putDraft(typed(typed(unwritten('a', 0), 'hello', 1), '', 2))
    expect(await again.drafts()).toEqual([])
    const other = await Cache.open(fresh())
    expect(await other.channels()).toEqual(new Map())
    again.close()
    await Cache.wipe(user)
    expect(await (await Cache.open(user)).channels()).toEqual(new Map())
  })

  test('is wiped under a page that has it open, which goes on without', async () => {
    const user = fresh()
    const cache = await Cache.open(user)
    const states: string[] = []
    cache.onState((s) => states.push(s))
    await Cache.wipe(user)
    expect(states).toEqual(['closed'])
    expect(await cache.putDraft(typed(unwritten('a', 0), 'hello', 1))).toBe(false)
  })

  test('is pruned by age and by number, and knows where its runs begin then', async () => {
    const cache = await Cache.open(fresh())
    const messages = (n: number) => Array.from({ length: n }, (_, i) => message(Message, { offset: i + 1, timeMs: 1_000 + i, author: 'bob', text: 'x' }))
    const w = (channel: string, n: number) => opened(channel, me, 0, { messages: messages(n), from: 0, to: Infinity, cursor: { epoch: 7, offset: n } })
    await cache.opened(w('old', 10), 1)
    await cache.opened(w('long', CHANNEL_MESSAGES + 1), 1)
    expect(await cache.prune(1_000 + KEPT_MS)).toBe(1)
    expect(await cache.stand('chat.channel/long')).toMatchObject({ from: 2, offset: CHANNEL_MESSAGES + 1 })
    expect(await cache.prune(1_005 + KEPT_MS)).toBe(9) // five of one, four of the other
    expect((await cache.window('old', 0, 100))?.messages.map((m) => m.offset)).toEqual([6, 7, 8, 9, 10])
    expect((await cache.window('old', 0, 100))?.from).toBe(6)
    expect((await cache.older('old', 6, 100))).toBeUndefined()
    await cache.used('old', 5)
    expect(await cache.recent(1)).toEqual(['old'])
    await cache.forget('old')
    expect(await cache.window('old', 0, 100)).toBeUndefined()
  })

  test('makes room where the disk is full, and goes on without where there is none', async () => {
    const cache = await Cache.open(fresh())
    const states: string[] = []
    cache.onState((s) => states.push(s))
    const log = new ChannelLog()
    for (let n = 0; n < 8; n++) log.post('bob', `${n}`)
    await cache.opened(opened('c', me, 0, page(log, 0, undefined, 8)), 1)
    const original = IDBObjectStore.prototype.put // eslint-disable-line @typescript-eslint/unbound-method -- called with a store below
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => { throw new DOMException('full', 'QuotaExceededError') })
    log.post('bob', 'one more')
    const events = log.events.slice(8).map(told)
    expect(await cache.told('c', 8, events, log.cursor)).toBe(true)
    expect((await cache.window('c', 0, 100))?.messages.map((m) => m.offset)).toEqual([3, 4, 5, 6, 7, 8, 9])
    expect(states).toEqual([])
    put.mockImplementation(function (this: IDBObjectStore, ...args) {
      if (this.name === 'messages') throw new DOMException('full', 'QuotaExceededError')
      return original.apply(this, args)
    })
    log.post('bob', 'no more')
    expect(await cache.told('c', 9, log.events.slice(9).map(told), log.cursor)).toBe(false)
    expect(states).toEqual(['full'])
    expect(await cache.putDraft(typed(unwritten('c', 0), 'a draft is tried still', 1))).toBe(true)
    expect(await cache.used('c', 9)).toBe(false)
    expect((await cache.window('c', 0, 100))?.cursor.offset).toBe(9)
  })

  test('goes on as before once the disk has room again, with all that it could not keep', async () => {
    const user = fresh()
    const cache = await Cache.open(user)
    const states: string[] = []
    cache.onState((s) => states.push(s))
    const entry = (id: string, redacted = 0): Entry => ({ id, channel: undefined, role: undefined, readableFrom: 1, place: { epoch: 1, offset: 1, count: 1, calls: 0, redacted }, badge: message(Badge, {}), movedMs: 0 })
    const list = (...entries: Entry[]) => new Map(entries.map((e) => [e.id, e]))
    const [one, two] = [entry('one'), entry('two')]
    const lists = [list(one), list(one, two), list(entry('one', 5), two), list(entry('one', 5), two, entry('three'))] as const
    const log = new ChannelLog()
    log.post('bob', 'secret')
    await cache.opened(opened('c', me, 0, page(log, 0, undefined, 8)), 1)
    expect(await cache.putChannels(new Map(), lists[0], 'chat.mine/me', { epoch: 1, offset: 1 })).toBe(true)
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 })
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => { throw new DOMException('full', 'QuotaExceededError') })
    expect(await cache.putChannels(lists[0], lists[1], 'chat.mine/me', { epoch: 1, offset: 2 })).toBe(false)
    const tried = put.mock.calls.length
    expect(await cache.putChannels(lists[1], lists[2], 'chat.mine/me', { epoch: 1, offset: 3 })).toBe(false)
    expect(await cache.forget('c')).toBe(false)
    expect([states, put.mock.calls.length]).toEqual([['full'], tried])
    vi.setSystemTime(1_000 + RETRY_MS)
    expect(await cache.putChannels(lists[1], lists[2], 'chat.mine/me', { epoch: 1, offset: 3 })).toBe(false)
    expect([states, put.mock.calls.length]).toEqual([['full'], tried + 1]) // once, and nothing more is given up for it
    put.mockRestore()
    expect(await cache.putDraft(typed(unwritten('c', 0), 'what must be kept says nothing', 1))).toBe(true)
    expect(cache.state).toBe('full')
    vi.setSystemTime(1_000 + 2 * RETRY_MS)
    expect(await cache.putChannels(lists[2], lists[3], 'chat.mine/me', { epoch: 1, offset: 4 })).toBe(true)
    expect(states).toEqual(['full', 'open'])
    expect(await cache.putChannels(lists[3], lists[3], 'chat.mine/me', { epoch: 1, offset: 5 })).toBe(true) // at once
    await vi.waitUntil(async () => (await cache.window('c', 0, 100)) === undefined)
    cache.close()
    const again = await Cache.open(user)
    expect([...(await again.channels()).values()].map((e) => [e.id, e.place.redacted])).toEqual([['one', 5], ['three', 0], ['two', 0]])
    expect(await again.stand('chat.mine/me')).toMatchObject({ offset: 5 })
    again.close()
  })

  test('gives room to what matters more, until it has nothing left', async () => {
    const cache = await Cache.open(fresh())
    const log = new ChannelLog()
    for (let n = 0; n < 8; n++) log.post('bob', `${n}`)
    await cache.opened(opened('c', me, 0, page(log, 0, undefined, 8)), 1)
    expect(await cache.makeRoom()).toBe(true)
    expect((await cache.window('c', 0, 100))?.messages.map((m) => m.offset)).toEqual([3, 4, 5, 6, 7, 8])
    let times = 0
    while (await cache.makeRoom()) times++
    expect(times).toBe(5) // of 6: 4, 3, 2, 1 and none, a quarter each, rounded up
    expect(cache.state).toBe('open')
    cache.close()
    expect(await cache.makeRoom()).toBe(false)
  })

  test('fails where the program is wrong', async () => {
    const cache = await Cache.open(fresh())
    await expect(cache.putDraft({ ...unwritten('c', 0), text: (() => '') as unknown as string })).rejects.toThrow()
    expect(cache.state).toBe('open')
  })
})

describe('a place in a channel', () => {
  /** Shown are all but 3, which is a reply; what is older than 2 is not on disk. */
  async function kept() {
    const cache = await Cache.open(fresh())
    const messages = Array.from({ length: 9 }, (_, i) => message(Message, { offset: i + 2, timeMs: i, text: `${i + 2}`, root: i === 1 ? 2 : 0 }))
    await cache.opened(opened('c', me, 0, { messages, from: 2, to: Infinity, cursor: { epoch: 7, offset: 10 } }), 1)
    return cache
  }
  const say = (p: Awaited<ReturnType<Cache['around']>>) => p && [p.from, p.messages.map((m) => m.offset).join(), p.to]

  test('is read from disk with what is around it, or not at all', async () => {
    const cache = await kept()
    expect(say(await cache.around('c', 6, 4))).toEqual([4, '4,5,6,7', 7])
    expect(say(await cache.around('c', 4, 4))).toEqual([2, '2,4,5', 5])
    expect(say(await cache.around('c', 9, 6))).toEqual([6, '6,7,8,9,10', Infinity])
    for (const offset of [1, 3, 11]) expect(await cache.around('c', offset, 4)).toBeUndefined()
    expect(await cache.around('d', 6, 4)).toBeUndefined()
  })

  test('is gone on from, up to the end', async () => {
    const cache = await kept()
    expect(say(await cache.newer('c', 7, 2))).toEqual([8, '8,9', 9])
    expect(say(await cache.newer('c', 7, 9))).toEqual([8, '8,9,10', Infinity])
    expect(say(await cache.newer('c', 10, 2))).toEqual([11, '', Infinity])
    expect(await cache.newer('c', 0, 2)).toBeUndefined()
  })

  test('has its messages by name, replies too', async () => {
    const found = await (await kept()).messages([['c', 3], ['c', 99], ['d', 3], ['c', 5]])
    expect(found.map((f) => [f.channel, f.message.text])).toEqual([['c', '3'], ['c', '5']])
  })
})

describe('the schema', () => {
  test('step 1 makes the database', async () => {
    const name = fresh()
    const db = await openAt(name, 1, () => undefined)
    expect([...db.objectStoreNames]).toEqual(['channels', 'cursors', 'drafts', 'groups', 'messages', 'people'])
    expect([...db.transaction('messages').store.indexNames]).toEqual(['newest', 'shown', 'thread'])
    db.close()
    await erase(name)
  })

  test('step 2 adds the inbox, and keeps what there is', async () => {
    const name = fresh()
    const before = await openAt(name, 1, () => undefined)
    await before.put('drafts', { ...unwritten('c', 0), text: 'kept' })
    before.close()
    const db = await openAt(name, 2, () => undefined)
    expect([...db.objectStoreNames]).toEqual(['channels', 'cursors', 'drafts', 'groups', 'mentions', 'messages', 'people', 'threads'])
    expect((await db.getAll('drafts')).map((d) => d.text)).toEqual(['kept'])
    db.close()
    await erase(name)
  })

  test('every step has been tested', () => {
    expect(migrations.length).toBe(2) // another one? Test it above: from what the version before it wrote
  })

  test('a database of a later version is made anew, with the drafts that the server does not have', async () => {
    const user = fresh()
    const cache = await Cache.open(user)
    await cache.putDraft(typed(unwritten('c', 0), 'precious', 1))
    await cache.putDraft({ ...unwritten('d', 0), text: 'saved', saved: 'saved', version: 1 })
    await cache.opened(opened('c', me, 0, { messages: [], from: 0, to: Infinity, cursor: { epoch: 7, offset: 3 } }), 1)
    cache.close()
    const later = await openAt(Cache.nameOf(user), 99, () => undefined)
    later.close()
    const again = await Cache.open(user)
    expect(again.state).toBe('open')
    expect((await again.drafts()).map((d) => d.text)).toEqual(['precious'])
    expect(await again.stand('chat.channel/c')).toBeUndefined()
  })

  test('where there is no database at all, nothing is kept and nothing fails', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => { throw new DOMException('no', 'SecurityError') })
    const cache = await Cache.open(fresh())
    expect(cache.state).toBe('broken')
    expect(await cache.channels()).toEqual(new Map())
    expect(await cache.putDraft(typed(unwritten('c', 0), 'x', 1))).toBe(false)
  })

  test('a page of a later version gets the database, and this one is told', async () => {
    const user = fresh()
    const cache = await Cache.open(user)
    const later = await openAt(Cache.nameOf(user), 99, () => undefined)
    expect(cache.state).toBe('closed')
    later.close()
  })
})

describe('a search', () => {
  const texts = ['Grüße aus Köln', 'the release notes', 'Release!', 'nothing here', 'released, and noted']
  async function found(text: string, query: { channel?: string; author?: string; fromMs?: number; beforeMs?: number } = {}, step = 2) {
    const cache = await Cache.open(fresh())
    for (const channel of ['c', 'd']) {
      const messages = texts.map((t, i) => message(Message, { offset: i + 1, timeMs: i * 10 + (channel === 'd' ? 5 : 0), author: i % 2 === 0 ? 'bob' : 'cyd', text: t }))
      await cache.opened(opened(channel, me, 0, { messages, from: 0, to: Infinity, cursor: { epoch: 7, offset: 5 } }), 1)
    }
    const hits: string[] = []
    for await (const some of search(cache, { text, ...query }, step)) {
      expect(some.length).toBeLessThanOrEqual(step)
      for (const h of some) hits.push(`${h.channel}${h.message.offset}`)
    }
    return hits
  }

  test('finds words by their beginnings, all of them, without case and accents, the newest first', async () => {
    expect(await found('RELEASE')).toEqual(['d5', 'c5', 'd3', 'c3', 'd2', 'c2'])
    expect(await found('rel not')).toEqual(['d5', 'c5', 'd2', 'c2'])
    expect(await found('grusse')).toEqual(['d1', 'c1'])
    expect(await found('KOLN', {}, 100)).toEqual(['d1', 'c1'])
    expect(await found('ease')).toEqual([])
    expect(await found(' … ')).toEqual([])
    expect(await found('release', { channel: 'c', author: 'cyd' })).toEqual(['c2'])
  })

  test('looks between two times, and for all of somebody', async () => {
    expect(await found('rel', { fromMs: 15, beforeMs: 40 })).toEqual(['d3', 'c3', 'd2'])
    expect(await found('', { author: 'cyd' })).toEqual(['d4', 'c4', 'd2', 'c2'])
    expect(await found('', { channel: 'c', fromMs: 30 })).toEqual(['c5', 'c4'])
    expect(await found('', { fromMs: 30 })).toEqual([])
  })
})
