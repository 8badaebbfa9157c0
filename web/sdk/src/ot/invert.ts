import { invertAttributes } from './attributes.ts'
import { Builder } from './builder.ts'
import { Cursor } from './cursor.ts'
import type { Delta } from './delta.ts'
import { embedInverse, noEmbeds, type Embeds } from './embed.ts'
import { Kind, noOp, OtError, pastEnd, splitPair } from './errors.ts'
import { changeOf, deleteOf, retainOf, type Op } from './op.ts'

/**
 * invert is what takes a change back after it was applied to base, a document. It throws PastEnd or SplitPair where the change doesn't fit base,
 * NotDocument, and where a handler is missing or refuses.
 */
export function invert(change: Delta, base: Delta, embeds: Embeds = noEmbeds): Delta {
  if (!base.isDocument) throw new OtError(Kind.NotDocument, noOp, 'the base has retains or deletes')
  const c = new Cursor(base.ops)
  return inverse(change, embeds, (op, n) => {
    const out: Op[] = []
    while (n > 0) {
      if (!c.more) throw pastEnd(op)
      const there = c.take(Math.min(n, c.left))
      if (there === null) throw splitPair(op)
      out.push(there)
      n -= there.n
    }
    return out
  })
}

/** inverse inverts over a base that is read from its start on: read gives the next n code units of it, for the operation of index op. */
export function inverse(change: Delta, embeds: Embeds, read: (op: number, n: number) => Op[]): Delta {
  const out = new Builder()
  for (const [i, op] of change.ops.entries()) {
    if (op.action === 'insert') {
      out.push(deleteOf(op.n))
      continue
    }
    for (const there of read(i, op.n)) {
      if (op.action === 'delete') {
        out.push(there)
        continue
      }
      const attrs = op.attrs === null ? null : invertAttributes(op.attrs, there.attrs)
      out.push(op.embed === null ? retainOf(there.n, attrs) : changeOf(embedInverse(embeds, op.embed, there.embed, i), attrs))
    }
  }
  return out.chopped()
}
