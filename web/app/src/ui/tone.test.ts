import { expect, it } from 'vitest'
import { initials, tone } from './tone.ts'

it('takes the first and the last word', () => {
  expect(['Ada Lovelace', 'Juan Carlos de la Cruz', 'plato', '  ', '王伟', 'Łukasz (QA)', '👩‍🚀 Zoë Q'].map(initials)).toEqual(['AL', 'JC', 'P', '', '王', 'ŁQ', 'ZQ'])
})

it('spreads people over the tones', () => {
  const counts = new Array<number>(12).fill(0)
  for (let n = 0; n < 1200; n++) counts[tone(`person${n}`)] = (counts[tone(`person${n}`)] ?? 0) + 1
  expect(Math.min(...counts)).toBeGreaterThan(60)
  expect(tone('ada')).toBe(tone('ada'))
})
