import type { Session } from '@plenum/sdk'

/** attend tells the session of its person, and wakes it, until the function that it returns is called. */
export function attend(session: Session): () => void {
  const stop = new AbortController()
  const { signal } = stop
  const active = () => { session.active() }
  const probe = () => { session.probe() }
  const awake = () => {
    if (document.visibilityState === 'visible') session.probe()
  }
  window.addEventListener('keydown', active, { capture: true, passive: true, signal })
  window.addEventListener('pointerdown', active, { capture: true, passive: true, signal })
  window.addEventListener('online', probe, { signal })
  window.addEventListener('focus', probe, { signal })
  document.addEventListener('visibilitychange', awake, { signal })
  return () => { stop.abort() }
}
