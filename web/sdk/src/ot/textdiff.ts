import { isHigh, isLow } from './utf16.ts'

export type PartKind = 'kept' | 'added' | 'removed'

/** Part is a part of a difference. It is changed in place, and so never shared. */
export interface Part {
  kind: PartKind
  text: string
}

export const partOf = (kind: PartKind, text: string): Part => ({ kind, text })

/** Effort bounds the work of finding a difference, in steps of some nanoseconds. */
export class Effort {
  #left: number
  readonly #bounded: boolean

  /** 0 is without a bound. */
  constructor(steps: number) {
    this.#left = steps
    this.#bounded = steps > 0
  }

  /** spend takes from the effort; false: there is none left. */
  spend(steps: number): boolean {
    this.#left -= steps
    return !this.#bounded || this.#left > 0
  }
}

/** Half is a part that both texts have and that is at least half as long as the longer one, with what stands around it. */
export interface Half {
  readonly longHead: string
  readonly longTail: string
  readonly shortHead: string
  readonly shortTail: string
  readonly common: string
}

/** halfOf looks for a common half; a seed of it has to begin in the second or the third quarter. It saves time, and may miss the smallest difference. */
export function halfOf(long: string, short: string, effort: Effort): Half | null {
  if (long.length < 4 || short.length * 2 < long.length) return null
  const second = halfAt(long, short, (long.length + 3) >> 2, effort)
  const third = halfAt(long, short, (long.length + 1) >> 1, effort)
  return second !== null && (third === null || second.common.length > third.common.length) ? second : third
}

/** halfAt looks for a common half around the quarter of long that begins at i. */
function halfAt(long: string, short: string, i: number, effort: Effort): Half | null {
  const seed = new Pattern(long.slice(i, i + (long.length >> 2)))
  let best: Half | null = null
  for (let j = seed.find(short, 0); j >= 0; j = seed.find(short, j + 1)) {
    const after = commonPrefix(long, short, i, j)
    const before = commonSuffix(long, short, i, j)
    if ((best?.common.length ?? 0) < before + after) {
      best = {
        longHead: long.slice(0, i - before),
        longTail: long.slice(i + after),
        shortHead: short.slice(0, j - before),
        shortTail: short.slice(j + after),
        common: short.slice(j - before, j + after),
      }
    }
    if (!effort.spend(before + after + 1)) break
  }
  return best !== null && best.common.length * 2 >= long.length ? best : null
}

/** commonPrefix is how much two texts go on alike from two places, less a half of a pair at its end. */
export function commonPrefix(a: string, b: string, i = 0, j = 0): number {
  const end = Math.min(a.length - i, b.length - j)
  let n = 0
  while (n < end && a.charCodeAt(i + n) === b.charCodeAt(j + n)) n++
  return n > 0 && isHigh(a.charCodeAt(i + n - 1)) ? n - 1 : n
}

/** commonSuffix is how much two texts are alike before two places, less a half of a pair at its start. */
export function commonSuffix(a: string, b: string, i = a.length, j = b.length): number {
  const end = Math.min(i, j)
  let n = 0
  while (n < end && a.charCodeAt(i - 1 - n) === b.charCodeAt(j - 1 - n)) n++
  return n > 0 && isLow(a.charCodeAt(i - n)) ? n - 1 : n
}

/**
 * Pattern is a text that is looked for, as Knuth, Morris and Pratt do it: in time that grows with both, whatever they hold, which indexOf does not
 * promise.
 */
export class Pattern {
  readonly #text: string
  /** For each beginning, how long its longest proper end is with which the text begins too. */
  readonly #borders: Int32Array

  /** The text is not empty. */
  constructor(text: string) {
    this.#text = text
    this.#borders = new Int32Array(text.length)
    for (let i = 1, k = 0; i < text.length; i++) {
      k = this.#step(k, text.charCodeAt(i))
      this.#borders[i] = k
    }
  }

  /** step is how much of the pattern matches after another code unit, where k of it did before. */
  #step(k: number, unit: number): number {
    while (k > 0 && (k === this.#text.length || this.#text.charCodeAt(k) !== unit)) k = this.#borders[k - 1] as number
    return this.#text.charCodeAt(k) === unit ? k + 1 : k
  }

  /** find is where the pattern is found for the first time, at or after from; -1 if it isn't. */
  find(text: string, from: number): number {
    for (let i = from, k = 0; i < text.length; i++) {
      k = this.#step(k, text.charCodeAt(i))
      if (k === this.#text.length) return i + 1 - k
    }
    return -1
  }

  /** ends is how much of the pattern stands at the end of a text. */
  ends(text: string): number {
    let k = 0
    for (let i = 0; i < text.length; i++) k = this.#step(k, text.charCodeAt(i))
    return k
  }
}

/** overlap is the length of the longest end of a with which b begins. */
export function overlap(a: string, b: string): number {
  const n = Math.min(a.length, b.length)
  return n === 0 ? 0 : new Pattern(b.slice(0, n)).ends(a.slice(a.length - n))
}
