import type { Cache } from '@plenum/sdk/chat/cache'
import type { Kept } from '../model.ts'

/** Below so many bytes there is little room left: some 50,000 messages need as much. */
const little = 64 << 20

/** How often the browser is asked how much room there is, in ms. */
const often = 10 * 60_000

/** What the ids of outboxes begin with that are in memory alone (session.ts). */
export const unkept = 'memory-'

/** Estimates is what is used of the browser's StorageManager. */
export type Estimates = Pick<StorageManager, 'estimate'>

/** watchStorage tells how what is read, and what waits in the outbox of an id, is kept: at once and with each change, until the function that it returns is called. */
export function watchStorage(cache: Pick<Cache, 'state' | 'onState'>, outbox: string, told: (kept: Kept) => void, estimates: Estimates | undefined): () => void {
  let room = Infinity
  const tell = () => {
    if (outbox.startsWith(unkept) || cache.state === 'broken' || cache.state === 'closed') told('off')
    else told(cache.state === 'full' ? 'full' : room < little ? 'low' : 'kept')
  }
  const ask = () => {
    estimates?.estimate().then(
      ({ quota, usage }) => {
        if (quota !== undefined && usage !== undefined) room = quota - usage
        tell()
      },
      () => undefined, // it isn't known: writes tell
    )
  }
  tell()
  ask()
  const undo = cache.onState(tell)
  const timer = setInterval(ask, often)
  return () => {
    undo()
    clearInterval(timer)
  }
}
