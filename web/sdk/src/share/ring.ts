import type { Event } from '../proto/plenum/edge/v1/edge.ts'

/** How much of a log is kept for tabs that come behind where it stands: the last so many events, of so many bytes together. */
export const ringEvents = 200
export const ringBytes = 128 << 10

/** Ring is the last events of a log. Invariant: of those behind `start` none is missing. */
export class Ring {
  #start: number
  #events: Event[] = []
  #bytes = 0

  constructor(start: number) {
    this.#start = start
  }

  get start(): number {
    return this.#start
  }

  push(events: readonly Event[]): void {
    const last = this.#events.at(-1)?.offset ?? this.#start
    const fresh = after(events, last)
    this.#events.push(...fresh)
    for (const e of fresh) this.#bytes += e.body.length
    let gone = 0
    for (const e of this.#events) {
      if (this.#events.length - gone <= ringEvents && this.#bytes <= ringBytes) break
      this.#start = e.offset
      this.#bytes -= e.body.length
      gone++
    }
    this.#events.splice(0, gone)
  }

  /** after is what lies behind an offset, which is none before `start`. */
  after(offset: number): Event[] {
    return after(this.#events, offset)
  }
}

/** after is those behind an offset. */
export const after = (events: readonly Event[], offset: number): Event[] => events.filter((e) => e.offset > offset)
