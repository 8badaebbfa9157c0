import type { Cache } from '@plenum/sdk/chat/cache'
import type { Kept } from '../model.ts'

/** Below so many bytes there is little room left: some 50,000 messages need as much. */
const little = 64 << 20

/** How often the browser is asked how much room there is, in ms. */
const often = 10 * 60_000

/** Estimates is what is used of the browser's StorageManager. */
export type Estimates = Pick<StorageManager, 'estimate'>

/** watchStorage tells how what is read is kept, at once and with each change, until the function that it returns is called. */
export function watchStorage(cache: Pick<Cache, 'state' | 'onState'>, told: (kept: Kept) => void, estimates: Estimates | undefined = storageManager()): () => void {
  let room = Infinity
  const tell = () => told(cache.state === 'open' ? (room < little ? 'low' : 'kept') : cache.state === 'full' ? 'full' : 'off')
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

/** storageManager is the browser's; there is none where the page came by plain HTTP from elsewhere. */
function storageManager(): StorageManager | undefined {
  return 'storage' in navigator ? navigator.storage : undefined
}
