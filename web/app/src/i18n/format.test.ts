import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { badge, compare, dayName, list, number, plural, relative, time } from './format.ts'
import { preferred, regional } from './locale.ts'

const minute = 60_000 // ms
const now = new Date(2026, 10, 30, 9, 0).getTime()

const readIn = (language: string) => vi.stubGlobal('navigator', { language })
beforeEach(() => {
  vi.useFakeTimers({ now })
  readIn('en-US')
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('dayName', () => {
  it('says today and yesterday by the calendar', () => {
    expect(dayName(now - 60 * minute, now)).toBe('Today')
    expect(dayName(new Date(2026, 10, 29, 23, 59).getTime(), now)).toBe('Yesterday')
  })
  it('says the year only of other years', () => {
    expect(dayName(new Date(2026, 2, 4).getTime(), now)).toBe('Wednesday, March 4')
    expect(dayName(new Date(2025, 2, 4).getTime(), now)).toBe('March 4, 2025')
  })
})

it('says how long ago', () => {
  expect([5_000, 3 * minute, 125 * minute, 50 * 60 * minute, 20 * 24 * 60 * minute].map((ms) => relative(now - ms, now))).toEqual(['now', '3 minutes ago', '2 hours ago', '2 days ago', 'Nov 10, 2026'])
  expect(relative(now + 2 * 24 * 60 * minute, now)).toBe('in 2 days')
})

it('writes dates, times and numbers as where the reader is', () => {
  const written = (language: string) => {
    readIn(language)
    return [time(now + 305 * minute), dayName(new Date(2025, 2, 4).getTime(), now), number(1_234_567)]
  }
  expect(['en-US', 'en-GB', 'de-DE', 'en-IN'].map(written)).toEqual([
    ['2:05 PM', 'March 4, 2025', '1,234,567'],
    ['14:05', '4 March 2025', '1,234,567'],
    ['14:05', '4 March 2025', '1.234.567'],
    ['2:05 pm', '4 March 2025', '12,34,567'],
  ])
})

it('counts', () => {
  expect([1, 99, 100, 4000].map(badge)).toEqual(['1', '99', '99+', '99+'])
  expect([0, 1, 2].map((n) => plural(n, { one: 'one', other: 'other' }))).toEqual(['other', 'one', 'other'])
  expect(list(['Ada', 'Ben', 'Cho'])).toBe('Ada, Ben, and Cho')
})

it('orders names without regard to case and accents, and numbers by their value', () => {
  expect(['zoe', 'Émile', 'eva', 'team-10', 'team-9'].sort(compare)).toEqual(['Émile', 'eva', 'team-9', 'team-10', 'zoe'])
})

it('chooses the language', () => {
  expect(['de-CH', 'en', 'fr', 'pseudo', 'no language'].map(regional)).toEqual(['en-CH', 'en-US', 'en-FR', 'en', 'en'])
  expect([preferred(['de-DE', 'en-GB']), preferred(['pseudo']), preferred([])]).toEqual(['en', 'pseudo', 'en'])
})
