import { Code, ServerError } from '../errors.ts'
import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Following, Session, Update } from '../session.ts'
import { startingAt } from './from.ts'
import { Memory } from './memory.ts'
import { after, Ring } from './ring.ts'

/** How many events a tab may be behind all that a host still has, and the log is followed again from there, for all; a tab that is further behind is told to reset. */
const maxRewind = 1000

/** Reader is one who follows a shared topic. */
export interface Reader {
  told(update: Update): void
}

interface Place {
  /** Where it comes from; of a log: how far it was told. undefined: it is told all from now on, or a snapshot. */
  at: Cursor | undefined
  /** `waiting`: it isn't known yet whether this is a log. `reset`: it was told so, and has to resume. */
  state: 'waiting' | 'following' | 'reset'
}

const same = (a: Cursor | undefined, b: Cursor | undefined) => a?.epoch === b?.epoch && a?.offset === b?.offset

const reset = (code: number) => new ServerError(code, 'client.RING', 'What happened since is not kept here any more. It is loaded anew.')

/**
 * SharedTopic follows a topic once, for several readers. To each of them it looks as if they followed it alone: a reader of a log that comes from further
 * back is served from the ring, or the log is followed again from there, and others skip what they know; one of a bundle or view gets what was told as
 * a snapshot.
 */
export class SharedTopic {
  readonly #session: Session
  readonly #topic: string
  readonly #options: FollowOptions
  readonly #ended: () => void
  readonly #readers = new Map<Reader, Place>()
  #inner: Following | undefined
  /** Counts the followings: what a former one tells is not heard. */
  #turn = 0
  #began: Cursor | undefined
  /** `state`: a bundle, a view, or heads. It shows with the first word. */
  #class: 'unknown' | 'log' | 'state' = 'unknown'
  #status: 'starting' | 'live' | 'paused' | 'reset' = 'starting'
  /** Of a log: where it stands with what was told, and the last events before that. */
  #cursor: Cursor | undefined
  #ring = new Ring(0)
  /** It was not live yet since it was followed from `began`. */
  #fresh = true
  #memory = new Memory()

  constructor(session: Session, topic: string, options: FollowOptions, ended: () => void) {
    this.#session = session
    this.#topic = topic
    this.#options = options
    this.#ended = ended
  }

  get topic(): string {
    return this.#topic
  }

  join(reader: Reader, from: Cursor | undefined): void {
    const place: Place = { at: from, state: 'following' }
    this.#readers.set(reader, place)
    if (this.#inner === undefined || this.#status === 'reset') this.#go(from)
    else this.#place(reader, place)
  }

  resume(reader: Reader, from: Cursor): void {
    if (this.#readers.get(reader)?.state === 'reset') this.join(reader, from)
  }

  signal(key: string, body: Uint8Array): void {
    this.#inner?.signal(key, body)
  }

  leave(reader: Reader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.close()
  }

  close(): void {
    this.#turn++
    this.#readers.clear()
    this.#inner?.close()
    this.#ended()
  }

  /** go follows the topic from a cursor. */
  #go(from: Cursor | undefined): void {
    this.#began = this.#cursor = from
    this.#ring = new Ring(from?.offset ?? 0)
    this.#memory = new Memory()
    const resumed = this.#status === 'reset' && from !== undefined
    this.#status = 'starting'
    this.#fresh = true
    if (resumed) {
      this.#inner?.resume(from)
      return
    }
    const turn = ++this.#turn
    this.#inner?.close()
    const told = (update: Update) => { if (turn === this.#turn) this.#told(update) }
    this.#inner = this.#session.follow(this.#topic, told, startingAt(this.#options, from))
  }

  /** place begins with a reader that comes to a topic which is followed already. */
  #place(reader: Reader, place: Place): void {
    place.state = 'following'
    if (this.#class === 'unknown' && !same(place.at, this.#began)) place.state = 'waiting'
    else if (this.#class === 'log') this.#placeInLog(reader, place)
    else if (this.#class === 'state') this.#placeInState(reader, place)
  }

  #placeInLog(reader: Reader, place: Place): void {
    const { at } = place
    const cursor = this.#cursor
    if (at !== undefined && cursor !== undefined && this.#isBehind(place)) {
      if (at.epoch !== cursor.epoch) {
        this.#reset(reader, place, reset(Code.RESET_EPOCH))
      } else if (cursor.offset - at.offset > maxRewind) {
        this.#reset(reader, place, reset(Code.RESET_FLOOR))
      } else {
        this.#go(at)
      }
      return
    }
    if (this.#status === 'live') this.#begin(reader, place, cursor)
    if (this.#status === 'paused') reader.told({ kind: 'paused' })
  }

  #placeInState(reader: Reader, { at }: Place): void {
    const known = at !== undefined && same(at, this.#memory.told ? this.#memory.cursor : this.#began)
    const snapshot = this.#memory.snapshot()
    if (!known && snapshot === undefined) {
      if (this.#began !== undefined) this.#go(undefined) // what was told went on from a cursor that this reader doesn't have; else the snapshot is to come
      return
    }
    if (this.#status === 'live') reader.told({ kind: 'live', head: undefined })
    if (!known && snapshot !== undefined) reader.told(snapshot)
    if (this.#status === 'paused') reader.told({ kind: 'paused' })
  }

  /** begin tells a reader of a log that it is live, and what it hasn't been told. */
  #begin(reader: Reader, place: Place, head: Cursor | undefined): void {
    place.at ??= head
    reader.told({ kind: 'live', head })
    const cursor = this.#cursor
    if (cursor === undefined || place.at === undefined || cursor.offset <= place.at.offset) return
    const events = this.#ring.after(place.at.offset)
    place.at = cursor
    reader.told({ kind: 'events', events, cursor })
  }

  #reset(reader: Reader, place: Place, cause: ServerError): void {
    place.state = 'reset'
    reader.told({ kind: 'reset', cause })
  }

  /** following are those who hear what is told. */
  #following(): [Reader, Place][] {
    return [...this.#readers].filter(([, place]) => place.state === 'following')
  }

  #told(update: Update): void {
    switch (update.kind) {
      case 'live':
        this.#live(update.head)
        break
      case 'events':
        this.#events(update)
        break
      case 'heads':
      case 'view':
        this.#class = 'state'
        this.#memory.take(update)
        this.#tell(update)
        this.#placeWaiting()
        break
      case 'paused':
        if (this.#status !== 'reset') this.#status = 'paused'
        this.#tell(update)
        break
      case 'signal':
        this.#tell(update)
        break
      case 'reset':
        this.#wasReset(update.cause)
        break
      case 'ended':
        for (const reader of this.#readers.keys()) reader.told(update)
        this.close()
    }
  }

  #tell(update: Update): void {
    for (const [reader] of this.#following()) reader.told(update)
  }

  #live(head: Cursor | undefined): void {
    this.#status = 'live'
    this.#fresh = false
    this.#class = head === undefined || this.#options.heads === true ? 'state' : 'log'
    if (this.#class === 'log' && this.#cursor === undefined) {
      this.#cursor = head
      this.#ring = new Ring(head?.offset ?? 0)
    }
    const turn = this.#turn
    for (const [reader, place] of this.#following()) {
      if (this.#class === 'state') reader.told({ kind: 'live', head })
      else if (this.#isBehind(place)) this.#placeInLog(reader, place)
      else this.#begin(reader, place, head)
      if (turn !== this.#turn) return // it is followed again from further back: all begin with that
    }
    this.#placeWaiting()
  }

  /** isBehind says that a reader of a log comes from where nothing is kept of. */
  #isBehind({ at }: Place): boolean {
    return at !== undefined && this.#cursor !== undefined && (at.epoch !== this.#cursor.epoch || at.offset < this.#ring.start)
  }

  #placeWaiting(): void {
    for (const [reader, place] of this.#readers) if (place.state === 'waiting') this.#place(reader, place)
  }

  #events({ events, cursor }: Extract<Update, { kind: 'events' }>): void {
    const before = this.#cursor?.offset ?? 0
    this.#ring.push(events)
    this.#cursor = cursor
    for (const [reader, place] of this.#following()) {
      if (place.at !== undefined && cursor.offset <= place.at.offset) continue
      if (place.at !== undefined && place.at.offset < before && this.#isBehind(place)) {
        this.#placeInLog(reader, place)
        continue
      }
      // What one lacks that came while the connection was lost is in the ring alone.
      const fresh = place.at === undefined ? events : place.at.offset < before ? this.#ring.after(place.at.offset) : after(events, place.at.offset)
      place.at = cursor
      reader.told({ kind: 'events', events: fresh, cursor })
    }
  }

  #wasReset(cause: ServerError): void {
    // Those who come from further on don't have to suffer for who comes from too far back: without that one it is followed again.
    const floor = this.#fresh ? (this.#began?.offset ?? Infinity) : Infinity
    this.#status = 'reset'
    for (const [reader, place] of this.#following()) if ((place.at?.offset ?? Infinity) <= floor) this.#reset(reader, place, cause)
    const rest = this.#following().map(([, place]) => place.at)
    if (rest.length > 0) {
      const first = rest.reduce((a, b) => ((a?.offset ?? Infinity) <= (b?.offset ?? Infinity) ? a : b))
      this.#go(first)
      return
    }
    const next = [...this.#readers.values()].find((place) => place.state === 'waiting')
    if (next === undefined) return
    next.state = 'following'
    this.#go(next.at)
  }
}
