import { merged } from './merge.ts'
import { commonPrefix, commonSuffix, halfOf, partOf, Pattern, type Effort, type Part } from './textdiff.ts'

/**
 * textDiff finds the difference between two texts. Which of the smallest differences it finds, and where it gives up to find the smallest, is part
 * of the behaviour: docs/ot and quill-delta find the same.
 */
export function textDiff(a: string, b: string, effort: Effort): Part[] {
  if (a === b) return a === '' ? [] : [partOf('kept', a)]
  const prefix = commonPrefix(a, b)
  const head = a.slice(0, prefix)
  a = a.slice(prefix)
  b = b.slice(prefix)
  const suffix = commonSuffix(a, b)
  const tail = a.slice(a.length - suffix)
  const out = middle(a.slice(0, a.length - suffix), b.slice(0, b.length - suffix), effort)
  if (head !== '') out.unshift(partOf('kept', head))
  if (tail !== '') out.push(partOf('kept', tail))
  return out
}

/** inner is the difference of parts of the texts; it may cut surrogate pairs. */
const inner = (a: string, b: string, effort: Effort) => merged(textDiff(a, b, effort), false)

/** middle is the difference of texts that neither begin nor end alike. */
function middle(a: string, b: string, effort: Effort): Part[] {
  if (a === '') return [partOf('added', b)]
  if (b === '') return [partOf('removed', a)]
  const shrinks = a.length > b.length
  const [long, short] = shrinks ? [a, b] : [b, a]
  const change = shrinks ? 'removed' : 'added'
  const i = new Pattern(short).find(long, 0)
  if (i >= 0) return [partOf(change, long.slice(0, i)), partOf('kept', short), partOf(change, long.slice(i + short.length))]
  if (short.length === 1) return [partOf('removed', a), partOf('added', b)]
  const h = halfOf(long, short, effort)
  if (h === null) return bisected(a, b, effort)
  const [headA, headB] = shrinks ? [h.longHead, h.shortHead] : [h.shortHead, h.longHead]
  const [tailA, tailB] = shrinks ? [h.longTail, h.shortTail] : [h.shortTail, h.longTail]
  const out = inner(headA, headB, effort)
  out.push(partOf('kept', h.common))
  return out.concat(inner(tailA, tailB, effort))
}

/**
 * bisected finds a place in the middle of a shortest way from a to b, and the differences on both sides of it: Myers' algorithm in linear space, from
 * both ends at the same time until the ways meet.
 */
function bisected(a: string, b: string, effort: Effort): Part[] {
  const limit = (a.length + b.length + 1) >> 1
  const forward = new Front(limit)
  const backward = new Front(limit)
  const surplus = a.length - b.length
  const odd = surplus % 2 !== 0 // then the ways meet on a step from the front
  for (let d = 0; d < limit; d++) {
    let steps = 2 * d + 2
    for (let k = -d + forward.low; k <= d - forward.high; k += 2) {
      let x = forward.step(k, d)
      let y = x - k
      while (x < a.length && y < b.length && a.charCodeAt(x) === b.charCodeAt(y)) {
        x++
        y++
        steps++
      }
      forward.reach[limit + k] = x
      if (forward.outside(x, y, a.length, b.length) || !odd) continue
      const r = backward.at(surplus - k)
      if (r >= 0 && x >= a.length - r) return around(a, b, x, y, effort)
    }
    for (let k = -d + backward.low; k <= d - backward.high; k += 2) {
      let x = backward.step(k, d)
      let y = x - k
      while (x < a.length && y < b.length && a.charCodeAt(a.length - x - 1) === b.charCodeAt(b.length - y - 1)) {
        x++
        y++
        steps++
      }
      backward.reach[limit + k] = x
      if (backward.outside(x, y, a.length, b.length) || odd) continue
      const r = forward.at(surplus - k)
      if (r >= 0 && r >= a.length - x) return around(a, b, r, r - (surplus - k), effort)
    }
    if (!effort.spend(steps)) break
  }
  return [partOf('removed', a), partOf('added', b)] // nothing in common, or the effort is spent
}

/** around is the difference that goes through a[x], b[y]. */
function around(a: string, b: string, x: number, y: number, effort: Effort): Part[] {
  const before = inner(a.slice(0, x), b.slice(0, y), effort)
  return before.concat(inner(a.slice(x), b.slice(y), effort))
}

/** Front is how far the ways have come from one end, on each diagonal. */
class Front {
  /** By diagonal, from -limit on; -1: not reached. */
  readonly reach: Int32Array
  readonly #limit: number
  /** Diagonals that have left the texts, at both sides. */
  low = 0
  high = 0

  constructor(limit: number) {
    this.#limit = limit
    this.reach = new Int32Array(2 * limit + 2).fill(-1)
    this.reach[limit + 1] = 0
  }

  /** step is where diagonal k is reached from its neighbours by the d-th edit. */
  step(k: number, d: number): number {
    const below = this.reach[this.#limit + k - 1] as number
    const above = this.reach[this.#limit + k + 1] as number
    return k === -d || (k !== d && below < above) ? above : below + 1
  }

  /** outside reports that the way has left the texts, and gives its diagonal up. */
  outside(x: number, y: number, width: number, height: number): boolean {
    if (x > width) this.high += 2
    else if (y > height) this.low += 2
    else return false
    return true
  }

  /** at is how far diagonal k has been reached; -1: it was not. */
  at(k: number): number {
    const i = this.#limit + k
    return i < 0 || i >= 2 * this.#limit ? -1 : (this.reach[i] as number)
  }
}
