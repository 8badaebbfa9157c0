import { backoffBase, backoffGood, backoffMax } from './limits.ts'

/**
 * Backoff is exponential with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): each wait is uniform between nothing and a ceiling that
 * doubles. Times are in ms.
 */
export class Backoff {
  readonly #random: () => number
  #failures = 0

  constructor(random: () => number) {
    this.#random = random
  }

  /** next is how long to wait after a failure; what the server has said, if it has, is kept to exactly. */
  next(told: number): number {
    const ceiling = Math.min(backoffBase * 2 ** this.#failures, backoffMax)
    if (ceiling < backoffMax) this.#failures++
    return told > 0 ? told : Math.floor(this.#random() * ceiling)
  }

  reset(): void {
    this.#failures = 0
  }

  /**
   * served makes failures good by a connection that lived so long. A server that is restarted again and again is come back to quickly; one that accepts and
   * drops is not.
   */
  served(lived: number): void {
    this.#failures = Math.max(0, this.#failures - Math.floor(lived / backoffGood))
  }
}
