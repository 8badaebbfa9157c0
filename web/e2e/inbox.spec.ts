import type { Page } from '@playwright/test'
import { channelWith, chat, composer, link, message, say, signIn } from './app.ts'
import { password } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const inbox = (page: Page) => page.getByRole('navigation').getByRole('link', { name: 'Inbox' })
const card = (page: Page, channel: string) => page.getByRole('article', { name: `Thread in ${channel}` })
const pane = (page: Page) => page.getByRole('complementary')
const palette = (page: Page) => page.getByRole('dialog', { name: 'Search and commands' })

test('a reply in a thread comes into the inbox, and is read on all devices', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const root = await say(ada, channel, 'a question')
  await channelWith(ada, 'other')
  await signIn(page, ada)
  await link(page, 'other').click()
  const second = await Visit.begin(browser, plenum.origin, ada)
  await link(second.page, 'other').click()
  await inbox(page).click()
  await expect(page.getByText('You’re all caught up')).toBeVisible()

  await say(ben, channel, 'an answer', { root })
  for (const one of [page, second.page]) {
    await expect(inbox(one)).toContainText('1')
    await expect(one).toHaveTitle(/^\(1\) /)
  }
  await expect(card(page, 'design').getByText('a question')).toBeVisible()
  await expect(card(page, 'design').getByText('an answer')).toBeVisible()
  await expect(page.getByRole('tab', { name: 'Threads 1' })).toHaveAttribute('aria-selected', 'true')
  await card(page, 'design').getByRole('button', { name: 'Open the thread' }).click()
  await expect(pane(page).getByText('an answer')).toBeVisible()
  for (const one of [page, second.page]) {
    await expect(inbox(one)).not.toContainText('1')
    await expect(one).not.toHaveTitle(/^\(/)
  }
  await page.keyboard.press('Escape')
  await expect(pane(page)).toBeHidden()
  await expect(card(page, 'design').getByRole('button', { name: 'Open the thread' })).toBeFocused()
  await expect(card(page, 'design')).toBeVisible() // it stays where it was as it was read
  await page.screenshot({ path: test.info().outputPath('threads.png') })
  await second.end()
})

test('threads are answered in place, left, followed again, and all read at once', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [design, infra] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'infra', ben)]
  const roots = [await say(ada, design, 'a question'), await say(ada, infra, 'another question')]
  await say(ben, design, 'one', { root: roots[0] })
  await say(ben, infra, 'two', { root: roots[1] })
  await signIn(page, ada)
  await page.keyboard.press('Alt+i')
  await expect(inbox(page)).toContainText('2')
  await card(page, 'design').getByRole('button', { name: 'Reply', exact: true }).click()
  await expect(inbox(page)).toContainText('1') // who answers has read
  await page.keyboard.type('and an answer')
  await page.keyboard.press('Enter')
  await expect(card(page, 'design').getByText('and an answer')).toBeVisible()
  await expect.poll(async () => JSON.stringify(await ben.call(`${chat}/History`, { channel: design, root: roots[0] }))).toContain('and an answer')

  await card(page, 'infra').getByRole('button', { name: 'Stop following' }).click()
  await expect(card(page, 'infra')).toBeHidden()
  await expect(inbox(page)).not.toContainText('1')
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(card(page, 'infra')).toBeVisible()
  await say(ben, infra, 'three', { root: roots[1] })
  await expect(card(page, 'infra').getByText('three')).toBeVisible()
  await expect(inbox(page)).toContainText('1')
  await page.getByRole('button', { name: 'Mark all as read' }).click()
  await expect(inbox(page)).not.toContainText('1')
  await page.reload()
  await expect(card(page, 'infra').getByText('three')).toBeVisible()
  await expect(inbox(page)).not.toContainText('1')
})

test('a mention comes into the inbox, leads to its message, and is read on all devices', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const design = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other')
  await signIn(page, ada)
  await link(page, 'other').click()
  const second = await Visit.begin(browser, plenum.origin, ada)
  await link(second.page, 'other').click()
  await say(ben, design, 'look at **this**, @ada')
  for (const one of [page, second.page]) await expect(inbox(one)).toContainText('1')
  await expect(page).toHaveTitle(/^\(1\) /) // the channel and the inbox have it, the sum once
  await inbox(page).click()
  await page.getByRole('tab', { name: 'Threads' }).press('ArrowRight')
  await expect(page).toHaveURL(/\/inbox\/mentions$/)
  const row = page.locator('.inbox-mention', { hasText: 'look at this' }) // a card says so, too
  await expect(row).toContainText('new')
  await row.click()
  await expect(message(page, 'look at this')).toHaveClass(/message-marked/)
  for (const one of [page, second.page]) await expect(inbox(one)).not.toContainText('1')
  await page.goBack()
  await expect(row).not.toContainText('new')
  await second.end()
})

test('messages that were seen are found, by the palette and by the search, without the server too', async ({ page, workspace, plenum, watch }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const design = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other')
  await say(ben, design, 'The quarterly **zebra** report is ready')
  let newest = 0
  for (let n = 0; n < 60; n++) newest = await say(ben, design, `and then ${n}`)
  await ada.call(`${chat}/MarkRead`, { channel: design, offset: newest }) // so that it opens at its end
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'and then 59')).toBeVisible()
  await page.locator('.channel-scroll').hover()
  await expect(async () => {
    await page.mouse.wheel(0, -4000)
    await expect(message(page, 'quarterly zebra')).toBeVisible({ timeout: 500 })
  }).toPass()
  await link(page, 'other').click()

  await page.keyboard.press('Control+k')
  await page.keyboard.type('zebra')
  const found = palette(page).getByRole('option', { name: /The quarterly zebra report/ })
  await expect(found).toContainText('Ben Okri · design')
  await expect(palette(page).getByRole('option').first()).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('ArrowUp') // the last one
  await expect(found).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Enter')
  await expect(message(page, 'quarterly zebra')).toHaveClass(/message-marked/)
  await expect(message(page, 'quarterly zebra')).toBeInViewport()

  await page.keyboard.press('Control+Shift+f')
  await expect(page.getByRole('searchbox')).toBeFocused() // its script is there
  await link(page, 'other').click()
  await plenum.kill()
  await page.keyboard.press('Control+Shift+f')
  await page.keyboard.type('zeb quart from:@ben in:#design')
  const result = page.getByRole('link', { name: /Ben Okri in #design.*zebra/ })
  await expect(result.locator('mark')).toHaveText(['quart', 'zeb'])
  await expect(page.getByText('1 message', { exact: true })).toBeVisible()
  await expect(page).toHaveURL(/\/search\?q=zeb\+quart/)
  await page.screenshot({ path: test.info().outputPath('search.png') })
  await result.click()
  await expect(message(page, 'quarterly zebra')).toHaveClass(/message-marked/)
  await page.goBack()
  await expect(result).toBeVisible()
  await page.getByRole('searchbox').fill('zebra from:@nobody')
  await expect(page.getByText('No one has the handle @nobody')).toBeVisible()
  await page.getByRole('searchbox').fill('unsaid')
  await expect(page.getByText('Nothing found on this device')).toBeVisible()
  await plenum.restart()
  watch.forget() // the server was away
})

test('the palette begins with where one was, and goes there without asking', async ({ page, workspace }) => {
  const ada = workspace.owner
  for (const name of ['design', 'other', 'third']) await channelWith(ada, name)
  await signIn(page, ada)
  for (const name of ['third', 'design', 'other']) await link(page, name).click()
  await expect(page.getByRole('heading', { name: 'other' })).toBeVisible()
  await page.keyboard.press('Control+k')
  const recent = palette(page).getByRole('group', { name: 'Recent' })
  await expect(recent.getByRole('option')).toHaveText(['design', 'third'])
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'design' })).toBeVisible()
})

test('keys go through what is unread, and mark all of it as read', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const names = ['alpha', 'beta', 'delta', 'gamma']
  const channels = new Map<string, string>()
  for (const name of names) channels.set(name, await channelWith(ada, name, ben))
  const unread = (name: string) => page.getByRole('navigation').getByRole('link', { name: new RegExp(`${name} ?, \\d+ new message`) })
  const at = (name: string) => expect(page.getByRole('heading', { name, exact: true })).toBeVisible()
  await signIn(page, ada)
  await link(page, 'alpha').click()
  await at('alpha')
  for (const name of ['beta', 'gamma']) await say(ben, channels.get(name) ?? '', 'something, @ada')
  await expect(unread('gamma')).toBeVisible()
  await expect(inbox(page)).toContainText('2')
  await composer(page).focus() // also while one writes
  await page.keyboard.press('Alt+Shift+ArrowDown')
  await at('beta')
  await expect(unread('beta')).toBeHidden()
  await page.keyboard.press('Alt+Shift+ArrowDown')
  await at('gamma')
  await expect(unread('gamma')).toBeHidden()
  await page.keyboard.press('Alt+Shift+ArrowDown')
  await expect(page.getByText('You’re all caught up.')).toBeVisible()
  await at('gamma')

  for (const name of ['alpha', 'delta']) await say(ben, channels.get(name) ?? '', 'more, @ada')
  await expect(unread('delta')).toBeVisible()
  await page.keyboard.press('Alt+Shift+ArrowUp')
  await at('delta')
  await expect(unread('delta')).toBeHidden()
  await say(ben, channels.get('beta') ?? '', 'and more')
  await expect(unread('beta')).toBeVisible()
  await expect(page).toHaveTitle(/^\(1\) /)
  await page.keyboard.press('Shift+Escape')
  for (const name of names) await expect(unread(name)).toBeHidden()
  await expect(page).not.toHaveTitle(/^\(/)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(unread('alpha')).toBeVisible()
  await expect(unread('beta')).toBeVisible()
  await expect(page).toHaveTitle(/^\(1\) /)
  await page.reload()
  await expect(unread('alpha')).toBeVisible()
  await expect(page).toHaveTitle(/^\(1\) /)
})

test('a link leads to its message, and one in a message stays in the window', async ({ page, context, workspace, plenum }) => {
  const ada = workspace.owner
  const [design, other] = [await channelWith(ada, 'design'), await channelWith(ada, 'other')]
  for (let n = 0; n < 20; n++) await say(ada, design, `line ${n}`)
  const target = await say(ada, design, 'the one that is meant')
  for (let n = 0; n < 60; n++) await say(ada, design, `then ${n}`) // more than a page
  const root = await say(ada, design, 'a question')
  const reply = await say(ada, design, 'an answer', { root })
  await say(ada, other, `See ${plenum.origin}/c/${design}/${target} and ${plenum.origin}/t/${design}/${root}/${reply} and https://plenum.example/`)
  await signIn(page, ada)
  await page.goto(`/c/${design}/${target}`)
  const meant = message(page, 'the one that is meant')
  await expect(meant).toBeInViewport()
  await expect(meant).toHaveClass(/message-marked/)

  await link(page, 'other').click()
  const said = message(page, 'See http')
  await expect(said.getByRole('link', { name: 'https://plenum.example/' })).toHaveAttribute('target', '_blank')
  await said.getByRole('link', { name: /\/c\// }).click()
  await expect(meant).toBeInViewport()
  await expect(meant).toHaveClass(/message-marked/)
  await link(page, 'other').click()
  await said.getByRole('link', { name: /\/t\// }).click()
  await expect(pane(page).locator('.message', { hasText: 'an answer' })).toHaveClass(/message-marked/)
  expect(context.pages()).toHaveLength(1)
})

test('both are usable at 360 px', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design-and-everything-that-belongs-to-it', ben)
  const root = await say(ada, channel, 'a question of some length, so that its line is broken where the window ends')
  await say(ben, channel, 'an answer, @ada', { root })
  await page.setViewportSize({ width: 360, height: 740 })
  await page.goto('/')
  await page.getByLabel('Workspace').fill(ada.workspace)
  await page.getByLabel('Handle').fill(ada.handle)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('button', { name: 'Open the sidebar' })).toBeVisible()
  for (const [path, there] of [['/inbox', 'an answer'], ['/inbox/mentions', 'an answer'], ['/search?q=answer', 'Search messages']] as const) {
    await page.goto(path)
    await expect(page.getByText(there).first()).toBeVisible()
    expect(await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.page')?.scrollWidth ?? 0].filter((width) => width > 360))).toEqual([])
    const small = await page.locator('main :is(a, button, input, textarea)').evaluateAll((all) => all.filter((one) => one.getClientRects().length > 0 && (one.getBoundingClientRect().height < 24 || one.getBoundingClientRect().width < 24)).map((one) => one.outerHTML))
    expect(small).toEqual([])
    await page.screenshot({ path: test.info().outputPath(`${path.replace(/\W/g, '_')}.png`) })
  }
})
