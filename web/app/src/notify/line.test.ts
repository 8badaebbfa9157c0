import { expect, it } from 'vitest'
import { lineOf, longest } from './line.ts'

it('is one line without marks', () => {
  expect(lineOf('Hello **Ada**,\n\n- one\n- [two](https://x.example)\n\n`code`')).toBe('Hello Ada, one two code')
  expect(lineOf('<img onerror=alert(1)>')).toBe('<img onerror=alert(1)>')
})

it('ends where it is too long, between characters', () => {
  const family = '👩‍👩‍👧'
  expect(lineOf(family.repeat(longest + 1))).toBe(`${family.repeat(longest)}…`)
  expect(lineOf('x'.repeat(longest))).toBe('x'.repeat(longest))
})
