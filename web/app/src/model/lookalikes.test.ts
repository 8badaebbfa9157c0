import { expect, it } from 'vitest'
import { channelName, nameApart } from './context.ts'
import { lookOf } from './lookalikes.ts'
import type { Channel, Model, Person } from './model.ts'

it.each([
  ['Ada Lovelace', 'Аdа Lоvеlасе'], // Cyrillic
  ['Ada Lovelace', 'Αda Lοvelace'], // Greek
  ['Ada Lovelace', 'ADA  LOVELACE'],
  ['Ada Lovelace', 'Ａｄａ Lovelace'],
  ['Ada Lovelace', 'Ada Love1ace'],
  ['Ada Lovelace', 'Ada LoveIace'],
  ['Ada Lovelace', 'Ạda Lovelacé'],
  ['Ada Lovelace', 'A҉da Lovelace'],
  ['Ada Lovelace', 'ᴀᴅᴀ ʟovelace'],
  ['Bernard Moss', 'Bemard Moss'],
  ["Sean O'Neil", 'Sean O’Neil'],
  ['Анна', 'Aннa'],
])('%s and %s look the same', (one, other) => {
  expect(lookOf(one)).toBe(lookOf(other))
})

it.each([
  ['Ada Lovelace', 'Ada Lovelave'],
  ['Анна', 'Инна'],
  ['Jan', 'Jana'],
  ['李雷', '李蕾'],
  ['Oleg', 'Olga'],
])('%s and %s do not', (one, other) => {
  expect(lookOf(one)).not.toBe(lookOf(other))
})

it('tells apart by their handle who is called so that they could be taken for each other, and nobody else', () => {
  const people = [['ada', 'Ada Lovelace'], ['eve', 'Аda Lovelace'], ['ben', 'Ben Okri']].map(([id = '', name = '']) => ({ id, handle: id, name }) as Person)
  const model = { people: () => people, person: (id: string) => people.find((person) => person.id === id), access: { stage: () => ({ kind: 'signed-in', account: { me: 'ben' } }) } } as unknown as Model
  expect(['ada', 'eve', 'ben', 'x'].map((id) => nameApart(model, id, 'Somebody'))).toEqual(['Ada Lovelace (@ada)', 'Аda Lovelace (@eve)', 'Ben Okri', 'Somebody'])
  expect(channelName(model, { name: '', people: ['ben', 'eve'] as readonly string[] } as Channel)).toBe('Аda Lovelace (@eve)')
})
