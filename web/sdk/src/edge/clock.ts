/** Clock tells the time and wakes. A program has `system`; tests have their own. */
export interface Clock {
  /** now is in Unix milliseconds. */
  now(): number
  /** after runs something so many ms later, unless the function that it returns is called before. */
  after(ms: number, run: () => void): () => void
}

/** The longest that a timer of a browser runs; what is to wait longer is woken to wait again. */
const longest = 2 ** 31 - 1

export const system: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    let timer: ReturnType<typeof setTimeout>
    const wait = (left: number) => {
      timer = setTimeout(() => {
        if (left > longest) wait(left - longest)
        else run()
      }, Math.min(left, longest))
    }
    wait(Math.max(0, ms))
    return () => { clearTimeout(timer) }
  },
}

/** Alarm is one timer that is set again and again. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #cancel: (() => void) | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** set has it ring in so many ms, and not when it was to ring before. */
  set(ms: number): void {
    this.#cancel?.()
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined
      this.#ring()
    })
  }

  clear(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
