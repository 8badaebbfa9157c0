import { channelWith, chat, composer, link, message, say, signIn, texts, write } from './app.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

test('who was removed hears at once that what they write isn’t sent, and why; also of what waited', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ben)
  const { page } = visit
  await link(page, 'design').click()
  await write(page, 'while he is in it')
  await expect(message(page, 'while he is in it')).toHaveAttribute('data-state', 'sent')

  proxy.hold() // he doesn't hear of it
  await ada.call(`${chat}/RemoveMember`, { channel, user: ben.id })
  await write(page, 'after he was removed')
  const failed = message(page, 'after he was removed')
  await expect(failed.getByRole('status')).toHaveText(/Sending…/)
  proxy.release()
  await expect(failed.getByRole('button', { name: 'Retry' })).toBeVisible({ timeout: 5_000 })
  await expect(failed.getByRole('button', { name: 'Delete' })).toBeVisible()
  await expect(failed.getByRole('status')).toHaveText(/Not sent: \w/)
  await page.screenshot({ path: test.info().outputPath('removed.png') })

  await ada.call(`${chat}/AddMembers`, { channel, users: [ben.id] })
  await failed.getByRole('button', { name: 'Retry' }).click()
  await expect(failed).toHaveAttribute('data-state', 'sent', { timeout: 15_000 })

  proxy.cut() // and what waits for a connection
  await write(page, 'written offline')
  const waits = message(page, 'written offline')
  await expect(waits).toContainText('Waiting to be sent')
  await ada.call(`${chat}/RemoveMember`, { channel, user: ben.id })
  proxy.mend()
  await expect(waits.getByRole('button', { name: 'Delete' })).toBeVisible({ timeout: 35_000 }) // it comes back by itself, within 30 s
  await expect(waits.getByRole('status')).toHaveText(/Not sent: \w/)
  await waits.getByRole('button', { name: 'Delete' }).click()
  await expect(waits).toHaveCount(0)
  expect(await texts(ada, channel)).toEqual(['while he is in it', 'after he was removed'])
  visit.watch.forget() // he was cut off
  await visit.end()
  await proxy.stop()
})

test('a channel is muted, and unmuted, by the keyboard and the palette', async ({ page, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).focus()
  await page.keyboard.press('Alt+M')
  await expect(page.getByText('design is muted.')).toBeVisible()
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(page.getByText('design is no longer muted.')).toBeVisible()
  await page.keyboard.press('Control+K')
  await page.getByRole('combobox').fill('silence')
  await page.getByRole('option', { name: /Mute the channel/ }).click()
  await expect(page.getByText('design is muted.')).toBeVisible()
  await page.keyboard.press('Alt+O')
  await expect(page.getByRole('switch', { name: /^Mute/ })).toBeChecked()
})

test('a channel that isn’t open is called as it was renamed', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ben, 'old-name', ada)
  await channelWith(ada, 'design')
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(composer(page)).toBeVisible()
  await expect(link(page, 'old-name')).toBeVisible()
  await ben.call(`${chat}/UpdateChannel`, { channel, name: 'new-name' })
  await expect(link(page, 'new-name')).toBeVisible()
  await expect(link(page, 'old-name')).toHaveCount(0)
})

test('who browses looks into a channel before joining it, and finds archived ones', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const books = await channelWith(ben, 'books')
  await ben.call(`${chat}/UpdateChannel`, { channel: books, topic: 'One a month', purpose: 'What we read' })
  await say(ben, books, 'Chapter **four**?')
  const old = await channelWith(ben, 'old-plans')
  await say(ben, old, 'Done with.')
  await ben.call(`${chat}/ArchiveChannel`, { channel: old, archived: true })
  await signIn(page, ada)
  await page.goto('/browse')
  await expect(page.getByText('books', { exact: true })).toBeVisible()
  await expect(page.getByText('old-plans', { exact: true })).toHaveCount(0)
  const opener = page.getByRole('button', { name: /^Preview books/ })
  await opener.click()
  const preview = page.getByRole('dialog', { name: '#books' })
  await expect(preview.getByText('What we read')).toBeVisible()
  await expect(preview.getByText('One a month')).toBeVisible()
  await expect(preview.getByRole('list', { name: 'Latest messages' }).getByText('Chapter four?')).toBeVisible()
  await expect(preview.getByText('Ben Okri').first()).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('preview.png') })
  await page.keyboard.press('Escape')
  await expect(preview).toBeHidden()
  await expect(opener).toBeFocused()

  await page.getByLabel('Which channels').selectOption({ label: 'Archived' })
  await expect(page.getByText('old-plans', { exact: true })).toBeVisible()
  await expect(page.getByText('books', { exact: true })).toHaveCount(0)
  await page.getByRole('button', { name: /^Preview old-plans/ }).click()
  await expect(page.getByRole('dialog').getByText('Done with.')).toBeVisible()
  await expect(page.getByRole('dialog').getByRole('button', { name: 'Join' })).toHaveCount(0)
  await page.keyboard.press('Escape')
  await page.setViewportSize({ width: 360, height: 740 })
  await page.screenshot({ path: test.info().outputPath('browse-narrow.png') })

  await page.getByLabel('Which channels').selectOption({ label: 'Active' })
  await opener.click()
  await preview.getByRole('button', { name: 'Join' }).click()
  await expect(page).toHaveURL(new RegExp(`/c/${books}$`))
})

test('who browses finds a channel by any word of its name', async ({ page, workspace }) => {
  const ben = await workspace.person('ben', 'Ben Okri')
  for (const name of ['web-design', 'design_reviews', 'redesign', 'books']) await channelWith(ben, name)
  await signIn(page, workspace.owner)
  await page.goto('/browse')
  const found = page.getByRole('main').getByRole('listitem').locator('.strong')
  await expect(found).toHaveText(['books', 'design_reviews', 'redesign', 'web-design'])
  const search = page.getByRole('searchbox', { name: 'Find a channel' })
  await search.fill('#Design')
  await expect(found).toHaveText(['design_reviews', 'web-design'])
  await search.fill('design web')
  await expect(found).toHaveText(['web-design'])
  await search.fill('c++') // no name may have it
  await expect(page.getByText('No channels found')).toBeVisible()
})
