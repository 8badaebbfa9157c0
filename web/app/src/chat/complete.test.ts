import { expect, test } from 'vitest'
import { asked, completed, fenced, spelled, wrapped } from './complete.ts'

test.each([
  ['@', '@', ''],
  ['hi @ad', '@', 'ad'],
  ['(#gen', '#', 'gen'],
  ['see #führung-2.0', '#', 'führung-2.0'],
  [`#${'x'.repeat(64)}`, '#', 'x'.repeat(64)],
  ['so :ta', ':', 'ta'],
  ['@grace.h', '@', 'grace.h'],
])('%s asks', (text, sign, word) => {
  expect(asked(text, text.length)).toMatchObject({ sign, word, from: text.length - word.length - 1, to: text.length })
})

test.each(['', '#', 'a\n#', '# ', '##', '## a', 'a#b', 'C#', `#${'x'.repeat(65)}`, 'hello', 'a@b', 'x:', ':)', 'no :a', '@ada ', `@${'x'.repeat(40)}`, 'https://x'])('%s asks nothing', (text) => {
  expect(asked(text, text.length)).toBeUndefined()
})

test('what is behind the cursor stays', () => {
  const text = 'hi @ad there'
  const question = asked(text, 6)
  expect(question && completed(text, question, '@ada')).toEqual({ text: 'hi @ada there', cursor: 8 })
  expect(completed('@a', { sign: '@', word: 'a', from: 0, to: 2 }, '@ada')).toEqual({ text: '@ada ', cursor: 5 })
})

test('marks come and go', () => {
  const bold = wrapped('a word', 2, 6, '**')
  expect(bold).toEqual({ text: 'a **word**', from: 4, to: 8 })
  expect(wrapped(bold.text, bold.from, bold.to, '**')).toEqual({ text: 'a word', from: 2, to: 6 })
})

test('a code that is typed out is known by its second colon', () => {
  expect(spelled('so :tada:', 9)).toEqual({ sign: ':', word: 'tada', from: 3, to: 9 })
  expect(spelled(':+1: x', 4)).toMatchObject({ word: '+1', from: 0, to: 4 })
  for (const text of [':tada', 'a:b:', '10:30:', '::', ':a:', ': tada:', 'x :tada: ']) expect(spelled(text, text.length), text).toBeUndefined()
})

test.each([
  ['```', true],
  ['```js\nlet a', true],
  ['```js\nlet a\n```', false],
  ['say ```', false],
  ['``` all in one ```', false],
  ['~~~\n```', true],
  ['````\n```', true],
  ['', false],
])('%j is within code: %s', (text, within) => {
  expect(fenced(text, text.length)).toBe(within)
})
