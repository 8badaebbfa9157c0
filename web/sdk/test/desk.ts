import { Document } from '../src/doc/document.ts'
import type { Refused } from '../src/doc/refused.ts'
import type { ShownChange } from '../src/doc/replica.ts'
import type { Store } from '../src/doc/store.ts'
import type { Transport } from '../src/doc/transport.ts'
import { Builder } from '../src/ot/index.ts'
import { Mortal, type Gateway } from './gateway.ts'
import { MemoryStore } from './memory.ts'

/** Desk is a user with a document open. */
export class Desk {
  readonly store: Store
  readonly #transport: Transport
  #page = new Mortal(new MemoryStore())
  #stop = new AbortController()
  document!: Document
  changes: ShownChange[] = []
  heard: Refused[] = []
  /** What run came to: undefined while it runs, null when it was asked to end. */
  ended: unknown

  private constructor(store: Store, transport: Transport) {
    this.store = store
    this.#transport = transport
  }

  static async at(g: Gateway, user: string, store: Store = new MemoryStore(), transport = g.transport(user)): Promise<Desk> {
    const desk = new Desk(store, transport)
    await desk.begin()
    return desk
  }

  /** begin starts the page. */
  async begin(): Promise<void> {
    this.#page = new Mortal(this.store)
    this.#stop = new AbortController()
    this.document = await Document.open({
      transport: this.#transport,
      document: 'd',
      store: this.#page,
      onChange: (change) => this.changes.push(change),
      onRefused: (refused) => this.heard.push(refused),
    })
    this.ended = undefined
    const ended = (why: unknown) => {
      this.ended = why
    }
    void this.document.run(this.#stop.signal).then(() => { ended(null) }, ended)
  }

  /** kill ends the page without a word, and starts it again with what was on disk. */
  async kill(): Promise<void> {
    this.die()
    await this.begin()
  }

  die(): void {
    this.#page.die()
    this.#stop.abort()
  }

  /** quit ends the page as it is asked to end. */
  async quit(): Promise<void> {
    this.#stop.abort()
    await this.document.close()
  }

  typeAt(at: number, text: string): void {
    this.document.edit(new Builder().retain(at).insert(text).delta())
  }

  get text(): string {
    return this.document.content.text()
  }
}
