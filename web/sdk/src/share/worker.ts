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
 * tab comes; where that fails the next tab has it tried again. `unites` are for views whose parameters differ from tab to tab.
 */
export function serveWorker(scope: Scope, open: () => Promise<Session>, unites: Unites = {}, locks: Locks | undefined = browserWebLocks()): void {
  let host: Promise<Host> | undefined
  scope.onconnect = ({ ports }) => {
    const [port] = ports
    if (port !== undefined) void serve(port)
  }

  async function serve(port: Port): Promise<void> {
    try {
      host ??= open().then((session) => new Host(session, locks, unites))
      const there = await host
      there.serve(port)
    } catch (e) {
      host = undefined
      const message: ToTab = { kind: 'unopened', fault: faultOf(serverError(e, Code.INTERNAL, 'client.FAULT')) }
      port.postMessage(message)
    }
  }
}
