import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { attend } from './attend.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

test('a page is attended to until it is not', () => {
  const page = new EventTarget()
  const session = { active: vi.fn(), probe: vi.fn() }
  const stop = attend(session, page)
  for (const type of ['keydown', 'pointermove', 'pointermove']) page.dispatchEvent(new Event(type))
  expect(session.active).toHaveBeenCalledTimes(1) // once a second at most
  vi.advanceTimersByTime(1000)
  page.dispatchEvent(new Event('wheel'))
  for (const type of ['online', 'focus', 'pageshow']) page.dispatchEvent(new Event(type))
  expect([session.active.mock.calls.length, session.probe.mock.calls.length]).toEqual([2, 3])
  vi.advanceTimersByTime(60_000)
  expect(session.probe.mock.calls.length).toBe(3)
  vi.setSystemTime(Date.now() + 3_600_000) // asleep
  vi.advanceTimersByTime(10_000)
  expect(session.probe.mock.calls.length).toBe(4)
  vi.advanceTimersByTime(60_000)
  stop()
  page.dispatchEvent(new Event('focus'))
  page.dispatchEvent(new Event('keydown'))
  expect([session.active.mock.calls.length, session.probe.mock.calls.length, vi.getTimerCount()]).toEqual([2, 4, 0])
})
