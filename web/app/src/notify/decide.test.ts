import { expect, it, test } from 'vitest'
import type { Said } from './arrivals.ts'
import { atOnce, decide, fresh, pathOf, plan, wants, type Context } from './decide.ts'

const now = 1_000_000_000
const said = (more: Partial<Said> = {}): Said => ({
  channel: 'c', offset: 7, root: 0, shown: true, author: 'ben', timeMs: now - 1000, text: 'Hello', gone: false, names: false, everybody: false, following: false, ...more,
})
const channel = (more: Partial<Context['channel']> = {}): Context['channel'] => ({ kind: 'public', muted: false, level: 'default', ...more })
const context = (more: Partial<Context> = {}): Context => ({
  me: 'ada', channel: channel(), standard: 'mentions', read: false, quiet: false, looking: false, focused: false, since: now - 10 * fresh, now, ...more,
})

const direct = channel({ kind: 'direct' })
const named = { names: true }
const reply = { root: 3, shown: false, following: true }

test.each<[rule: string, message: Partial<Said>, context: Partial<Context>, result: string]>([
  // whose, and when
  ['one’s own, from another device', { author: 'ada', ...named }, {}, 'own'],
  ['deleted since, or the system’s', { gone: true, ...named }, {}, 'gone'],
  ['said before the page was opened', { timeMs: now - 11 * fresh, ...named }, {}, 'before'],
  ['said at that very moment', { timeMs: now - 10 * fresh, ...named }, {}, 'before'],
  ['read on another device meanwhile', named, { read: true }, 'read'],
  // not to be disturbed
  ['a mention where it is muted', named, { channel: channel({ muted: true, level: 'all' }) }, 'muted'],
  ['a direct message that is muted', {}, { channel: channel({ kind: 'direct', muted: true }) }, 'muted'],
  ['a reply where it is muted', reply, { channel: channel({ muted: true }) }, 'muted'],
  ['a mention while one is not to be disturbed', named, { quiet: true }, 'quiet'],
  ['a direct message then', {}, { channel: direct, quiet: true }, 'quiet'],
  ['the same in the page', {}, { channel: direct, quiet: true, focused: true }, 'quiet'],
  // direct and group
  ['a direct message', {}, { channel: direct }, 'desk message'],
  ['a group message', {}, { channel: channel({ kind: 'group' }) }, 'desk message'],
  ['a mention in a group', named, { channel: channel({ kind: 'group' }) }, 'desk mention'],
  ['a group message where only mentions are wanted', {}, { channel: channel({ kind: 'group', level: 'mentions' }) }, 'level'],
  ['a direct message where nothing is', {}, { channel: channel({ kind: 'direct', level: 'none' }) }, 'level'],
  ['a direct message if nothing at all is', {}, { channel: direct, standard: 'none' }, 'level'],
  ['a direct message that is wanted nevertheless', {}, { channel: channel({ kind: 'direct', level: 'all' }), standard: 'none' }, 'desk message'],
  // channels
  ['a message in a channel', {}, {}, 'level'],
  ['a mention there', named, {}, 'desk mention'],
  ['a mention of everybody', { everybody: true }, {}, 'desk mention'],
  ['a message, if all are wanted', {}, { standard: 'all' }, 'desk message'],
  ['a message where all are', {}, { channel: channel({ level: 'all' }) }, 'desk message'],
  ['a message where only mentions are, though all are elsewhere', {}, { channel: channel({ level: 'mentions' }), standard: 'all' }, 'level'],
  ['a mention where nothing is wanted', named, { channel: channel({ level: 'none' }) }, 'level'],
  ['a mention if nothing at all is', named, { standard: 'none' }, 'level'],
  ['a mention where they are wanted nevertheless', named, { channel: channel({ level: 'mentions' }), standard: 'none' }, 'desk mention'],
  // threads
  ['a reply in a thread that is followed', reply, {}, 'desk reply'],
  ['a reply in one that isn’t', { ...reply, following: false }, {}, 'level'],
  ['a mention in one that isn’t', { ...reply, following: false, ...named }, {}, 'desk mention'],
  ['a reply where only mentions are wanted', reply, { channel: channel({ level: 'mentions' }) }, 'desk reply'],
  ['a reply where nothing is wanted', reply, { channel: channel({ level: 'none' }) }, 'level'],
  ['a reply in a thread of a channel of which all is wanted, not followed', { ...reply, following: false }, { channel: channel({ level: 'all' }) }, 'level'],
  ['a reply that is shown in a channel of which all is wanted', { root: 3, shown: true }, { channel: channel({ level: 'all' }) }, 'desk message'],
  // where
  ['a mention in what one looks at', named, { looking: true, focused: true }, 'looking'],
  ['a mention while another conversation is looked at', named, { focused: true }, 'card mention'],
  ['a mention of ten minutes ago, as the connection is back', { ...named, timeMs: now - 2 * fresh }, {}, 'desk mention late'],
  ['one that has just been under way for long', { ...named, timeMs: now - fresh }, {}, 'desk mention'],
])('%s', (_, message, around, result) => {
  const verdict = decide(said(message), context(around))
  expect(verdict.kind === 'nothing' ? verdict.why : `${verdict.where} ${verdict.why}${verdict.late ? ' late' : ''}`).toBe(result)
})

it('wants of a channel what is its own, else the standard', () => {
  expect(wants(channel(), 'all')).toBe('all')
  expect(wants(channel({ level: 'none' }), 'all')).toBe('none')
  expect(wants(direct, 'mentions')).toBe('all')
  expect(wants(channel({ muted: true, level: 'all' }), 'all')).toBe('none')
})

const told = (n: number, late = false) => Array.from({ length: n }, (_, at) => ({ said: said({ channel: `c${at}`, offset: at }), late }))

it('tells a few by themselves, the newest of each conversation', () => {
  expect(plan(told(atOnce), 0)).toMatchObject({ sum: 0, each: [{ channel: 'c0' }, { channel: 'c1' }, { channel: 'c2' }] })
  const twice = [said({ offset: 1 }), said({ offset: 2 }), said({ offset: 3, root: 1, shown: false })].map((one) => ({ said: one, late: false }))
  expect(plan(twice, 0).each.map(({ offset }) => offset)).toEqual([2, 3])
})

it('tells many as a number', () => {
  expect(plan(told(atOnce + 1), 0)).toMatchObject({ each: [], sum: atOnce + 1, first: { channel: 'c0' } })
  expect(plan(told(2), 10)).toMatchObject({ each: [], sum: 12 })
  expect(plan(told(12, true), 0)).toMatchObject({ each: [], sum: 12 })
  expect(plan([...told(2, true), ...told(1)], 0)).toMatchObject({ each: [{ channel: 'c0' }], sum: 2 })
  expect(plan([], 0)).toEqual({ each: [], sum: 0, first: undefined })
})

it('leads to the message', () => {
  expect(pathOf(said())).toBe('/c/c/7')
  expect(pathOf(said({ root: 3, shown: false }))).toBe('/t/c/3')
  expect(pathOf(said({ root: 3, shown: true }))).toBe('/c/c/7')
})
