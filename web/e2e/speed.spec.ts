/** How fast the application is, told as figures: loadtest/bench/web.json says what each is to be. `make bench ONLY=web` measures with care, here a collapse fails. */
import { readFile } from 'node:fs/promises'
import type { Browser, CDPSession, Page } from '@playwright/test'
import { channelWith, chat, composer, each, link, message, say, signIn, write } from './app.ts'
import { painted, pressed, took } from './clock.ts'
import { bench, told } from './figures.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

// What Playwright records would be measured, too. The flags: what a test needs is there in seconds.
test.use({ trace: 'off', flags: ['--gateway.write.per_second', '20000', '--gateway.write.burst', '20000'] })

/** How much there is. */
const many = bench ? { messages: 10_000, people: 500, channels: 200 } : { messages: 1_000, people: 20, channels: 20 }

const tries = 5

test('a new device on a slow network', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await each(50, (i) => say(ada, channel, words(i)))
  const visit = await Visit.begin(browser, plenum.origin)
  const { page, context } = visit
  await slow(page)
  await page.goto('/', { waitUntil: 'commit' })
  await page.getByLabel('Handle').fill('ada')
  const usable = await page.evaluate(() => performance.now())
  told('paint', await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity))

  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, words(49))).toBeVisible()
  await page.goto('about:blank')
  await (await context.newCDPSession(page)).send('Network.clearBrowserCache')
  await page.goto(`/c/${channel}`, { waitUntil: 'commit' })
  await composer(page).fill('I can write')
  const again = await page.evaluate(() => performance.now())
  await expect(message(page, words(49))).toBeVisible()
  told('interactive', Math.max(usable, again))
  told('shift', await page.evaluate(shifted))
  await visit.end()
})

test('a long channel', async ({ page, workspace }) => {
  test.setTimeout(300_000)
  const channel = await channelWith(workspace.owner, 'design')
  await each(many.messages, (i) => say(workspace.owner, channel, words(i)))
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await expect(page.locator('.message').first()).toBeVisible()
  const rates: number[] = []
  for (let i = 0; i < tries; i++) rates.push(await page.evaluate(scrolled, bench ? 4000 : 1500))
  told('frames', Math.max(...rates))
  expect(await page.locator('.message').count()).toBeLessThan(100)
})

test('from channel to channel', async ({ page, browser, workspace }) => {
  test.setTimeout(180_000)
  const names = ['one', 'two', 'three', 'four', 'five']
  for (const name of names) {
    const channel = await channelWith(workspace.owner, name)
    await each(60, (i) => say(workspace.owner, channel, `${name} ${words(i)}`))
  }
  await signIn(page, workspace.owner)
  const visit = async (name: string) => took(page, 'click', '.message', `${name} ${words(59)}`, () => link(page, name).click())
  for (const name of names) await visit(name) // now they are cached
  const times: number[] = []
  for (const name of names) times.push(await visit(name))
  told('switch', ...times)

  const cdp = await page.context().newCDPSession(page)
  const walk = async (times: number) => {
    for (let i = 0; i < times; i++) await visit(names[i % names.length] ?? '')
  }
  await walk(50)
  told('memory', await rendererPss(browser)) // nothing is collected but by itself
  const before = await heap(cdp)
  await walk(100)
  told('growth', Math.max(0, (await heap(cdp)) - before))
})

test('two people, and a second device', async ({ page, browser, plenum, workspace }) => {
  test.setTimeout(180_000)
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other')
  await signIn(page, ada)
  await link(page, 'design').click()
  const visit = await Visit.begin(browser, plenum.origin, ben)
  const other = visit.page
  await link(other, 'design').click()

  const own: number[] = []
  for (let i = 0; i < tries; i++) {
    await composer(page).fill(`own ${i}`)
    own.push(await took(page, 'keydown', '.message', `own ${i}`, () => composer(page).press('Enter')))
  }
  told('own', ...own)

  await expect(message(other, 'own 0')).toBeVisible()
  /** reach is how long a call of Ben's takes until Ada sees it. */
  const reach = async (method: string, body: object, selector: string, text: string, gone = false) => {
    const end = await painted(page, selector, text, gone)
    const begin = Date.now()
    await ben.call(`${chat}/${method}`, { channel, ...body })
    return (await end.at) - begin
  }
  const slowest: number[] = []
  for (let i = 0; i < 3; i++) {
    const offset = await say(ben, channel, `mine ${i}`)
    await expect(message(page, `mine ${i}`)).toBeVisible()
    const row = `.message[data-offset="${offset}"]`
    slowest.push(Math.max(
      await reach('EditMessage', { offset, text: `mended ${i}` }, row, 'mended'),
      await reach('AddReaction', { offset, emoji: '🎉' }, `${row} .reaction`, '🎉'),
      await reach('Send', { text: 'in the thread', root: offset }, row, '1 reply'),
      await reach('DeleteMessage', { offset }, row, 'mended', true),
    ))
  }
  told('peer', ...slowest)

  const typing: number[] = []
  for (let i = 0; i < tries; i++) {
    typing.push(await took(page, 'keydown', '.typing', 'is typing', () => composer(page).press('x'), other))
    await write(page, `said ${i}`) // typing is over by that
    await expect(message(other, `said ${i}`)).toBeVisible()
    await expect(other.locator('.typing', { hasText: 'typing' })).toHaveCount(0)
  }
  told('typing', ...typing)
  await visit.end()

  const device = await Visit.begin(browser, plenum.origin, ada)
  const second = device.page
  await link(second, 'other').click()
  const reads: number[] = []
  for (let i = 0; i < tries; i++) {
    await link(page, 'other').click()
    await say(ben, channel, `@ada ${i}`)
    const badge = `nav a[href="/c/${channel}"] .badge`
    await expect(second.locator(badge)).toBeVisible()
    await expect(page.locator(badge)).toBeVisible()
    const [begin, end] = [await pressed(page, 'click'), await painted(second, badge, '', true)]
    await link(page, 'design').click()
    reads.push((await end.at) - (await begin.at))
  }
  told('read', ...reads)
  await device.end()
})

test('the palette', async ({ page, workspace }) => {
  test.setTimeout(300_000)
  await each(many.people, (i) => workspace.person(`person-${i}`, `Somebody Number${i}`))
  await each(many.channels, (i) => channelWith(workspace.owner, `channel-${i}`))
  await signIn(page, workspace.owner)
  await expect(link(page, `channel-${many.channels - 1}`)).toBeAttached()
  const times: number[] = []
  for (let i = 0; i < tries; i++) {
    await page.keyboard.press('ControlOrMeta+k')
    const field = page.getByRole('combobox')
    await expect(field).toBeFocused()
    times.push(await took(page, 'keydown', '.palette-option[aria-selected=true]', `channel-${i}`, () => field.press(String(i))))
    await page.keyboard.press('Escape')
  }
  told('palette', ...times)
})

/** words are what the message of a number says: of differing length, so that rows differ in height. */
function words(i: number): string {
  return `Message ${i}. ${'It goes on for some words more. '.repeat(i % 7)}`.trim()
}

/** slow makes a page one on a slow phone. */
async function slow(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Network.enable')
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 })
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
}

/** shifted is the layout shift of the page so far, of which nobody was the cause. */
function shifted(): Promise<number> {
  return new Promise((done) => {
    new PerformanceObserver((list) => {
      const shifts = list.getEntries() as (PerformanceEntry & { readonly value: number; readonly hadRecentInput: boolean })[]
      done(shifts.filter((s) => !s.hadRecentInput).reduce((sum, s) => sum + s.value, 0))
    }).observe({ type: 'layout-shift', buffered: true })
    setTimeout(() => { done(0) }, 1000) // there was none
  })
}

/** scrolled scrolls the channel up for so many ms, and is how many frames a second that had. */
function scrolled(ms: number): Promise<number> {
  const list = document.querySelector('.channel-scroll')
  if (list === null) throw new Error('no channel is open')
  return new Promise((done) => {
    requestAnimationFrame((begin) => {
      let frames = 0
      const step = (now: number) => {
        frames++
        list.scrollTop -= 100
        if (now - begin >= ms) done((frames * 1000) / (now - begin))
        else requestAnimationFrame(step)
      }
      requestAnimationFrame(step)
    })
  })
}

/** heap is the memory of the page's scripts, in MB. */
async function heap(cdp: CDPSession): Promise<number> {
  await cdp.send('HeapProfiler.collectGarbage')
  await cdp.send('HeapProfiler.collectGarbage') // the first frees what the second can collect
  const { usedSize } = await cdp.send('Runtime.getHeapUsage')
  return usedSize / 1e6
}

/** rendererPss is the memory of the largest renderer of a browser, in MB: the share of each page of memory that is its own. */
async function rendererPss(browser: Browser): Promise<number> {
  const cdp = await browser.newBrowserCDPSession()
  const { processInfo } = (await cdp.send('SystemInfo.getProcessInfo')) as { processInfo: readonly { type: string; id: number }[] }
  const sizes = await Promise.all(
    processInfo
      .filter((process) => process.type === 'renderer')
      .map(async ({ id }) => Number(/^Pss:\s+(\d+) kB/m.exec(await readFile(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1]) / 1000),
  )
  return Math.max(...sizes)
}
