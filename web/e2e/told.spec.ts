import type { Page } from '@playwright/test'
import { channelWith, composer, message, say, signIn, write } from './app.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const presence = 'plenum.presence.v1.PresenceService'

const account = (page: Page) => page.getByRole('button', { name: /account and status/ })

/** statusDialog opens the dialog by the menu of the account. */
async function statusDialog(page: Page) {
  await account(page).click()
  await page.getByRole('menuitem', { name: /Set a status/ }).click()
  return page.getByRole('dialog')
}

test('who looks offline is told so, and finds in the dialog what they say, which saving does not erase', async ({ page, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  await signIn(page, ada)
  let dialog = await statusDialog(page)
  await dialog.getByRole('textbox').fill('In the lab')
  await dialog.getByRole('combobox').first().selectOption('invisible')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toBeHidden()
  await account(page).click()
  await expect(page.getByText('You look offline to others')).toBeVisible()
  await page.keyboard.press('Escape')

  for (const again of [false, true]) {
    if (again) await page.reload() // what was chosen is asked for then
    dialog = await statusDialog(page)
    await expect(dialog.getByRole('textbox')).toHaveValue('In the lab')
    await expect(dialog.getByRole('combobox').first()).toHaveValue('invisible')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await expect(dialog).toBeHidden()
    expect(await ada.call(`${presence}/GetStatus`, { user: ada.id })).toMatchObject({ chosen: 'STATE_INVISIBLE', custom: { text: 'In the lab' } })
  }
})

test('a sign-out shows in the other tab at once while the server is away, and the next person finds nothing of it', async ({ page, context, workspace, plenum, watch }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await say(ada, channel, 'hello')
  await signIn(page, ada)
  await message(page, 'hello').hover()
  await message(page, 'hello').getByRole('button', { name: 'React with 😂' }).click()
  expect(await page.evaluate(() => localStorage.getItem('plenum.emoji'))).toContain('😂')
  const other = await context.newPage()
  await other.goto('/')
  await expect(message(other, 'hello')).toBeVisible()
  await plenum.kill()
  await account(page).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  for (const tab of [other, page]) {
    await expect(tab.getByRole('heading', { name: 'Sign in', exact: true })).toBeVisible()
    await expect(tab.getByText(/still here/)).toBeHidden()
    await expect(tab.getByText('hello')).toBeHidden()
  }
  expect(await page.evaluate(() => localStorage.getItem('plenum.emoji'))).toBeNull()
  await plenum.restart()
  watch.forget() // what was asked of a server that is away
})

test('it is asked before a message is deleted and before a person is deactivated, and nothing happens where that is called off', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okafor')
  const channel = await channelWith(ada, 'design', ben)
  await say(ada, channel, 'a message of little worth')
  await signIn(page, ada)
  const dialog = page.getByRole('dialog')
  const remove = async () => {
    await message(page, 'of little worth').hover()
    await message(page, 'of little worth').getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await expect(dialog).toContainText('“a message of little worth”')
    await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused()
  }
  await remove()
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await expect(message(page, 'of little worth')).toBeVisible()
  await remove()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByText('This message was deleted.')).toBeVisible()

  await page.goto('/admin/people')
  await expect(page).toHaveTitle('Administration · Acme')
  const row = page.getByRole('listitem').filter({ hasText: 'Ben Okafor' })
  const deactivate = async () => {
    await row.getByRole('button', { name: /Ben Okafor/ }).last().click()
    await page.getByRole('menuitem', { name: 'Deactivate' }).click()
    await expect(dialog.getByRole('heading')).toHaveText('Deactivate Ben Okafor?')
    await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeFocused()
  }
  await deactivate()
  await page.keyboard.press('Enter')
  await expect(dialog).toBeHidden()
  await expect(row).not.toContainText('deactivated')
  await deactivate()
  await dialog.getByRole('button', { name: 'Deactivate' }).click()
  await expect(row).toContainText('deactivated')

  await page.goto('/admin/audit')
  const log = page.getByRole('table')
  await expect(log.getByRole('row').nth(1)).toContainText('Deactivated a person')
  await expect(log.getByRole('row').nth(1)).toContainText('Ben Okafor')
  await expect(log).not.toContainText(ada.id)
  await expect(log).not.toContainText('person.')
})

test('who is in no channel is welcomed, and pages are titled by what they show', async ({ page, workspace }) => {
  await signIn(page, workspace.owner)
  await expect(page.getByText('Welcome to Acme')).toBeVisible()
  const main = page.getByRole('main')
  await expect(main.getByRole('link', { name: 'Browse channels' })).toBeVisible()
  await main.getByRole('button', { name: 'New channel' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('first')
  await page.getByRole('dialog').getByRole('button', { name: /Create/ }).click()
  await expect(page).toHaveTitle('first · Acme')
  for (const [path, title] of [['/browse', 'Browse channels'], ['/settings/appearance', 'Settings'], ['/search', 'Search messages'], ['/inbox', 'Inbox'], ['/people', 'People'], ['/nonsense', 'Page not found']] as const) {
    await page.goto(path)
    await expect(page).toHaveTitle(`${title} · Acme`)
    if (path.startsWith('/settings')) await expect(page.getByRole('option', { name: /Pseudo/ })).toHaveCount(0)
  }
})

test('who loads a page of a link anew is told to open the link again', async ({ page, plenum }) => {
  await page.goto(`/#setup=${await plenum.anotherSetup()}`)
  await expect(page.getByRole('heading', { name: 'Welcome to Plenum' })).toBeVisible()
  await page.reload()
  await expect(page.getByText(/open it again/)).toBeVisible()
})

test('a link to a message that there is not says so, and a thread says nothing of a beginning', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const root = await say(ada, channel, 'what begins')
  await say(ada, channel, 'an answer', { root })
  await signIn(page, ada)
  await expect(page.getByText('This is where #design begins')).toBeVisible()
  await page.goto(`/t/${channel}/${root}`)
  const pane = page.getByRole('complementary')
  await expect(pane.getByText('an answer')).toBeVisible()
  await expect(pane.getByText(/begins$/)).toHaveCount(1) // the message
  const box = async (of: string) => pane.locator(of).boundingBox()
  const [check, send] = [await box('.composer-bar .check'), await box('.composer-send')]
  expect((send?.x ?? 0) - ((check?.x ?? 0) + (check?.width ?? 0))).toBeGreaterThanOrEqual(8)

  for (const path of ['999999', '999999/1000000']) {
    await page.goto(`/t/${channel}/${path}`)
    await expect(pane.getByText('Message not found')).toBeVisible()
    await expect(pane.locator('.composer-text')).toBeHidden()
  }
  await page.goto(`/c/${channel}/999999`)
  await expect(page.getByRole('status').or(page.getByRole('alert')).filter({ hasText: 'Message not found' })).toBeVisible()
  await expect(composer(page)).toBeVisible()

  // A message that is there is not said to be missing, however it is gone to.
  const visit = await Visit.begin(browser, plenum.origin, ada)
  await visit.page.goto(`/c/${channel}/${root}`)
  await expect(visit.page.locator('.message-marked')).toContainText('what begins')
  await write(visit.page, 'and another')
  await expect(visit.page.getByText('Message not found')).toHaveCount(0)
  await visit.end()
})
