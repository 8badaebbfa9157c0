import type { Cursor, Event } from '../proto/plenum/edge/v1/edge.ts'
import { Alarm, type Clock } from './clock.ts'
import { holdBack, maxContext, maxHeld } from './limits.ts'

/** Dependency is a place in another topic that an event's author had seen. */
export interface Dependency {
  readonly topic: string
  readonly cursor: Cursor
}

/** Dependencies reads an event's. */
export type Dependencies = (topic: string, event: Event) => readonly Dependency[]

/** Held is an event that waits for what it depends on. */
export interface Held {
  readonly event: Event
  readonly dependencies: readonly Dependency[]
  readonly since: number
}

/** Holder is a topic whose events may have to wait. */
export interface Holder {
  readonly topic: string
  /** Where it was shown to. */
  readonly cursor: Cursor | undefined
  /** Its events are followed now, on this connection. */
  readonly running: boolean
  /** Events that wait, in order, and where the topic stands behind them. */
  held: Held[]
  heldTo: number
  /** deliver shows events; upto is the cursor's offset behind them. */
  deliver(events: readonly Event[], upto: number): void
}

/**
 * HoldBack has an event wait, at most 2 s, until what it depends on was shown in topics that are followed, and so do those behind it. (Birman, Schiper,
 * Stephenson: Lightweight Causal and Atomic Group Multicast, 1991; here with direct dependencies only, since each of them was held back itself.)
 */
export class HoldBack {
  readonly #clock: Clock
  readonly #dependencies: Dependencies
  readonly #find: (topic: string) => Holder | undefined
  readonly #alarm: Alarm
  /** Topics that hold something, and perhaps some that did. */
  readonly #holding = new Set<Holder>()
  #releasing = false
  /** Events that were shown before what they depend on. */
  violations = 0

  constructor(clock: Clock, dependencies: Dependencies, find: (topic: string) => Holder | undefined) {
    this.#clock = clock
    this.#dependencies = dependencies
    this.#find = find
    this.#alarm = new Alarm(clock, () => { this.release() })
  }

  /** show delivers a topic's events, or holds them back. upto is where it stands behind them. */
  show(h: Holder, events: readonly Event[], upto: number): void {
    const since = this.#clock.now()
    for (const event of events) h.held.push({ event, dependencies: this.#read(h.topic, event), since })
    for (let i = 0; i < h.held.length - maxHeld; i++) {
      const old = h.held[i]
      if (old !== undefined) h.held[i] = { ...old, since: -Infinity } // no longer than this
    }
    h.heldTo = upto
    if (h.held.length === 0) h.deliver([], upto)
    else this.#holding.add(h)
    this.release()
  }

  /**
   * release delivers what need not wait any longer: what has nothing to wait for, and when that is exhausted, what has waited for 2 s, the oldest first. The
   * latter is a violation of the causal order, and is counted.
   */
  release(): void {
    if (this.#releasing) return // a listener has closed or resumed a topic: the loop below sees it
    this.#releasing = true
    try {
      this.#alarm.clear()
      while (this.#step());
    } finally {
      this.#releasing = false
    }
  }

  close(): void {
    this.#alarm.clear()
    this.#holding.clear()
  }

  /** step delivers something, or sets the alarm and returns false. */
  #step(): boolean {
    let oldest: Holder | undefined
    let since = Infinity
    for (const h of this.#holding) {
      const [first] = h.held
      if (first === undefined) {
        this.#holding.delete(h)
        continue
      }
      const n = h.held.findIndex(({ dependencies }) => this.#waits(h, dependencies))
      if (n !== 0) {
        this.#deliver(h, n < 0 ? h.held.length : n)
        return true
      }
      if (first.since < since) {
        oldest = h
        since = first.since
      }
    }
    if (oldest === undefined) return false
    const left = since + holdBack - this.#clock.now()
    if (left > 0) {
      this.#alarm.set(Math.min(left, holdBack))
      return false
    }
    this.violations++
    this.#deliver(oldest, 1)
    return true
  }

  #deliver(h: Holder, n: number): void {
    const events = h.held.splice(0, n).map(({ event }) => event)
    const last = events.at(-1)?.offset ?? h.heldTo
    h.deliver(events, h.held.length === 0 ? h.heldTo : last)
  }

  /** waits says whether one of the dependencies is still to come, in a topic whose events are followed now. */
  #waits(h: Holder, dependencies: readonly Dependency[]): boolean {
    return dependencies.some(({ topic, cursor }) => {
      const other = this.#find(topic)
      return other !== undefined && other !== h && other.running && other.cursor?.epoch === cursor.epoch && other.cursor.offset < cursor.offset
    })
  }

  /** read asks what an event depends on; where that can't be read, on nothing. */
  #read(topic: string, event: Event): readonly Dependency[] {
    try {
      return this.#dependencies(topic, event).slice(0, maxContext)
    } catch {
      return []
    }
  }
}
