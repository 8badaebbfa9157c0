import { describe, expect, it } from 'vitest'
import { fold, fuzzy } from './fuzzy.ts'

const score = (words: string, text: string) => fuzzy(fold(words), text)?.score ?? -Infinity
const marked = (words: string, text: string) => fuzzy(fold(words), text)?.at.map((i) => text.charAt(i)).join('')

describe('fuzzy', () => {
  it('finds letters in their order', () => {
    expect(marked('fnt', 'field-notes')).toBe('fnt')
    expect(fuzzy('tnf', 'field-notes')).toBeUndefined()
    expect(fuzzy('', 'x')).toEqual({ score: 0, at: [] })
  })
  it('has no regard to case and accents, and keeps places', () => {
    expect(marked('ines', 'Inès Duval')).toBe('Inès')
    expect(marked('LUCIA', 'Lucía')).toBe('Lucía')
    expect(fuzzy('ø', 'smørrebrød')?.at).toEqual([2])
    expect(fold('İstanbul 👩‍🚀')).toHaveLength('İstanbul 👩‍🚀'.length)
  })
  it('prefers beginnings, of the text and of words', () => {
    expect(score('des', 'design')).toBeGreaterThan(score('des', 'old-design'))
    expect(score('des', 'old-design')).toBeGreaterThan(score('des', 'modest'))
    expect(marked('n', 'field-notes')).toBe('n')
    expect(fuzzy('fn', 'fine field-notes')?.at).toEqual([0, 11])
    expect(fuzzy('fino', 'field-notes')?.at).toEqual([0, 1, 6, 7])
  })
  it('prefers what is whole', () => {
    expect(score('infra', 'infrastructure')).toBeGreaterThan(score('infra', 'in for a raise'))
    expect(score('random', 'random')).toBeGreaterThan(score('random', 'random-two'))
  })
  it('goes over words', () => expect(marked('ad lo', 'Ada Lovelace')).toBe('AdLo'))
  it('takes a word inside where it is whole, rather than strewn letters before', () => expect(fuzzy('not', 'an old note')?.at).toEqual([7, 8, 9]))
})
