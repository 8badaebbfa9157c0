/**
 * Which version of the application runs, and whether there is a later one. The browser keeps a build (serve.ts) and goes on with it, over loads of the page, until
 * somebody wants the next one: that is offered, never forced. Here is what the first page needs; register.ts is loaded once it is there.
 */
import { createSignal } from 'solid-js'
import type { Said } from './serve.ts'

/** How long the next version may take to be there, in ms, for who asked for it; then the page is loaded as it is. */
const patience = 20_000

const [offered, setOffered] = createSignal<ServiceWorker>()

/** later is that another version is there, and waits to be wanted. */
export const later = () => offered() !== undefined

/** offer is told of the worker of another version, or of none. */
export const offer = (worker: ServiceWorker | undefined) => setOffered(() => worker)

/** container is where workers are; undefined: this browser has none, or the page came by plain HTTP from elsewhere. */
export const container = (): ServiceWorkerContainer | undefined => ('serviceWorker' in navigator ? navigator.serviceWorker : undefined)

/** say says something to a worker. */
export function say(worker: ServiceWorker | null | undefined, said: Said): void {
  worker?.postMessage(said)
}

/** take goes on with the version that is offered, in all pages. */
export function take(): void {
  activate(offered())
}

let wanted = false // another version, by this page

function activate(worker: ServiceWorker | undefined): void {
  wanted = true
  say(worker, 'activate') // followVersion does the rest
}

/** followVersion loads the page anew when another version has taken over, in this page or in another one. */
export function followVersion(): void {
  const workers = container()
  let before = workers?.controller
  workers?.addEventListener('controllerchange', () => {
    // Else it is the first one, and of this very build. A page that was loaded past the worker (by shift and reload) has none before, either.
    if (before || wanted) window.location.reload()
    before = workers.controller
  })
}

/** renew loads the page anew, by the newest version that can be had: without a network, by the one that is kept. */
export async function renew(): Promise<void> {
  const registration = await container()
    ?.getRegistration()
    .catch(() => undefined)
  await registration?.update().catch(() => undefined)
  const next = registration?.waiting ?? registration?.installing
  if (next && (await isInstalled(next))) activate(next)
  else window.location.reload()
}

function isInstalled(worker: ServiceWorker): Promise<boolean> {
  return new Promise((done) => {
    const look = () => {
      if (worker.state !== 'installing') done(worker.state !== 'redundant')
    }
    worker.addEventListener('statechange', look)
    setTimeout(() => done(false), patience)
    look()
  })
}
