import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import { IndexedStore } from './indexeddb.ts'
import { MemoryStore } from './memory.ts'
import type { Kept, Store } from './store.ts'

let databases = 0
const fresh = () => `plenum-outbox-${++databases}`
const kept = (seq: number, note: unknown = null): Kept => ({ seq, method: 'a.B/C', body: new Uint8Array([seq]), lane: 'l', note, key: '', since: 5, cause: undefined })

// Both stores do the same.
describe.for<[string, () => Promise<Store>]>([
  ['in memory', () => Promise.resolve(new MemoryStore())],
  ['in the database', () => IndexedStore.open(fresh())],
])('an outbox %s', ([, open]) => {
  test('begins empty, and keeps the first name that it is given', async () => {
    const store = await open()
    expect((await store.open('one')).contents).toEqual({ clientId: 'one', reserved: 1, tried: 0, entries: [], past: [] })
    expect((await store.open('two')).contents.clientId).toBe('one')
  })

  test('keeps what is written, ascending by number', async () => {
    const store = await open()
    const box = await store.open('one')
    await box.write({ reserved: 65, tried: 3, put: [kept(10), kept(2)] })
    await box.write({ put: [kept(3)] })
    const cause = { code: 102, reason: 'chat.NOT_HERE', message: 'No.', field: 'channel', retryAfterMs: 0 }
    await box.write({ remove: [2, 77], past: [['k', 2]], put: [{ ...kept(10, { text: 'hello' }), cause }] })
    const { contents } = await store.open('one')
    expect(contents).toEqual({ clientId: 'one', reserved: 65, tried: 3, entries: [kept(3), { ...kept(10, { text: 'hello' }), cause }], past: [['k', 2]] })
    expect(contents.entries[0]?.body).toEqual(new Uint8Array([3]))
  })

  test('writes all or nothing', async () => {
    const store = await open()
    const box = await store.open('one')
    await box.write({ reserved: 65, put: [kept(1)] })
    const unkept = kept(3, () => undefined)
    await expect((async () => { await box.write({ reserved: 129, tried: 3, remove: [1], put: [kept(2), unkept] }) })()).rejects.toThrow()
    await box.write({ put: [kept(4)] })
    expect((await store.open('one')).contents).toMatchObject({ reserved: 65, tried: 0, entries: [{ seq: 1 }, { seq: 4 }] })
  })

  test('is written by whoever opened it last', async () => {
    const store = await open()
    const first = await store.open('one')
    const second = await store.open('one')
    await expect(first.write({ put: [kept(1)] })).rejects.toMatchObject({ code: 106, reason: 'client.OUTBOX_TAKEN' })
    await second.write({ put: [kept(2)] })
    expect((await store.open('one')).contents.entries).toEqual([kept(2)])
  })

  test('is closed', async () => {
    const box = await (await open()).open('one')
    box.close()
    await expect(box.write({ reserved: 65 })).rejects.toThrow('closed')
  })
})

test('a database outlives its page', async () => {
  const name = fresh()
  const store = await IndexedStore.open(name)
  await (await store.open('one')).write({ reserved: 65, put: [kept(1)] })
  store.close()
  expect((await (await IndexedStore.open(name)).open('two')).contents).toEqual({ clientId: 'one', reserved: 65, tried: 0, entries: [kept(1)], past: [] })
})
