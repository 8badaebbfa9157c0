import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createCards, lasts, most, type Told } from './cards.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const told = (key: string, line = ''): Told => ({ key, line, said: undefined, author: 'ben', title: 'Ben', where: '', path: '/', mention: false })
const keys = (cards: ReturnType<typeof createCards>) => cards.all().map(({ key }) => key)

it('shows a few, of one conversation the newest', () => {
  const cards = createCards()
  for (const key of ['a', 'b', 'c', 'd']) cards.show(told(key))
  expect(keys(cards)).toEqual(['b', 'c', 'd'].slice(-most))
  cards.show(told('b', 'again'))
  expect(keys(cards)).toEqual(['c', 'd', 'b'])
  expect(cards.all().at(-1)?.line).toBe('again')
})

it('go by themselves, unless somebody is at them', () => {
  const cards = createCards()
  cards.show(told('a'))
  vi.advanceTimersByTime(lasts - 1)
  expect(keys(cards)).toEqual(['a'])
  cards.hold(true)
  cards.show(told('b'))
  vi.advanceTimersByTime(10 * lasts)
  expect(keys(cards)).toEqual(['a', 'b'])
  cards.hold(false)
  vi.advanceTimersByTime(lasts)
  expect(keys(cards)).toEqual([])
})

it('begins anew where it is shown anew', () => {
  const cards = createCards()
  cards.show(told('a'))
  vi.advanceTimersByTime(lasts - 1)
  cards.show(told('a'))
  vi.advanceTimersByTime(lasts - 1)
  expect(keys(cards)).toEqual(['a'])
  cards.close('a')
  cards.close('a')
  expect(keys(cards)).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
