import { browserWebLocks, type Locks } from '../account/locks.ts'
import { Code } from '../errors.ts'
import { faultOf, serverError } from '../fault.ts'
import type { Session } from '../session.ts'
import { Host } from './host.ts'
import type { ToTab } from './messages.ts'
import type { Port } from './port.ts'
import type { Unites } from './united.ts'

/** Scope is a SharedWorker's global scope, as far as it is needed. */
export interface Scope {
  onconnect: ((event: MessageEvent) => void) | null
}

/**
 * serveWorker makes a SharedWorker the host: call it while its script is first run, for the tabs come at once. `open` opens the session, when the first
 * tab comes; where that fails, or the session has ended (signed-out, wiped, outdated), the next tab has it opened anew. `unites` are for views whose parameters differ from tab to tab.
 */
export function serveWorker(scope: Scope, open: () => Promise<Session>, unites: Unites = {}, locks: Locks | undefined = browserWebLocks()): void {
  let host: Promise<Host> | undefined
  scope.onconnect = ({ ports }) => {
    const [port] = ports
    if (port !== undefined) void serve(port)
  }

  async function serve(port: Port): Promise<void> {
    try {
      host = host === undefined ? made() : host.then((there) => (there.over ? replaced(there) : there))
      const there = await host
      there.serve(port)
    } catch (e) {
      host = undefined
      const message: ToTab = { kind: 'unopened', fault: faultOf(serverError(e, Code.INTERNAL, 'client.FAULT')) }
      port.postMessage(message)
    }
  }

  async function made(): Promise<Host> {
    return new Host(await open(), locks, unites)
  }

  /** replaced is for who signs in again: a session that has ended doesn't come back. */
  function replaced(over: Host): Promise<Host> {
    over.end() // its tabs have ports of their own
    return made()
  }
}
