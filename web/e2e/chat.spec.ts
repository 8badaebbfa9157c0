import { channelWith, chat, composer, drafted, link, live, message, say, signIn, texts, write } from './app.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

test('two people talk', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await say(ben, channel, 'Hello **Ada**, see https://plenum.example and `code`')

  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'Hello Ada, see')).toBeVisible()
  await composer(page).fill('Good morning, @be')
  await expect(page.getByRole('option', { name: /Ben Okri/ })).toBeVisible()
  await composer(page).press('Enter') // chooses Ben
  await expect(composer(page)).toHaveValue('Good morning, @ben ')
  await composer(page).press('Enter')
  const own = message(page, 'Good morning')
  await expect(own).toHaveAttribute('data-state', 'sent')
  await expect(own.locator('.mention')).toHaveText('@Ben Okri')

  const visit = await Visit.begin(browser, plenum.origin, ben)
  const other = visit.page
  await link(other, 'design').click()
  await expect(message(other, 'Good morning,')).toBeVisible()
  await live(ada, channel, other)
  await composer(page).pressSequentially('I am wri')
  await expect(other.locator('.typing')).toHaveText('Ada Lovelace is typing…')
  await write(other, 'And to you')
  await expect(message(page, 'And to you')).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('channel.png') })
  await visit.end()
})

test('what is new is told, until it is read', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const [design, other] = [await channelWith(ada, 'design', ben), await channelWith(ada, 'other', ben)]
  await say(ada, design, 'read before')
  await signIn(page, ada)
  await link(page, 'other').click()
  await say(ben, design, 'one')
  await say(ben, design, 'two, @ada')
  await expect(link(page, 'design')).toContainText('1') // asks for her
  await expect(page).toHaveTitle(/^\(1\) /)
  await link(page, 'design').click()
  await expect(page.locator('.fresh')).toBeVisible()
  await expect(page).not.toHaveTitle(/^\(/)
  await say(ben, other, 'elsewhere')
  await expect(page.getByRole('navigation').getByRole('link', { name: /other ?, 1 new message/ })).toBeVisible()
})

test('while Plenum is dead messages wait; they go out in their order, once, and the page recovers by itself', async ({ page, workspace, plenum, watch }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await write(page, 'before')
  await expect(message(page, 'before')).toHaveAttribute('data-state', 'sent')
  await plenum.kill()
  for (const text of ['one', 'two', 'three']) await write(page, text)
  await expect(message(page, 'three')).toContainText(/Sending|Waiting/)
  await plenum.restart()
  for (const text of ['one', 'two', 'three']) await expect(message(page, text)).toHaveAttribute('data-state', 'sent', { timeout: 60_000 })
  await say(ada, channel, 'after')
  await expect(message(page, 'after')).toBeVisible({ timeout: 45_000 })
  await expect(page.locator('.message')).toHaveCount(5)
  expect(await texts(ada, channel)).toEqual(['before', 'one', 'two', 'three', 'after'])
  watch.forget() // the server was away
})

test('a draft outlives its page', async ({ page, workspace }) => {
  await channelWith(workspace.owner, 'design')
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await composer(page).fill('half a thought')
  await drafted(page, 'half a thought')
  await page.reload()
  await expect(composer(page)).toHaveValue('half a thought')
  await composer(page).press('Enter')
  await expect(message(page, 'half a thought')).toHaveAttribute('data-state', 'sent')
  await page.reload()
  await expect(message(page, 'half a thought')).toHaveCount(1)
  await expect(composer(page)).toHaveValue('')
})

test('a thread stands beside its channel, and Escape gives the focus back', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const root = await say(ada, channel, 'a question')
  await say(ada, channel, 'an answer', { root })
  await signIn(page, ada)
  await link(page, 'design').click()
  const open = message(page, 'a question').getByRole('button', { name: /1 reply/ })
  await open.click()
  const pane = page.getByRole('complementary')
  await expect(pane.getByText('an answer')).toBeVisible()
  await pane.locator('.composer-text').fill('another one')
  await pane.locator('.composer-text').press('Enter')
  await expect(message(page, 'a question').first().getByRole('button', { name: /2 replies/ })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(pane).toBeHidden()
  await expect(message(page, 'a question').getByRole('button', { name: /2 replies/ })).toBeFocused()
})

test('messages are edited, reacted to, pinned and deleted, and others see it', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const offset = await say(ben, channel, 'frist')
  await say(ada, channel, 'mine')
  await signIn(page, ada)
  await link(page, 'design').click()
  await ben.call(`${chat}/EditMessage`, { channel, offset, text: 'first' })
  await expect(message(page, 'first')).toContainText('edited')
  await ben.call(`${chat}/AddReaction`, { channel, offset, emoji: '🎉' })
  const reaction = message(page, 'first').getByRole('button', { name: /🎉, 1 person/ })
  await reaction.click()
  await expect(message(page, 'first').getByRole('button', { name: /🎉, 2 people, including you/ })).toHaveAttribute('aria-pressed', 'true')
  await message(page, 'mine').hover()
  await message(page, 'mine').getByRole('button', { name: 'Edit' }).click()
  await page.locator('.editor-text').fill('mine, mended')
  await page.locator('.editor-text').press('Enter')
  await expect(message(page, 'mine, mended')).toContainText('edited')
  await ben.call(`${chat}/DeleteMessage`, { channel, offset })
  await expect(page.getByText('This message was deleted.')).toBeVisible()
})

test('what hostile people write does nothing', async ({ page, workspace, watch }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  for (const text of [
    '<img src=x onerror="window.harm = 1">',
    '[click](javascript:window.harm=1)',
    '![x](https://elsewhere.example/pixel.gif)',
    '[https://bank.example](https://evil.example)',
    '<script>window.harm = 1</script>',
    '[data](data:text/html,<script>window.harm=1</script>)',
  ]) {
    await say(ada, channel, text)
  }
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(page.getByText('<script>window.harm = 1</script>')).toBeVisible()
  await expect(page.getByText('(evil.example)')).toBeVisible()
  expect(await page.locator('.message-body img, .message-body script, .message-body a[href^="javascript"], .message-body a[href^="data"]').count()).toBe(0)
  expect(await page.evaluate(() => (window as { harm?: number }).harm)).toBeUndefined()
  for (const request of watch.requests) expect(request.url()).not.toContain('elsewhere.example')
})
