import { expect, test } from 'vitest'
import type { Channel, Group, Person } from '../model/model.ts'
import { channelsBy, mentionable, mostShown } from './answers.ts'

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
  expect(mentionable('channel', [person('c', 'Channel Island')], [], true).map(({ puts }) => puts)).toEqual(['@channel', '@c'])
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
  expect(mentionable('al', people, [group('alarm', 'Alarm'), group('b', 'A of Al')], false).map(({ puts }) => puts)).toEqual(['@al', '@alarm', '@b'])
  expect(mentionable('de', people, groups, false)[0]).toMatchObject({ kind: 'group', group: { members: 3 } })
})

test('channels are found by their names, and by each part of them, whatever their case', () => {
  const channel = (name: string, more: Partial<Channel> = {}) => ({ id: name, name, kind: 'public', archived: false, ...more }) as Channel
  const all = [channel('random'), channel('old-design'), channel('design'), channel('design-reviews'), channel('designed', { archived: true }), channel('führung'), channel('', { kind: 'direct' })]
  const offered = (word: string) => channelsBy(word, all).map(({ puts }) => puts)
  expect(offered('design')).toEqual(['#design', '#design-reviews', '#old-design'])
  expect(offered('REV')).toEqual(['#design-reviews'])
  expect(offered('FU\u0308')).toEqual(['#führung'])
  expect(offered('esign')).toEqual([])
  expect(channelsBy('c', Array.from({ length: 500 }, (_, n) => channel(`c${n}`)))).toHaveLength(mostShown)
})

test('no more are offered than can be looked over', () => {
  const many = Array.from({ length: 5_000 }, (_, n) => person(`p${n}`, `Person ${n}`))
  expect(mentionable('p', many, [], false).map(({ puts }) => puts)).toEqual(Array.from({ length: mostShown }, (_, n) => `@p${n}`))
  expect(mentionable('', many, [], true)).toHaveLength(mostShown)
})
