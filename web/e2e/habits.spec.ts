/** What people do without thinking who have written in such applications before. */
import { channelWith, chat, composer, each, link, message, say, signIn, texts } from './app.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

for (const width of [1024, 900, 780]) {
  test(`a thread lies over its channel where both have no room, ${width} px`, async ({ page, workspace }) => {
    const ada = workspace.owner
    const channel = await channelWith(ada, 'design')
    await say(ada, channel, 'a question')
    await page.setViewportSize({ width, height: 600 })
    await signIn(page, ada)
    await link(page, 'design').click()
    const before = await page.getByRole('main').boundingBox()
    await message(page, 'a question').getByRole('button', { name: 'Message actions' }).focus()
    await message(page, 'a question').getByRole('button', { name: 'Reply in a thread' }).click()
    const pane = page.getByRole('complementary')
    await expect(pane.locator('.composer-text')).toBeVisible()
    expect(await page.getByRole('main').boundingBox()).toEqual(before)
    await expect.poll(async () => pane.boundingBox()).toMatchObject({ y: before?.y, height: before?.height })
  })
}

test('who opens a thread writes in it at once; who presses letters elsewhere writes in the channel', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await channelWith(ada, 'kitchen')
  await say(ada, channel, 'a question')
  await signIn(page, ada)
  await link(page, 'design').click()
  const opener = message(page, 'a question').getByRole('button', { name: 'Reply in a thread' })
  await message(page, 'a question').hover()
  await opener.click()
  const reply = page.getByRole('complementary').locator('.composer-text')
  await expect(reply).toBeFocused()
  await page.keyboard.type('an answer')
  await page.keyboard.press('Enter')
  await expect(message(page, 'an answer')).toHaveCount(1)
  await page.keyboard.press('Escape')
  await expect(opener).toBeFocused()
  await opener.press('Enter')
  await expect(reply).toBeFocused() // again, as it was opened again
  await page.keyboard.press('Escape')

  await page.keyboard.press('Control+K')
  await page.keyboard.type('kitchen')
  await expect(page.getByRole('option', { name: 'kitchen', exact: true })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveTitle(/kitchen/)
  await page.keyboard.type('soup!')
  await expect(composer(page)).toHaveValue('soup!')
  await page.keyboard.press('Enter')
  await expect(message(page, 'soup!')).toHaveAttribute('data-state', 'sent')
  expect(await texts(ada, channel)).toEqual(['a question'])
})

test('what the composer does to a text can be undone', async ({ page, workspace }) => {
  const ada = workspace.owner
  await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).click()
  await page.keyboard.type('some words')
  await composer(page).selectText()
  await page.keyboard.press('Control+B')
  await expect(composer(page)).toHaveValue('**some words**')
  await page.keyboard.press('Control+Z')
  await expect.poll(async () => composer(page).inputValue()).not.toContain('**')
  await expect(composer(page)).toHaveValue(/words/)

  await composer(page).fill('')
  await page.keyboard.type('hello @be')
  await expect(page.getByRole('option', { name: /Ben Okri/ })).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(composer(page)).toHaveValue('hello @ben ')
  await page.keyboard.press('Control+Z')
  await expect(composer(page)).toHaveValue(/^hello @be$/)
})

test('within a block of code Enter goes on, and nothing becomes an emoji; once it is closed, Enter sends it', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).click()
  await page.keyboard.type(':tad')
  await expect(page.getByRole('option', { name: /party popper/ })).toBeVisible()
  await page.keyboard.type('a:')
  await expect(composer(page)).toHaveValue('🎉 ')
  await composer(page).fill('')
  for (const line of ['```js', 'let a = ":tada:"', '```']) {
    await page.keyboard.type(line)
    await page.keyboard.press('Enter')
  }
  await expect(message(page, 'let a =').locator('pre')).toBeVisible()
  await page.keyboard.type('```')
  await page.keyboard.press('Enter')
  await page.keyboard.type('b')
  await page.keyboard.press('Control+Enter')
  await expect(composer(page)).toHaveValue('')
  await expect.poll(async () => texts(ada, channel)).toEqual(['```js\nlet a = ":tada:"\n```', '```\nb'])
})

test('a link to a public channel that somebody is not in shows it, and lets them in; to a private one it says nothing', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const books = await channelWith(ada, 'books')
  await ada.call(`${chat}/UpdateChannel`, { channel: books, topic: 'One a month', purpose: 'What we read' })
  await say(ada, books, 'Chapter **four**?')
  const { channel: secret } = await ada.call(`${chat}/CreateChannel`, { name: 'secret', kind: 'CHANNEL_KIND_PRIVATE' })
  const visit = await Visit.begin(browser, plenum.origin, ben)
  const { page } = visit
  await page.goto(`/c/${secret as string}`)
  await expect(page.getByText('Channel not found')).toBeVisible()
  await page.goto(`/c/${books}/2`)
  await expect(page.getByRole('heading', { name: 'books' })).toBeVisible()
  await expect(page.getByText('What we read')).toBeVisible()
  await expect(page.getByRole('list', { name: 'Latest messages' }).getByText('Chapter four?')).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('outside.png') })
  await page.getByRole('main').getByRole('button', { name: 'Join' }).click()
  await expect(link(page, 'books')).toHaveAttribute('aria-current', 'page')
  await expect(message(page, 'Chapter four?')).toBeVisible()
  await expect(composer(page)).toBeVisible()
  visit.watch.forget() // the private one was refused
  await visit.end()
})

test('who only looks at a channel goes on where they were, and gets out of its threads, which cover all on a phone', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'design', ben)
  await channelWith(ada, 'kitchen', ben)
  const books = await channelWith(ada, 'books')
  const root = await say(ada, books, 'Chapter four?')
  const visit = await Visit.begin(browser, plenum.origin, ben)
  const { page } = visit
  await expect(page).toHaveTitle(/design/)
  await link(page, 'kitchen').click()
  await expect(page).toHaveTitle(/kitchen/)
  await page.setViewportSize({ width: 360, height: 740 })
  await page.goto(`/t/${books}/${root}`)
  const pane = page.getByRole('complementary')
  await expect(pane.getByRole('heading', { name: 'Thread' })).toBeVisible()
  await expect(pane.getByText('You are not in this thread’s channel')).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('thread-outside.png') })
  await pane.getByRole('button', { name: 'Close the pane' }).click()
  await expect(page).toHaveURL(new RegExp(`/c/${books}$`))
  await expect(page.getByRole('main').getByRole('button', { name: 'Join' })).toBeVisible()
  await page.goto('/')
  await expect(page).toHaveTitle(/kitchen/)
  await visit.end()
})

test('what is typed before the palette has come is typed into it', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  for (const name of ['design', 'kitchen']) await channelWith(ada, name)
  let come = (): void => undefined
  const held = new Promise<void>((done) => { come = done })
  const visit = await Visit.begin(browser, plenum.origin, undefined, {}, (context) => context.addInitScript(() => { Reflect.deleteProperty(Navigator.prototype, 'serviceWorker') })) // it would have the palette already
  const { page } = visit
  await page.route('**/assets/Palette-*.js', async (route) => {
    await held
    await route.continue()
  })
  await signIn(page, ada)
  await expect(page).toHaveTitle(/design/)
  await composer(page).focus()
  await page.keyboard.press('Control+K')
  await page.keyboard.press('Escape')
  await expect(composer(page)).toBeFocused()
  await page.keyboard.press('Control+K')
  await page.keyboard.type('kitc')
  const field = page.getByRole('dialog').getByRole('textbox')
  await expect(field).toHaveValue('kitc')
  await page.screenshot({ path: test.info().outputPath('comes.png') })
  come()
  await expect(page.getByRole('combobox')).toHaveValue('kitc')
  await page.keyboard.type('hen')
  await expect(page.getByRole('option', { name: 'kitchen', exact: true })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(composer(page)).toBeFocused()
  await expect(composer(page)).toHaveValue('')
  await visit.end()
})

test('a palette that cannot be loaded says so, and is asked for again; the rest goes on', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  const visit = await Visit.begin(browser, plenum.origin, undefined, {}, (context) => context.addInitScript(() => { Reflect.deleteProperty(Navigator.prototype, 'serviceWorker') }))
  const { page } = visit
  await page.route('**/assets/Palette-*.js', (route) => route.abort())
  await signIn(page, ada)
  await expect(page).toHaveTitle(/design/)
  await composer(page).focus()
  await page.keyboard.press('Control+K')
  await expect(page.getByRole('alert')).toContainText('could not be loaded')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(composer(page)).toBeFocused()
  await page.unroute('**/assets/Palette-*.js')
  await expect(async () => {
    await page.keyboard.press('Control+K')
    await expect(page.getByRole('combobox')).toBeFocused({ timeout: 2_000 })
  }).toPass()
  visit.watch.forget() // what failed
  await visit.end()
})

test('a new tab goes on where somebody was last; where they are is in sight among many channels', async ({ page, context, workspace }) => {
  const ada = workspace.owner
  await page.setViewportSize({ width: 1280, height: 420 })
  await each(16, async (i) => channelWith(ada, `channel-${String(i).padStart(2, '0')}`))
  await signIn(page, ada)
  await expect(page).toHaveTitle(/channel-00/) // the first one, though they come in any order
  await page.keyboard.press('Control+K')
  await page.keyboard.type('channel-15')
  await expect(page.getByRole('option', { name: 'channel-15', exact: true })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveTitle(/channel-15/)
  await expect(link(page, 'channel-15')).toBeInViewport({ ratio: 1 })
  const other = await context.newPage()
  await other.goto('/')
  await expect(other).toHaveTitle(/channel-15/)
  await expect(link(other, 'channel-15')).toBeInViewport({ ratio: 1 })
})

test('a sidebar that was scrolled stays where it is while somebody writes in the channel that is open', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await page.setViewportSize({ width: 1280, height: 420 })
  const first = await channelWith(ada, 'channel-00', ben)
  await each(15, async (i) => channelWith(ada, `channel-${String(i + 1).padStart(2, '0')}`))
  await signIn(page, ada)
  await link(page, 'channel-00').click()
  await link(page, 'channel-15').scrollIntoViewIfNeeded()
  await expect(link(page, 'channel-00')).not.toBeInViewport()
  await say(ben, first, 'moves nothing')
  await expect(message(page, 'moves nothing')).toBeVisible()
  await expect(link(page, 'channel-00')).not.toBeInViewport()
  await expect(link(page, 'channel-15')).toBeInViewport()
})

test('who edits what was just sent sees nothing of that it was', async ({ page, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).fill('a wrod')
  await composer(page).press('Enter')
  const sent = message(page, 'a wrod')
  const state = sent.locator('.message-state')
  await expect(state).toHaveText('Sent')
  await expect(state).toHaveCSS('opacity', '1')
  await state.evaluate((element) => { element.setAttribute('data-first', '') })
  await composer(page).press('ArrowUp')
  await expect(page.getByRole('button', { name: 'Save' })).toBeVisible()
  await expect(page.locator('.message-state')).toHaveCSS('opacity', '0')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'Save' })).toBeHidden()
  await expect(page.locator('.message-state[data-first]')).toHaveCSS('opacity', '1') // the same one: another would be said again
})

test('people are offered by their names; a conversation is said to begin, not a person', async ({ page, workspace }) => {
  const ada = workspace.owner
  for (const [handle, name] of [['zoe', 'Zoe'], ['ben', 'Ben Okri'], ['max', 'Max'], ['cho', 'Cho']] as const) await workspace.person(handle, name)
  await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).click()
  await page.keyboard.type('@')
  const offered = page.getByRole('listbox').getByRole('option')
  await expect(offered).toHaveText([/^AL.*Ada/, /Ben/, /Cho/, /Max/, /Zoe/, /Everyone in this channel/])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'New message' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('listitem')).toHaveText([/Ben/, /Cho/, /Max/, /Zoe/])
  await dialog.getByRole('button', { name: /Cho/ }).click()
  await dialog.getByRole('button', { name: 'Write' }).click()
  await expect(page.getByText('This is where your conversation with Cho begins')).toBeVisible()
})

for (const [what, said] of [['all', 4], ['not all', 40]] as const)
  test(`who reads at the end stays there as the window changes its size, ${what} of it in sight`, async ({ page, workspace }) => {
    const ada = workspace.owner
    const ben = await workspace.person('ben', 'Ben Okri')
    const channel = await channelWith(ada, 'design', ben)
    for (let i = 0; i < said; i++) await say(ada, channel, `before ${i}`)
    await signIn(page, ada)
    await link(page, 'design').click()
    const high = page.viewportSize() ?? { width: 1280, height: 720 }
    await expect(message(page, `before ${said - 1}`)).toBeInViewport()
    for (const height of [320, high.height]) {
      await page.setViewportSize({ ...high, height })
      await expect(message(page, `before ${said - 1}`)).toBeInViewport()
      await page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => { requestAnimationFrame(done) }) }))
      await say(ben, channel, `at ${height}`)
      await expect(message(page, `at ${height}`)).toBeInViewport()
      await expect(page.locator('.channel-to-end')).toHaveCount(0)
    }
  })

test('a dialog’s fields stand below its title', async ({ page, workspace }) => {
  await channelWith(workspace.owner, 'design')
  await signIn(page, workspace.owner)
  await page.getByRole('button', { name: 'New channel' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByLabel('Name')).toBeVisible()
  const apart = await dialog.evaluate((within) => { // at one moment: the dialog is still growing
    const [title, field] = ['h2', '.field'].map((selector) => within.querySelector(selector)?.getBoundingClientRect().left ?? NaN)
    return Math.abs((title ?? NaN) - (field ?? NaN))
  })
  expect(apart).toBeLessThan(0.1)
})

test('who goes through channels by keys stays at a link while what is unread there is read', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'design', ben)
  const kitchen = await channelWith(ada, 'kitchen', ben)
  await signIn(page, ada)
  await link(page, 'design').click()
  await say(ben, kitchen, 'Soup, @ada?')
  await expect(link(page, 'kitchen')).toContainText('1')
  await link(page, 'kitchen').focus()
  await page.keyboard.press('Enter')
  await expect(message(page, 'Soup')).toBeVisible()
  await expect(link(page, 'kitchen')).not.toContainText('1')
  await expect(link(page, 'kitchen')).toBeFocused()
  await page.keyboard.press('ArrowUp')
  await expect(link(page, 'design')).toBeFocused()
})

test('everyone in a channel is offered to whom may call them, and is called', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const root = await say(ben, channel, 'a question')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).click()
  await page.keyboard.type('Listen, @chan')
  await expect(page.getByRole('option', { name: 'Everyone in this channel @channel' })).toBeVisible()
  await page.keyboard.press('Enter')
  await page.keyboard.type('it is ready')
  await expect(composer(page)).toHaveValue('Listen, @channel it is ready')
  await page.keyboard.press('Enter')
  await expect(message(page, 'it is ready')).toHaveAttribute('data-state', 'sent')
  const { messages } = (await ben.call(`${chat}/History`, { channel, limit: 1 })) as { messages: { mentions?: { everybody?: boolean } }[] }
  expect(messages[0]?.mentions?.everybody).toBe(true)

  await page.goto(`/t/${channel}/${root}`)
  await page.getByRole('complementary').locator('.composer-text').click()
  await page.keyboard.type('@')
  await expect(page.getByRole('option', { name: /Ben Okri/ })).toBeVisible()
  await expect(page.getByRole('option', { name: /Everyone/ })).toHaveCount(0)
})

test('an invitation that was used is not said to expire; channels are listed with their people, and lead there', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ben, 'books')
  await signIn(page, ada)
  await page.goto('/admin/invitations')
  const used = page.getByRole('listitem').filter({ hasText: 'used' })
  await expect(used).toContainText('by Ada Lovelace')
  await expect(used).not.toContainText('expires')
  await page.getByLabel('Who is it for?').fill('Cho')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('listitem').filter({ hasText: 'Cho' })).toContainText('expires')
  await page.goto('/admin/channels')
  await page.getByRole('link', { name: 'books 1 person' }).click()
  await expect(page.getByRole('heading', { name: 'books' })).toBeVisible()
  await expect(page.getByRole('main').getByRole('button', { name: 'Join' })).toBeVisible()
})
