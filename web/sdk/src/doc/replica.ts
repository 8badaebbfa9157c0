import { composeAll, type Document, earlier, empty, transformPosition, type Delta } from '../ot/index.ts'
import { History } from './history.ts'
import type { OtherCursor } from './presence.ts'
import { causeOf, DamagedError, decode, deltaOf, encode, keptOf, refusalOf, sentOf, stateOf, type Entry, type KeptSent } from './record.ts'
import { maxRefused, type Refused } from './refused.ts'
import { sendBytes, sendOps, split } from './split.ts'
import { DivergedError, State } from './state.ts'
import { Code, ServerError } from '../errors.ts'
import { type Cursor, type DocumentEvent, type Presence, type Submission, type Submitted, type Update } from './transport.ts'
import type { Writer } from './writer.ts'

/** ShownChange is how what is shown has changed. */
export interface ShownChange {
  readonly delta: Delta
  /** That the content is of now. */
  readonly version: number
  /** Whose edit it is; '': it was read anew, or an edit was refused. */
  readonly actor: string
}

/** Listener hears of a document, at once, while its methods run: it must call none of them. What it throws ends run. */
export interface Listener {
  /** How what is shown has changed by others. */
  onChange?(change: ShownChange): void
  /** An edit that the server will not take. */
  onRefused?(refused: Refused): void
  /** Something of status or cursors may be another one now. */
  onStatus?(): void
  /** What is mended, for a log. */
  onMended?(cause: unknown): void
}

/** The times and limits of a replica. */
export const tryAgain = 1000 // ms: after the server could not use what was sent
const signalEvery = 100 // ms: the least time between two signals
const signalAgain = 15_000 // ms: a cursor that stays is told again
const typingFor = 3000 // ms
const outboxAge = 30 * 86_400_000 // ms: servers keep numbers for 35 days
const unsavedChars = 256 * 2 ** 10 // of inputs that are kept in memory before they are written
const compactAfter = 2 ** 20 // characters of a journal, beyond twice those that its state took

/** notRead says that the document's content never came: the first time, it takes a connection. */
export const notRead = 'this document has not been read here yet: go online first'

/** Outcome is the answer to a submission: what it made, or that it is refused. */
export type Outcome = Submitted | ServerError

/**
 * Replica is a document at a client, and what is kept of it: all that happens to it, in order, as method calls that take no time. Who calls them is
 * run.ts for the server, and document.ts for the user. Now is Unix milliseconds.
 *
 * Invariant: an input that has to survive is given to the writer before its method returns, in the order of the inputs, and nothing is sent to the
 * server before it is on disk.
 */
export class Replica {
  readonly document: string
  readonly #clientId: string
  readonly #writer: Writer | null
  readonly #listener: Listener
  #state: State | null = null
  /** Inputs since the last write, which may be lost: the server has them. */
  #unsaved: Entry[] = []
  #chars = 0
  /** Size of the journal when its state was written. */
  #basis = 0

  /** The content is to be read anew, once what is under way is answered. */
  stale = false
  /** Nothing is sent before the content is of this version. */
  behind = 0
  /** How far the content is behind is to be found out: it becomes `behind`. */
  lookAhead = false
  /** Nothing new is sent before. */
  pause = 0
  /** By what an edit was refused since the last one was typed; null: none was. */
  rejected: ServerError | null = null

  #anchor = 0
  #head = 0
  #pointing = false
  #typedAt = -Infinity
  #told: Presence | null = null
  #toldAt = -Infinity

  /** Without a writer all is lost with the page. */
  constructor(document: string, clientId: string, writer: Writer | null, listener: Listener) {
    this.document = document
    this.#clientId = clientId
    this.#writer = writer
    this.#listener = listener
  }

  /** state is what is known of the document, null before it was read. */
  get state(): State | null {
    return this.#state
  }

  get writer(): Writer | null {
    return this.#writer
  }

  #known(): State {
    if (this.#state === null) throw new Error(notRead)
    return this.#state
  }

  // Opening.

  /** play takes over what a journal holds. */
  play(texts: readonly string[], now: number): void {
    let sender = this.#clientId
    let edits: Delta[] = [] // that follow each other: composed at once, thousands of them take no longer than they have to
    const catchUp = () => {
      if (edits.length > 0) this.#known().edit(composeAll(edits))
      edits = []
    }
    try {
      for (const e of texts.flatMap(decode)) {
        if (e.edit !== undefined) {
          edits.push(deltaOf(e.edit))
          continue
        }
        catchUp()
        if (e.state === undefined) {
          this.#replay(e, sender)
          continue
        }
        if (e.state.document !== this.document) throw new Error(`it keeps document ${e.state.document}`)
        this.#state = stateOf(e.state)
        sender = e.state.clientId
      }
      catchUp()
    } catch (cause) {
      throw new DamagedError(this.document, cause)
    }
    const s = this.#state
    if (s === null) return
    if (s.sent !== null && sender !== this.#clientId) {
      // Another client_id's numbers mean nothing to the server from us: whether it was done can't be asked any more.
      const text = 'This edit was sent with another outbox. Look whether it is there, and make it anew if it is not.'
      s.refuse(new ServerError(Code.OUTCOME_UNKNOWN, 'client.OTHER_OUTBOX', text), false, now)
    }
    s.history = new History()
    this.#compact()
  }

  /** replay applies an input that was read back. */
  #replay(e: Entry, sender: string): void {
    const s = this.#known()
    try {
      if (e.sent !== undefined) s.send(sentOf(e.sent, sender), deltaOf(e.sent.rest))
      if (e.answer !== undefined) s.answered(e.answer.seq, e.answer.epoch, e.answer.version)
      if (e.refused !== undefined) s.refuse(causeOf(e.refused), e.refused.all, e.refused.at)
      if (e.back === true) s.takeBack()
      if (e.forget !== undefined) s.forget(e.forget)
    } catch (cause) {
      if (!(cause instanceof DivergedError)) throw cause // it is found again when the document is followed
    }
    for (const told of e.events ?? []) {
      try {
        s.event({ version: told.version, mutation: BigInt(told.mutation), actor: '', edit: deltaOf(told.edit) })
      } catch (cause) {
        if (!(cause instanceof DivergedError)) throw cause
      }
    }
  }

  // The user.

  /** editable throws where nothing can be typed now. */
  #editable(): State {
    const s = this.#known()
    if (this.#writer?.ended === true) throw this.#writer.failure instanceof Error ? this.#writer.failure : new Error('the document is closed')
    if (s.refused.length >= maxRefused) throw new Error(`the server refused ${s.refused.length} edits, which are kept: look at them and forget them first`)
    return s
  }

  /** edit changes what is shown. It throws where the edit doesn't fit (an OtError), and where nothing can be typed now. */
  edit(edit: Delta, now: number): void {
    if (edit.isEmpty) return
    const s = this.#editable()
    const back = this.#edit(s, edit, now)
    s.history.typed(back, now)
    this.rejected = null
  }

  /** edit keeps an edit and shows it; it returns what takes it back. */
  #edit(s: State, edit: Delta, now: number): Delta {
    s.tried(edit)
    const back = s.shown.invert(edit)
    s.edit(edit)
    this.#save({ edit: edit.json() })
    this.#typedAt = now
    return back
  }

  /** step takes the user's newest edit back, or does again what was taken back last, and returns how what is shown has changed; null: there is none. */
  step(undo: boolean, now: number): Delta | null {
    const s = this.#editable()
    const h = s.history
    const step = h.take(undo ? h.undo : h.redo)
    if (step === null) return null
    let back: Delta
    try {
      back = this.#edit(s, step, now)
    } catch (e) {
      h.push(undo ? h.undo : h.redo, step)
      throw e
    }
    h.push(undo ? h.redo : h.undo, back)
    return step
  }

  forget(id: number): void {
    const s = this.#known()
    s.forget(id)
    this.#save({ forget: id })
    this.#listener.onStatus?.()
  }

  /** point says where the user is, in code units of what is shown; leave that they are not there any more. */
  point(anchor: number, head: number): void {
    this.#anchor = anchor
    this.#head = head
    this.#pointing = true
  }

  leave(): void {
    this.#pointing = false
  }

  /** pointed is where the user is, moved along with what others did. */
  get pointed(): { anchor: number; head: number } {
    return { anchor: this.#anchor, head: this.#head }
  }

  cursors(now: number): OtherCursor[] {
    return this.#state?.cursors(now) ?? []
  }

  // The server.

  /** due says what can be sent now: the same again, something new, which takes a number, or nothing. */
  due(now: number): 'again' | 'new' | 'nothing' {
    const s = this.#state
    if (s === null) return 'nothing'
    if (s.sent !== null && now - s.sent.since > outboxAge) { // servers don't know the number for ever
      const text = 'This edit waited for more than 30 days for its answer. Look whether it is there, and make it anew if it is not.'
      this.reject(new ServerError(Code.OUTCOME_UNKNOWN, 'client.TOO_OLD', text), false, now)
    }
    if (s.sent !== null) return s.sent.answered === 0 ? 'again' : 'nothing' // done: the events up to there are on their way
    return s.buffer.isEmpty || s.version < this.behind || now < this.pause ? 'nothing' : 'new'
  }

  /** send has what was typed under way, with a number. */
  send(seq: number, now: number): void {
    const s = this.#known()
    const [request, rest] = split(s.buffer, sendBytes, sendOps)
    const sent: KeptSent = { seq, since: now, epoch: s.epoch, base: s.version, request: request.json(), rest: rest.json() }
    s.send(sentOf(sent, this.#clientId), rest)
    this.#save({ sent })
  }

  /** submission is what is under way; null: nothing is. */
  submission(): Submission | null {
    const q = this.#state?.sent ?? null
    return q === null ? null : { document: this.document, seq: q.seq, epoch: q.epoch, base: q.base, delta: q.request.json() }
  }

  /** answered takes over the answer to what is under way. */
  answered(seq: number, outcome: Outcome, now: number): void {
    const s = this.#known()
    if (s.sent?.seq !== seq) return // settled by its event
    if (!(outcome instanceof ServerError)) {
      try {
        s.answered(seq, outcome.epoch, outcome.version)
      } catch (e) {
        this.#mend(e)
        return
      }
      this.#later({ answer: { seq, epoch: outcome.epoch, version: outcome.version } }, 0)
      this.#listener.onStatus?.()
      return
    }
    switch (outcome.reason) {
      case 'docs.BASE_TOO_OLD':
      case 'docs.FUTURE':
        // It was not done. Once the content is newer it can be: by following the log, or where the log is another one, by reading anew.
        s.takeBack()
        this.#save({ back: true })
        this.pause = now + tryAgain
        if (outcome.reason === 'docs.FUTURE') this.stale = true
        else this.lookAhead = true
        return
      case 'docs.TRASHED':
        this.reject(outcome, true, now)
        return
    }
    if (outcome.code === Code.INVALID_ARGUMENT) this.stale = true // such an edit is not made of what the server has
    const all = outcome.code === Code.NOT_FOUND || outcome.code === Code.PERMISSION_DENIED // nor what waits behind it
    this.reject(outcome, all, now)
  }

  /** reject takes what is under way out of what is shown. */
  reject(cause: ServerError, all: boolean, now: number): void {
    const s = this.#known()
    const { shown, kept } = s.refuse(cause, all, now)
    this.#save({ refused: refusalOf(cause, all, now) })
    this.#show(shown, '')
    if (kept !== null) {
      this.rejected = cause
      this.#listener.onRefused?.(kept)
    }
    this.#listener.onStatus?.()
  }

  /** show tells the program how what is shown has changed. */
  #show(shown: Delta, actor: string): void {
    if (shown.isEmpty) return
    this.#anchor = transformPosition(shown, this.#anchor, earlier)
    this.#head = transformPosition(shown, this.#head, earlier)
    this.#listener.onChange?.({ delta: shown, version: this.#known().version, actor })
  }

  /** mend has the content read anew after it turned out to differ from the server's. */
  #mend(cause: unknown): void {
    this.#listener.onMended?.(cause)
    this.stale = true
  }

  /** update takes over what the topic told. */
  update(u: Update, now: number): void {
    const s = this.#known()
    switch (u.kind) {
      case 'reset':
        this.stale = true
        return
      case 'signal':
        s.others.heard(u.from, u.presence, now)
        this.#listener.onStatus?.()
        return
      case 'events':
        for (const e of u.events) {
          if (this.stale) return // it is in what will be read
          this.#event(s, e)
        }
        if (this.#writer !== null && this.#writer.size > 2 * this.#basis + compactAfter) this.#compact()
    }
  }

  #event(s: State, e: DocumentEvent): void {
    const known = s.version
    let edit: Delta
    let shown: Delta
    try {
      edit = e.delta === '' ? empty : deltaOf(e.delta)
      shown = s.event({ version: e.version, mutation: e.mutation, actor: e.actor, edit })
    } catch (cause) {
      this.#mend(cause)
      return
    }
    if (s.version === known) return
    this.#later({ events: [{ version: e.version, mutation: String(e.mutation), edit: edit.json() }] }, e.delta.length)
    this.#show(shown, e.actor)
    this.#listener.onStatus?.()
  }

  /** renew takes over content that was read anew, and brings what is pending along. */
  renew(content: Document, at: Cursor): void {
    const s = this.#state
    const shown = s === null ? empty : s.reload(content, at.epoch, at.offset)
    this.#state ??= new State(content, at.epoch, at.offset)
    this.stale = false
    this.behind = 0
    this.#compact()
    this.#show(shown, '')
    this.#listener.onStatus?.()
  }

  /** ended: the topic has said its last word. Where that means that nothing will ever be taken, what is pending is refused. */
  ended(last: unknown, now: number): void {
    const final = last instanceof ServerError && ((last.code >= 100 && last.code < 200) || last.code === Code.REVOKED || last.code === Code.TOPIC_GONE)
    if (final && this.#state?.pending === true) this.reject(last, true, now)
  }

  /** where is what others are to know of where the user is; null: there is no content yet. */
  where(now: number): Presence | null {
    if (this.#state === null) return null
    if (!this.#pointing) return { version: 0, anchor: 0, head: 0, typing: false, left: true }
    return this.#state.tell(this.#anchor, this.#head, now - this.#typedAt < typingFor)
  }

  /** present is what others are to be told of where the user is, null: nothing new, and when to ask again. */
  present(now: number): { signal: Presence | null; again: number } {
    const p = this.where(now)
    if (p === null) return { signal: null, again: Infinity }
    const t = this.#told
    const moved = t === null ? this.#pointing : p.anchor !== t.anchor || p.head !== t.head || p.typing !== t.typing || p.left !== t.left
    const news = moved || (this.#pointing && now - this.#toldAt >= signalAgain)
    if (news && now - this.#toldAt < signalEvery) return { signal: null, again: this.#toldAt + signalEvery }
    if (news) {
      this.#told = p
      this.#toldAt = now
    }
    const again = !this.#pointing ? Infinity : p.typing ? this.#typedAt + typingFor : this.#toldAt + signalAgain
    return { signal: news ? p : null, again }
  }

  // The journal.

  /** later notes an input that may be lost with the page, since the server has it. */
  #later(e: Entry, size: number): void {
    if (this.#writer === null) return
    const last = this.#unsaved.at(-1)
    if (e.events !== undefined && last?.events !== undefined) last.events.push(...e.events)
    else this.#unsaved.push(e)
    this.#chars += size + 64
    if (this.#chars > unsavedChars) this.save()
  }

  #save(e: Entry): void {
    this.#unsaved.push(e)
    this.save()
  }

  /** save gives to the writer what it was not given yet, as one text: all is there after a crash, or nothing. */
  save(): void {
    const all = this.#unsaved
    this.#unsaved = []
    this.#chars = 0
    if (all.length > 0 && this.#writer?.ended === false) this.#writer.append(encode(all))
  }

  /** compact has the journal written anew, with the state alone. */
  #compact(): void {
    if (this.#writer === null || this.#state === null || this.#writer.ended) return
    this.#writer.rewrite(encode([{ state: keptOf(this.#state, this.#clientId, this.document) }]))
    this.#unsaved = []
    this.#chars = 0
    this.#basis = this.#writer.size
  }
}

