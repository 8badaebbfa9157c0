import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Desk } from '../../test/desk.ts'
import { Gateway } from '../../test/gateway.ts'
import { MemoryStore } from '../../test/memory.ts'
import { Builder } from '../ot/index.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const full = () => Promise.reject(new Error('the disk is full'))

async function desk(): Promise<[Gateway, MemoryStore, Desk]> {
  const g = new Gateway('hello\n')
  const store = new MemoryStore()
  const d = await Desk.at(g, 'ada', store)
  await d.document.ready()
  await d.document.saved()
  return [g, store, d]
}

test('what can not be written is shown, told, and written once it can be; nothing is sent before', async () => {
  const [g, store, d] = await desk()
  store.fault = full
  d.typeAt(0, 'x')
  let saved = false
  const saving = d.document.saved().then(() => (saved = true))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(d.text).toBe('xhello\n')
  expect(d.document.status).toMatchObject({ pending: true, unsaved: true, failure: new Error('the disk is full') })
  expect([g.requests, saved]).toEqual([0, false])
  d.typeAt(0, 'y')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(g.requests).toBe(0)
  store.fault = () => undefined
  await vi.advanceTimersByTimeAsync(2000)
  await saving
  expect(d.document.status).toMatchObject({ pending: false, unsaved: false, failure: null })
  expect(g.owner.content.text()).toBe('yxhello\n')
  await d.kill()
  expect(d.text).toBe('yxhello\n')
  await d.quit()
})

test('a write that comes in the very moment in which the one before ends is written', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const [g, , d] = await desk()
    g.set(() => (g.down = true))
    d.typeAt(0, 'x')
    for (let i = 0; i < turns; i++) await Promise.resolve()
    d.typeAt(0, 'y')
    await d.document.saved()
    await d.kill()
    expect(d.text).toBe('yxhello\n')
    await d.quit()
  }
})

test('a document is not closed in silence when something is not on disk', async () => {
  const [, store, d] = await desk()
  store.fault = full
  d.typeAt(0, 'x')
  await expect(d.quit()).rejects.toThrow('the disk is full')
  await expect(d.document.saved()).rejects.toThrow('the disk is full')
  expect(() => { d.typeAt(0, 'y') }).toThrow('closed')
})

test('while the disk is full, what others do takes no more memory than the document', async () => {
  const [g, store, d] = await desk()
  store.fault = full
  for (let i = 0; i < 40; i++) {
    g.owner.append('eve', 0n, new Builder().insert('y'.repeat(200_000)).delta())
    await vi.advanceTimersByTimeAsync(1)
    g.owner.append('eve', 0n, new Builder().delete(200_000).delta())
    await vi.advanceTimersByTimeAsync(1)
  }
  store.fault = () => undefined
  await vi.advanceTimersByTimeAsync(2000)
  await d.quit()
  const texts = await (await store.open('d')).read()
  expect(texts.join('').length).toBeLessThan(3_000_000) // of 8,000,000 that came
})
