import { expect, it } from 'vitest'
import { midnight, monthsOn, stepped, weeks } from './days.ts'

const day = (year: number, month: number, date: number) => new Date(year, month - 1, date).getTime()
const said = (ms: number | undefined) => (ms === undefined ? undefined : `${new Date(ms).getMonth() + 1}-${new Date(ms).getDate()}`)

it('counts days over changes of the clock', () => {
  for (const [month, date] of [[3, 28], [10, 24]] as const) for (let n = 0; n < 5; n++) expect(new Date(midnight(day(2026, month, date), n)).getHours()).toBe(0)
  expect(said(midnight(day(2026, 12, 31) + 3_600_000, 1))).toBe('1-1')
})

it('goes by months to the last day of a shorter one', () => {
  expect(said(monthsOn(day(2026, 3, 31), -1))).toBe('2-28')
  expect(said(monthsOn(day(2026, 12, 31), 1))).toBe('1-31')
})

it('has the weeks that a month touches, from the first day of the reader’s week', () => {
  const sundays = weeks(day(2026, 11, 30), 0)
  expect(sundays.map((week) => said(week[0]))).toEqual(['11-1', '11-8', '11-15', '11-22', '11-29'])
  const mondays = weeks(day(2026, 11, 30), 1)
  expect([said(mondays[0]?.[0]), said(mondays.at(-1)?.at(-1)), mondays.length]).toEqual(['10-26', '12-6', 6])
  expect(weeks(day(2027, 2, 1), 1)).toHaveLength(4)
})

it('steps by keys, along the line', () => {
  const at = day(2026, 11, 18) // a Wednesday
  expect(['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End', 'PageUp', 'PageDown', 'a'].map((key) => said(stepped(at, key, 1, 1)))).toEqual([
    '11-19', '11-17', '11-25', '11-11', '11-16', '11-22', '10-18', '12-18', undefined,
  ])
  expect(said(stepped(at, 'ArrowRight', 1, -1))).toBe('11-17')
  expect(said(stepped(at, 'Home', 0, 1))).toBe('11-15')
})
