import type { Session } from '../session.ts'
import { SharedTopic, type Reader } from './topic.ts'

/** Unite makes of what several readers of a view ask for the parameters by which all of them are told what they asked for, and more. */
export type Unite = (params: readonly Uint8Array[]) => Uint8Array

/** Unites has one for each topic whose parameters differ from page to page, by its name. */
export type Unites = Readonly<Record<string, Unite>>

/** How long it waits for further readers before a view is followed anew for all, in ms: pages that are loaded together come one after the other. */
const wait = 50

/**
 * United follows a view once for readers who ask for different things, since of one name there is one view in a session: by the parameters that have all of
 * it. Each is told all; what it didn't ask for is nothing to it.
 */
export class United {
  readonly #session: Session
  readonly #topic: string
  readonly #unite: Unite
  readonly #ended: () => void
  readonly #readers = new Map<Reader, Uint8Array>()
  #shared: SharedTopic | undefined
  #params = new Uint8Array()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(session: Session, topic: string, unite: Unite, ended: () => void) {
    this.#session = session
    this.#topic = topic
    this.#unite = unite
    this.#ended = ended
  }

  /** resume and signal are of logs alone. */
  resume(): void { /* nothing is reset */ }
  signal(): void { /* nobody hears it */ }

  join(reader: Reader, params: Uint8Array): void {
    this.#readers.set(reader, params)
    if (this.#shared === undefined || this.#wanted() !== undefined) this.#later()
    else this.#shared.join(reader, undefined)
  }

  /** leave may leave more to be told than is asked for, until the next one comes. */
  leave(reader: Reader): void {
    if (!this.#readers.delete(reader)) return
    if (this.#readers.size === 0) this.#close()
    else this.#shared?.leave(reader)
  }

  /** wanted are the parameters of all; undefined: those by which it is followed. */
  #wanted(): Uint8Array | undefined {
    const all = this.#unite([...this.#readers.values()])
    return all.length === this.#params.length && all.every((byte, i) => byte === this.#params[i]) ? undefined : all
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#follow()
    }, wait)
  }

  #follow(): void {
    const params = this.#wanted() ?? this.#params
    const former = this.#shared
    this.#shared = undefined // who leaves it ends nothing
    for (const reader of this.#readers.keys()) former?.leave(reader)
    this.#params = new Uint8Array(params)
    const shared: SharedTopic = new SharedTopic(this.#session, this.#topic, { params }, () => {
      if (this.#shared === shared) this.#close()
    })
    this.#shared = shared
    for (const reader of this.#readers.keys()) shared.join(reader, undefined)
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#readers.clear()
    const shared = this.#shared
    this.#shared = undefined
    shared?.close()
    this.#ended()
  }
}
