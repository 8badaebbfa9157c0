import type { Page } from '@playwright/test'
import { channelWith, each, link, message, say, signIn } from './app.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const editor = (page: Page) => page.locator('.editor-text')

test('what a message is edited to stays when it is scrolled out of sight, when its channel is left, and when the page is loaded anew', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await channelWith(ada, 'other')
  await each(80, (i) => say(ada, channel, `words ${i}`))
  await say(ada, channel, 'the last one')
  await signIn(page, ada)
  await link(page, 'design').click()
  await message(page, 'the last one').hover()
  await message(page, 'the last one').getByRole('button', { name: 'Edit' }).click()
  await expect(editor(page)).toBeFocused()
  await editor(page).fill('the last one,\nthought over')
  const list = page.locator('.channel-scroll')
  await expect(async () => { // older messages come in above, and what is seen stays where it is
    await list.evaluate((element) => { element.scrollTop = 0 })
    await expect(editor(page)).toHaveCount(0, { timeout: 500 })
  }).toPass()
  await list.evaluate((element) => { element.scrollTop = element.scrollHeight })
  await expect(editor(page)).toHaveValue('the last one,\nthought over')
  await expect(editor(page)).toBeFocused()
  await link(page, 'other').click()
  await expect(editor(page)).toHaveCount(0)
  await link(page, 'design').click()
  await expect(editor(page)).toHaveValue('the last one,\nthought over')
  await page.reload()
  await expect(editor(page)).toHaveValue('the last one,\nthought over')
  await editor(page).press('Enter')
  await expect(message(page, 'thought over')).toContainText('edited')
  await page.reload()
  await expect(message(page, 'thought over')).toBeVisible()
  await expect(editor(page)).toHaveCount(0)
})

test('a link for a new password is shown, also where pages may not copy', async ({ page, context, workspace }) => {
  await workspace.person('ben', 'Ben Okri')
  await context.addInitScript(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined }) // as on plain HTTP
    Object.defineProperty(document, 'execCommand', { value: () => false })
  })
  await signIn(page, workspace.owner)
  await page.goto('/admin/people')
  await page.getByRole('button', { name: 'Actions for Ben Okri' }).click()
  await page.getByRole('menuitem', { name: 'Link for a new password' }).click()
  const dialog = page.getByRole('dialog', { name: 'A new password for Ben Okri' })
  await expect(dialog.locator('.link-made')).toHaveText(/^http:\/\/127\.0\.0\.1:\d+\/#reset=\S+$/)
  const made = await dialog.locator('.link-made').innerText()
  await dialog.getByRole('button', { name: 'Copy link' }).click()
  await expect(page.locator('.toast-failure')).toContainText(made)
  await dialog.locator('.dialog-foot').getByRole('button', { name: 'Close' }).click()
  await expect(dialog).toHaveCount(0)
})

test('a link is copied on plain HTTP, too', async ({ page, context, workspace }) => {
  const channel = await channelWith(workspace.owner, 'design')
  const offset = await say(workspace.owner, channel, 'copy me')
  await context.addInitScript(() => { Object.defineProperty(navigator, 'clipboard', { value: undefined }) })
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await message(page, 'copy me').hover()
  await message(page, 'copy me').getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Copy link' }).click()
  await expect(page.locator('.toast')).toContainText('Copied')
  await page.locator('.composer-text').focus()
  await page.keyboard.press('Control+v')
  await expect(page.locator('.composer-text')).toHaveValue(`${new URL(page.url()).origin}/c/${channel}/${offset}`)
})

test('who is promoted or demoted is offered what they may do, without a reload', async ({ page, workspace }) => {
  const ben = await workspace.person('ben', 'Ben Okri')
  await signIn(page, ben)
  await page.goto('/admin/people')
  await expect(page.getByText('This page is for administrators')).toBeVisible()
  const role = (role: string) => workspace.owner.call('plenum.identity.v1.AdminService/ChangeRole', { userId: ben.id, role })
  await role('ROLE_ADMIN')
  await expect(page.getByRole('heading', { name: 'People' })).toBeVisible({ timeout: 30_000 })
  await role('ROLE_MEMBER')
  await expect(page.getByText('This page is for administrators')).toBeVisible({ timeout: 30_000 })
})

test('who signs out in one tab is signed out in all, and the server hears of it once the network is back', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page, context } = visit
  await link(page, 'design').click()
  const tab = await context.newPage()
  await tab.goto(page.url())
  await expect(link(tab, 'design')).toBeVisible()
  const devices = async () => ((await ada.call('plenum.identity.v1.PeopleService/ListDevices', {}))['devices'] as unknown[]).length
  expect(await devices()).toBe(2)
  await context.setOffline(true)
  await page.getByRole('button', { name: /account and status/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible({ timeout: 20_000 })
  expect(await devices()).toBe(2)
  await context.setOffline(false)
  await expect.poll(devices).toBe(1)
  await expect(tab.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible({ timeout: 30_000 })
  await expect(tab.getByText('Please sign in again')).toHaveCount(0)
  expect(await tab.evaluate(() => sessionStorage.length)).toBe(0)
  visit.watch.forget() // there was no network
  await visit.end()
})

test('a link that looks like another server’s leads to no place within', async ({ page, context, plenum, workspace }) => {
  const channel = await channelWith(workspace.owner, 'design')
  await say(workspace.owner, channel, `a link: ${plenum.origin}//c/${channel}`)
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  const [other] = await Promise.all([context.waitForEvent('page'), message(page, 'a link').getByRole('link').click()])
  await other.close()
  await expect(page).toHaveURL(`${plenum.origin}/c/${channel}`)
})
