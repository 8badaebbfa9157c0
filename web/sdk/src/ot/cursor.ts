import { insertOf, isBare, retainOf, shortened, type Action, type Op } from './op.ts'
import { cutsPair } from './utf16.ts'

/** Cursor goes through operations, whole or in parts. Behind the last there is an endless bare retain. */
export class Cursor {
  readonly ops: readonly Op[]
  /** The operation at hand. */
  i = 0
  /** How much of it is gone, in code units. */
  #taken = 0
  /** Where what `whole` took begins, and how much that takes up. */
  from = 0
  used = 0

  constructor(ops: readonly Op[]) {
    this.ops = ops
  }

  get more(): boolean {
    return this.i < this.ops.length
  }

  /** action is that of the operation at hand. */
  get action(): Action {
    return this.ops[this.i]?.action ?? 'retain'
  }

  /** left is the length of what is left of the operation at hand. */
  get left(): number {
    const op = this.ops[this.i]
    return op === undefined ? Infinity : op.n - this.#taken
  }

  /** isBare reports that the operation at hand is a retain that changes nothing. */
  get isBare(): boolean {
    const op = this.ops[this.i]
    return op === undefined || isBare(op)
  }

  /** take takes n code units of the operation at hand, or what is left of it. It is null, and takes nothing, where that would cut a surrogate pair. */
  take(n: number): Op | null {
    const op = this.ops[this.i]
    if (op === undefined) return retainOf(n, null)
    const from = this.#taken
    const left = op.n - from
    if (n >= left) {
      this.i++
      this.#taken = 0
      if (from === 0) return op
      return op.text === '' ? shortened(op, left) : insertOf(op.text.slice(from), op.attrs)
    }
    if (op.text === '') {
      this.#taken += n
      return shortened(op, n)
    }
    if (cutsPair(op.text, from + n)) return null
    this.#taken += n
    return insertOf(op.text.slice(from, from + n), op.attrs)
  }

  /** rest takes what is left of the operation at hand, of which there has to be one. */
  rest(): Op {
    return this.take(Infinity) ?? retainOf(0, null)
  }

  /**
   * whole takes the operations that lie in the next n code units as a whole, where those of one action take up none. It reports false where there
   * is none; else they stand from `from` to `i`, and `used` is how much of n they take up. An operation behind the last of the n, that takes up
   * nothing, is not among them.
   */
  whole(n: number, nothing: Action): boolean {
    this.from = this.i
    this.used = 0
    if (this.#taken > 0) return false
    for (let op = this.ops[this.i]; op !== undefined && this.used < n; op = this.ops[++this.i]) {
      if (op.action === nothing) continue
      if (this.used + op.n > n) break
      this.used += op.n
    }
    return this.i > this.from
  }

  /** skip takes n code units of a length. */
  skip(n: number): void {
    if (n > 0) this.take(n)
  }
}
