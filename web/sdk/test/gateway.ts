import { ServerError } from '../src/errors.ts'
import { type Cursor, type Presence, type Submission, type Subscription, type Transport, type Update } from '../src/doc/transport.ts'
import type { Journal, Store } from '../src/doc/store.ts'
import { Owner } from './owner.ts'

/** Gateway brings clients to the owner of a document, over connections that can be taken away. */
export class Gateway {
  readonly owner: Owner
  /** Nobody has a connection. */
  down = false
  /** The answer to a submission is lost. */
  lose: () => boolean = () => false
  /** Events are held back. */
  quiet = false
  /** Answers are held back. */
  silent = false
  /** The topic's last word. */
  stop: ServerError | null = null
  /** Submissions that came. */
  requests = 0
  readonly subscriptions = new Set<Following>()

  constructor(text: string) {
    this.owner = new Owner(text)
  }

  /** set changes something, and has everybody look. */
  set(change: (g: this) => void): void {
    change(this)
    this.owner.tell()
  }

  /** until waits until something is so. */
  async until(so: () => boolean, signal?: AbortSignal): Promise<void> {
    while (!so()) {
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        void this.owner.changed().then(resolve)
        signal?.addEventListener('abort', () => { resolve() }, { once: true })
      })
    }
  }

  /** transport is a client's session; its numbers go on over restarts if it is the same. */
  transport(user: string, clientId = `client-${user}`): Transport {
    let number = 0
    return {
      clientId,
      number: () => Promise.resolve(++number),
      submit: async (edit, signal) => {
        for (;;) {
          await this.until(() => !this.down, signal)
          this.requests++
          const lost = this.lose()
          const answer = this.#submit(user, clientId, edit)
          if (lost) {
            await Promise.resolve()
            continue
          }
          await this.until(() => !this.silent, signal)
          if (answer instanceof ServerError) throw answer
          return answer
        }
      },
      read: async (_document, version, after, signal) => {
        await this.until(() => !this.down, signal)
        return this.owner.read(version, after)
      },
      version: async (_document, signal) => {
        await this.until(() => !this.down, signal)
        return this.owner.version
      },
      follow: (_document, from) => new Following(this, user, from),
    }
  }

  #submit(user: string, clientId: string, edit: Submission) {
    try {
      return this.owner.submit(user, clientId, edit)
    } catch (e) {
      if (e instanceof ServerError) return e
      throw e
    }
  }
}

class Following implements Subscription {
  readonly #g: Gateway
  readonly #user: string
  #at: Cursor
  #lost = false
  #closed = false
  #heard: Update[] = []

  constructor(g: Gateway, user: string, at: Cursor) {
    this.#g = g
    this.#user = user
    this.#at = at
    g.subscriptions.add(this)
  }

  async next(): Promise<Update> {
    const g = this.#g
    const o = g.owner
    const reset = () => this.#at.epoch !== o.epoch || this.#at.offset < o.floor
    const news = () => this.#heard.length > 0 || g.stop !== null || (!this.#lost && (reset() || this.#at.offset < o.version))
    await g.until(() => this.#closed || (!g.down && !g.quiet && news()))
    if (this.#closed) throw new Error('closed')
    const heard = this.#heard.shift()
    if (heard !== undefined) return heard
    if (!this.#lost && !reset() && this.#at.offset < o.version) {
      const events = o.log.slice(this.#at.offset)
      this.#at = { epoch: o.epoch, offset: o.version }
      return { kind: 'events', events }
    }
    if (g.stop !== null) throw g.stop
    this.#lost = true
    return { kind: 'reset' }
  }

  resume(from: Cursor): void {
    this.#at = from
    this.#lost = false
    this.#g.owner.tell()
  }

  signal(presence: Presence): void {
    if (this.#g.down) return
    for (const other of this.#g.subscriptions) if (other !== this) other.#heard.push({ kind: 'signal', from: `${this.#user}/s`, presence })
    this.#g.owner.tell()
  }

  close(): void {
    this.#closed = true
    this.#g.subscriptions.delete(this)
    this.#g.owner.tell()
  }
}

/** Mortal is a store whose page can die: what it writes then is never written, and no call returns. */
export class Mortal implements Store {
  readonly #store: Store
  #dead = false

  constructor(store: Store) {
    this.#store = store
  }

  die(): void {
    this.#dead = true
  }

  async open(document: string): Promise<Journal> {
    const journal = await this.#store.open(document)
    const alive = async (write: () => Promise<void>) => {
      if (!this.#dead) await write()
      if (this.#dead) await new Promise<never>(() => undefined)
    }
    return {
      read: () => journal.read(),
      append: (texts) => alive(() => journal.append(texts)),
      rewrite: (texts) => alive(() => journal.rewrite(texts)),
      close: () => undefined,
    }
  }
}
