import { browserWebLocks, type Locks } from '../account/locks.ts'
import { Code, ServerError } from '../errors.ts'
import { newId } from '../id.ts'
import type { Session } from '../session.ts'
import { elect, tabLock } from './election.ts'
import type { Port } from './port.ts'
import { openAgain, Remote } from './remote.ts'
import type { Unites } from './united.ts'

/** Shared is a SharedWorker, as far as it is needed. */
export interface Shared {
  readonly port: Port
  /** `error`: its script could not be loaded. */
  addEventListener?(type: 'error', listener: () => void): void
}

export interface JoinOptions {
  /** Names what is shared: the account's id. */
  readonly name: string
  /** Opens the session, where this page is to keep it. */
  readonly open: () => Promise<Session>
  /**
   * Makes the SharedWorker whose script calls `serveWorker`: `() => new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name })`. Absent: none
   * is wanted.
   */
  readonly worker?: () => Shared
  /** For views whose parameters differ from page to page; give `serveWorker` the same. */
  readonly unites?: Unites
  readonly locks?: Locks
}

/**
 * join gives this page a session, of which all pages of the browser together have one: kept by a SharedWorker where there is one, else by one of the pages,
 * after which another takes over. Where a browser has neither workers nor locks, as Safari on plain HTTP, each page has its own, and the outbox belongs to the one that was
 * opened last. It rejects where the session could not be opened.
 */
export async function join({ name, open, worker, unites = {}, locks = browserWebLocks() }: JoinOptions): Promise<Session> {
  const tab = newId()
  let remote: Remote
  if (worker !== undefined && typeof SharedWorker !== 'undefined') remote = await overWorker(worker, tab, locks)
  else if (locks !== undefined) remote = elect({ name, tab, open, unites, locks, channel: (of) => new BroadcastChannel(of) })
  else return open()
  try {
    await remote.ready
  } catch (e) {
    remote.close()
    throw e
  }
  return remote
}

/** overWorker is a session that a SharedWorker keeps. Where that dies, another one is made. */
export async function overWorker(worker: () => Shared, tab: string, locks: Locks | undefined): Promise<Remote> {
  let closed = false
  const reach = (remote: Remote) => {
    if (closed) return
    const made = worker()
    made.addEventListener?.('error', () => {
      remote.unreachable(made.port, new ServerError(Code.UNAVAILABLE, 'client.NO_WORKER', 'What keeps the connection could not be loaded. Check the network, and load the page again.'))
    })
    remote.attach(made.port)
  }
  const again = (remote: Remote) => { setTimeout(() => { reach(remote) }, openAgain) }
  if (locks === undefined) {
    const remote: Remote = new Remote('', () => { closed = true }, undefined, () => { again(remote) })
    reach(remote)
    return remote
  }
  const lock = tabLock(tab)
  return new Promise((resolve) => {
    void locks.request(lock, () => new Promise<void>((release) => {
      const close = () => {
        closed = true
        release()
      }
      const lost = (host: string) => {
        if (host === '') return // the worker has no locks: nobody can tell when it dies
        void locks.request(host, () => {
          reach(remote)
          return Promise.resolve()
        })
      }
      const remote: Remote = new Remote(lock, close, lost, () => { again(remote) })
      reach(remote)
      resolve(remote)
    }))
  })
}
