import { expect, test } from 'vitest'
import { channelCalled, folded, groupCalled, groupKnown, namedIn, personCalled } from './called.ts'
import type { Channel } from './model.ts'
import { sampleModel } from './sample.ts'

const channels = (...named: readonly (readonly [id: string, name: string])[]) => named.map(([id, name]) => ({ id, name }) as Channel)

test('who and what is known by a name is found', () => {
  const model = sampleModel()
  expect([personCalled(model, 'wei')?.id, personCalled(model, 'Wei'), personCalled(model, 'research')]).toEqual(['wei', undefined, undefined])
  expect([groupCalled(model, 'on-call')?.name, groupCalled(model, 'wei'), groupKnown(model, 'research')?.handle, groupKnown(model, '')]).toEqual(['On call this week', undefined, 'research', undefined])
  expect([channelCalled(model, 'LAUNCH-2027'), channelCalled(model, 'launch'), channelCalled(model, '')]).toEqual(['launch', undefined, undefined])
})

test('names of channels are folded as the service folds them', () => {
  expect(['Design', 'FU\u0308HRUNG', 'ΟΔΟΣ', 'İstanbul', 'straẞe', '設計'].map(folded)).toEqual(['design', 'führung', 'οδοσ', 'istanbul', 'straße', '設計'])
})

test('the names of channels are others only where a name is', () => {
  const before = namedIn(channels(['a', 'design'], ['b', 'random'], ['c', '']), new Map())
  expect([...before]).toEqual([['design', 'a'], ['random', 'b']])
  expect(namedIn(channels(['b', 'random'], ['c', ''], ['d', ''], ['a', 'design']), before)).toBe(before)
  for (const now of [channels(['a', 'design']), channels(['a', 'design'], ['b', 'rnd']), channels(['a', 'design'], ['x', 'random']), channels(['a', 'design'], ['b', 'random'], ['e', 'books'])]) {
    const after = namedIn(now, before)
    expect([...after]).toEqual(now.map(({ id, name }) => [name, id]))
  }
})
