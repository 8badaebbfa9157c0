import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { CacheState } from '@plenum/sdk/chat/cache'
import { unkept, watchStorage, type Estimates } from './storage.ts'

const gigabyte = 1 << 30

/** A cache whose state a test sets. */
class Disk {
  state: CacheState = 'open'
  readonly #listeners = new Set<(state: CacheState) => void>()

  onState(listener: (state: CacheState) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  becomes(state: CacheState): void {
    this.state = state
    for (const tell of this.#listeners) tell(state)
  }
}

const room = (left: () => number): Estimates => ({ estimate: () => Promise.resolve({ quota: gigabyte, usage: gigabyte - left() }) })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('tells that there is little room once there is, and that there is again', async () => {
  let left = gigabyte
  const told: string[] = []
  const stop = watchStorage(new Disk(), 'id', (kept) => told.push(kept), room(() => left))
  await vi.advanceTimersByTimeAsync(0)
  expect(told.at(-1)).toBe('kept')
  left = 10 << 20
  await vi.advanceTimersByTimeAsync(10 * 60_000)
  expect(told.at(-1)).toBe('low')
  left = gigabyte
  await vi.advanceTimersByTimeAsync(10 * 60_000)
  expect(told.at(-1)).toBe('kept')
  stop()
  const before = told.length
  await vi.advanceTimersByTimeAsync(60 * 60_000)
  expect(told.length).toBe(before)
})

it('tells what becomes of the cache, whatever room there is', () => {
  const disk = new Disk()
  const told: string[] = []
  const stop = watchStorage(disk, 'id', (kept) => told.push(kept), undefined)
  for (const state of ['full', 'closed', 'broken'] as const) disk.becomes(state)
  stop()
  disk.becomes('open')
  expect(told).toEqual(['kept', 'full', 'off', 'off'])
})

it('tells of an outbox in memory', () => {
  const told: string[] = []
  watchStorage(new Disk(), `${unkept}id`, (kept) => told.push(kept), undefined)()
  expect(told).toEqual(['off'])
})
