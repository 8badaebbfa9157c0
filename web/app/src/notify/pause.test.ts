import { expect, it } from 'vitest'
import { endOf } from './durations.ts'
import { endWords } from './pause.ts'

const at = (text: string) => new Date(text).getTime()

it('ends when it says', () => {
  const now = at('2026-11-30T13:20')
  expect(['half', 'hour', 'twoHours', 'tomorrow'].map((pause) => endOf(pause as 'half', now))).toEqual(
    ['2026-11-30T13:50', '2026-11-30T14:20', '2026-11-30T15:20', '2026-12-01T09:00'].map(at),
  )
  expect(endOf('open', now)).toBeUndefined()
})

it('takes the night for the day before', () => {
  expect(endOf('tomorrow', at('2026-12-01T02:30'))).toBe(at('2026-12-01T09:00'))
  expect(endOf('tomorrow', at('2026-12-01T04:00'))).toBe(at('2026-12-02T09:00'))
})

it('names the day where it is another one', () => {
  const now = at('2026-11-30T13:20')
  expect(endWords(at('2026-11-30T14:20'), now)).toMatch(/^2:20\sPM$/)
  expect(endWords(at('2026-12-01T09:00'), now)).toMatch(/December 1, 9:00\sAM$/)
})
