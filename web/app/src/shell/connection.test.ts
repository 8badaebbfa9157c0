import { describe, expect, it } from 'vitest'
import { lost } from '../model/away.ts'
import type { Connection } from '../model/model.ts'
import { saidOf } from './connection.ts'

const now = 1_000_000
const at = (ms: number): Connection => ({ kind: 'offline', retryAt: now + ms })

describe('saidOf', () => {
  it('counts down to the next attempt, in whole seconds, and never below one', () => {
    expect([9_000, 8_001, 1_000, 1, 0, -5_000].map((ms) => saidOf(at(ms), 0, true, false, now))).toEqual([9, 9, 1, 1, 1, 1].map((seconds) => ({ kind: 'offline', seconds })))
  })

  it('says without a number that there is no network', () => {
    expect(saidOf({ kind: 'offline', retryAt: undefined }, 3, true, false, now)).toEqual({ kind: 'offline', seconds: undefined })
  })

  it('says nothing of what passes in a moment', () => {
    expect(saidOf({ kind: 'connecting' }, 0, false, false, now)).toBeUndefined()
    expect(saidOf({ kind: 'online' }, 5, false, false, now)).toBeUndefined()
    expect(saidOf({ kind: 'online' }, 0, false, true, now)).toBeUndefined()
  })

  it('says what lasts', () => {
    expect(saidOf({ kind: 'connecting' }, 0, false, true, now)).toEqual({ kind: 'connecting' })
    expect(saidOf({ kind: 'online' }, 5, false, true, now)).toEqual({ kind: 'sending' })
    expect(saidOf({ kind: 'outdated' }, 0, false, false, now)).toEqual({ kind: 'outdated' })
  })

  it('goes on saying that it was lost while it is tried', () => {
    expect(saidOf({ kind: 'connecting' }, 0, true, false, now)).toEqual({ kind: 'trying' })
  })
})

describe('lost', () => {
  it('lasts from the loss to the return, over all attempts', () => {
    const states: readonly Connection[] = [{ kind: 'connecting' }, { kind: 'online' }, at(1), { kind: 'connecting' }, at(2), { kind: 'connecting' }, { kind: 'online' }, { kind: 'connecting' }]
    let away = false
    expect(states.map((state) => (away = lost(state, away)))).toEqual([false, false, true, true, true, true, false, false])
  })
})
