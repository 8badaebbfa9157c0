import { TakenOverError, type Journal, type Store } from '../src/doc/store.ts'

/** MemoryStore keeps journals in memory, as IndexedStore does in the database. */
export class MemoryStore implements Store {
  readonly #texts = new Map<string, string[]>()
  readonly #owners = new Map<string, object>()
  /** Decides what the next write comes to: it throws, or waits. */
  fault: () => Promise<void> | undefined = () => undefined

  open(document: string): Promise<Journal> {
    const owner = {}
    this.#owners.set(document, owner)
    let closed = false
    const write = async (texts: readonly string[], whole: boolean) => {
      await this.fault()
      if (closed) throw new Error('the journal is closed')
      if (this.#owners.get(document) !== owner) throw new TakenOverError()
      this.#texts.set(document, [...(whole ? [] : (this.#texts.get(document) ?? [])), ...texts])
    }
    return Promise.resolve({
      read: () => Promise.resolve([...(this.#texts.get(document) ?? [])]),
      append: (texts) => write(texts, false),
      rewrite: (texts) => write(texts, true),
      close: () => {
        closed = true
      },
    })
  }
}
