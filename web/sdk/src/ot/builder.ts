import { Attributes } from './attributes.ts'
import { Delta } from './delta.ts'
import type { Embed } from './embed.ts'
import { Kind, OtError } from './errors.ts'
import { maxLength } from './limits.ts'
import { changeOf, deleteOf, embedOf, insertOf, isBare, joined, retainOf, type Op } from './op.ts'

/** Builder makes a Delta in normal form, operation by operation. What can't be is thrown as it is added. */
export class Builder {
  #ops: Op[] = []

  /** insert adds text; empty text nothing. */
  insert(text: string, attrs: Attributes | null = null): this {
    if (!text.isWellFormed()) throw new OtError(Kind.BadText, this.#ops.length, 'its text has a lone surrogate')
    if (text !== '') this.push(insertOf(text, attrs))
    return this
  }

  /** insertEmbed adds an embed. */
  insertEmbed(embed: Embed, attrs: Attributes | null = null): this {
    this.push(embedOf(embed, attrs))
    return this
  }

  /** retain goes on over n code units and sets attributes there. 0 adds nothing. */
  retain(n: number, attrs: Attributes | null = null): this {
    if (this.#length(n) > 0) this.push(retainOf(n, attrs))
    return this
  }

  /** retainEmbed changes the embed that is here by its type's handler. */
  retainEmbed(change: Embed, attrs: Attributes | null = null): this {
    if (change.kind === '') throw new OtError(Kind.Malformed, this.#ops.length, 'a change of an embed has one key, its type')
    this.push(changeOf(change, attrs))
    return this
  }

  /** delete removes n code units. 0 adds nothing. */
  delete(n: number): this {
    if (this.#length(n) > 0) this.push(deleteOf(n))
    return this
  }

  /** delta is what was built; the builder is then empty. */
  delta(): Delta {
    const d = new Delta(this.#ops, true)
    this.#ops = []
    return d
  }

  #length(n: number): number {
    if (!Number.isInteger(n) || n < 0 || n > maxLength) throw new OtError(Kind.BadLength, this.#ops.length, `its length is ${n}`)
    return n
  }

  /** push adds an operation where the normal form wants it: an insert before a delete at the same place, and into its neighbour if it can be. */
  push(op: Op): void {
    const ops = this.#ops
    const end = ops.length
    let last = end - 1
    if (op.action === 'insert' && ops[last]?.action === 'delete') last--
    const neighbour = ops[last]
    const both = neighbour === undefined ? null : joined(neighbour, op)
    if (both !== null) {
      ops[last] = both
      return
    }
    if (last === end - 1) ops.push(op)
    else ops.splice(end - 1, 0, op)
  }

  /** pushAll adds those of a Delta's operations from one to another. If it is in normal form, those behind a retain need no look. */
  pushAll(ops: readonly Op[], from: number, to: number, normal: boolean): void {
    let looked = false
    for (let i = from; i < to; i++) {
      const op = ops[i] as Op
      if (looked) this.#ops.push(op)
      else this.push(op)
      looked ||= normal && op.action === 'retain'
    }
  }

  /** chopped is what was pushed, without a bare retain at the end. */
  chopped(): Delta {
    const last = this.#ops.at(-1)
    if (last !== undefined && isBare(last)) this.#ops.pop()
    return this.delta()
  }
}
