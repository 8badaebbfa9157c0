import type { Page } from '@playwright/test'
import { channelWith, chat, link, message, say, signIn, texts } from './app.ts'
import type { Person } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

/** Playwright has each page believe that it has the focus: here it has it when the test says so. */
async function focusable(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const state = { focused: true, visible: true }
    Object.assign(window, { state })
    Document.prototype.hasFocus = () => state.focused
    Object.defineProperty(Document.prototype, 'visibilityState', { get: () => (state.visible ? 'visible' : 'hidden') })
  })
}

interface State {
  focused?: boolean
  visible?: boolean
}

async function becomes(page: Page, to: State): Promise<void> {
  await page.evaluate((to) => {
    Object.assign((window as unknown as { state: State }).state, to)
    if (to.focused !== undefined) window.dispatchEvent(new Event(to.focused ? 'focus' : 'blur'))
    if (to.visible !== undefined) document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
  }, to)
}

const unread = (page: Page, channel: string, count: number) =>
  expect(page.getByRole('navigation').getByRole('link', { name: new RegExp(`^${channel} ?, ${count} new messages?`) })).toBeVisible()
const read = (page: Page, channel: string, timeout = 15_000) => expect(page.getByRole('navigation').getByRole('link', { name: new RegExp(`^${channel}\\s*$`) })).toBeVisible({ timeout })

/** marker is up to where somebody has read, as the server knows it. */
async function marker(person: Person, channel: string): Promise<number> {
  const { mine } = (await person.call(`${chat}/GetChannel`, { channel })) as { mine?: { marker?: { offset?: string } } }
  return Number(mine?.marker?.offset ?? 0)
}

test('a divider stands before the first unread message; what is below the window is not read before it is seen', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [channel] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'other', ben)]
  const offsets: number[] = []
  for (let i = 1; i <= 70; i++) offsets.push(await say(ben, channel, `message ${i}.`))
  await ada.call(`${chat}/MarkRead`, { channel, offset: offsets[9] })
  await signIn(page, ada)
  await unread(page, 'design', 60)
  await link(page, 'other').click()
  await link(page, 'design').click()
  const fresh = page.locator('.fresh')
  await expect(fresh).toBeInViewport()
  const from = (offset: number | undefined) => page.evaluate((offset) => {
    const top = (selector: string) => document.querySelector(selector)?.getBoundingClientRect().top ?? NaN
    return top(`.message[data-offset="${offset}"]`) - top('.fresh')
  }, offset)
  await expect.poll(() => from(offsets[9])).toBeLessThan(0)
  await expect.poll(() => from(offsets[10])).toBeGreaterThan(0)
  expect(await from(offsets[10])).toBeLessThan(60)
  await expect(message(page, 'message 70.')).not.toBeInViewport()
  await ben.call(`${chat}/AddReaction`, { channel, offset: offsets[11], emoji: '🎉' }) // whatever else happens meanwhile
  await expect(message(page, 'message 12.').locator('.reaction').first()).toBeVisible()
  await unread(page, 'design', 60)
  await page.locator('.channel-scroll').hover()
  await expect(async () => {
    await page.mouse.wheel(0, 800)
    await expect(message(page, 'message 70.')).toBeInViewport({ timeout: 200 })
  }).toPass()
  await read(page, 'design')
  await expect.poll(() => marker(ada, channel)).toBe(offsets[69])
})

test('a channel that is kept on the device opens with what has come since, and that is read', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [channel] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'other', ben)]
  for (let i = 0; i < 12; i++) await say(ada, channel, `before ${i}`)
  await signIn(page, ada)
  await link(page, 'design').click()
  for (let i = 0; i < 5; i++) {
    await link(page, 'other').click()
    await say(ben, channel, `since ${i}`)
    await unread(page, 'design', 1)
    await link(page, 'design').click()
    await expect(message(page, `since ${i}`)).toBeInViewport()
    await read(page, 'design')
  }
})

test('a badge goes when the message is read in a window that has the focus, and on the second device', async ({ page, browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other', ben)
  await say(ada, channel, 'before')
  await focusable(page)
  const second = await Visit.begin(browser, plenum.origin, ada)
  await link(second.page, 'other').click()
  await signIn(page, ada)
  await link(page, 'design').click()
  for (const [away, back] of [[{ focused: false }, { focused: true }], [{ visible: false }, { visible: true }]] as const) {
    await becomes(page, away)
    await say(ben, channel, `one, while ${JSON.stringify(away)}`)
    await say(ben, channel, `two, while ${JSON.stringify(away)}`)
    await expect(message(page, `two, while ${JSON.stringify(away)}`)).toBeVisible()
    await unread(page, 'design', 2)
    await unread(second.page, 'design', 2)
    const last = await say(ben, channel, `three, while ${JSON.stringify(away)}`)
    await unread(page, 'design', 3)
    await unread(second.page, 'design', 3)
    const begun = performance.now()
    await becomes(page, back)
    await read(second.page, 'design')
    test.info().annotations.push({ type: 'second device', description: `${Math.round(performance.now() - begun)} ms` })
    await read(page, 'design')
    expect(await marker(ada, channel)).toBe(last)
  }
  await second.end()
})

test('what is marked unread stays so: over a reload, on the second device, and when it is looked at', async ({ page, browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other', ben)
  for (const text of ['one.', 'two.', 'three.']) await say(ben, channel, text)
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'three.')).toBeVisible()
  await read(page, 'design')
  const second = await Visit.begin(browser, plenum.origin, ada)
  await link(second.page, 'design').click()
  await expect(message(second.page, 'three.')).toBeVisible()

  await message(page, 'two.').hover()
  await message(page, 'two.').getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Mark unread from here' }).click()
  await unread(page, 'design', 2)
  await expect(page.locator('.fresh')).toBeVisible()
  await unread(second.page, 'design', 2) // where it is looked at, too
  const looked = async (at: Page) => {
    await at.locator('.channel-scroll').hover()
    await at.mouse.wheel(0, -300)
    await at.mouse.wheel(0, 600)
    await at.evaluate(() => { window.dispatchEvent(new Event('focus')) })
  }
  for (const one of [page, second.page]) await looked(one)
  await say(ben, channel, 'four.') // by the time that it is there, whatever was to be done has been done
  for (const one of [page, second.page]) {
    await expect(message(one, 'four.')).toBeVisible()
    await unread(one, 'design', 3)
  }
  for (const one of [page, second.page]) {
    await one.reload()
    await expect(message(one, 'four.')).toBeVisible()
    await expect(one.locator('.fresh')).toBeVisible()
    await looked(one)
  }
  await say(ben, channel, 'five.')
  for (const one of [page, second.page]) {
    await expect(message(one, 'five.')).toBeVisible()
    await unread(one, 'design', 4)
  }
  // Who goes away and comes back reads it.
  await link(page, 'other').click()
  await link(page, 'design').click()
  for (const one of [page, second.page]) await read(one, 'design')
  expect(await texts(ada, channel)).toHaveLength(5)
  await second.end()
})
