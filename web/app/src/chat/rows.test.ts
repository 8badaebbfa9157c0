import type { Item } from '@plenum/sdk/chat'
import { message } from '@plenum/sdk'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { expect, test } from 'vitest'
import { Rows, shifted, type Row } from './rows.ts'

const noon = new Date(2026, 4, 4, 12).getTime()
const minute = 60_000

function item(offset: number, author: string, at: number, more: Partial<Message> = {}): Item {
  return { key: `m${offset}`, message: message(Message, { offset, author, timeMs: noon + at * minute, text: 'x', ...more }), state: 'sent', cause: undefined, seq: undefined, changes: [] }
}
const say = (rows: readonly Row[]) =>
  rows.map((row) => (row.kind === 'message' ? `${row.first ? `${row.item.message.author}: ` : '+ '}${row.item.message.offset}` : row.kind === 'event' ? `! ${row.item.message.offset}` : row.kind)).join(', ')

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

test('rows that stayed the same are the same', () => {
  const rows = new Rows()
  const [a, b] = [item(1, 'ada', 0), item(2, 'ada', 1)]
  const first = rows.of([a, b], 0, true)
  const second = rows.of([a, { ...b, state: 'sent' }, item(3, 'ada', 2)], 0, true)
  expect(second.slice(0, 3)).toEqual(first.slice(0, 3))
  expect(second[1]).toBe(first[1])
  expect(second[2]).toBe(first[2])
  expect(second[3]).not.toBe(first[3])
})

test('what is read before shifts the list, what is said since does not', () => {
  const rows = new Rows()
  const some = rows.of([item(5, 'ada', 0)], 0, false)
  const more = rows.of([item(4, 'ada', -1), item(5, 'ada', 0)], 0, false)
  expect(shifted(some, more)).toBe(true)
  expect(shifted(more, rows.of([item(4, 'ada', -1), item(5, 'ada', 0), item(6, 'ada', 1)], 0, false))).toBe(false)
  expect(shifted([], more)).toBe(false)
})
