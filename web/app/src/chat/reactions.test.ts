import { message as made } from '@plenum/sdk'
import { Reaction } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { expect, it } from 'vitest'
import { named, signOf, whoReacted } from './reactions.ts'

const words = { you: 'you', others: (n: number) => `${n} more`, name: (id: string) => id.toUpperCase() }
const who = (users: string[], count: number, mine: boolean) => whoReacted(made(Reaction, { emoji: '🎉', users, count, mine }), 'me', words)

it('names others, then oneself, then counts', () => {
  expect(who(['ada'], 1, false)).toEqual(['ADA'])
  expect(who(['me'], 1, true)).toEqual(['you'])
  expect(who(['me', 'ada'], 2, true)).toEqual(['ADA', 'you'])
  expect(who(['ada'], 3, true)).toEqual(['ADA', 'you', '1 more']) // of a server that names fewer
})

it('names ten', () => {
  const many = Array.from({ length: 20 }, (_, n) => `p${n}`)
  expect(who(many, 31, false)).toHaveLength(named + 1)
  expect(who(many, 31, false).at(-1)).toBe('21 more')
  expect(who(many, 31, true).slice(-2)).toEqual(['you', '20 more'])
})

it.each([['🎉', '🎉'], ['👩\u200d🚀', '👩\u200d🚀'], [':tada:', ':tada:'], ['\u202eevil', 'evil'], ['\u200b', ''], ['\u2066', ''], ['\u3164', ''], ['\u2800', '']])('what is shown of %j', (emoji, sign) => {
  expect(signOf(emoji)).toBe(sign)
})
