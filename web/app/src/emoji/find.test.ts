import { expect, it, test } from 'vitest'
import { emojiOf, toned, type Told } from './emoji.ts'
import { completions, find, step } from './find.ts'

const told = (emoji: string, annotation: string, shortcodes: string[], tags: string[], more: Partial<Told> = {}): Told => ({ emoji, annotation, shortcodes, tags, group: 0, version: 1, ...more })

const all = emojiOf([
  told('🎉', 'party popper', ['party', 'tada'], ['celebrate'], { group: 6 }),
  told('🥳', 'partying face', ['partying', 'partying_face'], ['celebration', 'hat']),
  told('👍\uFE0F', 'thumbs up', ['+1', 'thumbsup'], ['good'], { group: 1, skins: [1, 2, 3, 4, 5].map((tone) => ({ emoji: `👍${tone}`, tone })) }),
  told('❤️', 'red heart', ['heart'], ['love'], { group: 8 }),
  told('🏻', 'light skin tone', ['tone1'], [], { group: 2 }),
  told('🎩', 'top hat', ['tophat'], ['clothes'], { group: 7 }),
  told('🫩', 'face with bags under eyes', ['tired'], [], { version: 16 }),
])
const byCode = (code: string) => all.find((emoji) => emoji.codes.includes(code))
const signs = (words: string) => find(all, words, 9).map((emoji) => emoji.sign)

test.each([
  ['party', ['🎉', '🥳']], // a code that is just that goes first
  ['PARTYING', ['🥳']],
  [':tada:', ['🎉']],
  ['ta', ['🎉']],
  ['celeb', ['🎉', '🥳']],
  ['party fa', ['🥳']],
  ['party_face', ['🥳']],
  ['hat', ['🥳', '🎩'].reverse()], // a word of the name before a tag
  ['+1', ['👍']],
  ['lové', ['❤️']],
  ['zzz', []],
  ['  ', []],
  ['party zzz', []],
])('%s finds %s', (words, expected) => {
  expect(signs(words)).toEqual(expected)
})

it('shows no more than asked for', () => expect(find(all, 'p', 1)).toHaveLength(1))

it('completes with the code that begins so', () => {
  expect(completions(all, 'thu', 8).map(({ code }) => code)).toEqual(['thumbsup'])
  expect(completions(all, 'good', 8).map(({ code }) => code)).toEqual(['+1'])
})

it('takes out what stands for nothing, and what can’t be drawn', () => {
  expect(all.map((emoji) => emoji.sign)).not.toContain('🏻')
  expect(find(emojiOf([told('🫩', 'tired', ['tired'], [], { version: 16 })], 15), 'tired', 1)).toEqual([])
})

it('has signs as keyboards have them', () => {
  expect(byCode('+1')?.sign).toBe('👍') // without U+FE0F
  expect(byCode('heart')?.sign).toBe('❤\uFE0F') // with it, else it is black and white
})

it('has a tone only where there is one', () => {
  const [thumb, heart] = [byCode('+1'), byCode('heart')]
  expect(thumb && [toned(thumb, 0), toned(thumb, 5)]).toEqual(['👍', '👍5'])
  expect(heart && toned(heart, 5)).toBe('❤️')
})

// Two sections: 10 in rows of 4 (4, 4, 2), then 5 (4, 1).
test.each([
  [-1, 'down', 0],
  [0, 'next', 1],
  [0, 'before', 0],
  [1, 'down', 5],
  [7, 'down', 9], // the last row is shorter
  [9, 'down', 11],
  [11, 'up', 9],
  [13, 'down', 14],
  [14, 'down', 14],
  [14, 'next', 14],
  [2, 'up', 2],
  [9, 'next', 10],
] as const)('from %i %s leads to %i', (at, key, to) => {
  expect(step([10, 5], at, key, 4)).toBe(to)
})

it('stays nowhere where nothing is', () => expect(step([], -1, 'down', 8)).toBe(-1))
