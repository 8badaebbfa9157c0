import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { costOf, mostCost } from './bounds.ts'
import type * as Markdown from './markdown.ts'
import type * as Turns from './turns.ts'

// What the parser really takes is nothing to wait for here.
vi.mock('./parse.ts', () => ({ parse: () => ({ type: 'root', children: [{ type: 'heading', depth: 1, children: [{ type: 'text', value: 'read' }] }] }) }))

let inTurn: typeof Markdown.inTurn
let turns: typeof Turns

beforeEach(async () => {
  vi.useFakeTimers()
  vi.resetModules()
  ;({ inTurn } = await import('./markdown.ts'))
  turns = await import('./turns.ts')
})
afterEach(() => { vi.useRealTimers() })

const dear = (i: number) => `${'*a* '.repeat(590)}${i}`
const cheap = (i: number) => `*a* ${i}`

/** ask asks for a text, and again as it is told to. */
function ask(text: string) {
  const asked = { ...inTurn(text, () => { asked.parts = inTurn(text, () => undefined).parts }) }
  return asked
}
const isRead = ({ parts }: ReturnType<typeof ask>, text: string) => JSON.stringify(parts) !== JSON.stringify([{ tag: 'p', children: [text] }])

test('of many dear texts those that there is nothing left for are shown as they stand until it is their turn, the last one first', () => {
  expect(costOf(dear(10))).toBeGreaterThan(mostCost * 0.9)
  const asked = Array.from({ length: 10 }, (_, i) => ask(dear(i)))
  const done = () => asked.flatMap((one, i) => (isRead(one, dear(i)) ? [i] : []))
  expect(done()).toEqual([0, 1, 2, 3])
  vi.advanceTimersByTime(1_000)
  expect(done()).toEqual([0, 1, 2, 3, 9])
  vi.advanceTimersByTime(1_000)
  expect(done()).toEqual([0, 1, 2, 3, 8, 9])
  vi.advanceTimersByTime(10_000)
  expect(done()).toHaveLength(10)
})

test('what costs little is read at once, and so is what was read before', () => {
  for (let i = 0; i < 10; i++) ask(dear(i))
  expect(isRead(ask(cheap(1)), cheap(1))).toBe(true)
  expect(isRead(ask(dear(0)), dear(0))).toBe(true)
})

test('who leaves takes the turn of nobody', () => {
  for (let i = 0; i < 4; i++) ask(dear(i))
  const stays = ask(dear(4))
  const left = [5, 6, 7].map((i) => ask(dear(i)))
  for (const one of left) one.leave?.()
  vi.advanceTimersByTime(1_000)
  expect(isRead(stays, dear(4))).toBe(true)
  vi.advanceTimersByTime(10_000)
  expect(left.some((one, i) => isRead(one, dear(i + 5)))).toBe(false)
})

test('one that is edited again and again costs no more than comes back', () => {
  for (let i = 0; i < 4; i++) ask(dear(i))
  let read = 0
  let before: ReturnType<typeof ask> | undefined
  for (let i = 0; i < 200; i++) {
    before?.leave?.()
    before = ask(dear(100 + i))
    vi.advanceTimersByTime(50)
    if (isRead(before, dear(100 + i))) read++
  }
  expect(read).toBeLessThanOrEqual(11)
  expect(turns.takes(turns.mostAtOnce)).toBe(false)
})
