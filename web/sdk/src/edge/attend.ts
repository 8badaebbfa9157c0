import type { Session } from '../session.ts'
import { system, type Clock } from './clock.ts'

/** Between two looks at the clock, in ms; one that comes twice as late as this was slept over. */
const every = 10_000
/** How often at most a session is told that the person is at it, in ms: a pointer says so with each of its moves. */
const activeEvery = 1_000

/**
 * attend tells a session what happens to the page: it is probed on wake, on focus and when the network is back, and told that the person is at it by keys and
 * pointer. It ends when the function that it returns is called. In a worker there is only the wake, and the network.
 */
export function attend(session: Pick<Session, 'active' | 'probe'>, page: EventTarget = globalThis, clock: Clock = system): () => void {
  let told = -Infinity
  const active = () => {
    const now = clock.now()
    if (Math.abs(now - told) < activeEvery) return // a clock may be set back
    told = now
    session.active()
  }
  const probe = () => { session.probe() }
  const seen = () => { if (document.visibilityState === 'visible') session.probe() }
  const listeners: [string, () => void][] = [
    ['keydown', active], ['pointerdown', active], ['pointermove', active], ['wheel', active],
    ['online', probe], ['focus', probe], ['pageshow', probe], ['visibilitychange', seen],
  ]
  for (const [type, listener] of listeners) page.addEventListener(type, listener, { passive: true, capture: true })
  let looked = clock.now()
  let cancel = clock.after(every, look)
  function look() {
    const now = clock.now()
    if (now - looked > 2 * every) session.probe()
    looked = now
    cancel = clock.after(every, look)
  }
  return () => {
    cancel()
    for (const [type, listener] of listeners) page.removeEventListener(type, listener, { capture: true })
  }
}
