import type { Item } from '@plenum/sdk/chat'
import { message } from '@plenum/sdk'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { expect, test } from 'vitest'
import { Rows, shifted, type Row } from './rows.ts'

const noon = new Date(2026, 4, 4, 12).getTime()
const minute = 60_000

function item(offset: number, author: string, at: number, more: Partial<Message> = {}): Item {
  return { key: `m${offset}`, message: message(Message, { offset, author, timeMs: noon + at * minute, text: 'x', ...more }), resolved: true, state: 'sent', cause: undefined, seq: undefined, changes: [] }
}
const say = (rows: readonly Row[]) =>
  rows.map((row) => (row.kind === 'message' ? `${row.first() ? `${row.item().message.author}: ` : '+ '}${row.item().message.offset}` : row.kind === 'event' ? `! ${row.item().message.offset}` : row.kind)).join(', ')

test('runs of one author end by time, by others, by days, and where something is new', () => {
  const items = [item(1, 'ada', 0), item(2, 'ada', 4), item(3, 'ada', 10), item(4, 'ben', 10), item(5, 'ben', 11), item(6, 'ben', 12 * 60 + 1)]
  expect(say(new Rows().of(items, 0, true))).toBe('begin, day, ada: 1, + 2, ada: 3, ben: 4, + 5, day, ben: 6')
  expect(say(new Rows().of(items, 5, false))).toBe('day, ada: 1, + 2, ada: 3, ben: 4, unread, ben: 5, day, ben: 6')
})

test('an unread message that is gone divides where the next one is', () => {
  expect(say(new Rows().of([item(3, 'ada', 0), item(7, 'ada', 1)], 5, false))).toBe('day, ada: 3, unread, ada: 7')
})

test('events stand by themselves', () => {
  const happened = item(2, 'ada', 1, { system: { change: undefined } })
  expect(say(new Rows().of([item(1, 'ada', 0), happened, item(3, 'ada', 2)], 0, false))).toBe('day, ada: 1, ! 2, ada: 3')
  expect(say(new Rows().of([item(1, 'ada', 0), happened, item(3, 'ben', 2)], 2, false))).toBe('day, ada: 1, ! 2, unread, ben: 3')
})

test('a row stays, whatever becomes of its message', () => {
  const rows = new Rows()
  const [a, b] = [item(1, 'ada', 0), item(2, 'ada', 1)]
  const first = rows.of([a, b], 0, true)
  const edited = { ...b, message: { ...b.message, text: 'y' } }
  expect(rows.of([a, edited], 0, true)).toBe(first)
  const row = first[3]
  expect(row?.kind === 'message' && row.item().message.text).toBe('y')
  const more = rows.of([a, edited, item(3, 'ada', 2)], 0, true)
  expect(more).not.toBe(first)
  expect(more.slice(0, 4).every((each, i) => each === first[i])).toBe(true)
  rows.of([edited], 0, true)
  expect(row?.kind === 'message' && row.first()).toBe(true)
})

test('what is read before shifts the list, what is said since does not', () => {
  const rows = new Rows()
  const some = rows.of([item(5, 'ada', 0)], 0, false)
  const more = rows.of([item(4, 'ada', -1), item(5, 'ada', 0)], 0, false)
  expect(shifted(some, more)).toBe(true)
  expect(shifted(more, rows.of([item(4, 'ada', -1), item(5, 'ada', 0), item(6, 'ada', 1)], 0, false))).toBe(false)
  expect(shifted([], more)).toBe(false)
  expect(shifted(more, rows.of([item(5, 'ada', 0), item(6, 'ada', 1)], 0, false))).toBe(true) // some have gone there
})

test('the divider is not where what is unread begins further up', () => {
  expect(say(new Rows().of([item(7, 'ada', 0), item(8, 'ada', 1)], 5, false))).toBe('day, ada: 7, + 8')
  expect(say(new Rows().of([item(7, 'ada', 0), item(8, 'ada', 1)], 5, true))).toBe('begin, day, unread, ada: 7, + 8')
})
