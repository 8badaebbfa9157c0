/** Has the browser keep the application. Loaded once the page is there, so that the two don't compete. */
import { buildLock } from './serve.ts'
import { container, offer, say } from './version.ts'

/** How often a page that stays open asks for another version, in ms; one that comes back to the front does so after a while, too. */
const often = 3_600_000
const anew = 600_000

/** keepOffline registers the worker, and offers what comes later. */
export async function keepOffline(): Promise<void> {
  persist()
  const workers = container()
  const version = document.querySelector<HTMLMetaElement>('meta[name="plenum-build"]')?.content
  if (workers === undefined || version === undefined) return
  if ('locks' in navigator) void navigator.locks.request(buildLock(version), { mode: 'shared' }, () => new Promise(() => undefined)) // until the page ends
  let registration: ServiceWorkerRegistration
  try {
    registration = await workers.register('/sw.js')
  } catch {
    return // the server is away, or the disk is full: at the next load, and until then all is as without it
  }
  say(workers.controller, 'up')
  const found = (worker: ServiceWorker | null) => {
    const look = () => {
      if (worker?.state === 'installed' && workers.controller) offer(worker)
      if (worker?.state === 'redundant') offer(registration.waiting ?? undefined)
    }
    worker?.addEventListener('statechange', look)
    look()
  }
  found(registration.waiting)
  found(registration.installing)
  registration.addEventListener('updatefound', () => found(registration.installing))

  let asked = Date.now()
  const ask = () => {
    asked = Date.now()
    registration.update().catch(() => undefined) // there is no network: it is asked again
  }
  setInterval(ask, often)
  if (workers.controller) ask() // browsers do so as well, when they get to it
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && Date.now() - asked > anew) ask()
  })
}

/** persist has the browser not clear by itself what it keeps, where it decides without asking the person: Firefox asks, which is for a click (settings/Storage.tsx). */
function persist(): void {
  if ('storage' in navigator && !/Firefox\//.test(navigator.userAgent)) navigator.storage.persist().catch(() => undefined)
}
