import { afterEach, expect, it, vi } from 'vitest'
import { forgetUnread, isKeptUnread, keepUnread } from '../model/live/unread.ts'
import { sources, withoutComments } from '../test/files.ts'
import { recent, visited } from './recent.ts'
import { ofTab } from './stored.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  delete (globalThis as { sessionStorage?: unknown }).sessionStorage
})

/** A storage in memory; `full` says why nothing more is taken. */
function storage(full?: Error) {
  const all = new Map<string, string>()
  return {
    getItem: (key: string) => all.get(key) ?? null,
    setItem: (key: string, text: string) => {
      if (full) throw full
      all.set(key, text)
    },
    removeItem: (key: string) => all.delete(key),
    clear: () => all.clear(),
  }
}

it('keeps what there is room for', () => {
  vi.stubGlobal('sessionStorage', storage())
  keepUnread('c', 3)
  expect([isKeptUnread('c', 3), isKeptUnread('c', 4)]).toEqual([true, false])
  forgetUnread('c')
  expect(isKeptUnread('c', 3)).toBe(false)
  ofTab.set('a', 'b')
  expect(ofTab.get('a')).toBe('b')
  ofTab.clear()
  expect(ofTab.get('a')).toBeNull()
})

it('goes on where the disk is full, and where it is forbidden', () => {
  vi.stubGlobal('sessionStorage', storage(new DOMException('full', 'QuotaExceededError')))
  visited('one')
  vi.unstubAllGlobals()
  Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, get: () => { throw new DOMException('forbidden', 'SecurityError') } })
  keepUnread('c', 3)
  visited('two')
  expect(recent()).toEqual(['two', 'one'])
  expect(isKeptUnread('c', 3)).toBe(false)
  forgetUnread('c')
  ofTab.clear()
  expect(ofTab.get('a')).toBeNull()
})

it('is the only way to them', () => {
  const elsewhere = sources('.ts', '.tsx').filter(({ name, text }) => name !== 'shell/stored.ts' && /(?:local|session)Storage/.test(withoutComments(text)))
  expect(elsewhere.map(({ name }) => name)).toEqual([])
})
