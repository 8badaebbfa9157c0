import type { BrowserContext, Page } from '@playwright/test'
import { channelWith, chat, composer, link, message, say, signIn, write } from './app.ts'
import type { Person } from './people.ts'
import { expect, test } from './test.ts'

/** Noted is what a page would have shown outside of itself, and whether it has asked to. */
interface Noted {
  asked: number
  shown: { title: string; body: string; tag: string; closed: boolean; click(): void }[]
  /** Sets whether the page is focused, as far as it can tell. */
  focus(on: boolean): void
}
type Observed = typeof globalThis & { noted: Noted }

/**
 * observe replaces what a page shows notifications by, and what tells it that it is focused: to Playwright's pages the browser says so of each of them at any time. With
 * `permission` 'default' the browser would ask, and to be asked is granted.
 */
async function observe(context: BrowserContext, permission: 'default' | 'granted'): Promise<void> {
  await context.addInitScript((permission) => {
    let focused = document.visibilityState === 'visible'
    const noted: Noted = {
      asked: 0,
      shown: [],
      focus: (on) => {
        focused = on
        window.dispatchEvent(new Event(on ? 'focus' : 'blur'))
      },
    }
    Object.assign(globalThis, { noted })
    document.hasFocus = () => focused
    class Notification extends EventTarget {
      static permission = permission
      static requestPermission = () => {
        noted.asked++
        Notification.permission = 'granted'
        return Promise.resolve('granted')
      }
      onclick: (() => void) | null = null
      readonly #note: Noted['shown'][number]
      constructor(title: string, { body = '', tag = '' }: NotificationOptions) {
        super()
        this.#note = { title, body, tag, closed: false, click: () => this.onclick?.() }
        noted.shown.push(this.#note)
      }
      close() {
        this.#note.closed = true
      }
    }
    Object.assign(globalThis, { Notification })
    if ('ServiceWorkerRegistration' in globalThis) { // not of about:blank
      ServiceWorkerRegistration.prototype.showNotification = (title: string, { body = '', tag = '' }: NotificationOptions = {}) => {
        noted.shown.push({ title, body, tag, closed: false, click: () => undefined })
        return Promise.resolve()
      }
    }
    window.focus = () => { noted.focus(true); }
  }, permission)
}

const focus = (page: Page, on: boolean) => page.evaluate((on) => { (globalThis as Observed).noted.focus(on); }, on)
const shown = (page: Page) => page.evaluate(() => (globalThis as Observed).noted.shown.map(({ title, body, closed }) => ({ title, body, closed })))
const asked = (page: Page) => page.evaluate(() => (globalThis as Observed).noted.asked)

/** listens waits until a page tells of what arrives: it begins when it has nothing else to do. */
async function listens(page: Page): Promise<void> {
  await expect(page.locator('.arrived')).toBeAttached()
}

async function direct(from: Person, to: Person): Promise<string> {
  const { channel } = await from.call(`${chat}/OpenDirect`, { users: [to.id] })
  return channel as string
}

const silence = (person: Person, on: boolean) =>
  person.call('plenum.presence.v1.PresenceService/SetStatus', { user: person.id, state: on ? 'STATE_DO_NOT_DISTURB' : 'STATE_UNSPECIFIED', untilMs: '0' })

const card = (page: Page, text: string) => page.locator('.notice', { hasText: text })

test('nobody is asked for permission, unless they click; then one page for all tells what arrives, and a click leads there', async ({ page, context, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [design, other] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'other', ben)]
  await observe(context, 'default')
  await signIn(page, ada)
  await link(page, 'other').click()
  await listens(page)
  await say(ben, design, 'first, @ada')
  await expect(card(page, 'first, @ada')).toContainText('Ben Okri in #design')
  await expect(page.getByRole('button', { name: 'Allow notifications' })).toBeVisible() // offered in place
  expect(await asked(page)).toBe(0)
  expect(await shown(page)).toEqual([])

  await page.goto('/settings/notifications')
  await listens(page)
  expect(await asked(page)).toBe(0)
  await page.getByRole('button', { name: 'Allow notifications' }).click()
  await expect(page.getByText('Notifications are allowed on this device.')).toBeVisible()
  expect(await asked(page)).toBe(1)

  // Two pages more, which are not asked again; none of the three is focused.
  await context.addInitScript(() => Object.assign(Notification, { permission: 'granted' }))
  const pages = [page, await context.newPage(), await context.newPage()]
  for (const each of pages) {
    await each.goto(`/c/${other}`)
    await listens(each)
    await focus(each, false)
  }
  await say(ben, design, 'are you there, **@ada**?')
  const all = async () => (await Promise.all(pages.map(shown))).flat()
  await expect.poll(all).toEqual([{ title: 'Ben Okri in #design', body: 'are you there, @ada?', closed: false }])
  for (const each of pages) await expect(card(each, 'are you there')).toHaveCount(0)

  // What follows, on a page that would have told as late, shows that it stayed one.
  const offset = await say(ben, design, 'second, @ada')
  await expect.poll(async () => (await all()).length).toBe(2)
  const teller = (await Promise.all(pages.map(async (each) => ({ each, n: (await shown(each)).length })))).find(({ n }) => n > 0)?.each ?? page
  expect(new Set(await teller.evaluate(() => (globalThis as Observed).noted.shown.map(({ tag }) => tag))).size).toBe(1) // the browser puts it in place of the first
  await teller.evaluate(() => (globalThis as Observed).noted.shown.at(-1)?.click())
  await expect(teller).toHaveURL(new RegExp(`/c/${design}/${offset}$`))
  await expect(message(teller, 'second, @ada')).toBeVisible()
  expect((await shown(teller)).at(-1)).toMatchObject({ closed: true })
})

test('what is read on another device is no longer told', async ({ page, context, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [channel, other] = [await direct(ben, ada), await channelWith(ada, 'other')]
  await observe(context, 'granted')
  await signIn(page, ada)
  await page.goto(`/c/${other}`)
  await listens(page)
  await focus(page, false)
  const offset = await say(ben, channel, 'Hello')
  await expect.poll(() => shown(page)).toEqual([{ title: 'Ben Okri wrote to you', body: 'Hello', closed: false }])
  await ada.call(`${chat}/MarkRead`, { channel, offset, version: 0 })
  await expect.poll(() => shown(page)).toEqual([{ title: 'Ben Okri wrote to you', body: 'Hello', closed: true }])
})

test('who is not to be disturbed isn’t, and nor do channels that are muted; both are told again after', async ({ page, context, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [design, loud, other] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'loud', ben), await channelWith(ada, 'other')]
  await ada.call(`${chat}/SetNotifications`, { channel: design, muted: true })
  await observe(context, 'granted')
  await signIn(page, ada)
  await page.goto(`/c/${other}`)
  await listens(page)
  await expect(link(page, 'design')).toContainText('muted')

  for (const focused of [true, false]) {
    await focus(page, focused)
    const told = (text: string) => (focused ? card(page, text).count() : shown(page).then((all) => all.filter(({ body }) => body.includes(text)).length))
    // What is told came behind what isn't: had that been told, it were there before.
    await say(ben, design, 'quietly, @ada')
    await expect(link(page, 'design')).toContainText('muted')
    await say(ben, loud, `loudly, @ada ${focused}`)
    await expect.poll(() => told('loudly')).toBe(1)
    expect(await told('quietly')).toBe(0)

    await silence(ada, true)
    await expect(page.getByRole('button', { name: 'Notifications are paused' })).toBeVisible()
    await say(ben, loud, 'hush, @ada')
    await expect(link(page, 'loud')).toContainText(focused ? '2 need your attention' : '5 need your attention') // it came, and counts
    await silence(ada, false)
    await expect(page.getByRole('button', { name: 'Notifications are paused' })).toBeHidden()
    await say(ben, loud, `again, @ada ${focused}`)
    await expect.poll(() => told('again')).toBe(1)
    expect(await told('hush')).toBe(0)
    if (!focused) expect((await shown(page)).map(({ body }) => body)).toEqual(['loudly, @ada false', 'again, @ada false'])
  }
})

test('notifications are paused from the menu of the account, and it is said wherever they would be', async ({ page, context, workspace }) => {
  await channelWith(workspace.owner, 'design')
  await observe(context, 'granted')
  await signIn(page, workspace.owner)
  await page.getByRole('button', { name: /account and status/ }).click()
  await page.getByRole('menuitem', { name: 'Pause notifications' }).press('Enter')
  await expect(page.getByRole('menuitem', { name: 'For 30 minutes' })).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  const pill = page.getByRole('button', { name: /Notifications are paused until/ })
  await expect(pill).toBeVisible()
  await page.reload()
  await pill.click() // it was kept by the service
  await expect(page.getByRole('status').filter({ hasText: /Notifications are paused until/ })).toBeVisible()
  await page.getByRole('button', { name: 'Resume' }).click()
  await expect(pill).toBeHidden()
})

test('a card takes no focus, leads to the message, and is one of few', async ({ page, context, workspace }) => {
  const ada = workspace.owner
  const [ben, cho] = [await workspace.person('ben', 'Ben Okri'), await workspace.person('cho', 'Cho Park')]
  const [design, other] = [await channelWith(ada, 'design', ben, cho), await channelWith(ada, 'other', ben)]
  const mine = await say(ada, design, 'a question')
  const chats = [await direct(ben, ada), await direct(cho, ada)]
  await observe(context, 'granted')
  await signIn(page, ada)
  await page.goto(`/c/${other}`)
  await listens(page)
  await composer(page).fill('half a thought')
  await say(ben, chats[0] ?? '', 'from Ben')
  await expect(card(page, 'from Ben')).toContainText('wrote to you')
  await expect(composer(page)).toBeFocused()
  await expect(page.locator('[aria-live=polite]', { hasText: 'Ben Okri wrote to you: from Ben' })).toBeAttached()
  await card(page, 'from Ben').hover() // they stay meanwhile
  await say(cho, design, 'an answer', { root: mine }) // she wrote its first message, and so follows it
  await expect(card(page, 'an answer')).toContainText('in a thread of #design')
  await say(ben, other, 'in what she looks at, @ada')
  await say(cho, chats[1] ?? '', 'from Cho')
  await expect(card(page, 'from Cho')).toBeVisible()
  await expect(card(page, 'looks at')).toHaveCount(0)
  await expect(page.locator('.notice')).toHaveCount(3)
  await page.screenshot({ path: test.info().outputPath('cards.png') })
  await card(page, 'an answer').getByRole('link').click()
  await expect(page).toHaveURL(new RegExp(`/t/${design}/${mine}$`))
  await expect(page.getByRole('complementary').getByText('an answer')).toBeVisible()
  await expect(card(page, 'an answer')).toHaveCount(0)
  expect(await shown(page)).toEqual([])
})

test('the number in the title is the sum, and goes as they are read', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [design, loud, other] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'loud', ben), await channelWith(ada, 'other', ben)]
  const chatted = await direct(ben, ada)
  await ada.call(`${chat}/SetNotifications`, { channel: loud, level: 'NOTIFY_LEVEL_ALL' })
  await signIn(page, ada)
  await link(page, 'other').click()
  await say(ben, design, 'one, @ada')
  await say(ben, design, 'unasked')
  for (const text of ['two', 'three']) await say(ben, loud, text)
  for (const text of ['four', 'five', 'six']) await say(ben, chatted, text)
  await expect(page).toHaveTitle(/^\(6\) /)
  await link(page, 'loud').click()
  await expect(page).toHaveTitle(/^\(4\) /)
  await link(page, 'Ben Okri').click()
  await expect(page).toHaveTitle(/^\(1\) /)
  await link(page, 'design').click()
  await expect(page).not.toHaveTitle(/^\(/)
  await say(ben, other, 'unasked')
  await expect(link(page, 'other')).toContainText('1 new message')
  await expect(page).not.toHaveTitle(/^\(/)
})

test('nothing of emoji is asked for before one looks for them; then they are picked by keys', async ({ page, workspace, watch }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const offset = await say(ben, channel, 'what do you think?')
  await signIn(page, ada)
  await link(page, 'design').click()
  const said = message(page, 'what do you think?')
  await said.hover()
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined)) // so all that is kept has been asked for
  const ofEmoji = () => watch.requests.map((request) => new URL(request.url()).pathname).filter((path) => /emoji|drawn|\.json$/i.test(path))
  expect(ofEmoji()).toEqual([])

  // React, by keys alone.
  const react = said.getByRole('button', { name: 'React', exact: true })
  await react.focus()
  await page.keyboard.press('Enter')
  const search = page.getByRole('combobox', { name: 'Search emoji' })
  await expect(search).toBeFocused()
  await expect(page.getByRole('option').first()).toBeAttached()
  expect([...new Set(ofEmoji().map((path) => path.replace(/-.{8}\./, '.')))].sort()).toEqual(['/assets/data.json', '/assets/drawn.js', '/assets/emoji.js', '/assets/open-emoji.css', '/assets/open-emoji.js'])
  await page.screenshot({ path: test.info().outputPath('picker.png') })
  await search.pressSequentially('party p')
  await expect(page.getByRole('option', { selected: true })).toHaveAccessibleName('party popper')
  await page.keyboard.press('Enter')
  await expect(search).toBeHidden()
  await expect(react).toBeFocused()
  const given = said.getByRole('button', { name: /🎉, 1 person, including you/ })
  await expect(given).toBeVisible()
  await expect(given).toHaveAccessibleDescription('you reacted with 🎉')
  await ben.call(`${chat}/AddReaction`, { channel, offset, emoji: '🎉' })
  await expect(said.getByRole('button', { name: /🎉, 2 people/ })).toHaveAccessibleDescription('Ben Okri and you reacted with 🎉')

  // Insert, by arrows; Escape gives the focus back.
  const open = page.getByRole('button', { name: 'Emoji', exact: true })
  await open.click()
  await expect(page.getByRole('option').first()).toBeAttached()
  await page.keyboard.press('Escape')
  await expect(search).toBeHidden()
  await expect(open).toBeFocused()
  await open.click()
  await expect(page.getByRole('option').first()).toBeAttached()
  await page.keyboard.press('ArrowDown')
  await expect(page.getByRole('option', { selected: true })).toHaveAccessibleName('party popper') // used last
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('option', { selected: true })).toHaveAccessibleName('grinning face with big eyes')
  await page.keyboard.press('Enter')
  await expect(composer(page)).toBeFocused()
  await expect(composer(page)).toHaveValue('😃')

  // By its code, chosen and typed out.
  await composer(page).pressSequentially(' :tad')
  await expect(page.getByRole('option', { name: /party popper/ })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(composer(page)).toHaveValue('😃 🎉 ')
  await composer(page).pressSequentially(':rocket:')
  await expect(composer(page)).toHaveValue('😃 🎉 🚀 ')
  await write(page, await composer(page).inputValue())
  await expect(message(page, '😃 🎉 🚀')).toHaveAttribute('data-state', 'sent')

  // What isn't found says so.
  await open.click()
  await search.fill('zzzz')
  await expect(page.getByText('No emoji for “zzzz”')).toBeVisible()
  await page.keyboard.press('Escape')

  // It opens at once, now that it is loaded.
  const took = await page.evaluate(async () => {
    const button = document.querySelector<HTMLElement>('.composer-bar [aria-haspopup=dialog]')
    const shown = () => document.querySelectorAll('.emoji [role=option]').length
    let best = Infinity
    for (let i = 0; i < 5; i++) {
      const begun = performance.now()
      button?.click()
      while (shown() < 1000) await new Promise(requestAnimationFrame)
      await new Promise(requestAnimationFrame)
      best = Math.min(best, performance.now() - begun)
      button?.click()
      while (shown() > 0) await new Promise(requestAnimationFrame)
    }
    return best
  })
  test.info().annotations.push({ type: 'opening the picker', description: `${Math.round(took)} ms` })
  expect(took).toBeLessThan(300) // three times the bar
})
