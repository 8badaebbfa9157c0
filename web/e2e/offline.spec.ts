import { chromium, type BrowserContext, type Page } from '@playwright/test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { back, banner, channelWith, chat, composer, drafted, link, message, say, signIn, texts, write } from './app.ts'
import { Front } from './front.ts'
import { expect, test } from './test.ts'
import type { Watch } from './watch.ts'

/** kept waits until the browser keeps the application, and serves this page. */
async function kept(page: Page): Promise<void> {
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' && navigator.serviceWorker.controller !== null)
}

/** away are those problems that come of a server that isn't there. */
const away = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection to|Failed to load resource|client\.OFFLINE|Failed to update a ServiceWorker|fetching the script/

/** forgiven takes the problems that a test expects, and fails for others. */
function forgiven(watch: Watch): void {
  expect(watch.forget().filter((problem) => !away.test(problem))).toEqual([])
}

const heading = (page: Page) => page.getByRole('heading', { level: 1 })

test('a server that is gone: a reload shows the shell, channels and history, and what is written goes out once', async ({ page, plenum, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  const [quiet, busy] = [await channelWith(workspace.owner, 'alpha', bob), await channelWith(workspace.owner, 'beta', bob)]
  const never = await channelWith(workspace.owner, 'gamma', bob)
  const foreign = await channelWith(workspace.owner, 'delta') // he isn't in it
  for (const [channel, words] of [[quiet, 'said in alpha'], [busy, 'said in beta']] as const) {
    await bob.call(`${chat}/MarkRead`, { channel, offset: await say(workspace.owner, channel, words) }) // so that nothing but what is written here waits
  }
  await say(workspace.owner, never, 'said in gamma')
  await signIn(page, bob)
  await link(page, 'beta').click()
  await expect(message(page, 'said in beta')).toBeVisible()
  await link(page, 'alpha').click()
  await expect(message(page, 'said in alpha')).toBeVisible()
  await kept(page)

  await plenum.kill()
  try {
    await page.reload()
    await expect(heading(page)).toHaveText('alpha')
    await expect(message(page, 'said in alpha')).toBeVisible()
    await expect(link(page, 'beta')).toBeVisible()
    await write(page, 'written while it is gone')
    await expect(message(page, 'written while it is gone')).toBeVisible()
    await expect(banner(page)).toContainText('1 change waits to be sent')
    await page.reload()
    await expect(message(page, 'written while it is gone')).toBeVisible()

    await link(page, 'beta').click()
    await expect(message(page, 'said in beta')).toBeVisible()
    await link(page, 'gamma').click()
    await expect(page.getByText('is not on this device')).toBeVisible()
    await page.screenshot({ path: test.info().outputPath('not-kept.png') })
    // Screens that were never gone to are there as well.
    await page.goto('/settings/appearance')
    await expect(page.getByRole('heading', { name: 'Appearance' })).toBeVisible()
    await page.goto(`/c/${foreign}`)
    await expect(page.getByText('This channel is not on this device')).toBeVisible()
    await page.goto(`/c/${never}`)
    await expect(page.getByText('is not on this device')).toBeVisible()
  } finally {
    await plenum.restart()
  }
  await expect(message(page, 'said in gamma')).toBeVisible({ timeout: 40_000 })
  await expect.poll(() => texts(bob, quiet)).toEqual(['said in alpha', 'written while it is gone'])
  await expect(banner(page)).toBeHidden()
  await link(page, 'alpha').click()
  await expect(message(page, 'written while it is gone')).toHaveCount(1)
  forgiven(watch)
})

test('a browser that is started without a server has the shell and what was read', async ({ plenum, workspace, launchOptions }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  const channel = await channelWith(workspace.owner, 'general', bob)
  await say(workspace.owner, channel, 'read yesterday')
  const profile = await mkdtemp(join(tmpdir(), 'plenum-profile-'))
  const start = () => chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: plenum.origin })
  let browser: BrowserContext | undefined
  try {
    browser = await start()
    let page = await browser.newPage()
    await signIn(page, bob)
    await link(page, 'general').click()
    await expect(message(page, 'read yesterday')).toBeVisible()
    await kept(page)
    await composer(page).fill('half a sentence')
    await drafted(page, 'half a sentence')
    await browser.close()
    await plenum.kill()

    browser = await start()
    page = await browser.newPage()
    await page.goto('/')
    await expect(message(page, 'read yesterday')).toBeVisible()
    await expect(composer(page)).toHaveValue('half a sentence')
    await expect(banner(page)).toBeVisible()
    await write(page, 'half a sentence, and the rest')
    await expect(message(page, 'and the rest')).toBeVisible()
    await browser.close()

    browser = await start()
    page = await browser.newPage()
    await page.goto('/')
    await expect(message(page, 'and the rest')).toBeVisible()
    await plenum.restart()
    await expect.poll(() => texts(bob, channel), { timeout: 40_000 }).toEqual(['read yesterday', 'half a sentence, and the rest'])
  } finally {
    await browser?.close()
    if (plenum.pid === undefined) await plenum.restart()
    await rm(profile, { recursive: true, force: true })
  }
})

test('a new version is offered, and taken by a click, in all tabs; drafts stay', async ({ context, page, plenum, workspace, watch }) => {
  const front = await Front.before(plenum)
  const bob = await workspace.person('bob', 'Bob Moss')
  await channelWith(workspace.owner, 'general', bob)
  const mark = (of: Page) => of.evaluate(() => document.querySelector<HTMLMetaElement>('meta[name="mark"]')?.content ?? '')
  const search = (of: Page) => of.evaluate(() => navigator.serviceWorker.getRegistration().then((found) => found?.update()).then(() => undefined))
  try {
    await signInAt(page, front.origin, bob)
    await kept(page)
    await link(page, 'general').click()
    const other = await context.newPage()
    await other.goto(`${front.origin}/people`)
    await expect(other.getByText('Ada Lovelace').first()).toBeVisible()

    await front.rollOut('second')
    await composer(page).fill('not sent yet')
    await search(page)
    const offer = page.getByText('A new version is ready')
    await expect(offer).toBeVisible()
    await expect(other.getByText('A new version is ready')).toBeVisible()
    await page.screenshot({ path: test.info().outputPath('offered.png') })
    // Nobody is made to: a reload goes on with the version that runs, and offers the next again.
    await page.reload()
    await expect(offer).toBeVisible()
    expect(await mark(page)).toBe('')
    // Its files are there, though the server has another build.
    await page.goto(`${front.origin}/settings/appearance`)
    await expect(page.getByRole('heading', { name: 'Appearance' })).toBeVisible()
    await page.goBack()
    await expect(composer(page)).toHaveValue('not sent yet')
    expect(await mark(page)).toBe('')
    await page.getByRole('button', { name: 'Not now' }).click()
    await expect(offer).toBeHidden()

    await other.getByRole('button', { name: 'Reload' }).click()
    for (const each of [page, other]) await expect.poll(() => mark(each).catch(() => '')).toBe('second')
    await expect(composer(page)).toHaveValue('not sent yet')
    await expect(offer).toBeHidden()
    await expect.poll(() => page.evaluate(() => caches.keys())).toEqual(['plenum-shell-second'])
  } finally {
    await front.close()
  }
  forgiven(watch)
})

test('a new version is offered to who signs in, too', async ({ page, plenum, workspace, watch }) => {
  const front = await Front.before(plenum)
  const bob = await workspace.person('bob', 'Bob Moss')
  await channelWith(workspace.owner, 'general', bob)
  try {
    await page.goto(front.origin)
    await kept(page)
    await front.rollOut('second')
    await page.evaluate(() => navigator.serviceWorker.getRegistration().then((found) => found?.update()).then(() => undefined))
    const offer = page.getByText('A new version is ready')
    await expect(offer).toBeVisible()
    await page.screenshot({ path: test.info().outputPath('offered.png') })
    await page.setViewportSize({ width: 360, height: 740 })
    await page.screenshot({ path: test.info().outputPath('offered-narrow.png') })
    await page.setViewportSize({ width: 1280, height: 720 })
    await page.getByRole('button', { name: 'Reload' }).click()
    await expect(page.locator('meta[name="mark"]')).toHaveAttribute('content', 'second')
    await expect(offer).toBeHidden()
    await signInAt(page, front.origin, bob)
  } finally {
    await front.close()
  }
  forgiven(watch)
})

test('an operator frees browsers of the worker; it can come back', async ({ page, plenum, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  await channelWith(workspace.owner, 'general', bob)
  await signIn(page, bob)
  await link(page, 'general').click()
  await kept(page)
  await composer(page).fill('a draft')
  await drafted(page, 'a draft')
  const keeps = () => page.evaluate(async () => ({ caches: await caches.keys(), workers: (await navigator.serviceWorker.getRegistrations()).length })).catch(() => undefined)
  await plenum.kill()
  await plenum.restart('--gateway.offline=false')
  let loads = 0
  page.on('load', () => loads++)
  await page.reload()
  await expect.poll(keeps, { timeout: 40_000 }).toEqual({ caches: [], workers: 0 })
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller === null).catch(() => false)).toBe(true) // the worker has it load anew, when it is gone
  await expect(composer(page)).toHaveValue('a draft')

  // By now the page comes from the gateway, and asks for a worker each time: that one does nothing, and nothing is loaded a second time.
  const before = loads
  let times = 0
  while (loads < before + 2) {
    const asked = page.context().waitForEvent('serviceworker')
    await page.reload()
    await asked
    await expect.poll(keeps, { timeout: 40_000 }).toEqual({ caches: [], workers: 0 })
    times++
  }
  expect(times).toBe(2)

  await plenum.kill()
  await plenum.restart()
  await page.reload()
  await kept(page)
  await expect(composer(page)).toHaveValue('a draft')
  forgiven(watch)
})

test('the worker keeps the files of its build, and has nothing to do with calls', async ({ page, plenum, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  await channelWith(workspace.owner, 'general', bob)
  await signIn(page, bob)
  await kept(page)
  await page.reload() // from now on all of the page's requests pass by it
  await link(page, 'general').click()
  await write(page, 'a message')
  await expect(message(page, 'a message')).toBeVisible()
  await page.goto('/people')
  await expect(page.getByText('Ada Lovelace').first()).toBeVisible()
  await page.evaluate(() => Promise.all([fetch('/livez'), fetch('/plenum.chat.v1.ChatService/ListMyChannels', { method: 'POST', body: '{}' }), fetch('/edge/v1/poll')])) // refused, but asked
  const found = await page.evaluate(async () => {
    const [name = ''] = await caches.keys()
    const cache = await caches.open(name)
    const keys = await cache.keys()
    const sizes = await Promise.all(keys.map(async (key) => (await (await cache.match(key))?.blob())?.size ?? 0))
    return { paths: keys.map((key) => new URL(key.url).pathname), all: sizes.reduce((a, b) => a + b, 0), credentials: keys.some((key) => key.headers.has('Authorization')) }
  })
  expect(found.credentials).toBe(false)
  expect(found.paths).toContain('/')
  expect(found.paths.length).toBeGreaterThan(40)
  for (const path of found.paths) expect(path).toMatch(/^\/($|assets\/[\w.-]+\.(js|css|woff2)$|icons\/[\w-]+\.png$|icon[\w-]*\.svg$|manifest\.webmanifest$)/)
  const its = watch.requests.filter((each) => each.serviceWorker() !== null)
  expect(its.length).toBeGreaterThan(40)
  for (const request of its) expect(new URL(request.url()).pathname).toMatch(/^\/($|assets\/|icon|manifest|sw\.js)/)
  test.info().annotations.push({ type: 'kept', description: `${found.paths.length} files, ${found.all} bytes` })

  const worker = await page.request.get('/sw.js')
  expect(worker.headers()['cache-control']).toBe('no-cache')
  expect(worker.headers()['content-type']).toContain('text/javascript')
  expect(plenum.pid).toBeDefined()
  expect(watch.forget().filter((problem) => !/status of 4\d\d/.test(problem))).toEqual([]) // of what was asked for to be refused
})

test('the connection is counted down, tried by a click, and told of once', async ({ page, plenum, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  await channelWith(workspace.owner, 'general', bob)
  await signIn(page, bob)
  await link(page, 'general').click()
  const told = page.locator('.notices > [role="status"]').last()
  await page.evaluate(() => {
    const log: string[] = ((window as { told?: string[] }).told = [])
    const notices = document.querySelector('.notices')
    if (notices === null) throw new Error('there is no place for them')
    new MutationObserver((changes) => {
      for (const { target } of changes) if (target.parentElement?.closest('.notices [role="status"]') || (target instanceof Element && target.closest('.notices [role="status"]'))) log.push(target.textContent ?? '')
    }).observe(notices, { subtree: true, childList: true, characterData: true })
  })
  await plenum.kill()
  try {
    await expect(banner(page)).toContainText(/Reconnecting in \d+ s/, { timeout: 40_000 })
    await write(page, 'one')
    await write(page, 'two')
    await expect(banner(page)).toContainText('2 changes wait to be sent')
    // It counts: over a while more than two numbers are shown.
    const seen = new Set<string>()
    await expect
      .poll(async () => {
        seen.add(/in (\d+) s/.exec((await banner(page).textContent()) ?? '')?.[1] ?? '')
        return seen.size
      }, { timeout: 40_000, intervals: [250] })
      .toBeGreaterThan(3)
    await page.screenshot({ path: test.info().outputPath('offline.png') })
  } finally {
    await plenum.restart()
  }
  await back(page)
  await expect(told).toHaveText('Connected again.')
  const log = await page.evaluate(() => (window as { told?: string[] }).told ?? [])
  expect(log.filter((text) => text !== '')).toEqual(['The connection was lost. What you write is kept, and sent once it is back.', 'Connected again.'])
  forgiven(watch)
})

test('a full disk: the words come back, a toast says why, and they go out once there is room', async ({ page, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  const channel = await channelWith(workspace.owner, 'general', bob)
  // Without workers the page keeps the outbox itself, where it can be told that the disk is full.
  await page.addInitScript(() => {
    Reflect.deleteProperty(window, 'SharedWorker')
    const put = Reflect.get(IDBObjectStore.prototype, 'put') as (this: IDBObjectStore, value: unknown, key?: IDBValidKey) => IDBRequest<IDBValidKey>
    IDBObjectStore.prototype.put = function (...what) {
      if ((window as { full?: boolean }).full) throw new DOMException('there is no room', 'QuotaExceededError')
      return put.apply(this, what)
    }
  })
  await signIn(page, bob)
  await link(page, 'general').click()
  await expect(composer(page)).toBeVisible()
  await page.evaluate(() => { (window as { full?: boolean }).full = true })
  await write(page, 'there is no room for this')
  await expect(page.getByRole('alert')).toContainText('Free some space')
  await expect(composer(page)).toHaveValue('there is no room for this')
  await expect(page.getByText('This device is full', { exact: true })).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('full.png') })
  expect(await texts(bob, channel)).toEqual([])

  await page.evaluate(() => { (window as { full?: boolean }).full = false })
  await composer(page).press('Enter')
  await expect(composer(page)).toHaveValue('')
  await expect.poll(() => texts(bob, channel)).toEqual(['there is no room for this'])
  forgiven(watch)
})

test('an outbox that cannot be opened: it goes on in memory, and says so', async ({ page, workspace, watch }) => {
  const bob = await workspace.person('bob', 'Bob Moss')
  const channel = await channelWith(workspace.owner, 'general', bob)
  await page.addInitScript(() => {
    Reflect.deleteProperty(window, 'SharedWorker')
    const open: (this: IDBFactory, name: string, version?: number) => IDBOpenDBRequest = Reflect.get(IDBFactory.prototype, 'open')
    IDBFactory.prototype.open = function (...what) {
      if (what[0].includes('outbox')) throw new DOMException('the disk is broken', 'UnknownError')
      return open.apply(this, what)
    }
  })
  await signIn(page, bob)
  await expect(page.getByText('Nothing is kept on this device')).toBeVisible()
  await link(page, 'general').click()
  await write(page, 'by memory alone')
  await expect.poll(() => texts(bob, channel)).toEqual(['by memory alone'])
  expect(watch.forget().join()).toContain('the disk is broken')
})

test('a browser that keeps nothing at all: it says why nobody can sign in', async ({ page, watch }) => {
  await page.addInitScript(() => {
    IDBFactory.prototype.open = () => { throw new DOMException('the disk is broken', 'UnknownError') }
  })
  await page.goto('/')
  await expect(page.getByText('can’t keep anything in this browser')).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('unable.png') })
  expect(watch.forget().join()).toContain('the disk is broken')
})

test('it can be installed: a manifest, icons of the sizes that it says, and places that exist', async ({ page, plenum, watch }) => {
  await page.goto('/')
  await kept(page)
  const answer = await page.request.get('/manifest.webmanifest')
  expect(answer.headers()['content-type']).toBe('application/manifest+json')
  const manifest = (await answer.json()) as { icons: { src: string; sizes: string; purpose: string }[]; shortcuts: { url: string }[] }
  for (const { src, sizes } of manifest.icons) {
    const size = await page.evaluate(async (from) => {
      const image = new Image()
      image.src = from
      await image.decode()
      return `${image.naturalWidth}x${image.naturalHeight}`
    }, src)
    if (sizes !== 'any') expect(size, src).toBe(sizes)
  }
  for (const size of ['192x192', '512x512']) for (const purpose of ['any', 'maskable']) expect(manifest.icons.some((icon) => icon.sizes === size && icon.purpose === purpose)).toBe(true)
  const places = /places:\[([^\]]*)\]/.exec(await (await page.request.get('/sw.js')).text())?.[1] ?? ''
  for (const { url } of manifest.shortcuts) expect(places).toContain(`\`${url.split('/')[1] ?? ''}\``)
  const devtools = await page.context().newCDPSession(page)
  const { errors } = await devtools.send('Page.getAppManifest')
  expect(errors).toEqual([])
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  expect(installabilityErrors.map((error) => error.errorId).filter((id) => id !== 'in-incognito')).toEqual([])
  expect(plenum.pid).toBeDefined()
  forgiven(watch)
})

/** signInAt is signIn at another origin than the Plenum's own. */
async function signInAt(page: Page, origin: string, person: Parameters<typeof signIn>[1]): Promise<void> {
  const at = page.goto.bind(page)
  page.goto = (path, options) => at(new URL(path, origin).href, options)
  await signIn(page, person)
  page.goto = at
}
