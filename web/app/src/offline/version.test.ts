import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type * as Version from './version.ts'

/** A worker of a build, which takes over as it is told to. */
class Worker extends EventTarget {
  state = 'installed'
  said: unknown[] = []
  postMessage(said: unknown) {
    this.said.push(said)
  }
}

const reload = vi.fn()
let workers: EventTarget & { controller: Worker | null; getRegistration: () => Promise<object> }
let waiting: Worker | undefined
let version: typeof Version

/** over is that the worker that waits has taken over. */
const over = () => {
  workers.controller = waiting ?? null
  workers.dispatchEvent(new Event('controllerchange'))
}

beforeEach(async () => {
  reload.mockClear()
  waiting = new Worker()
  workers = Object.assign(new EventTarget(), { controller: null, getRegistration: () => Promise.resolve({ update: () => Promise.resolve(), waiting }) })
  vi.stubGlobal('navigator', { serviceWorker: workers })
  vi.stubGlobal('window', { location: { reload } })
  vi.resetModules()
  version = await import('./version.ts')
})
afterEach(() => { vi.unstubAllGlobals() })

it('loads a page anew when another version takes over, not when the first one does', () => {
  version.followVersion()
  over()
  expect(reload).not.toHaveBeenCalled()
  over()
  expect(reload).toHaveBeenCalledTimes(1)
})

it('does so in a page that was loaded past the worker, too, where that was asked for', async () => {
  version.followVersion()
  await version.renew()
  expect(waiting?.said).toEqual(['activate'])
  over()
  expect(reload).toHaveBeenCalledTimes(1)
})

it('takes what is offered in such a page', () => {
  version.followVersion()
  version.offer(waiting as unknown as ServiceWorker)
  version.take()
  over()
  expect([waiting?.said, reload.mock.calls.length]).toEqual([['activate'], 1])
})

it('loads the page as it is where there is no other version', async () => {
  waiting = undefined
  version.followVersion()
  await version.renew()
  expect(reload).toHaveBeenCalledTimes(1)
})
