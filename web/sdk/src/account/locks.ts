/** Locks is `navigator.locks`, as far as it is needed. */
export interface Locks {
  request<T>(name: string, held: () => Promise<T>): Promise<T>
}

/**
 * browserLocks are the browser's, for all its tabs and workers. A page that came by plain HTTP has none: there each context takes its own turns, which does
 * no harm, since the server answers a refresh token that comes twice within 60 s with the same session.
 */
export const browserLocks = (): Locks => browserWebLocks() ?? new OwnLocks()

/** browserWebLocks are the browser's, where there are any. */
export function browserWebLocks(): Locks | undefined {
  const locks = (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks
  return locks === undefined ? undefined : { request: (name, held) => locks.request(name, held) }
}

/** OwnLocks are for one page alone. */
export class OwnLocks implements Locks {
  /** Of each name: as many as there are accounts. */
  readonly #last = new Map<string, Promise<unknown>>()

  request<T>(name: string, held: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const done = before.then(held, held)
    this.#last.set(name, done.catch(() => undefined)) // who asked hears of it; the next one only waits
    return done
  }
}
