import { Code, ServerError } from '../errors.ts'
import { errorOf } from '../fault.ts'
import type { Pending } from '../session.ts'
import { firstWait, longestWait, maxAge, maxLanes, maxPast, maxSent, maxSentOfLane } from './limits.ts'
import { mutation } from './mutation.ts'
import type { Contents, Kept, Past } from './store.ts'

/** Item is an entry of the outbox in memory. */
export interface Item {
  readonly kept: Kept
  readonly mutation: string
  state: Pending['state']
  cause: ServerError | undefined
  /** It may have been sent, by this run or an earlier one. */
  tried: boolean
  /** The server answered it with 2xx on this connection: its lane waits there until this number returns. */
  owed: boolean
  /**
   * An event has shown that it took place, while it was under way or owed. It is no entry any more, but stays in its lane until it is answered,
   * for without it the server would take nothing behind it.
   */
  settled: boolean
  /** The same as others see it: another object whenever it changes. */
  pending: Pending
}

interface Lane {
  /** Its number on this connection; 0: it has none. */
  number: number
  /** Ascending by number. */
  readonly queue: Item[]
  /** How many of the queue are under way. */
  sent: number
  /** Something failed: nothing is sent before all that is under way is answered, and `retryAt`. Then all goes out again, from the first. */
  broken: boolean
  /** `Date.now()`; and whether the server named it, so that a new connection doesn't make it shorter. */
  retryAt: number
  told: boolean
  /** Failures since the last success, for the wait. */
  failures: number
}

/** Sending is an item that may go out now, and on which lane. */
export interface Sending {
  readonly item: Item
  readonly lane: number
}

/**
 * State decides what goes out, when, and what becomes of it. It is pure: it neither sends nor writes, and is told the time.
 *
 * Invariant: items of one lane go out in ascending order on one number. Once one of them is to be repeated nothing of the lane goes out before each
 * that is under way was answered, since the server refuses all that follow a failed one; then all of them go out again (PROTOCOL.md §5, Lanes).
 */
export class State {
  readonly #clientId: string
  /** Entries, ascending by number. */
  readonly #items = new Map<number, Item>()
  /** Their numbers by mutation, and by key. */
  readonly #seqs = new Map<string, number>()
  readonly #keys = new Map<string, number>()
  /** Keys of entries that have left, and their numbers; the oldest first. */
  readonly #past: Map<string, number>
  #pastChanged = false
  /** Lanes that have something to send. */
  readonly #lanes = new Map<string, Lane>()
  #up = false
  #sent = 0
  #bytes = 0
  /** No entry that is not refused is older. */
  #oldest = Infinity
  #pending: readonly Pending[] | undefined

  constructor({ clientId, entries, tried, past }: Pick<Contents, 'clientId' | 'entries' | 'tried' | 'past'>) {
    this.#clientId = clientId
    this.#past = new Map(past)
    for (const kept of entries) this.add(kept, kept.seq <= tried)
  }

  get size(): number {
    return this.#items.size
  }

  /** bytes is how long the requests are together. */
  get bytes(): number {
    return this.#bytes
  }

  get(seq: number): Item | undefined {
    return this.#items.get(seq)
  }

  /** keyed is the number of the entry of a key, also of one that has left. */
  keyed(key: string): number | undefined {
    return this.#keys.get(key) ?? this.#past.get(key)
  }

  /** left is what is to be stored of entries that have left; undefined: nothing new. */
  left(): readonly Past[] | undefined {
    if (!this.#pastChanged) return undefined
    this.#pastChanged = false
    return [...this.#past]
  }

  /** pending is what is in the outbox: the same array until something changes. */
  get pending(): readonly Pending[] {
    return (this.#pending ??= Array.from(this.#items.values(), (item) => item.pending))
  }

  /** add takes in an entry that is stored. Its number is above those of all others. */
  add(kept: Kept, tried: boolean): void {
    const cause = kept.cause === undefined ? undefined : errorOf(kept.cause)
    const state = cause === undefined ? 'waiting' : 'refused'
    const named = mutation(this.#clientId, kept.seq)
    const pending = pendingOf(kept, named, state, cause)
    const item: Item = { kept, mutation: named, state, cause, tried, owed: false, settled: false, pending }
    this.#items.set(kept.seq, item)
    this.#seqs.set(named, kept.seq)
    if (kept.key !== '') this.#keys.set(kept.key, kept.seq)
    this.#bytes += kept.body.length
    this.#pending = undefined
    if (state === 'refused') return
    this.#oldest = Math.min(this.#oldest, kept.since)
    this.#laneOf(kept.lane).queue.push(item)
  }

  /** up begins on a new connection. */
  up(): void {
    this.#up = true
    for (const lane of this.#lanes.values()) {
      lane.failures = 0
      if (!lane.told) lane.retryAt = 0
    }
  }

  /** down ends a connection: the server's lanes are gone with it. What is under way will be answered `client.LOST`. */
  down(): void {
    this.#up = false
    for (const [name, lane] of this.#lanes) {
      lane.number = 0
      lane.broken ||= lane.sent > 0
      for (const item of [...lane.queue]) {
        item.owed = false
        if (item.settled && item.state === 'waiting') this.#leave(name, item)
      }
    }
  }

  /** ready is what may go out now, in this order. */
  ready(now: number): Sending[] {
    if (!this.#up) return []
    const all: Sending[] = []
    const numbers = new Set(Array.from(this.#lanes.values(), (lane) => lane.number))
    for (const lane of this.#lanes.values()) {
      if (lane.broken && (lane.sent > 0 || now < lane.retryAt)) continue
      const items = waiting(lane, Math.min(maxSentOfLane - lane.sent, maxSent - this.#sent - all.length))
      if (items.length === 0) continue
      if (lane.number === 0 && !this.#number(lane, numbers)) continue
      for (const item of items) all.push({ item, lane: lane.number })
    }
    return all
  }

  /** sends notes that an item goes out. */
  sends(item: Item): void {
    const lane = this.#laneOf(item.kept.lane)
    lane.broken = false
    lane.sent++
    this.#sent++
    item.tried = true
    this.#become(item, 'sent')
  }

  /** answered ends an item that took place. It returns whether it was an entry still. */
  answered(item: Item): boolean {
    if (item.state !== 'sent') return false
    this.#returns(item)
    this.#laneOf(item.kept.lane).failures = 0
    this.#leave(item.kept.lane, item)
    this.#remove(item)
    return !item.settled
  }

  /** refused ends an item that the server won't have: the entry stays, those behind it go on. It returns whether it was an entry still. */
  refused(item: Item, cause: ServerError): boolean {
    if (item.state !== 'sent') return false
    this.#returns(item)
    this.#laneOf(item.kept.lane).failures = 0
    this.#refuse(item, cause)
    return !item.settled
  }

  /** failed is told what has to be repeated, and why. `random` is at least 0 and below 1. */
  failed(item: Item, cause: ServerError, now: number, random: number): void {
    if (item.state !== 'sent') return
    this.#returns(item)
    const lane = this.#laneOf(item.kept.lane)
    const lost = cause.reason === 'client.LOST' || cause.reason === 'client.OFFLINE'
    item.owed = !lost
    if (!lane.broken) {
      const ceiling = Math.min(longestWait, firstWait * 2 ** lane.failures)
      lane.failures = Math.min(lane.failures + 1, 16)
      lane.retryAt = now + (cause.retryAfterMs || random * ceiling)
      lane.told = cause.retryAfterMs > 0
    } else if (cause.retryAfterMs > 0) {
      lane.retryAt = Math.max(lane.retryAt, now + cause.retryAfterMs)
      lane.told = true
    }
    lane.broken = true
    if (lost && item.settled) this.#leave(item.kept.lane, item)
  }

  /** settle takes out the entry that has become an event, and returns its number; undefined: there is none. */
  settle(mutation: string): number | undefined {
    const seq = this.#seqs.get(mutation)
    const item = seq === undefined ? undefined : this.#items.get(seq)
    if (item === undefined) return undefined
    item.settled = true
    if (item.state !== 'sent' && !item.owed) this.#leave(item.kept.lane, item)
    this.#remove(item)
    return seq
  }

  /** drop takes out an entry that was refused, or never sent. It returns whether it did. */
  drop(seq: number): boolean {
    const item = this.#items.get(seq)
    if (item === undefined || (item.state !== 'refused' && item.tried)) return false
    this.#leave(item.kept.lane, item)
    this.#remove(item)
    return true
  }

  /** expire refuses what has waited too long, and returns it. */
  expire(now: number): Item[] {
    const old: Item[] = []
    if (now - this.#oldest <= maxAge) return old
    this.#oldest = Infinity
    for (const item of this.#items.values()) {
      if (item.state === 'waiting' && !item.owed && now - item.kept.since > maxAge) {
        this.#refuse(item, tooOld())
        old.push(item)
      } else if (item.state !== 'refused') {
        this.#oldest = Math.min(this.#oldest, item.kept.since)
      }
    }
    return old
  }

  /** wakeAt is when something may go out, or is too old, without anything else happening before: `Date.now()`, or infinity. */
  get wakeAt(): number {
    let at = Infinity
    for (const lane of this.#lanes.values()) {
      if (this.#up && lane.broken && lane.sent === 0) at = Math.min(at, lane.retryAt)
      const first = lane.queue.find((item) => item.state === 'waiting' && !item.owed)
      if (first !== undefined) at = Math.min(at, first.kept.since + maxAge + 1)
    }
    return at
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = { number: 0, queue: [], sent: 0, broken: false, retryAt: 0, told: false, failures: 0 }
      this.#lanes.set(name, lane)
    }
    return lane
  }

  /** number gives a lane one that no other has. It returns whether there was one. */
  #number(lane: Lane, numbers: Set<number>): boolean {
    for (let n = 1; n <= maxLanes; n++) {
      if (numbers.has(n)) continue
      numbers.add(n)
      lane.number = n
      return true
    }
    return false
  }

  #become(item: Item, state: Item['state'], cause?: ServerError): void {
    item.state = state
    item.cause = cause
    item.pending = pendingOf(item.kept, item.mutation, state, cause)
    this.#pending = undefined
  }

  /** returns notes that an item isn't under way any more. */
  #returns(item: Item): void {
    this.#laneOf(item.kept.lane).sent--
    this.#sent--
    item.owed = false
    this.#become(item, 'waiting')
  }

  #refuse(item: Item, cause: ServerError): void {
    this.#leave(item.kept.lane, item)
    this.#become(item, 'refused', cause)
  }

  /** leave takes an item out of its lane; a lane without items is none. */
  #leave(name: string, item: Item): void {
    const lane = this.#lanes.get(name)
    const at = lane?.queue.indexOf(item) ?? -1
    if (lane === undefined || at < 0) return
    lane.queue.splice(at, 1)
    if (lane.queue.length === 0) this.#lanes.delete(name)
  }

  #remove(item: Item): void {
    if (!this.#items.delete(item.kept.seq)) return
    this.#seqs.delete(item.mutation)
    const { key, seq } = item.kept
    if (this.#keys.delete(key)) {
      this.#past.set(key, seq)
      const [first] = this.#past.keys()
      if (this.#past.size > maxPast && first !== undefined) this.#past.delete(first)
      this.#pastChanged = true
    }
    this.#bytes -= item.kept.body.length
    this.#pending = undefined
  }
}

/** waiting is the first `most` of a lane that aren't under way. */
function waiting(lane: Lane, most: number): Item[] {
  const found: Item[] = []
  for (const item of lane.queue) {
    if (found.length >= most) break
    if (item.state === 'waiting') found.push(item)
  }
  return found
}

const tooOld = () =>
  new ServerError(Code.FAILED_PRECONDITION, 'client.TOO_OLD', 'This waited for more than 30 days to be sent. Send it again if it still matters.')

function pendingOf(kept: Kept, mutation: string, state: Pending['state'], cause: ServerError | undefined): Pending {
  const { seq, method, body, lane, note, since } = kept
  return { seq, mutation, method, body, lane, note, since, state, cause }
}
