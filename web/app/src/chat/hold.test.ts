import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Hold } from './hold.ts'

/** A list as the browser has it: it scrolls no further than to its ends, by whole pixels. */
class List {
  scrollHeight = 1000
  clientHeight = 400
  writes = 0
  #top = 0

  get scrollTop(): number {
    return Math.min(this.#top, this.scrollHeight - this.clientHeight)
  }

  set scrollTop(to: number) {
    this.writes++
    this.#top = Math.round(Math.max(0, to))
  }
}

const listed = () => {
  const list = new List()
  const settled = vi.fn<() => void>()
  return { list, settled, hold: new Hold(() => list, settled) }
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('requestAnimationFrame', (then: () => void) => setTimeout(then, 16))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('stays at the end, however long what is there grows', () => {
  const { list, hold } = listed()
  hold.toEnd()
  expect([list.scrollTop, hold.moved()]).toEqual([600, false])
  vi.advanceTimersByTime(60_000)
  list.scrollHeight = 1700
  expect([hold.measured(), list.scrollTop, hold.moved()]).toEqual([true, 1300, false])
  list.clientHeight = 300
  expect([hold.measured(), list.scrollTop]).toEqual([true, 1400])
})

it('ends at once where somebody scrolls', () => {
  const { list, hold } = listed()
  hold.toEnd()
  list.scrollTop = 580 // the first frame of a wheel
  expect(hold.moved()).toBe(true)
  list.scrollHeight = 1700
  expect([hold.measured(), list.scrollTop]).toEqual([false, 580])
  expect(hold.moved()).toBe(true)
})

it('stays as near to the end as the reader is, and doesn’t touch what needs no help', () => {
  const { list, hold } = listed()
  list.scrollTop = 570
  hold.stay()
  const { writes } = list
  hold.measured()
  expect([list.writes, hold.moved()]).toEqual([writes, false])
  list.scrollHeight = 1100
  hold.measured()
  expect([list.scrollTop, hold.moved()]).toEqual([670, false])
})

it('goes to a row, until what is around it is measured, or somebody scrolls', () => {
  const { list, settled, hold } = listed()
  let at = 200.4
  hold.to(() => at)
  expect([list.scrollTop, hold.moved()]).toEqual([200, false])
  at = 260
  vi.advanceTimersByTime(100)
  expect([hold.measured(), list.scrollTop]).toEqual([true, 260])
  vi.advanceTimersByTime(100)
  expect(hold.held).toBe('place')
  vi.advanceTimersByTime(100)
  expect(settled).toHaveBeenCalledTimes(1)
  at = 300
  expect([hold.measured(), list.scrollTop]).toEqual([false, 260])
  hold.to(() => 5000)
  expect(list.scrollTop).toBe(600)
  hold.to(() => -5)
  expect(list.scrollTop).toBe(0)
})

it('keeps a row where it is, however late what is above it is measured', () => {
  const { list, hold } = listed()
  list.scrollTop = 300
  let row = 500
  hold.keep(() => row - 200)
  vi.advanceTimersByTime(100)
  row = 1450
  list.scrollHeight = 2000
  expect([hold.measured(), list.scrollTop, hold.moved(), hold.held]).toEqual([true, 1250, false, 'place'])
  list.scrollTop -= 40
  expect([hold.moved(), hold.measured(), list.scrollTop]).toEqual([true, false, 1210])
})

it('does nothing where there is no list', () => {
  const hold = new Hold(() => undefined, () => undefined)
  hold.toEnd()
  hold.stay()
  expect([hold.measured(), hold.moved(), hold.held]).toEqual([true, true, undefined])
})
