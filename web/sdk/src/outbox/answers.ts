import { maxAnswerBytes, maxAnswers } from './limits.ts'

interface Waiter {
  readonly resolve: (reply: Uint8Array | undefined) => void
  readonly reject: (reason: unknown) => void
}

/** Answers brings answers to those who wait for them, and remembers the last ones for those who come late. */
export class Answers {
  readonly #waiting = new Map<number, Waiter[]>()
  /** In the order in which they came. */
  readonly #last = new Map<number, Uint8Array>()

  /** last is the answer that came already; undefined: none, or it is forgotten. */
  last(seq: number): Uint8Array | undefined {
    return this.#last.get(seq)
  }

  wait(seq: number): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const all = this.#waiting.get(seq) ?? []
      this.#waiting.set(seq, all)
      all.push({ resolve, reject })
    })
  }

  /** came ends a wait; undefined: it took place, and the answer is not known. */
  came(seq: number, reply: Uint8Array | undefined): void {
    for (const waiter of this.#take(seq)) waiter.resolve(reply)
    if (reply === undefined || reply.length > maxAnswerBytes) return
    this.#last.set(seq, reply)
    for (const first of this.#last.keys()) {
      if (this.#last.size <= maxAnswers) break
      this.#last.delete(first)
    }
  }

  failed(seq: number, reason: unknown): void {
    for (const waiter of this.#take(seq)) waiter.reject(reason)
  }

  /** end fails all waits. */
  end(reason: unknown): void {
    for (const seq of [...this.#waiting.keys()]) this.failed(seq, reason)
  }

  #take(seq: number): Waiter[] {
    const all = this.#waiting.get(seq) ?? []
    this.#waiting.delete(seq)
    return all
  }
}
