import { describe, expect, test } from 'vitest'
import { ServerError } from '../errors.ts'
import { maxAge, maxLanes, maxSent, maxSentOfLane } from './limits.ts'
import { mutation } from './mutation.ts'
import { State, type Item } from './state.ts'
import type { Kept } from './store.ts'

const kept = (seq: number, lane = 'a', since = 0): Kept => ({ seq, method: 'm', body: new Uint8Array(10), lane, note: undefined, key: '', since, cause: undefined })
const later = new ServerError(200, 'edge.AWAY', 'Later.')
const rate = new ServerError(203, 'edge.RATE', 'Later.', '', 700)
const lost = new ServerError(201, 'client.LOST', 'Lost.')
const refusal = { code: 102, reason: 'chat.NO', message: 'No.', field: '', retryAfterMs: 0 }
const never = new ServerError(102, 'chat.NO', 'No.')

function stateOf(...entries: Kept[]): State {
  const state = new State({ clientId: 'me', entries, tried: 0, past: [] })
  state.up()
  return state
}

/** go sends what may be sent, and says what: "number of the lane: its items". */
function go(state: State, now = 0): string[] {
  const ready = state.ready(now)
  for (const { item } of ready) state.sends(item)
  return ready.map(({ item, lane }) => `${lane}:${item.kept.seq}`)
}

function at(state: State, seq: number): Item {
  const item = state.get(seq)
  if (item === undefined) throw new Error(`no ${seq}`)
  return item
}

test("a change's mutation is what the server says", () => {
  // As in client/queue.go: Mutation("q83vEjRWeJCrze8SNFZ4kA", 17).
  expect(mutation('q83vEjRWeJCrze8SNFZ4kA', 17)).toBe('12303945369377198693')
})

describe('a lane', () => {
  test('goes out in order, and again from the first that failed', () => {
    const state = stateOf(kept(1), kept(2), kept(3), kept(4))
    expect(go(state)).toEqual(['1:1', '1:2', '1:3', '1:4'])
    state.answered(at(state, 1))
    state.failed(at(state, 2), rate, 1000, 0.5)
    state.failed(at(state, 3), later, 1000, 0.5)
    state.add(kept(5), false)
    expect(go(state, 5000)).toEqual([]) // 4 is under way
    state.failed(at(state, 4), later, 1000, 0.5)
    expect(state.wakeAt).toBe(1700)
    expect(go(state, 1699)).toEqual([])
    expect(go(state, 1700)).toEqual(['1:2', '1:3', '1:4', '1:5'])
  })

  test('waits longer each time, and at random, where the server says nothing', () => {
    const state = stateOf(kept(1))
    const waits: number[] = []
    for (let i = 0; i < 9; i++) {
      go(state, 1e6 * i)
      state.failed(at(state, 1), later, 1e6 * i, 0.5)
      waits.push(state.wakeAt - 1e6 * i)
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000])
  })

  test('begins at once on a new connection, but for what the server has put off', () => {
    for (const [cause, ready] of [[later, ['1:1']], [rate, []]] as const) {
      const state = stateOf(kept(1))
      go(state)
      state.failed(at(state, 1), cause, 0, 0.9)
      state.down()
      expect(go(state, 1e6)).toEqual([])
      state.up()
      expect(go(state, 1)).toEqual(ready)
    }
  })

  test('sends nothing on a new connection before the old one has told what was lost', () => {
    const state = stateOf(kept(1), kept(2))
    expect(go(state)).toEqual(['1:1', '1:2'])
    state.down()
    state.up()
    state.add(kept(3), false)
    expect(go(state)).toEqual([])
    state.failed(at(state, 2), lost, 0, 0.5)
    expect(go(state)).toEqual([])
    state.failed(at(state, 1), lost, 0, 0.5)
    expect(go(state)).toEqual(['1:1', '1:2', '1:3'])
  })

  test('goes on behind what was refused', () => {
    const state = stateOf(kept(1), kept(2))
    go(state)
    expect(state.refused(at(state, 1), never)).toBe(true)
    state.failed(at(state, 2), later, 0, 0.5)
    expect(go(state, 1000)).toEqual(['1:2'])
    expect(state.pending.map((p) => p.state)).toEqual(['refused', 'sent'])
  })

  test('has a window, as all together have one', () => {
    const many = (lane: string, from: number) => Array.from({ length: 20 }, (_, i) => kept(from + i, lane))
    const one = stateOf(...many('a', 1))
    expect(go(one)).toHaveLength(maxSentOfLane)
    one.answered(at(one, 1))
    expect(go(one)).toEqual([`1:${maxSentOfLane + 1}`])
    const all = stateOf(...['a', 'b', 'c', 'd', 'e'].flatMap((lane, i) => many(lane, 1 + 20 * i)))
    expect(go(all)).toHaveLength(maxSent)
    expect(all.pending.filter((p) => p.state === 'sent')).toHaveLength(maxSent)
  })

  test('has a number of its own, as long as it has something', () => {
    const state = stateOf(...Array.from({ length: maxLanes + 2 }, (_, i) => kept(i + 1, `lane ${i}`)))
    expect(go(state)).toEqual(Array.from({ length: maxLanes }, (_, i) => `${i + 1}:${i + 1}`))
    state.failed(at(state, 1), later, 0, 0.5)
    expect(go(state)).toEqual([])
    state.answered(at(state, 3))
    expect(go(state)).toEqual([`3:${maxLanes + 1}`])
    state.down()
    state.up()
    expect(state.ready(1000)).toEqual([{ item: at(state, 1), lane: 1 }, { item: at(state, maxLanes + 2), lane: 2 }])
  })
})

describe('what an event has settled', () => {
  test('is no entry any more, and its answer means nothing', () => {
    const state = stateOf(kept(1), kept(2))
    go(state)
    const item = at(state, 1)
    expect(state.settle(item.mutation)).toBe(1)
    expect(state.settle(item.mutation)).toBeUndefined()
    expect(state.pending.map((p) => p.seq)).toEqual([2])
    expect(state.answered(item)).toBe(false)
    expect(state.answered(item)).toBe(false)
    expect(state.bytes).toBe(10)
  })

  test('is sent again where the server waits for it', () => {
    const state = stateOf(kept(1), kept(2))
    go(state)
    const item = at(state, 1)
    state.failed(item, later, 0, 0)
    state.settle(item.mutation) // before the next attempt, or before the failure:
    state.failed(at(state, 2), later, 0, 0)
    expect(go(state)).toEqual(['1:1', '1:2'])
    state.failed(item, later, 0, 0)
    state.failed(at(state, 2), later, 0, 0)
    expect(go(state, 1000)).toEqual(['1:1', '1:2'])
    expect(state.answered(item)).toBe(false)
    state.answered(at(state, 2))
    expect(state.wakeAt).toBe(Infinity)
  })

  test('is not, once that connection has gone', () => {
    const state = stateOf(kept(1), kept(2), kept(3))
    go(state)
    const [first, second] = [at(state, 1), at(state, 2)]
    state.failed(first, later, 0, 0)
    state.settle(first.mutation)
    state.settle(second.mutation)
    state.down()
    state.failed(second, lost, 0, 0)
    state.failed(at(state, 3), lost, 0, 0)
    state.up()
    expect(go(state)).toEqual(['1:3'])
  })
})

test('an answer that comes twice counts once', () => {
  const state = stateOf(kept(1))
  go(state)
  const item = at(state, 1)
  expect(state.answered(item)).toBe(true)
  state.failed(item, later, 0, 0)
  expect(state.refused(item, never)).toBe(false)
  expect(state.answered(item)).toBe(false)
  expect([state.size, state.bytes, state.wakeAt]).toEqual([0, 0, Infinity])
})

test('what is too old is refused, unless the server waits for it', () => {
  const state = stateOf(kept(1, 'a'), kept(2, 'b'), kept(3, 'c', 1000))
  state.sends(at(state, 2))
  state.failed(at(state, 2), later, 0, 0)
  expect(state.expire(maxAge)).toEqual([])
  expect(state.expire(maxAge + 1).map((item) => item.cause?.reason)).toEqual(['client.TOO_OLD'])
  expect(state.pending.map((p) => p.state)).toEqual(['refused', 'waiting', 'waiting'])
  state.down()
  expect(state.wakeAt).toBe(maxAge + 1)
  expect(state.expire(maxAge + 1)).toHaveLength(1)
})

test('what was refused or never sent can be dropped', () => {
  const state = new State({ clientId: 'me', entries: [kept(1), kept(2), { ...kept(3), cause: refusal }], tried: 1, past: [] })
  expect([1, 2, 3, 4].map((seq) => state.drop(seq))).toEqual([false, true, true, false])
  state.up()
  expect(go(state)).toEqual(['1:1'])
})
