import { taken, type Box, type Contents, type Kept, type Past, type Store, type Write } from './store.ts'

/** MemoryStore keeps an outbox as long as the page lives: where there is no database, and in tests. */
export class MemoryStore implements Store {
  #clientId = ''
  #reserved = 1
  #tried = 0
  readonly #entries = new Map<number, Kept>()
  #past: readonly Past[] = []
  #owner = {}

  open(clientId: string): Promise<Box> {
    this.#clientId ||= clientId
    const owner = (this.#owner = {})
    let closed = false
    return Promise.resolve({
      contents: this.#contents(),
      write: (w) => {
        if (closed) return Promise.reject(new Error('the outbox is closed'))
        if (this.#owner !== owner) return Promise.reject(taken())
        return new Promise((resolve) => {
          this.#write(w)
          resolve()
        })
      },
      close: () => {
        closed = true
      },
    })
  }

  #contents(): Contents {
    const entries = [...this.#entries.values()].sort((a, b) => a.seq - b.seq)
    return { clientId: this.#clientId, reserved: this.#reserved, tried: this.#tried, entries, past: this.#past }
  }

  #write(w: Write): void {
    const put = structuredClone(w.put ?? []) // throws before anything is changed
    this.#reserved = w.reserved ?? this.#reserved
    this.#tried = w.tried ?? this.#tried
    this.#past = w.past ?? this.#past
    for (const seq of w.remove ?? []) this.#entries.delete(seq)
    for (const e of put) this.#entries.set(e.seq, e)
  }
}
