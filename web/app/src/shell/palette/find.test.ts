import { describe, expect, it } from 'vitest'
import type { Candidate } from '../../module.ts'
import { groups, rank } from './find.ts'

const candidate = (title: string, more: Partial<Candidate> = {}): Candidate => ({ id: title, title, run: () => undefined, ...more })
const titles = (found: readonly { readonly candidate: Candidate }[]) => found.map((one) => one.candidate.title)

describe('rank', () => {
  it('puts the best first, by weight without words', () => {
    const all = [candidate('modest'), candidate('design', { weight: 1 }), candidate('random', { weight: 5 })]
    expect(titles(rank(all, 'des'))).toEqual(['design', 'modest'])
    expect(titles(rank(all, '  '))).toEqual(['random', 'design', 'modest'])
  })
  it('finds in details, for less', () => {
    expect(titles(rank([candidate('Ada', { detail: '@design' }), candidate('design')], 'design'))).toEqual(['design', 'Ada'])
  })
  it('leaves out letters strewn over a long text', () => {
    expect(rank([candidate('Some channel about the quarterly accounts of every region')], 'mnbutg')).toEqual([])
  })
  it('ends', () => expect(rank(Array.from({ length: 50 }, (_, n) => candidate(`team ${n}`)), 'team')).toHaveLength(9))
})

it('orders groups by their best', () => {
  const all = [
    { id: 'channels', title: 'Channels', candidates: [candidate('modest')] },
    { id: 'people', title: 'People', candidates: [candidate('Desmond')] },
    { id: 'commands', title: 'Commands', candidates: [candidate('Quit')] },
  ]
  expect(groups(all, 'des').map((group) => group.id)).toEqual(['people', 'channels'])
  expect(groups(all, '').map((group) => group.id)).toEqual(['channels', 'people', 'commands'])
})
