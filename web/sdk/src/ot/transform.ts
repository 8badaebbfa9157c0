import { transformAttributes } from './attributes.ts'
import { Builder } from './builder.ts'
import { Cursor } from './cursor.ts'
import type { Delta } from './delta.ts'
import { embedTransform, noEmbeds, type Embeds } from './embed.ts'
import { splitPair } from './errors.ts'
import { retainOf, withAttributes, withEmbed, type Op } from './op.ts'
import { normalised } from './parts.ts'

/** The two values of transform's priority: was the first Delta committed before the other one, or after it? */
export const earlier = true
export const later = false

/**
 * transform is b as it is to be applied after a, where both were made for the same document. With priority `earlier`, a was committed first: its
 * inserts stand before b's at the same place, its attributes stay where both set one. It throws where a handler is missing or refuses; the index is
 * that of b's operation.
 */
export function transform(a: Delta, b: Delta, priority: boolean, embeds: Embeds = noEmbeds): Delta {
  const ours = new Cursor(a.ops)
  const theirs = new Cursor(b.ops)
  const out = new Builder()
  while (theirs.more) { // behind them there are bare retains only
    if (ours.isBare) {
      if (theirs.whole(ours.left, 'insert')) {
        out.pushAll(b.ops, theirs.from, theirs.i, b.normal)
        ours.skip(theirs.used)
        continue
      }
    } else if (theirs.isBare && ours.whole(theirs.left, 'insert')) {
      let n = 0
      for (let i = ours.from; i < ours.i; i++) {
        const op = a.ops[i] as Op
        if (op.action !== 'delete') n += op.n
      }
      if (n > 0) out.push(retainOf(n, null))
      theirs.skip(ours.used)
      continue
    }
    if (ours.action === 'insert' && (priority || theirs.action !== 'insert')) {
      out.push(retainOf(ours.rest().n, null))
      continue
    }
    if (theirs.action === 'insert') {
      out.push(theirs.rest())
      continue
    }
    const n = Math.min(ours.left, theirs.left)
    const at = theirs.i
    const our = ours.take(n)
    const their = theirs.take(n)
    if (our === null || their === null) throw splitPair(at)
    if (our.action === 'delete') continue // what they change or delete is gone
    out.push(their.action === 'delete' ? their : changed(our, their, priority, embeds, at))
  }
  return out.chopped()
}

function changed(our: Op, their: Op, priority: boolean, embeds: Embeds, at: number): Op {
  const op = withAttributes(their, transformAttributes(our.attrs, their.attrs, priority))
  return our.embed === null || op.embed === null ? op : withEmbed(op, embedTransform(embeds, our.embed, op.embed, priority, at))
}

/**
 * transformPosition is where a position in the document, in code units, is after a change. With priority `earlier` a cursor stays before what the
 * change inserts at its place, with `later` it comes to stand behind it.
 */
export function transformPosition(d: Delta, position: number, priority: boolean): number {
  let at = 0
  for (const op of d.ops) {
    if (at > position) break
    if (op.action === 'delete') {
      position -= Math.min(op.n, position - at)
      continue
    }
    if (op.action === 'insert' && (at < position || !priority)) position += op.n
    at += op.n
  }
  return position
}

/**
 * rebase takes a change over committed ones that it did not know, in their order, one by one. It returns the change as it is to be applied after
 * them, and the committed ones as they are to be applied after the change: what a client shows that has already applied it.
 *
 * A client's pending operations are composed first (composeAll); the committed ones never are: over their composition the same change can land
 * elsewhere than over each in turn, and server and clients have to agree.
 */
export function rebase(change: Delta, committed: readonly Delta[], embeds: Embeds = noEmbeds): { change: Delta; after: Delta[] } {
  change = normalised(change)
  const after: Delta[] = []
  for (const c of committed) {
    after.push(transform(change, c, later, embeds))
    change = transform(c, change, earlier, embeds)
  }
  return { change, after }
}
