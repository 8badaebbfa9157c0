import { expect, test } from 'vitest'
import type { Group, Person } from '../model/model.ts'
import { mentionable, mostShown } from './answers.ts'

const person = (handle: string, name: string, more: Partial<Person> = {}): Person => ({ id: handle, handle, name, role: 'member', title: '', deactivated: false, ...more })
const people = [person('ada', 'Ada Lovelace'), person('grace.h', 'Grace Hopper'), person('al', 'Zoë Alba'), person('gone', 'Al Gone', { deactivated: true }), person('carl', 'Carl Channing')]
const group = (handle: string, name: string): Group => ({ id: handle, handle, name, members: 3, mine: false })
const puts = (word: string, all = false) => mentionable(word, people, [], all).map((answer) => answer.puts)

test('who is meant is found by the handle and by each part of the name, the best first', () => {
  expect(puts('')).toEqual(['@ada', '@carl', '@grace.h', '@al'])
  expect(puts('al')).toEqual(['@al'])
  expect(puts('A')).toEqual(['@ada', '@al']) // one by its name, one by a handle
  expect(puts('l')).toEqual(['@ada'])
  expect(puts('h')).toEqual(['@grace.h'])
  expect(puts('x')).toEqual([])
})

test('everybody is offered to whom may call them: last, unless by the whole name', () => {
  expect(puts('chan')).toEqual(['@carl'])
  expect(puts('chan', true)).toEqual(['@carl', '@channel'])
  expect(puts('channel', true)).toEqual(['@channel'])
  expect(puts('al', true)).toEqual(['@al', '@all'])
  expect(puts('all', true)).toEqual(['@all'])
  expect(puts('', true).at(-1)).toBe('@channel')
  expect(puts('here', true)).toEqual([]) // which chat doesn't have
})

test('groups stand among people, by how well they fit', () => {
  const groups = [group('design', 'Design team'), group('data', 'Ada’s people'), group('lovers', 'Friends of Ada')]
  const offered = (word: string) => mentionable(word, people, groups, false).map((answer) => answer.puts)
  expect(offered('d')).toEqual(['@data', '@design'])
  expect(offered('ada')).toEqual(['@ada', '@data', '@lovers']) // the whole handle, the beginning of a name, a later part of it
  expect(offered('design')).toEqual(['@design'])
  expect(mentionable('de', people, groups, false)[0]).toMatchObject({ kind: 'group', group: { members: 3 } })
})

test('no more are offered than can be looked over', () => {
  const many = Array.from({ length: 5_000 }, (_, n) => person(`p${n}`, `Person ${n}`))
  expect(mentionable('p', many, [], false).map(({ puts }) => puts)).toEqual(Array.from({ length: mostShown }, (_, n) => `@p${n}`))
  expect(mentionable('', many, [], true)).toHaveLength(mostShown)
})
