import { blockOfNumbers } from './limits.ts'

/**
 * Numbers gives each client_seq once: by blocks, whose end is stored before one of them is used. A block begins at the clock (ms since 1970) where that is
 * ahead, so that a profile which was restored from a copy gives none that were given since the copy was made.
 */
export class Numbers {
  #next: number
  /** What is stored: numbers below may be used. */
  #reserved: number

  constructor(reserved: number) {
    this.#next = reserved
    this.#reserved = reserved
  }

  /** take gives a number; `reserve`, where there is one, has to be stored before it is used, and `stored` is told. */
  take(): { seq: number; reserve: number | undefined } {
    if (this.#next < this.#reserved) return { seq: this.#next++, reserve: undefined }
    const clock = Date.now()
    if (clock < latestClock) this.#next = Math.max(this.#next, clock)
    const seq = this.#next++
    return { seq, reserve: seq + blockOfNumbers }
  }

  stored(reserve: number | undefined): void {
    this.#reserved = Math.max(this.#reserved, reserve ?? 0)
  }
}

/** A clock beyond the year 10889 is wrong, and would use up the numbers below 2^53. */
const latestClock = 2 ** 48
