import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Wire } from '../edge/wire.ts'
import { ServerError } from '../errors.ts'
import { message } from '../method.ts'
import { history, send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { SendRequest, SendResponse } from '../proto/plenum/chat/v1/chat.ts'
import { IndexedStore } from './indexeddb.ts'
import { maxAge, maxEntries } from './limits.ts'
import { MemoryStore } from './memory.ts'
import { StoredOutbox } from './send.ts'
import type { Box, Store, Write } from './store.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 1_800_000_000_000 }) })
afterEach(() => { vi.useRealTimers() })

/** Script is a wire whose calls the test answers. */
class Script implements Wire {
  up = true
  readonly calls: { text: string; seq: number; lane: number; answer: () => void; refuse: (code: number, reason?: string) => void }[] = []
  #listener: (up: boolean) => void = () => undefined

  onUp(listener: (up: boolean) => void): () => void {
    this.#listener = listener
    return () => { this.#listener = () => undefined }
  }

  turn(up: boolean): void {
    this.up = up
    this.#listener(up)
  }

  send({ body, seq, lane }: Parameters<Wire['send']>[0]): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const answer = () => { resolve(SendResponse.encode(message(SendResponse, { offset: seq })).finish()) }
      const refuse = (code: number, reason = 'chat.NO') => { reject(new ServerError(code, reason, 'No.')) }
      this.calls.push({ text: SendRequest.decode(body).text, seq, lane, answer, refuse })
    })
  }

  get texts(): string[] {
    return this.calls.map((c) => c.text)
  }
}

/** settled lets all happen that needs no time. */
const settled = () => vi.advanceTimersByTimeAsync(0)
const put = (outbox: StoredOutbox, text: string, lane = 'c') => outbox.put(send, { channel: lane, text }, { lane, note: { text } })

async function opened(store: Store = new MemoryStore(), up = true) {
  const outbox = await StoredOutbox.open(store, 'me')
  const wire = new Script()
  wire.up = up
  outbox.attach(wire)
  return { store, outbox, wire }
}

test('an entry is stored, sent, answered and gone', async () => {
  const { store, outbox, wire } = await opened()
  const told: string[][] = []
  outbox.onChange((entries) => told.push(entries.map((e) => e.state)))
  const seq = await put(outbox, 'hello')
  expect(outbox.entries).toMatchObject([{ seq, method: 'plenum.chat.v1.ChatService/Send', lane: 'c', note: { text: 'hello' }, since: Date.now(), state: 'sent' }])
  const answer = outbox.answer(seq, send)
  wire.calls[0]?.answer()
  expect((await answer)?.offset).toBe(seq)
  expect((await outbox.answer(seq, send))?.offset).toBe(seq) // who asks late
  await settled()
  expect(outbox.entries).toEqual([])
  expect(told).toEqual([['sent'], []])
  expect((await store.open('me')).contents.entries).toEqual([])
})

test('an event settles it, without the answer', async () => {
  const { outbox, wire } = await opened()
  const seq = await put(outbox, 'hello')
  const answer = outbox.answer(seq, send)
  outbox.settle(outbox.entries[0]?.mutation ?? '')
  expect(await answer).toBeUndefined()
  expect(outbox.entries).toEqual([])
  wire.calls[0]?.answer()
  await settled()
  expect(outbox.entries).toEqual([])
})

test('what was refused stays, over a restart, until it is repeated as another change', async () => {
  const { store, outbox, wire } = await opened()
  const [seq, behind] = await Promise.all([put(outbox, 'a'), put(outbox, 'b')])
  const refused = outbox.answer(seq, send)
  wire.calls[0]?.refuse(103, 'chat.ARCHIVED')
  wire.calls[1]?.answer()
  await expect(refused).rejects.toMatchObject({ code: 103, reason: 'chat.ARCHIVED' })
  await expect(outbox.answer(seq, send)).rejects.toMatchObject({ reason: 'chat.ARCHIVED' })
  await settled()
  outbox.close()
  const again = await opened(store)
  await settled()
  expect(again.wire.texts).toEqual([])
  expect(again.outbox.entries).toMatchObject([{ seq, state: 'refused', cause: { code: 103, reason: 'chat.ARCHIVED', message: 'No.' } }])
  await Promise.all([again.outbox.retry(seq), again.outbox.retry(seq), again.outbox.retry(behind)])
  expect(again.outbox.entries).toMatchObject([{ note: { text: 'a' }, state: 'sent', cause: undefined }])
  expect(again.outbox.entries[0]?.seq).toBeGreaterThan(behind)
  expect(again.wire.texts).toEqual(['a'])
  expect(await again.outbox.number()).toBe((again.outbox.entries[0]?.seq ?? 0) + 1) // not two were stored
})

test('only what was never sent, by any run, can be dropped', async () => {
  const store = new MemoryStore()
  const first = await opened(store, false)
  const a = await put(first.outbox, 'a')
  const b = await put(first.outbox, 'b')
  const answer = first.outbox.answer(a, send)
  expect(await first.outbox.drop(a)).toBe(true)
  await expect(answer).rejects.toMatchObject({ reason: 'client.DROPPED' })
  const second = await opened(store, false)
  await expect(put(first.outbox, 'x')).rejects.toMatchObject({ reason: 'client.OUTBOX_TAKEN' })
  const c = await put(second.outbox, 'c', 'other')
  second.wire.turn(true)
  await settled()
  expect(second.wire.texts).toEqual(['b', 'c'])
  const third = await opened(store, false)
  expect([await third.outbox.drop(a), await third.outbox.drop(b), await third.outbox.drop(c)]).toEqual([false, false, false])
})

test('nothing is sent before a later run would know it', async () => {
  const store = new MemoryStore()
  const order: string[] = []
  const slow: Store = {
    async open(clientId) {
      const box = await store.open(clientId)
      const write: Box['write'] = async (w: Write) => {
        await box.write(w)
        order.push(...(w.put ?? []).map((e) => `stored ${e.lane}`), ...(w.tried === undefined ? [] : ['tried']))
      }
      return { contents: box.contents, write, close: () => { box.close() } }
    },
  }
  const { outbox, wire } = await opened(slow, false)
  const sends = wire.send.bind(wire)
  wire.send = (c) => {
    order.push('sent')
    return sends(c)
  }
  await put(outbox, 'a', 'one')
  wire.turn(true)
  await settled()
  await put(outbox, 'b', 'two')
  expect(order).toEqual(['stored one', 'tried', 'sent', 'stored two', 'tried', 'sent'])
})

test('a full disk keeps from putting, and not from sending', async () => {
  const store = new MemoryStore()
  let full = false
  const disk: Store = {
    async open(clientId) {
      const box = await store.open(clientId)
      const write: Box['write'] = (w) => (full ? Promise.reject(new DOMException('no room', 'QuotaExceededError')) : box.write(w))
      return { contents: box.contents, write, close: () => { box.close() } }
    },
  }
  const { outbox, wire } = await opened(disk, false)
  const seq = await put(outbox, 'a')
  full = true
  await expect(put(outbox, 'b')).rejects.toMatchObject({ code: 200, reason: 'client.NOT_KEPT', message: 'no room' })
  wire.turn(true)
  await settled()
  expect(wire.texts).toEqual(['a'])
  full = false
  expect(await put(outbox, 'c')).toBeGreaterThan(seq + 1)
  expect(wire.texts).toEqual(['a', 'c'])
})

test('a note that can not be kept takes no other with it', async () => {
  const { outbox } = await opened()
  const results = await Promise.allSettled([put(outbox, 'a'), outbox.put(send, {}, { lane: 'c', note: () => 1 }), put(outbox, 'b')])
  expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(outbox.entries).toHaveLength(2)
})

test('what is put again under its key is one entry, also for a later run', async () => {
  const { store, outbox } = await opened(new MemoryStore(), false)
  const twice = (to: StoredOutbox) => to.put(send, { text: 'a' }, { lane: 'c', key: 'k' })
  const [seq, meanwhile] = await Promise.all([twice(outbox), twice(outbox)])
  expect(meanwhile).toBe(seq)
  expect(await twice(outbox)).toBe(seq)
  const later = await opened(store)
  expect(await twice(later.outbox)).toBe(seq)
  await settled()
  later.wire.calls[0]?.answer()
  await settled()
  expect(later.outbox.entries).toEqual([])
  expect(await twice(later.outbox)).toBe(seq) // whoever lost the answer asks late
  expect(await twice((await opened(store)).outbox)).toBe(seq) // or later still
  expect(later.outbox.entries).toEqual([])
})

test('only changes can wait, and only so many', async () => {
  const { outbox } = await opened(new MemoryStore(), false)
  await expect(outbox.put(history, {}, { lane: 'c' })).rejects.toThrow(TypeError)
  const all = await Promise.allSettled(Array.from({ length: maxEntries + 1 }, () => put(outbox, 'a')))
  expect(all.filter((r) => r.status === 'rejected').map((r): unknown => r.reason)).toMatchObject([{ code: 202, reason: 'client.OUTBOX_FULL' }])
  expect(outbox.entries).toHaveLength(maxEntries)
})

test('what has waited for 30 days is told, though nothing happens', async () => {
  const { outbox } = await opened(new MemoryStore(), false)
  const seq = await put(outbox, 'a')
  const answer = outbox.answer(seq, send)
  answer.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(maxAge)
  expect(outbox.entries[0]?.state).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1)
  expect(outbox.entries).toMatchObject([{ state: 'refused', cause: { code: 103, reason: 'client.TOO_OLD' } }])
  await expect(answer).rejects.toMatchObject({ reason: 'client.TOO_OLD' })
})

test('a lane waits for what the server put off, and no other lane does', async () => {
  const { outbox, wire } = await opened()
  await Promise.all([put(outbox, 'a', 'one'), put(outbox, 'b', 'one'), put(outbox, 'c', 'two')])
  expect(wire.calls.map((c) => c.lane)).toEqual([1, 1, 2])
  wire.calls[0]?.refuse(200)
  await settled()
  await put(outbox, 'd', 'one')
  await put(outbox, 'e', 'two')
  await vi.advanceTimersByTimeAsync(1000)
  expect(wire.texts).toEqual(['a', 'b', 'c', 'e'])
  wire.calls[1]?.refuse(200)
  await vi.advanceTimersByTimeAsync(1000)
  expect(wire.texts).toEqual(['a', 'b', 'c', 'e', 'a', 'b', 'd'])
})

test('close keeps what waits, and says so', async () => {
  const { store, outbox, wire } = await opened()
  const seq = await put(outbox, 'a')
  const answer = outbox.answer(seq, send)
  outbox.close()
  await expect(answer).rejects.toMatchObject({ reason: 'client.CLOSED' })
  await expect(put(outbox, 'b')).rejects.toMatchObject({ reason: 'client.CLOSED' })
  wire.calls[0]?.answer()
  await settled()
  const again = await opened(store)
  await settled()
  expect(again.wire.calls.map((c) => c.seq)).toEqual([seq])
})

test('numbers are never given twice: by any run, beside entries, and by a profile that was restored', async () => {
  const store = new MemoryStore()
  const copied = await (await StoredOutbox.open(store, 'me')).number()
  const restored = await store.open('me')
  const given = [copied]
  const use = async (outbox: StoredOutbox) => {
    for (let i = 0; i < 100; i++) given.push(await outbox.number())
    given.push(...(await Promise.all([put(outbox, 'a'), outbox.number(), put(outbox, 'b'), outbox.number()])))
  }
  await use((await opened(store, false)).outbox)
  await use((await opened(store, false)).outbox)
  const copy: Store = { open: () => Promise.resolve({ ...restored, write: () => Promise.resolve() }) } // as it was
  vi.advanceTimersByTime(1000)
  await use((await opened(copy, false)).outbox)
  expect(given).toEqual([...new Set(given)].sort((a, b) => a - b)) // and count up
  vi.setSystemTime(2 ** 50)
  const wrong = await StoredOutbox.open(new MemoryStore(), 'me')
  expect(await wrong.number()).toBe(1)
})

test('entries go on from the database, in order', async () => {
  const name = 'plenum-outbox-send'
  const first = await opened(await IndexedStore.open(name), false)
  const puts = Promise.all(['a', 'b', 'c'].map((text) => put(first.outbox, text)))
  vi.useRealTimers()
  await puts
  const second = await opened(await IndexedStore.open(name))
  await vi.waitUntil(() => second.wire.calls.length === 3)
  expect(second.wire.texts).toEqual(['a', 'b', 'c'])
  const last = second.outbox.answer(second.wire.calls[2]?.seq ?? 0, send)
  for (const c of second.wire.calls) c.answer()
  await last
  await second.outbox.number() // is written behind the others
  expect((await (await IndexedStore.open(name)).open('me')).contents.entries).toEqual([])
})
