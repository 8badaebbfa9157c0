import type { Locks } from '../src/account/locks.ts'

interface Wanted {
  readonly name: string
  readonly page: object
  readonly grant: () => void
}

/** FakeLocks are those of a browser, whose pages die: then what they hold goes to the next. */
export class FakeLocks {
  readonly #queue: Wanted[] = []

  /** page is a page's own view of them, and how it dies. */
  page(): { locks: Locks; die: () => void } {
    const page = {}
    let dead = false
    const locks: Locks = {
      request: (name, held) => new Promise((resolve, reject) => {
        if (dead) return
        const wanted: Wanted = {
          name,
          page,
          grant: () => {
            if (!this.#queue.includes(wanted)) return // it has died
            held().then(resolve, reject).finally(() => { if (!dead) this.#remove(wanted) })
          },
        }
        this.#queue.push(wanted)
        if (this.#queue.find((w) => w.name === name) === wanted) queueMicrotask(wanted.grant)
      }),
    }
    const die = () => {
      dead = true
      for (const wanted of this.#queue.filter((w) => w.page === page)) this.#remove(wanted)
    }
    return { locks, die }
  }

  #remove(wanted: Wanted): void {
    const held = this.#queue.find((w) => w.name === wanted.name) === wanted
    this.#queue.splice(this.#queue.indexOf(wanted), 1)
    const next = this.#queue.find((w) => w.name === wanted.name)
    if (held && next !== undefined) queueMicrotask(next.grant)
  }
}
