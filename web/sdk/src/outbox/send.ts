import { tell } from '../tell.ts'
import type { Wire } from '../edge/wire.ts'
import { Code, ServerError } from '../errors.ts'
import { faultOf, serverError } from '../fault.ts'
import { encode, type Method } from '../method.ts'
import type { Outbox, Pending, PutOptions } from '../session.ts'
import { Answers } from './answers.ts'
import { maxBytes, maxEntries } from './limits.ts'
import { newId } from '../id.ts'
import { Numbers } from './numbers.ts'
import { State, type Item, type Sending } from './state.ts'
import type { Box, Kept, Store, Write } from './store.ts'
import { Writer } from './writer.ts'

/** The longest wait of setTimeout, in ms. */
const longestTimer = 2 ** 31 - 1

/** StoredOutbox is an Outbox in a store, which is sent over a wire. One at a time has a store: the last one that opened it. */
export class StoredOutbox implements Outbox {
  readonly clientId: string
  readonly #box: Box
  readonly #writer: Writer
  readonly #state: State
  readonly #numbers: Numbers
  readonly #answers = new Answers()
  readonly #listeners = new Set<(entries: readonly Pending[]) => void>()
  /** Aborts what is under way, once it is closed. */
  readonly #stop = new AbortController()
  #wire: Wire | undefined
  #detach = () => { /* there is no wire */ }
  /** Why it ended. */
  #ended: ServerError | undefined
  /** What is being stored, and counts already. */
  #puttingEntries = 0
  #puttingBytes = 0
  /** By their keys: who puts one again meanwhile is answered likewise. */
  readonly #puttingKeys = new Map<string, Promise<number>>()
  /** What is sent again, and not stored yet. */
  readonly #retrying = new Set<number>()
  /** Entries up to this number may be sent: the store knows. */
  #tried: number
  #marking = false
  #telling = false
  #timer: ReturnType<typeof setTimeout> | undefined

  private constructor(box: Box) {
    const { clientId, reserved, tried } = box.contents
    this.clientId = clientId
    this.#box = box
    this.#writer = new Writer(box)
    this.#state = new State(box.contents)
    this.#numbers = new Numbers(reserved)
    this.#tried = tried
  }

  /** open takes the store over, with what an earlier run has left in it. `clientId` is the installation's, for a store that has none: else it is made. */
  static async open(store: Store, clientId = newId()): Promise<StoredOutbox> {
    return new StoredOutbox(await store.open(clientId))
  }

  get entries(): readonly Pending[] {
    return this.#state.pending
  }

  onChange(listener: (entries: readonly Pending[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** attach begins to send what waits. */
  attach(wire: Wire): void {
    this.#detach()
    this.#wire = wire
    this.#detach = wire.onUp((up) => { this.#turned(up) })
    this.#turned(wire.up)
  }

  /** number gives a client_seq for what is called beside the outbox: none is given twice, also after a crash. */
  async number(): Promise<number> {
    const { seq, reserve } = this.#numbers.take()
    if (reserve !== undefined) await this.#write({ reserved: reserve }, () => { this.#numbers.stored(reserve) })
    return seq
  }

  async put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options: PutOptions): Promise<number> {
    if (method.kind !== 'change') throw new TypeError(`${method.name} is no change that may be repeated, so it can't wait in the outbox`)
    const { lane, note, key = '' } = options
    const known = this.#state.keyed(key) ?? this.#puttingKeys.get(key)
    if (known !== undefined) return known
    const put = this.#put({ method: method.name, body: encode(method.request, request), lane, note: structuredClone(note), key, cause: undefined })
    if (key === '') return put
    this.#puttingKeys.set(key, put)
    return put.finally(() => this.#puttingKeys.delete(key))
  }

  async answer<A>(seq: number, method: Method<unknown, A>): Promise<A | undefined> {
    let reply = this.#answers.last(seq)
    const item = this.#state.get(seq)
    if (reply === undefined && item?.cause !== undefined) throw item.cause
    if (reply === undefined && item !== undefined) reply = await this.#answers.wait(seq)
    return reply === undefined ? undefined : method.response.decode(reply)
  }

  async retry(seq: number): Promise<void> {
    const item = this.#state.get(seq)
    if (item?.state !== 'refused' || this.#retrying.has(seq)) return
    this.#retrying.add(seq)
    try {
      await this.#put({ ...item.kept, cause: undefined }, seq)
    } finally {
      this.#retrying.delete(seq)
    }
  }

  async drop(seq: number): Promise<boolean> {
    if (this.#retrying.has(seq) || !this.#state.drop(seq)) return false
    this.#answers.failed(seq, new ServerError(Code.FAILED_PRECONDITION, 'client.DROPPED', 'This was taken out of what waits to be sent.'))
    this.#changed()
    await this.#write(this.#removal(seq))
    return true
  }

  settle(mutation: string): void {
    const seq = this.#state.settle(mutation)
    if (seq === undefined) return
    this.#answers.came(seq, undefined)
    this.#forget(seq)
    this.#pump()
  }

  /** close ends it: nothing is sent behind it. What waits is there when the store is opened again. */
  close(): void {
    this.#end(new ServerError(Code.UNAVAILABLE, 'client.CLOSED', 'This session was closed. What waits is sent by the next one.'))
  }

  /** put stores an entry, and takes it in; `instead` is the refused one that it repeats. */
  async #put(made: Omit<Kept, 'seq' | 'since'>, instead?: number): Promise<number> {
    this.#check()
    const bytes = made.body.length
    if (instead === undefined) this.#checkRoom(bytes)
    const { seq, reserve } = this.#numbers.take()
    const kept: Kept = { ...made, seq, since: Date.now() }
    const tried = this.#wire?.up === true ? seq : undefined // it goes out as soon as it is stored
    const write: Write = {
      put: [kept],
      ...(instead !== undefined && { remove: [instead] }),
      ...(reserve !== undefined && { reserved: reserve }),
      ...(tried !== undefined && { tried }),
    }
    this.#puttingEntries++
    this.#puttingBytes += bytes
    try {
      await this.#write(write, () => {
        this.#numbers.stored(reserve)
        this.#tried = Math.max(this.#tried, tried ?? 0)
        this.#take(kept, instead)
      })
    } finally {
      this.#puttingEntries--
      this.#puttingBytes -= bytes
    }
    return seq
  }

  #check(): void {
    if (this.#ended !== undefined) throw this.#ended
  }

  #checkRoom(bytes: number): void {
    const entries = this.#state.size + this.#puttingEntries
    if (entries < maxEntries && this.#state.bytes + this.#puttingBytes + bytes <= maxBytes) return
    throw new ServerError(Code.TOO_MANY_CALLS, 'client.OUTBOX_FULL', `${entries} changes wait to be sent. Go online, then try again.`)
  }

  /** take takes in what is stored now. */
  #take(kept: Kept, instead: number | undefined): void {
    if (instead !== undefined && !this.#state.drop(instead)) {
      this.#forget(kept.seq) // an event has shown meanwhile that what was to be repeated took place
      return
    }
    this.#state.add(kept, false)
    this.#changed()
    this.#pump()
  }

  #turned(up: boolean): void {
    if (up) this.#state.up()
    else this.#state.down()
    this.#changed()
    this.#pump()
  }

  /** pump sends what may go out, and refuses what is too old. */
  #pump(): void {
    if (this.#ended !== undefined) return
    for (const item of this.#state.expire(Date.now())) this.#refused(item)
    let untried = 0
    for (const sending of this.#wire === undefined ? [] : this.#state.ready(Date.now())) {
      const { seq } = sending.item.kept
      if (seq > this.#tried) untried = Math.max(untried, seq)
      else void this.#send(sending)
    }
    if (untried > 0) void this.#mark(untried)
    this.#wakeLater()
  }

  /** mark notes that entries may be sent, before they are: a later run has to know that they can't be dropped. */
  async #mark(tried: number): Promise<void> {
    if (this.#marking) return
    this.#marking = true
    try {
      await this.#write({ tried })
    } catch {
      // The disk is full: then it is better to send what is on it.
    }
    this.#marking = false
    this.#tried = Math.max(this.#tried, tried)
    this.#pump()
  }

  async #send({ item, lane }: Sending): Promise<void> {
    this.#state.sends(item)
    this.#changed()
    const { method, body, seq } = item.kept
    try {
      const reply = await this.#wire?.send({ method, body, seq, lane, signal: this.#stop.signal })
      this.#answered(item, reply)
    } catch (e) {
      this.#failed(item, serverError(e, Code.OUTCOME_UNKNOWN, 'client.FAULT'))
    }
    this.#pump()
  }

  #answered(item: Item, reply: Uint8Array | undefined): void {
    if (this.#ended !== undefined || !this.#state.answered(item)) return
    this.#answers.came(item.kept.seq, reply)
    this.#forget(item.kept.seq)
  }

  #failed(item: Item, cause: ServerError): void {
    if (this.#ended !== undefined) return
    if (cause.code < 100 || cause.code >= 200) {
      this.#state.failed(item, cause, Date.now(), Math.random())
      this.#changed()
    } else if (this.#state.refused(item, cause)) {
      this.#refused(item)
    }
  }

  /** refused tells and stores why an entry stays. */
  #refused(item: Item): void {
    if (item.cause === undefined) return
    this.#answers.failed(item.kept.seq, item.cause)
    this.#write({ put: [{ ...item.kept, cause: faultOf(item.cause) }] }).catch(() => undefined) // then a later run asks again
    this.#changed()
  }

  /** forget takes an entry off the disk. Where that fails a later run sends it again, which does no harm. */
  #forget(seq: number): void {
    this.#write(this.#removal(seq)).catch(() => undefined)
    this.#changed()
  }

  #removal(seq: number): Write {
    const past = this.#state.left()
    return { remove: [seq], ...(past !== undefined && { past }) }
  }

  async #write(w: Write, stored?: () => void): Promise<void> {
    this.#check()
    try {
      await this.#writer.write(w, stored)
    } catch (e) {
      const error = serverError(e, Code.UNAVAILABLE, 'client.NOT_KEPT')
      if (error.reason === 'client.OUTBOX_TAKEN') this.#end(error)
      this.#check()
      throw error
    }
  }

  #wakeLater(): void {
    clearTimeout(this.#timer)
    const at = this.#state.wakeAt
    if (at === Infinity) return
    this.#timer = setTimeout(() => { this.#pump() }, Math.min(Math.max(at - Date.now(), 0), longestTimer))
  }

  /** changed tells the listeners, once for all that happens at the same time. */
  #changed(): void {
    if (this.#telling) return
    this.#telling = true
    queueMicrotask(() => {
      this.#telling = false
      for (const listener of [...this.#listeners]) tell(listener, this.entries)
    })
  }

  #end(reason: ServerError): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#detach()
    clearTimeout(this.#timer)
    this.#answers.end(reason)
    this.#stop.abort(reason)
    this.#box.close()
  }
}
