import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { embeds } from '../../test/engine.ts'
import { anyMix, changeOf, documentOf, Random, type Mix } from '../../test/mix.ts'
import { Builder } from './builder.ts'
import { compose, composeAll } from './compose.ts'
import { check, type Delta } from './delta.ts'
import { diff } from './diff.ts'
import { Document } from './document.ts'
import { OtError } from './errors.ts'
import { invert } from './invert.ts'
import { defaultLimits, unlimited } from './limits.ts'
import { isBare, joined } from './op.ts'
import { parse } from './parse.ts'
import { concat, slice } from './parts.ts'
import { earlier, later, rebase, transform, transformPosition } from './transform.ts'

/** property checks for random documents; changes come from the same source. */
function property(name: string, check: (m: Mix, r: Random, base: Delta) => void): void {
  test(name, () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const r = new Random(seed)
        const m = anyMix(r)
        check(m, r, documentOf(m, r, r.below(5)))
      }),
      { numRuns: 400 },
    )
  })
}

const all = (...deltas: Delta[]) => deltas.reduce((a, b) => normal(compose(a, b, embeds)))

/** normal holds a result to the normal form. */
function normal(d: Delta): Delta {
  for (const [i, op] of d.ops.entries()) {
    const before = d.ops[i - 1]
    expect(op.n).toBeGreaterThan(0)
    if (before === undefined) continue
    if (before.action === 'delete') expect(op.action).toBe('retain')
    expect(joined(before, op)).toBeNull()
  }
  const last = d.ops.at(-1)
  expect(last !== undefined && isBare(last)).toBe(false)
  return d
}

const same = (a: Delta, b: Delta) => { expect(a.json()).toBe(b.json()) }

property('two changes made at the same time come to the same, whichever is applied first', (m, r, base) => {
  const a = changeOf(m, r, base, r.below(6))
  const b = changeOf(m, r, base, r.below(6))
  same(all(base, a, normal(transform(a, b, earlier, embeds))), all(base, b, normal(transform(b, a, later, embeds))))
})

property('composing is associative', (m, r, base) => {
  const a = changeOf(m, r, base, r.below(6))
  const b = changeOf(m, r, all(base, a), r.below(6))
  const c = changeOf(m, r, all(base, a, b), r.below(6))
  const want = all(a, b, c)
  same(all(a, all(b, c)), want)
  same(all(base, want), all(base, a, b, c))
  same(composeAll([a, b, c], embeds), want)
})

property('a change and its inverse are nothing', (m, r, base) => {
  const a = changeOf(m, r, base, r.below(6))
  same(all(base, a, normal(invert(a, base, embeds))), base)
})

property('rebasing over changes one by one, and them over the change, ends at the same', (m, r, base) => {
  const change = changeOf(m, r, base, r.below(6))
  const one = changeOf(m, r, base, r.below(6))
  const two = changeOf(m, r, all(base, one), r.below(6))
  const { change: rebased, after } = rebase(change, [one, two], embeds)
  same(all(base, one, two, rebased), all(base, change, ...after))
})

property('a document does what composing does, and fails where that can not be', (m, r, base) => {
  let d = Document.of(base, unlimited, embeds)
  let model = base
  for (let i = 0; i < 8; i++) {
    const change = changeOf(m, r, model, r.below(5))
    const back = d.invert(change)
    same(back, invert(change, model, embeds))
    d = d.apply(change)
    model = compose(model, change, embeds)
    same(d.delta(), model)
    expect(d.length).toBe(model.length)
    const past = concat(new Builder().retain(d.length + 1).delta(), change)
    if (past.ops.length > 0) expect(() => d.apply(past)).toThrow(OtError)
    const from = r.below(d.length + 1)
    const to = r.below(d.length + 2)
    if (d.cuts(from) || d.cuts(to)) continue
    same(d.slice(from, to), compose(slice(model, from, to), new Builder().delta()))
  }
})

property('a position moves as a mark there would', (m, r, base) => {
  const a = changeOf({ ...m, notes: false }, r, base, r.below(6))
  const at = r.below(base.length + 1)
  const mark = new Builder().retain(at).insert('|').delta()
  for (const priority of [earlier, later]) {
    const moved = transform(a, mark, !priority).ops.reduce((n, op) => n + (op.action === 'retain' ? op.n : 0), 0)
    expect(transformPosition(a, at, priority)).toBe(moved)
  }
})

property('the difference of two documents makes one of the other, and cuts no pair', (m, r, base) => {
  const other = r.chance(50) ? documentOf(m, r, r.below(6)) : all(base, changeOf(m, r, base, r.below(4)))
  same(all(base, normal(diff(base, other, r.below(50)))), other)
})

property('what was written is read again', (m, r, base) => {
  const a = changeOf(m, r, base, r.below(6))
  const again = parse(a.json())
  same(again, a)
  check(again, defaultLimits)
  expect(JSON.parse(a.json())).toEqual(JSON.parse(again.json()))
})

describe('a composition', () => {
  test('of thousands of changes does not take the square of the time', () => {
    const r = new Random(1)
    const changes: Delta[] = []
    for (let i = 0; i < 20_000; i++) changes.push(new Builder().retain(r.below(200_000)).insert('x').delta())
    const began = performance.now()
    const whole = composeAll(changes)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(whole.changeLength).toBe(20_000)
  })
})
