import type { Page } from '@playwright/test'
import { channelWith, chat, composer, link, message, say } from './app.ts'
import type { Person } from './people.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

/** How much of the page may move by what comes late, as the browser scores it: a fifth of what counts as good. */
const bar = 0.02

/** Shift is one that the browser has scored, with what moved: from where to where. */
interface Shift {
  readonly value: number
  readonly moved: readonly string[]
}

interface Watched {
  /** Shifts of the whole page, those soon after a key or a click too. */
  readonly shifts: Shift[]
}

/** watched has the page count its shifts from its beginning on. */
async function watched(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shifts: Shift[] = []
    Object.assign(window, { shifts })
    const at = ({ left, top, width, height }: DOMRectReadOnly) => [left, top, width, height].map(Math.round).join(' ')
    const named = (node: Node | null) => {
      const of = node instanceof Element ? node : node?.parentElement
      return of === null || of === undefined ? 'gone' : `${of.tagName.toLowerCase()}.${of.getAttribute('class') ?? ''} “${of.textContent.slice(0, 30)}”`
    }
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; sources: { node: Node | null; previousRect: DOMRectReadOnly; currentRect: DOMRectReadOnly }[] })[])
        shifts.push({ value: entry.value, moved: entry.sources.map((s) => `${named(s.node)}: ${at(s.previousRect)} → ${at(s.currentRect)}`) })
    }).observe({ type: 'layout-shift', buffered: true })
  })
}

const shifts = (page: Page) => page.evaluate(() => (window as unknown as Watched).shifts)
const sum = (all: readonly Shift[]) => all.reduce((s, { value }) => s + value, 0)

/** moves is how far, in px, each row in sight has moved at most, by any side of it, in any frame that was painted until `during` had ended. */
async function moves(page: Page, during: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
  const followed = await page.evaluateHandle(() => {
    const list = document.querySelector<HTMLElement>('.channel-scroll')
    if (!list) throw new Error('there is no list')
    const box = list.getBoundingClientRect()
    const rows = [...list.querySelectorAll<HTMLElement>('.message, .happened')].filter((row) => row.getBoundingClientRect().bottom > box.top && row.getBoundingClientRect().top < box.bottom)
    const sides = (row: Element) => {
      const { left, top, right, bottom } = row.getBoundingClientRect()
      return [left, top, right, bottom]
    }
    const first = rows.map((row) => ({ row, name: row.dataset['offset'] ?? row.textContent, from: sides(row) }))
    const state = { worst: {} as Record<string, number>, frames: 0, on: true }
    const look = () => {
      const { port1, port2 } = new MessageChannel() // the next task behind a frame's callbacks comes when it is painted
      port1.onmessage = () => {
        for (const { row, name, from } of first) state.worst[name] = Math.max(state.worst[name] ?? 0, ...sides(row).map((side, i) => Math.abs(side - (from[i] ?? 0))))
        state.frames++
        if (state.on) requestAnimationFrame(look)
      }
      port2.postMessage(0)
    }
    requestAnimationFrame(look)
    return state
  })
  await during()
  return followed.evaluate(async (state) => {
    for (const from = state.frames; state.frames < from + 5;) await new Promise(requestAnimationFrame)
    state.on = false
    return state.worst
  })
}

/** unacquainted takes everybody out of what the browser keeps of an account, as if they had come while it was away. No page of the application is open then. */
async function unacquainted(page: Page, me: Person): Promise<void> {
  await page.goto('/sw.js') // of the same origin, without the application
  await page.evaluate(async (name) => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve, reject) => { request.onsuccess = () => { resolve(request.result) }; request.onerror = () => { reject(new Error(request.error?.message)) } })
    const db = await done(indexedDB.open(name))
    await done(db.transaction('people', 'readwrite').objectStore('people').clear())
    db.close()
  }, `plenum-cache-${me.id}`)
}

for (const [screen, viewport] of Object.entries({ wide: { width: 1280, height: 720 }, narrow: { width: 360, height: 740 } })) {
  test(`what comes late shifts nothing: people, presence, counts, who types; ${screen}`, async ({ browser, plenum, workspace }) => {
    const wide = screen === 'wide'
    const ada = workspace.owner
    const ben = await workspace.person('ben', 'Ben Okri')
    const cleo = await workspace.person('cleo', 'Cleopatra Oyelaran-Featherstonehaugh')
    const dora = await workspace.person('dora', 'Dora Maximiliana Wintergreen')
    const channel = await channelWith(ada, 'design', ben, cleo)
    const other = await channelWith(ada, 'planning', ben)
    const people = [ben, cleo]
    let [last, reacted] = [0, 0]
    for (let i = 0; i < 24; i++) {
      // Names stand where a line is broken, sooner or later.
      last = await say(people[i % 2] ?? ben, channel, `message ${i}. ${`${'word '.repeat(i)}@cleo and @ben said so 🎉 `.repeat(1 + (i % 2))}\n\nhttps://plenum.example/${i}`)
      if (i % 3 === 0) for (const person of people) await person.call(`${chat}/AddReaction`, { channel, offset: last, emoji: '🎉' })
    }
    await dora.call(`${chat}/JoinChannel`, { channel }) // a line of its own, with a name
    await ben.call(`${chat}/AddReaction`, { channel, offset: (reacted = last = await say(cleo, channel, 'for @ben')), emoji: '👀' })
    await say(ben, channel, 'a reply', { root: (last = await say(ben, channel, 'the last, for @cleo and @dora')) })
    for (const person of people) {
      const { channel: direct } = await person.call(`${chat}/OpenDirect`, { users: [ada.id] })
      await say(person, direct as string, 'hello')
    }
    await ada.call(`${chat}/MarkRead`, { channel, offset: last })

    const proxy = await Proxy.start(plenum.origin)
    const visit = await Visit.begin(browser, proxy.origin, ada)
    const { page } = visit
    await page.setViewportSize(viewport)
    await page.goto(`/c/${channel}`)
    const [reactedTo, end] = [message(page, 'for @ben'), message(page, 'the last, for')]
    await expect(end).toContainText('1 reply')
    await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' && navigator.serviceWorker.controller !== null)
    await unacquainted(page, ada)

    // Meanwhile.
    await cleo.call(`${chat}/AddReaction`, { channel, offset: reacted, emoji: '👀' })
    await say(cleo, channel, 'one more', { root: last })
    await say(ben, other, 'for @ada')
    const bens = await Visit.begin(browser, plenum.origin, ben)
    await link(bens.page, 'design').click()
    await expect(message(bens.page, 'the last, for')).toBeVisible()

    proxy.hold()
    await watched(page)
    await page.goto(`/c/${channel}`)
    await expect(end).toBeInViewport()
    await expect(page.locator('.happened')).toBeInViewport()
    await expect(page.locator('.message-author').last()).toHaveText('someone')
    await page.screenshot({ path: test.info().outputPath('before.png') })
    const begun = (await shifts(page)).length
    const moved = await moves(page, async () => {
      proxy.release()
      await expect(end).toContainText('2 replies')
      await expect(reactedTo.getByRole('button', { name: '👀, 2 people' })).toBeVisible()
      await expect(page.locator('.message-author').last()).toHaveText('Ben Okri')
      await expect(page.locator('.happened')).toContainText('Dora')
      await expect(end.locator('.mention')).toHaveCount(2)
      if (wide) {
        await expect(link(page, 'Ben Okri').locator('.presence')).toHaveAttribute('data-state', 'online')
        await expect(link(page, 'planning').locator('.badge')).toBeVisible()
        await expect(page.locator('.here')).toBeVisible()
      }
      await composer(bens.page).press('a')
      await expect(page.getByText('Ben Okri is typing…')).toBeVisible()
    })
    await page.screenshot({ path: test.info().outputPath('after.png') })
    const all = await shifts(page)
    test.info().annotations.push({ type: 'layout shift', description: `${sum(all.slice(0, begun))} while it is painted from the cache, ${sum(all.slice(begun))} by what comes late` })
    expect(Object.values(moved).length).toBeGreaterThan(3)
    expect(Math.max(...Object.values(moved)), JSON.stringify(moved)).toBeLessThanOrEqual(1)
    expect(sum(all), JSON.stringify(all, undefined, 1)).toBeLessThan(bar)
    expect(visit.watch.forget().filter((problem) => !problem.includes('/favicon.ico'))).toEqual([]) // which a page without the application's head asks for
    await bens.end()
    await visit.end()
    await proxy.stop()
  })
}
