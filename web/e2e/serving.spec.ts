import { gzipSync } from 'node:zlib'
import { expect, test } from './test.ts'

/** Bytes of script, gzipped, that a page may ask for before anybody uses it. */
const most = 90 * 1024

/** What a page that nobody is signed in at may ask for, all of its own origin. */
const expected = /^\/($|assets\/|manifest\.webmanifest$|sw\.js$|icons?[-/.][\w.-]+$|edge\/v1\/|plenum\.[a-z.]+\.v\d+\.\w+\/\w+$)/

test('the page loads, asks for little, and for nothing elsewhere', async ({ page, plenum, watch }) => {
  await page.goto('/')
  await page.waitForLoadState('networkidle')
  await expect(page).toHaveTitle(/Plenum/)
  await expect(page.locator('#app')).not.toBeEmpty()
  let script = 0
  for (const request of watch.requests) {
    const url = new URL(request.url())
    expect(url.protocol === 'blob:' || url.origin === plenum.origin, request.url()).toBe(true)
    expect(url.pathname).toMatch(expected)
    const response = await request.response()
    expect(response?.status(), request.url()).toBeLessThan(400)
    // What the worker asks for, once the page is there, is what it keeps for later; the worker itself counts.
    if (request.resourceType() === 'script' && (request.serviceWorker() === null || url.pathname === '/sw.js')) script += gzipSync((await response?.body()) ?? '', { level: 9 }).length
  }
  expect(script).toBeGreaterThan(1000)
  expect(script).toBeLessThanOrEqual(most)
  test.info().annotations.push({ type: 'initial script', description: `${script} bytes gzipped` })
  await page.screenshot({ path: test.info().outputPath('first.png') })
})

test('a place within the application is the application, by a link as by a reload', async ({ page }) => {
  for (const path of ['/c/01ABC', '/settings/devices']) {
    const response = await page.goto(path)
    expect(response?.status()).toBe(200)
    await expect(page.locator('#app')).not.toBeEmpty()
    await page.reload()
    await expect(page.locator('#app')).not.toBeEmpty()
  }
})

test('what was loaded once is not loaded again', async ({ page }) => {
  /** Bytes that came over the network for each asset. */
  const transferred = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter((entry) => new URL(entry.name).pathname.startsWith('/assets/'))
        .map((entry) => (entry as PerformanceResourceTiming).transferSize),
    )
  await page.goto('/')
  await page.waitForLoadState('networkidle')
  expect(Math.max(...(await transferred()))).toBeGreaterThan(0)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined)) // what registers it is loaded once the page is idle
  await page.goto('/settings')
  await page.waitForLoadState('networkidle')
  expect(Math.max(...(await transferred()))).toBe(0)
})

test('the edge is reached from the page, and nothing beside it', async ({ page, watch }) => {
  await page.goto('/')
  const opened = await page.evaluate(
    () =>
      new Promise<string>((done) => {
        const socket = new WebSocket(`ws://${location.host}/edge/v1/ws`, 'plenum.v1.json')
        socket.onopen = () => { done('open'); socket.close() }
        socket.onerror = () => { done('refused') }
      }),
  )
  expect(opened).toBe('open')
  expect(watch.forget()).toEqual([])
  const elsewhere = await page.evaluate(() => fetch('http://127.0.0.1:9/').then(() => 'fetched', () => 'refused'))
  expect(elsewhere).toBe('refused')
  expect(watch.forget().join()).toContain('connect-src')
})

test('no text becomes a script, a style or HTML', async ({ page, watch }) => {
  await page.goto('/')
  const tried = await page.evaluate(async () => {
    const results: Record<string, unknown> = {}
    const attempt = (name: string, f: () => unknown) => {
      try {
        results[name] = f()
      } catch (e) {
        results[name] = (e as Error).name
      }
    }
    attempt('innerHTML', () => (document.body.innerHTML = '<img src=x onerror="window.hit = 1">'))
    attempt('a worker from elsewhere', () => new Worker('http://127.0.0.1:9/x.js'))
    attempt('a worker that is no asset', () => new Worker('/livez'))
    attempt('a worker of its own', () => {
      new Worker(document.querySelector('script')?.src ?? '', { type: 'module' }).terminate()
      return 'made'
    })
    attempt('an inline script', () => (document.createElement('script').text = 'window.hit = 2'))
    attempt('a handler', () => { document.body.setAttribute('onclick', 'window.hit = 3') })
    const link = document.createElement('a')
    link.href = 'javascript:window.hit=4'
    const told = new Promise((done) => { document.addEventListener('securitypolicyviolation', done, { once: true }) })
    link.click()
    await told
    const style = document.createElement('style')
    style.textContent = 'body { --styled: 1 }'
    document.head.append(style)
    // Later, since the debugger by which this runs may use eval itself.
    await new Promise<void>((done) => setTimeout(() => { attempt('eval', () => { (0, eval)('window.hit = 5') }); done() }))
    return { ...results, hit: (window as { hit?: number }).hit ?? null, styled: getComputedStyle(document.body).getPropertyValue('--styled') }
  })
  expect(tried).toEqual({
    'innerHTML': 'TypeError', 'a worker from elsewhere': 'TypeError', 'a worker that is no asset': 'TypeError', 'a worker of its own': 'made', 'an inline script': 'TypeError', 'a handler': 'TypeError', 'eval': 'EvalError', 'hit': null, 'styled': '',
  })
  expect(watch.forget().length).toBeGreaterThan(3)
  await expect(page.locator('#app')).not.toBeEmpty()
})

test.describe(() => {
// Without the worker, which would serve the page that it keeps (offline.spec.ts).
test.use({ serviceWorkers: 'block' })

test('a Plenum that was killed serves the page again', async ({ page, plenum, workspace, watch }) => {
  await page.goto('/')
  await page.waitForLoadState('networkidle')
  await plenum.kill()
  await expect(page.goto('/', { timeout: 5_000 })).rejects.toThrow()
  await plenum.restart()
  await expect(async () => { await page.goto('/') }).toPass() // the browser's own page of errors may load itself anew meanwhile
  await expect(page.locator('#app')).not.toBeEmpty()
  const bob = await workspace.person('bob', 'Bob')
  const { channel } = await workspace.owner.call('plenum.chat.v1.ChatService/CreateChannel', { name: 'general', kind: 'CHANNEL_KIND_PUBLIC' })
  await workspace.owner.call('plenum.chat.v1.ChatService/AddMembers', { channel, users: [bob.id] })
  expect(await bob.call('plenum.chat.v1.ChatService/Send', { channel, text: 'We are back' })).toMatchObject({ offset: expect.any(String) })
  watch.forget() // what the application says of a server that is gone
})
})
