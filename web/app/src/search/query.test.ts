import { createRoot } from 'solid-js'
import { expect, test } from 'vitest'
import { sampleModel } from '../model/sample.ts'
import { parse, resolve } from './query.ts'

const model = createRoot(() => sampleModel())
const now = new Date(2026, 4, 10, 15).getTime()
const day = (month: number, date: number) => new Date(2026, month - 1, date).getTime()
const query = (typed: string) => resolve(parse(typed), model, now)

test('filters are taken out of the words', () => {
  expect(parse('the board from:@ada  in:#design on:today')).toEqual({ text: 'the board', from: '@ada', in: '#design', on: 'today' })
  expect(parse('see https://plenum.example/from:here')).toEqual({ text: 'see https://plenum.example/from:here' })
  expect(parse('From:a from:b')).toEqual({ text: '', from: 'b' })
})

test('who, where and when are what the model knows', () => {
  expect(query('board from:@Tomas in:#design')).toEqual({ text: 'board', author: 'tomas', channel: 'design' })
  expect(query('from:me in:@wei')).toEqual({ text: '', author: 'ines', channel: 'd-wei' })
  expect(query('x before:2026-05-04')).toEqual({ text: 'x', beforeMs: day(5, 4) })
  expect(query('x after:2026-05-04')).toEqual({ text: 'x', fromMs: day(5, 5) })
  expect(query('x on:yesterday')).toEqual({ text: 'x', fromMs: day(5, 9), beforeMs: day(5, 10) })
  expect(query('x after:2026-04-30 before:today')).toEqual({ text: 'x', fromMs: day(5, 1), beforeMs: day(5, 10) })
})

test('what is nobody, no channel or no day is told, and nothing is looked for without words', () => {
  expect(query('x from:nobody')).toEqual({ kind: 'person', said: 'nobody' })
  expect(query('x in:nowhere')).toEqual({ kind: 'channel', said: 'nowhere' })
  expect(query('x on:2026-02-31')).toEqual({ kind: 'day', said: '2026-02-31' })
  for (const typed of ['', ' … ', 'on:today']) expect(query(typed)).toBeUndefined()
})
