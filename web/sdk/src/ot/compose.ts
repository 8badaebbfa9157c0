import { composeAttributes } from './attributes.ts'
import { Builder } from './builder.ts'
import { Cursor } from './cursor.ts'
import { empty, type Delta } from './delta.ts'
import { embedOver, noEmbeds, type Embeds } from './embed.ts'
import { splitPair } from './errors.ts'
import { changeOf, withAttributes, withEmbed, type Op } from './op.ts'

/**
 * compose is a, then b, as one change; of a document and a change, the document after it. It throws where b would cut a surrogate pair that a
 * inserts, changes an embed that isn't there, or a handler refuses; the index is that of b's operation.
 */
export function compose(a: Delta, b: Delta, embeds: Embeds = noEmbeds): Delta {
  const first = new Cursor(a.ops)
  const then = new Cursor(b.ops)
  const out = new Builder()
  while (first.more || then.more) {
    if (then.action === 'insert') {
      out.push(then.rest())
      continue
    }
    if (first.action === 'delete') {
      out.push(first.rest())
      continue
    }
    if (then.isBare && first.whole(then.left, 'delete')) {
      out.pushAll(a.ops, first.from, first.i, a.normal)
      then.skip(first.used)
      continue
    }
    const n = Math.min(first.left, then.left)
    const at = then.i
    const there = first.take(n)
    const change = then.take(n)
    if (there === null || change === null) throw splitPair(at)
    if (change.action === 'delete') {
      if (there.action === 'retain') out.push(change) // an insert that is deleted leaves nothing
    } else {
      out.push(over(there, change, embeds, at))
    }
  }
  return out.chopped()
}

/** over is what a retain makes of what is there, of the same length: an insert, or an earlier retain. */
function over(there: Op, change: Op, embeds: Embeds, at: number): Op {
  // quill-delta forgets to keep nulls if there is an object retain; then an attribute that should go stays.
  const attrs = composeAttributes(there.attrs, change.attrs, there.action === 'retain')
  if (change.embed === null) return withAttributes(there, attrs)
  if (there.embed === null && there.action === 'retain') return changeOf(change.embed, attrs)
  return withAttributes(withEmbed(there, embedOver(embeds, there.embed, change.embed, there.action === 'retain', at)), attrs)
}

/**
 * composeAll composes changes that follow each other: the first, then the second, and so on. It halves the list instead of going along it, so that
 * n small changes cost n·log n and not n². An error's index is that of an operation in one of the halves, of no meaning outside.
 */
export function composeAll(changes: readonly Delta[], embeds: Embeds = noEmbeds): Delta {
  const part = (from: number, to: number): Delta => {
    if (to - from <= 1) return changes[from] ?? empty
    const middle = (from + to) >> 1
    return compose(part(from, middle), part(middle, to), embeds)
  }
  return part(0, changes.length)
}
