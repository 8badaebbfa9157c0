import { expect, it } from 'vitest'
import { calls, nextUnread, titleCount } from './context.ts'
import type { Channel } from './model.ts'

const channel = (id: string, more: Partial<Channel> = {}): Channel => ({
  id, kind: 'public', name: id, topic: '', purpose: '', archived: false, posting: 'members', history: 'all', creator: '', created: 0, role: 'member', members: 2, people: [], unread: 0, mentions: 0, muted: false, level: 'default', draft: false, ...more,
}) // prettier-ignore

const all = [channel('a'), channel('b', { unread: 3, mentions: 1 }), channel('c', { unread: 9, mentions: 9, muted: true }), channel('d', { kind: 'direct', unread: 2 })]

it('counts what asks for somebody', () => {
  expect(all.map(calls)).toEqual([0, 1, 0, 2])
  expect(titleCount(all)).toBe(3)
})

it('counts by the level', () => {
  const of = (more: Partial<Channel>) => calls(channel('x', { unread: 5, mentions: 2, ...more }))
  expect([of({ level: 'all' }), of({ level: 'mentions' }), of({ level: 'none' })]).toEqual([5, 2, 0])
  expect([of({ kind: 'group' }), of({ kind: 'group', level: 'mentions' }), of({ kind: 'direct', level: 'none' })]).toEqual([5, 2, 0])
})

it('goes round through what is unread', () => {
  expect(['a', 'b', 'd', undefined].map((at) => nextUnread(all, at, 1)?.id)).toEqual(['b', 'd', 'b', 'b'])
  expect(['a', 'b', 'd', undefined].map((at) => nextUnread(all, at, -1)?.id)).toEqual(['d', 'd', 'b', 'd'])
  expect(nextUnread([channel('b', { unread: 1 })], 'b', 1)).toBeUndefined()
  expect(nextUnread([], undefined, 1)).toBeUndefined()
})
