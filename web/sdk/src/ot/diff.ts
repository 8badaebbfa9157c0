import { diffAttributes } from './attributes.ts'
import { textDiff } from './bisect.ts'
import { Builder } from './builder.ts'
import { cleaned } from './cleanup.ts'
import { Cursor } from './cursor.ts'
import type { Delta } from './delta.ts'
import { sameEmbed } from './embed.ts'
import { Kind, noOp, OtError, splitPair } from './errors.ts'
import { merged } from './merge.ts'
import { deleteOf, retainOf } from './op.ts'
import { Effort, type PartKind } from './textdiff.ts'

/**
 * diff is what makes the document b of the document a, as docs/ot finds it: the text by Myers' algorithm, then cleaned up for people. A surrogate
 * pair is never cut.
 *
 * effort bounds the work, in steps of some nanoseconds; the worst case is the product of both lengths. Once it is spent, what is left is replaced as
 * a whole: that is still right, only not small. 0 is without a bound.
 */
export function diff(a: Delta, b: Delta, effort = 0): Delta {
  const before = new Cursor(a.ops)
  const after = new Cursor(b.ops)
  const out = new Builder()
  for (const part of cleaned(merged(textDiff(flat(a), flat(b), new Effort(effort)), true))) {
    for (let left = part.text.length; left > 0; ) {
      let n = left
      if (part.kind !== 'added') n = Math.min(n, before.left)
      if (part.kind !== 'removed') n = Math.min(n, after.left)
      left -= n
      difference(part.kind, n, before, after, out)
    }
  }
  return out.chopped()
}

/** difference turns n code units of a part into operations. Both cursors have as many left in their operation. */
function difference(kind: PartKind, n: number, before: Cursor, after: Cursor, out: Builder): void {
  const old = kind === 'added' ? null : before.take(n)
  const now = kind === 'removed' ? null : after.take(n)
  if ((old === null && kind !== 'added') || (now === null && kind !== 'removed')) throw splitPair(noOp)
  if (now === null) out.push(deleteOf(n))
  else if (old === null) out.push(now)
  else if (old.text === now.text && sameEmbed(old.embed, now.embed)) out.push(retainOf(n, diffAttributes(old.attrs, now.attrs)))
  else { // embeds, which all look alike in the text
    out.push(now)
    out.push(deleteOf(n))
  }
}

/** flat is a document's text, with U+0000 for each embed. */
function flat(d: Delta): string {
  let out = ''
  for (const [i, op] of d.ops.entries()) {
    if (op.action !== 'insert') throw new OtError(Kind.NotDocument, i, 'a document has inserts only')
    out += op.embed === null ? op.text : '\0'
  }
  return out
}
