import { describe, expect, it } from 'vitest'
import { modules } from 'virtual:modules'
import { register } from '../module.ts'
import { moduleNames } from '../../modules.ts'
import { placesOf } from '../../worker.ts'
import { buildLock, keptAs, serve, type Build, type Scope } from './serve.ts'

const origin = 'https://plenum.test'
const build: Build = { version: 'v2', files: { '/': 'sha256-p', '/assets/a-1.js': 'sha256-a', '/assets/b-2.js': 'sha256-b', '/icon.svg': 'sha256-i' }, later: { '/assets/e-1.json': 'sha256-e' }, places: ['', 'c', 'settings'] }

const asked = (path: string, more: Partial<Pick<Request, 'method' | 'mode'>> & { readonly headers?: Record<string, string> } = {}) => ({
  url: new URL(path, origin).href, method: more.method ?? 'GET', mode: more.mode ?? 'cors', headers: new Headers(more.headers),
})
const kept = (path: string, more?: Parameters<typeof asked>[1]) => keptAs(asked(path, more), origin, build)
const navigation = { mode: 'navigate' } as const

describe('keptAs', () => {
  it('is the page for places within the application', () => {
    for (const path of ['/', '/?from=home', '/c/01ABC', '/c/01ABC/17', '/settings/devices']) expect(kept(path, navigation), path).toBe('/')
  })

  it('leaves other places to the server', () => {
    for (const path of ['/files/01ABC', '/edge/v1/events', '/livez', '/plenum.chat.v1.ChatService/Send', '/icon.svg', '/cc', '//c']) expect(kept(path, navigation), path).toBeUndefined()
  })

  it('is a file of the build, or of an earlier one', () => {
    expect(kept('/assets/a-1.js')).toBe('/assets/a-1.js')
    expect(kept('/assets/of-another-build.js')).toBe('/assets/of-another-build.js')
    expect(kept('/icon.svg')).toBe('/icon.svg')
  })

  it('never touches calls, the edge, other origins, what has a token, or parts', () => {
    expect(kept('/plenum.chat.v1.ChatService/Send', { method: 'POST' })).toBeUndefined()
    expect(kept('/assets/a-1.js', { method: 'POST' })).toBeUndefined()
    expect(kept('/edge/v1/events')).toBeUndefined()
    expect(kept('/edge/v1/ws')).toBeUndefined()
    expect(kept('/')).toBeUndefined()
    expect(kept('/sw.js')).toBeUndefined()
    expect(kept('https://elsewhere.test/assets/a-1.js')).toBeUndefined()
    expect(kept('/assets/a-1.js', { headers: { authorization: 'Bearer x' } })).toBeUndefined()
    expect(kept('/assets/a-1.js', { headers: { range: 'bytes=0-' } })).toBeUndefined()
  })
})

it('the build knows all places that modules have', () => {
  const routes = register(modules).routes.map((route) => route.path.split('/')[1])
  expect(placesOf(moduleNames([]))).toEqual([...new Set(['', ...routes])].sort())
})

describe('the worker', () => {
  it('keeps all files before it is ready, each with its digest, and none of them twice', async () => {
    const world = new World()
    world.store('plenum-shell-v1').set('/assets/a-1.js', 'a of v1')
    await world.run('install')
    expect([...world.store('plenum-shell-v2').keys()].sort()).toEqual(Object.keys(build.files).sort())
    expect(world.fetched.map((request) => [new URL(request.url).pathname, request.integrity, request.cache])).toEqual([
      ['/', 'sha256-p', 'no-cache'], ['/assets/b-2.js', 'sha256-b', 'default'], ['/icon.svg', 'sha256-i', 'no-cache'],
    ])
    await world.run('install')
    expect(world.fetched.length).toBe(3)
  })

  it('is not installed where a file is not to be had, and leaves nothing behind', async () => {
    const world = new World()
    world.absent.add('/assets/b-2.js')
    await expect(world.run('install')).rejects.toThrow('/assets/b-2.js: 404')
    expect([...world.stores.keys()]).toEqual([])
  })

  it('takes over only when it is told to', async () => {
    const world = new World()
    await world.run('install')
    await world.said('up')
    await world.said({ kind: 'activate' })
    expect(world.skipped).toBe(0)
    await world.said('activate')
    expect(world.skipped).toBe(1)
  })

  it('deletes what earlier builds left, but of those that a page runs, and nothing of others', async () => {
    const world = new World()
    for (const name of ['plenum-shell-v0', 'plenum-shell-v1', 'plenum-shell-v2', 'emoji']) world.store(name)
    world.held.add(buildLock('v1'))
    await world.run('activate')
    expect([...world.stores.keys()].sort()).toEqual(['emoji', 'plenum-shell-v1', 'plenum-shell-v2'])
    world.held.clear()
    await world.said('up')
    expect([...world.stores.keys()].sort()).toEqual(['emoji', 'plenum-shell-v2'])
  })

  it('leaves what a later build has brought that waits, or is being installed', async () => {
    const world = new World()
    for (const name of ['plenum-shell-v1', 'plenum-shell-v2', 'plenum-shell-v3']) world.store(name)
    for (const state of ['waiting', 'installing'] as const) {
      world.registration[state] = {} as ServiceWorker
      await world.said('up')
      expect([...world.stores.keys()].length, state).toBe(3)
      world.registration[state] = null
    }
    await world.said('up')
    expect([...world.stores.keys()]).toEqual(['plenum-shell-v2'])
  })

  it('answers by what it keeps, then by what an earlier build left, then by the network', async () => {
    const world = new World()
    world.store('plenum-shell-v1').set('/assets/a-1.js', 'a of v1').set('/assets/old.js', 'old').set('/', 'page of v1')
    world.store('plenum-shell-v2').set('/assets/a-1.js', 'a of v2')
    expect(await world.answer('/assets/a-1.js')).toBe('a of v2')
    expect(await world.answer('/assets/old.js')).toBe('old')
    expect(await world.answer('/assets/b-2.js')).toBe('/assets/b-2.js by network')
    expect(await world.answer('/c/01ABC', navigation)).toBe('/c/01ABC by network') // never the page of another build
    world.store('plenum-shell-v2').set('/', 'page of v2')
    expect(await world.answer('/c/01ABC', navigation)).toBe('page of v2')
    expect(world.store('plenum-shell-v2').size).toBe(2) // answering keeps nothing
  })

  it('keeps some files once they are used', async () => {
    const world = new World()
    await world.run('install')
    expect(world.store('plenum-shell-v2').has('/assets/e-1.json')).toBe(false)
    expect(await world.answer('/assets/e-1.json')).toBe('/assets/e-1.json by network')
    expect(world.fetched.at(-1)?.integrity).toBe('sha256-e')
    expect(world.store('plenum-shell-v2').has('/assets/e-1.json')).toBe(true)
    const before = world.fetched.length
    await world.answer('/assets/e-1.json')
    expect(world.fetched.length).toBe(before)
  })

  it('goes by the network where the disk cannot be read', async () => {
    const world = new World()
    world.broken = true
    expect(await world.answer('/', navigation)).toBe('/ by network')
  })

  it('lets all else pass', async () => {
    expect(await new World().answer('/edge/v1/poll')).toBeUndefined()
  })
})

/** World is a browser with a worker of `build` in it. */
class World {
  readonly stores = new Map<string, Map<string, string>>()
  readonly fetched: Request[] = []
  readonly absent = new Set<string>()
  readonly held = new Set<string>()
  readonly registration: { installing: ServiceWorker | null; waiting: ServiceWorker | null } = { installing: null, waiting: null }
  skipped = 0
  broken = false
  readonly #listeners = new Map<string, (event: never) => void>()

  constructor() {
    const scope = {
      caches: {
        open: (name: string) => (this.broken ? Promise.reject(new Error('the disk')) : Promise.resolve(this.#cache(this.store(name)))),
        match: (path: string) => Promise.resolve([...this.stores.values()].map((store) => store.get(path)).filter((text) => text !== undefined).map((text) => new Response(text))[0]),
        keys: () => Promise.resolve([...this.stores.keys()]),
        delete: (name: string) => Promise.resolve(this.stores.delete(name)),
      },
      clients: { claim: () => Promise.resolve() },
      location: { origin },
      registration: this.registration,
      navigator: { locks: { request: (name: string, options: LockOptions, does: (lock: object | null) => Promise<unknown>) => does(options.ifAvailable && this.held.has(name) ? null : {}) } },
      fetch: (request: Request) => {
        this.fetched.push(request)
        const { pathname } = new URL(request.url)
        return Promise.resolve(new Response(`${pathname} by network`, { status: this.absent.has(pathname) ? 404 : 200 }))
      },
      skipWaiting: () => Promise.resolve(this.skipped++),
      addEventListener: (type: string, listener: (event: never) => void) => this.#listeners.set(type, listener),
    }
    serve(scope as unknown as Scope, build)
  }

  store(name: string): Map<string, string> {
    let store = this.stores.get(name)
    if (store === undefined) this.stores.set(name, (store = new Map<string, string>()))
    return store
  }

  run(type: 'install' | 'activate'): Promise<unknown> {
    return this.#dispatch(type, {})
  }

  said(data: unknown): Promise<unknown> {
    return this.#dispatch('message', { data })
  }

  async answer(path: string, more?: Parameters<typeof asked>[1]): Promise<string | undefined> {
    let response: Promise<Response> | undefined
    await this.#dispatch('fetch', { request: asked(path, more), respondWith: (given: Promise<Response>) => (response = given) })
    return (await response)?.text()
  }

  #dispatch(type: string, event: object): Promise<unknown> {
    const works: Promise<unknown>[] = []
    this.#listeners.get(type)?.({ ...event, waitUntil: (work: Promise<unknown>) => works.push(work) } as never)
    return Promise.all(works)
  }

  #cache(store: Map<string, string>): Pick<Cache, 'match' | 'put' | 'keys'> {
    return {
      match: (path) => Promise.resolve(store.has(path as string) ? new Response(store.get(path as string)) : undefined),
      put: async (path, response) => void store.set(path as string, await response.text()),
      keys: () => Promise.resolve([...store.keys()].map((path) => new Request(origin + path))),
    }
  }
}
