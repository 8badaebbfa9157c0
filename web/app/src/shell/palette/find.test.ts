import { describe, expect, it } from 'vitest'
import type { Candidate } from '../../module.ts'
import { groups, rank, type Work } from './find.ts'

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

it('leaves what is idle in its own order', () => {
  const all = [
    { id: 'recent', title: 'Recent', idle: true, candidates: [candidate('z'), candidate('a', { weight: 5 })] },
    { id: 'channels', title: 'Channels', candidates: [candidate('b'), candidate('c', { weight: 1 })] },
  ]
  expect(groups(all, '').map((group) => titles(group.found))).toEqual([['z', 'a'], ['c', 'b']])
})

describe('with 5,000 people and 500 channels', () => {
  const first = ['Ada', 'Benjamin', 'Chiara', 'Dmitri', 'Élodie', 'Farah', 'Grace', 'Hiroshi', 'Inès', 'Jonas', 'Katarzyna', 'Lucía', 'Mehmet', 'Nadia', 'Oluwaseun', 'Priya']
  const last = ['Lovelace', 'Okri', 'Ferrari', 'Sokolov', 'Duval', 'Haddad', 'Hopper', 'Tanaka', 'Lindqvist', 'Nowak', 'Ferrer', 'Yılmaz', 'Petrov', 'Adeyemi', 'Raman', 'Vogel', 'Zhang']
  const people = Array.from({ length: 5_000 }, (_, n) => candidate(`${first[n % first.length]} ${last[(n * 7) % last.length]} ${n}`, { detail: `@p${n} · Team ${n % 90}` }))
  const channels = Array.from({ length: 500 }, (_, n) => candidate(`${['design', 'infra', 'sales', 'field-notes', 'random'][n % 5]}-${n}`, { detail: 'What there is to say about it' }))
  const all = [...people, ...channels, candidate('quarterly-zebra')]

  it('compares few of them, whatever is typed', () => {
    for (const words of ['z', 'zeb', 'quarterly', 'hiro tan', 'infra-40', 'xyzzy', 'katarzyna']) {
      const work: Work = { compared: 0 }
      rank(all, words, 9, work)
      expect(work.compared, words).toBeLessThanOrEqual(all.length * 0.35)
    }
    const work: Work = { compared: 0 }
    expect(titles(rank(all, 'zebra', 9, work))).toEqual(['quarterly-zebra'])
    expect(work.compared).toBeLessThan(100)
  })
  it('has a first result within 100 ms', () => {
    for (const words of ['a', 'an', 'hiroshi', 'e']) {
      const times = Array.from({ length: 5 }, () => {
        const fresh = all.map((one) => ({ ...one })) // as it is opened: nothing is folded yet
        const begun = performance.now()
        expect(rank(fresh, words).length).toBeGreaterThan(0)
        return performance.now() - begun
      })
      expect(Math.min(...times), words).toBeLessThan(300) // three times the bar, and the best of some: other work goes on beside
    }
  })
})
