import { channelWith, chat, composer, link, message, say } from './app.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

test('messages that would hold the parser up are shown as they stand, and a tall one is folded until it is asked for', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const eve = await workspace.person('eve', 'Eve Moss')
  const channel = await channelWith(ada, 'design', eve)
  for (const text of [`${'- '.repeat(7_900)}x`, `${'> - '.repeat(1_900)}x`, 'a\n=\n'.repeat(4_000), `${'a|'.repeat(900)}\n${'-|'.repeat(900)}\n${'a\n'.repeat(4_000)}`]) await say(eve, channel, text)
  const tall = await say(eve, channel, `begins\n\n${'# so it goes on\n'.repeat(200)}ends`)
  const last = await say(eve, channel, 'after all of it')
  await ada.call(`${chat}/MarkRead`, { channel, offset: last })
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(message(page, 'after all of it')).toBeVisible()
  const row = page.locator(`.message[data-offset="${tall}"]`)
  const all = row.getByRole('button', { name: 'Show all' })
  await all.scrollIntoViewIfNeeded()
  const height = async () => (await row.locator('.message-body').boundingBox())?.height ?? 0
  expect(await height()).toBe(640)
  const top = async () => (await row.boundingBox())?.y ?? 0
  await page.screenshot({ path: test.info().outputPath('folded.png') })
  const before = await top()
  await all.click()
  await expect.poll(height).toBeGreaterThan(2_000)
  await expect(all).toHaveCount(0)
  expect(Math.abs((await top()) - before)).toBeLessThanOrEqual(1)
  // It is remembered while the row lives.
  await page.locator('.channel-scroll').evaluate((list) => { list.scrollTop = 0 })
  await expect(row).toHaveCount(0)
  await page.locator('.channel-scroll').evaluate((list) => { list.scrollTop = list.scrollHeight })
  await expect(row.getByText('ends')).toBeAttached()
  expect(await height()).toBeGreaterThan(2_000)
  await visit.end()
})

test('a paste of megabytes is refused with words', async ({ browser, plenum, workspace }) => {
  await channelWith(workspace.owner, 'design')
  const visit = await Visit.begin(browser, plenum.origin, workspace.owner)
  const { page } = visit
  await link(page, 'design').click()
  await composer(page).fill('mine ')
  await composer(page).focus()
  const paste = (n: number) => page.keyboard.insertText('x'.repeat(n))
  await paste(2_000_000)
  await expect(page.getByRole('alert')).toContainText('was not pasted')
  await expect(composer(page)).toHaveValue('mine ')
  await paste(3)
  await expect(composer(page)).toHaveValue('mine xxx')
  await expect(page.getByRole('alert')).toHaveCount(0)
  await visit.end()
})

test('who is called as somebody else is told by their handle', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const one = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', one)
  await say(one, channel, 'hello')
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(message(page, 'hello')).not.toContainText('@ben')
  const other = await workspace.person('eve', 'Ben  Okri')
  await other.call(`${chat}/JoinChannel`, { channel })
  await say(other, channel, 'me, too')
  await expect(message(page, 'me, too')).toContainText('@eve')
  await expect(message(page, 'hello')).toContainText('@ben')
  await visit.end()
})
