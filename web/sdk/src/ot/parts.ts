import { Builder } from './builder.ts'
import { Cursor } from './cursor.ts'
import { Delta, empty } from './delta.ts'
import { splitPair } from './errors.ts'
import type { Op } from './op.ts'

/** normalised is the same change in normal form; a bare retain at the end stays. */
export function normalised(d: Delta): Delta {
  if (d.normal) return d
  const b = new Builder()
  for (const op of d.ops) b.push(op)
  return b.delta()
}

/** slice is what lies between two places, in code units of the operations' lengths. It throws SplitPair; what is beyond the end is not there. */
export function slice(d: Delta, start: number, end = Infinity): Delta {
  if (start >= end) return empty
  const out: Op[] = []
  const c = new Cursor(d.ops)
  for (let at = 0; at < end && c.more; ) {
    const op = c.take(at < start ? start - at : end - at)
    if (op === null) throw splitPair(c.i)
    if (at >= start) out.push(op)
    at += op.n
  }
  return new Delta(out, false)
}

/** concat is a with b's operations behind its own. */
export function concat(a: Delta, b: Delta): Delta {
  const out = new Builder()
  out.pushAll(a.ops, 0, a.ops.length, a.normal)
  out.pushAll(b.ops, 0, b.ops.length, b.normal)
  return out.delta()
}
