import type { Locks } from '../account/locks.ts'
import { Code } from '../errors.ts'
import { serverError } from '../fault.ts'
import type { Session } from '../session.ts'
import { Host } from './host.ts'
import type { Port } from './port.ts'
import { openAgain, Remote } from './remote.ts'
import type { Unites } from './united.ts'

/** What pages say to all others: a page that wants a host is here; or a leader is. */
type Call = { readonly kind: 'here'; readonly tab: string } | { readonly kind: 'leader' }

export interface Election {
  /** Of what is shared. */
  readonly name: string
  /** Of this page. */
  readonly tab: string
  readonly open: () => Promise<Session>
  readonly unites?: Unites
  readonly locks: Locks
  readonly channel: (name: string) => Port
}

/**
 * elect has the pages of a browser choose the one that keeps the session: who holds the leader's lock, which the browser gives to the next when that page
 * goes. The leader has a channel with each other page; all of them come to a new one when it says that it is there.
 */
export function elect(election: Election): Remote {
  const { name, tab, open, unites, locks, channel } = election
  let leading: Host | undefined
  const served = new Set<string>() // of all pages that this one has seen: a name each
  const all = channel(`plenum-${name}`)
  const say = (call: Call) => { all.postMessage(call) }
  const end = signal()
  const lock = tabLock(tab)
  const remote = new Remote(lock, () => {
    end.now()
    all.close()
  })

  all.onmessage = ({ data }) => {
    const call = data as Call
    if (call.kind === 'leader') say({ kind: 'here', tab })
    else if (leading !== undefined && !served.has(call.tab)) {
      served.add(call.tab)
      leading.serve(channel(channelOf(name, call.tab)))
    }
  }

  const lead = async () => {
    if (end.is()) return
    try {
      leading = new Host(await open(), locks, unites)
    } catch (e) {
      remote.refuse(serverError(e, Code.INTERNAL, 'client.FAULT'))
      setTimeout(candidate, openAgain) // meanwhile another page may have more luck
      return
    }
    if (!end.is()) {
      const { port1, port2 } = new MessageChannel()
      remote.attach(port2)
      leading.serve(port1)
      say({ kind: 'leader' })
    }
    await end.given
    leading.close()
  }

  const candidate = () => { if (!end.is()) void locks.request(`plenum-leader-${name}`, lead) }
  remote.attach(channel(channelOf(name, tab)))
  void locks.request(lock, () => {
    say({ kind: 'here', tab }) // not before: a leader would take this page for dead
    candidate()
    return end.given
  })
  return remote
}

const channelOf = (name: string, tab: string) => `plenum-${name}-${tab}`

/** tabLock names the lock that a page holds as long as it lives. */
export const tabLock = (tab: string) => `plenum-tab-${tab}`

/** signal is given once. */
function signal() {
  let is = false
  let resolve: () => void = () => undefined
  const given = new Promise<void>((r) => { resolve = r })
  const now = () => {
    is = true
    resolve()
  }
  return { is: () => is, given, now }
}
