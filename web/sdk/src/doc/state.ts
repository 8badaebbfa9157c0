import { check, compose, defaultLimits, diff, earlier, empty, rebase, sha256, transformPosition, unlimited, type Delta, type Document } from '../ot/index.ts'
import { History } from './history.ts'
import { before, Others, type OtherCursor } from './presence.ts'
import type { Refused } from './refused.ts'
import type { ServerError } from '../errors.ts'
import type { Presence } from './transport.ts'

/**
 * Sent is the edit that is under way.
 *
 * Invariant: seq, base and request never change, since a repetition has to be the same request.
 */
export interface Sent {
  readonly seq: number
  /** What its event will say. */
  readonly mutation: bigint
  /** When it was sent first, Unix milliseconds. */
  readonly since: number
  readonly epoch: number
  readonly base: number
  readonly request: Delta
  /** To follow the state's version. */
  delta: Delta
  /** The version that its answer told, and that version's epoch, where the events before it have not come; 0: no answer. */
  answered: number
  answeredEpoch: number
}

/** mutationOf is the number by which an event names the call that made it. */
export function mutationOf(clientId: string, seq: number): bigint {
  return new DataView(sha256(`${clientId}/${seq}`).buffer).getBigUint64(0)
}

/** Change is an event of the document: version, who did it, and what it did to the content, perhaps nothing. */
export interface Change {
  readonly version: number
  readonly mutation: bigint
  readonly actor: string
  readonly edit: Delta
}

/** DivergedError says that this client and the server don't have the same content: it is to be read anew. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError'

  constructor() {
    super("the content differs from the server's")
  }
}

/** diffEffort bounds how long a difference is looked for: about a second. (The client in Go does four times as much in that time.) */
const diffEffort = 50_000_000

// What is long is sent in parts.
const typingLimits = { ...defaultLimits, operationBytes: Infinity, ops: Infinity }

/**
 * State is what a client knows of a document that was read: inputs come as method calls, and each returns how what is shown has changed. It knows no
 * clock, no store and no connection. A method that throws has changed nothing, but where it throws DivergedError.
 *
 * Invariant: what is shown is the server's content of a version, then the edit under way, then the buffer.
 */
export class State {
  epoch: number
  version: number
  /** What the server has. */
  content: Document
  shown: Document
  /** Under way; null: nothing is. */
  sent: Sent | null = null
  /** What was typed since. */
  buffer = empty
  refused: Refused[] = []
  /** The newest id. */
  lastRefused = 0
  history = new History()
  others: Others
  /** The newest own edit that an answer settled, to be compared with its event. */
  #settled: { version: number; delta: Delta } = { version: 0, delta: empty }

  constructor(content: Document, epoch: number, version: number) {
    this.content = content
    this.shown = content
    this.epoch = epoch
    this.version = version
    this.others = new Others(version)
  }

  get pending(): boolean {
    return this.sent !== null || !this.buffer.isEmpty
  }

  /** tried is what would be shown after an edit, made by the rules for new ones. */
  tried(edit: Delta): Document {
    check(edit, typingLimits)
    return this.shown.within(typingLimits).apply(edit).within(unlimited)
  }

  /** edit applies what was typed. */
  edit(edit: Delta): void {
    const shown = this.shown.apply(edit)
    this.buffer = compose(this.buffer, edit)
    this.shown = shown
  }

  /** send has the first of what was typed under way, as much as one operation may hold; rest is the remainder. Both are split's. */
  send(sent: Sent, rest: Delta): void {
    this.sent = sent
    this.buffer = rest
  }

  /** event takes over what the log tells next. */
  event(e: Change): Delta {
    if (e.version <= this.version) {
      if (e.version === this.#settled.version && !same(e.edit, this.#settled.delta)) throw new DivergedError()
      return empty
    }
    const before = this.sent
    if (before !== null && before.answered !== 0 && before.answeredEpoch === this.epoch && before.answered < e.version) this.#settle(before.answered)
    const sent = this.sent
    if (sent === null || (sent.mutation !== e.mutation && (sent.answered !== e.version || sent.answeredEpoch !== this.epoch))) {
      const shown = this.#theirs(e)
      if (sent !== null && sent.answeredEpoch === this.epoch && sent.answered === this.version + 1) this.#settle(sent.answered) // its event says nothing new
      return shown
    }
    if (!same(e.edit, sent.delta)) {
      sent.answered = e.version
      sent.answeredEpoch = this.epoch
      throw new DivergedError()
    }
    this.#settle(e.version)
    return empty
  }

  /** theirs takes over an event of somebody else, or one that is no edit. */
  #theirs(e: Change): Delta {
    const shown = e.edit.isEmpty ? empty : this.#remote(e.edit)
    this.version = e.version
    this.others.passed(e.version, e.actor, e.edit)
    // An edit that was refused on a repetition had taken place after all.
    this.refused = this.refused.filter((r) => e.mutation === 0n || r.mutation !== e.mutation)
    return shown
  }

  /** remote applies a change of the content, and transforms it and what is pending over each other. */
  #remote(edit: Delta): Delta {
    const content = this.content.apply(edit)
    const mine = rebase(this.sent?.delta ?? empty, [edit])
    const buffer = rebase(this.buffer, mine.after)
    const after = buffer.after[0] ?? empty
    const shown = this.shown.apply(after)
    if (this.sent !== null) this.sent.delta = mine.change
    this.content = content
    this.buffer = buffer.change
    this.shown = shown
    this.history.changed(after)
    return after
  }

  /** settle ends what is under way: it is the server's content now. */
  #settle(version: number): void {
    if (this.sent === null) return
    const { delta } = this.sent
    this.content = this.content.apply(delta)
    this.#settled = { version, delta }
    this.others.passed(version, '', delta)
    this.version = version
    this.sent = null
  }

  /** answered takes over the answer to what is under way. Its event may have settled it before, or settles it later, in its turn. */
  answered(seq: number, epoch: number, version: number): void {
    const { sent } = this
    if (sent?.seq !== seq) return
    sent.answered = version
    sent.answeredEpoch = epoch
    if (epoch !== this.epoch) return // the topic's reset is on its way
    if (version <= this.version) throw new DivergedError() // its event was taken for somebody else's
    if (version === this.version + 1) this.#settle(version)
  }

  /** takeBack has what is under way wait again, to be sent with another number: the server is known not to have done it. */
  takeBack(): void {
    if (this.sent === null) return
    this.buffer = compose(this.sent.delta, this.buffer)
    this.sent = null
  }

  /** refuse takes what is under way out of what is shown, with all also what waits behind it, and keeps it. `kept` is null where there was nothing. */
  refuse(cause: ServerError, all: boolean, now: number): { shown: Delta; kept: Refused | null } {
    const { sent } = this
    let out = sent?.delta ?? empty
    let rest = this.buffer
    if (all) {
      out = compose(out, rest)
      rest = empty
    }
    const { change, after } = rebase(rest, [this.content.invert(out)])
    const back = after[0] ?? empty
    this.shown = this.shown.apply(back)
    this.sent = null
    this.buffer = change
    this.history.changed(back)
    if (out.isEmpty) return { shown: back, kept: null }
    const { epoch, version } = this
    const kept = { id: ++this.lastRefused, epoch, version, delta: out, cause, at: now, mutation: sent?.mutation ?? 0n }
    this.refused = [...this.refused, kept]
    return { shown: back, kept }
  }

  /** forget drops what was refused. */
  forget(id: number): void {
    this.refused = this.refused.filter((r) => r.id !== id)
  }

  /**
   * reload takes over content that was read anew, and brings what is pending along: the difference to what was known is transformed over it as if
   * somebody else had made it. What is under way has to be answered or taken back before.
   */
  reload(content: Document, epoch: number, version: number): Delta {
    const { sent } = this
    if (sent !== null && sent.answered !== 0 && (sent.answeredEpoch !== epoch || sent.answered <= version)) { // it is in there
      this.content = this.content.apply(sent.delta)
      this.sent = null
    }
    const shown = this.#remote(diff(this.content.delta(), content.delta(), diffEffort))
    this.content = content
    this.epoch = epoch
    this.version = version
    this.#settled = { version: 0, delta: empty }
    this.others = new Others(version) // the versions that they told mean nothing any more
    return shown
  }

  /** cursors are those of others, as what is shown has them. */
  cursors(now: number): OtherCursor[] {
    return this.others.cursors(this.version, now, (place) => {
      if (this.sent !== null) place = transformPosition(this.sent.delta, place, earlier)
      return Math.min(transformPosition(this.buffer, place, earlier), this.shown.length)
    })
  }

  /** tell says where the user is, in places of the version that others have. */
  tell(anchor: number, head: number, typing: boolean): Presence {
    const known = (place: number) => {
      place = before(this.buffer, place)
      if (this.sent !== null) place = before(this.sent.delta, place)
      return Math.max(0, Math.min(place, this.content.length))
    }
    return { version: this.version, anchor: known(anchor), head: known(head), typing, left: false }
  }
}

/** same compares what two sides made of one edit, in normal form. */
const same = (a: Delta, b: Delta) => compose(a, empty).equals(compose(b, empty))
