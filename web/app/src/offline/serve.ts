/**
 * The service worker: it keeps the files of its own build, so that the application starts without a network, and at once with one. What it answers for is
 * on a list that the build made; calls, the edge, uploads and all else pass it by untouched.
 */

/** Build is one build of the application. */
export interface Build {
  /** Names it: changes with any byte of it. */
  readonly version: string
  /** The files by their path, with what stands in them: "sha256-…". The page is "/", and comes first. */
  readonly files: Readonly<Record<string, string>>
  /** Those that are kept when they are first used, likewise. */
  readonly later: Readonly<Record<string, string>>
  /** First parts of the paths of places within the application: "c" of /c/01ABC; '' is the start. */
  readonly places: readonly string[]
}

/** The part of ServiceWorkerGlobalScope that is used; the types of pages don't have it. */
export interface Scope {
  readonly caches: CacheStorage
  readonly clients: { claim(): Promise<void> }
  readonly location: { readonly origin: string }
  readonly registration: Pick<ServiceWorkerRegistration, 'installing' | 'waiting'>
  readonly navigator: { readonly locks?: Pick<LockManager, 'request'> }
  fetch(request: Request): Promise<Response>
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', listener: (event: Extendable) => void): void
  addEventListener(type: 'message', listener: (event: Extendable & { readonly data: unknown }) => void): void
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void
}

interface Extendable {
  waitUntil(work: Promise<unknown>): void
}

interface Fetching {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}

/** What a page says to its worker. `activate`: take over now, and have all pages loaded anew. `up`: the page is there, so what nobody uses may go. */
export type Said = 'activate' | 'up'

const prefix = 'plenum-shell-'

/** How many files are fetched at the same time: a page that is being used goes first. */
const abreast = 3

/** buildLock is what a page of a build holds for as long as it lives, and its worker while it is installed, shared: the build's files are kept until then. */
export const buildLock = (version: string) => `plenum-build-${version}`

/** keptAs is the path under which a request's answer is kept; undefined: it is none of ours. */
export function keptAs(request: Pick<Request, 'method' | 'url' | 'mode' | 'headers'>, origin: string, build: Build): string | undefined {
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== origin || request.headers.has('Authorization') || request.headers.has('Range')) return undefined
  if (request.mode === 'navigate') return build.places.includes(url.pathname.split('/')[1] ?? '') ? '/' : undefined
  // Files of a build that a page goes on with while a later one has taken over are in a cache of their own.
  return url.pathname.startsWith('/assets/') || (url.pathname !== '/' && url.pathname in build.files) ? url.pathname : undefined
}

/** serve makes a scope the worker of a build. Call it while its script is first run. */
export function serve(scope: Scope, build: Build): void {
  const own = prefix + build.version

  const answer = async (request: Request, path: string): Promise<Response> => {
    try {
      const cache = await scope.caches.open(own)
      const kept = async () => (await cache.match(path, anyVary)) ?? (path === '/' ? undefined : await scope.caches.match(path, anyVary))
      const before = await kept()
      if (before !== undefined) return before
      const integrity = build.later[path]
      if (integrity !== undefined) {
        await fetchInto(cache, path, integrity)
        const now = await kept()
        if (now !== undefined) return now
      }
    } catch {
      // The disk can't be read, or is full: as if nothing were kept.
    }
    return scope.fetch(request)
  }

  /** keep fetches what isn't there yet, and nobody deletes it meanwhile. */
  const keep = () => scope.navigator.locks?.request(buildLock(build.version), { mode: 'shared' }, fetchAll) ?? fetchAll()

  /** fetchAll fetches what isn't there yet. Each file is, byte for byte, what the build made, whichever gateway or proxy answers: or nothing is installed. */
  const fetchAll = async () => {
    const cache = await scope.caches.open(own)
    const there = new Set((await cache.keys()).map((request) => new URL(request.url).pathname))
    const missing = Object.entries(build.files).filter(([path]) => !there.has(path))
    const one = async () => {
      for (let next = missing.shift(); next !== undefined; next = missing.shift()) await fetchInto(cache, ...next)
    }
    try {
      await Promise.all(Array.from({ length: abreast }, one))
    } catch (e) {
      missing.length = 0
      if (there.size === 0) await scope.caches.delete(own) // the disk may be full; nobody is served from it
      throw e
    }
  }

  const fetchInto = async (cache: Cache, path: string, integrity: string) => {
    const hashed = path.startsWith('/assets/')
    const before = hashed ? await scope.caches.match(path, anyVary) : undefined
    // With the cookies of a proxy that asks who one is. `no-cache`: this browser may have kept the file of an earlier build.
    const asked = { integrity, credentials: 'same-origin', redirect: 'error', priority: 'low', cache: hashed ? 'default' : 'no-cache' } as const
    const response = before ?? (await scope.fetch(new Request(new URL(path, scope.location.origin), asked)))
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    await cache.put(path, response)
  }

  /** tidy deletes what earlier builds have left, but of those that a page still runs. While a later one waits, it is not touched: any of them may be its. */
  const tidy = async () => {
    const { registration, caches } = scope
    const remove = (name: string) => (registration.waiting === null && registration.installing === null ? caches.delete(name) : Promise.resolve(false))
    for (const name of await caches.keys()) {
      if (!name.startsWith(prefix) || name === own) continue
      const { locks } = scope.navigator
      if (locks === undefined) await remove(name)
      else await locks.request(buildLock(name.slice(prefix.length)), { ifAvailable: true }, (lock) => (lock === null ? Promise.resolve(false) : remove(name)))
    }
  }

  scope.addEventListener('install', (event) => event.waitUntil(keep()))
  scope.addEventListener('activate', (event) => event.waitUntil(tidy().then(() => scope.clients.claim())))
  scope.addEventListener('message', (event) => {
    if (event.data === ('activate' satisfies Said)) event.waitUntil(scope.skipWaiting())
    if (event.data === ('up' satisfies Said)) event.waitUntil(tidy())
  })
  scope.addEventListener('fetch', (event) => {
    const path = keptAs(event.request, scope.location.origin, build)
    if (path !== undefined) event.respondWith(answer(event.request, path))
  })
}

/** Answers vary by Accept-Encoding alone, and what is kept is decoded. */
const anyVary = { ignoreVary: true }
