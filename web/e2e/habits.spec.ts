/** What people do without thinking who have written in such applications before. */
import { channelWith, composer, link, message, say, signIn } from './app.ts'
import { expect, test } from './test.ts'

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

test('a dialog’s fields stand below its title', async ({ page, workspace }) => {
  await channelWith(workspace.owner, 'design')
  await signIn(page, workspace.owner)
  await page.getByRole('button', { name: 'New channel' }).click()
  const dialog = page.getByRole('dialog')
  const title = await dialog.getByRole('heading').boundingBox()
  const field = await dialog.getByLabel('Name').locator('xpath=ancestor::*[contains(@class, "field")][last()]').boundingBox()
  expect(field?.x).toBe(title?.x)
})
