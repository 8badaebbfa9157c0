/** Every way in, by links as by the form; what an administrator does; and one's own account. */
import { randomBytes } from 'node:crypto'
import type { Page } from '@playwright/test'
import { channelWith, composer, link, message, signIn, write } from './app.ts'
import { password } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const form = (page: Page) => page.getByRole('button', { name: 'Sign in', exact: true })
const channels = (page: Page) => page.getByRole('navigation').getByText('Channels', { exact: true })

test('a set-up link leads to an account, a workspace, an invitation and a first channel; who is invited comes in, and both talk', async ({ page, browser, plenum }) => {
  const slug = `acme-${randomBytes(4).toString('hex')}`
  await page.goto(`/#setup=${await plenum.anotherSetup()}`)
  await expect(page.getByRole('heading', { name: 'Welcome to Plenum' })).toBeVisible()
  expect(page.url()).not.toContain('setup')
  await page.getByLabel('Your name').fill('Grace Hopper')
  await expect(page.getByLabel('Handle')).not.toHaveValue('')
  await page.getByLabel('Handle').fill('grace')
  await page.getByLabel('Password', { exact: true }).fill('short')
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByText('Use at least 10 characters.')).toBeVisible()
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByLabel('Workspace name').fill('Acme Works')
  await expect(page.getByLabel('Address')).toHaveValue('acme-works')
  await page.getByLabel('Address').fill(slug)
  await page.getByRole('button', { name: 'Create workspace' }).click()
  await page.getByLabel('Who is it for?').fill('Ben, of the workshop')
  await page.getByRole('button', { name: 'Create link' }).click()
  const made = page.getByRole('list', { name: 'Links' }).getByRole('listitem')
  await expect(made).toContainText('Ben, of the workshop')
  const invitation = /http\S+#join=\S+/.exec(await made.innerText())?.[0] ?? ''
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('general')
  await page.getByLabel('What is it about?').fill('What everybody should hear')
  await page.getByRole('button', { name: 'Open workspace' }).click()
  await expect(link(page, 'general')).toBeVisible()
  await page.reload()
  await link(page, 'general').click()
  await expect(page.getByText('What everybody should hear').first()).toBeVisible()

  const visit = await Visit.begin(browser, plenum.origin)
  const other = visit.page
  await other.goto(invitation)
  await expect(other.getByRole('heading', { name: 'Join Acme Works' })).toBeVisible()
  await expect(other.getByText('Grace Hopper invites you.')).toBeVisible()
  expect(other.url()).not.toContain('join')
  await other.getByLabel('Your name').fill('Ben Okri')
  await other.getByLabel('Handle').fill('grace')
  await other.getByLabel('Password', { exact: true }).fill(password)
  await other.getByRole('button', { name: 'Join' }).click()
  await expect(other.getByText('This handle is taken. Choose another one.')).toBeVisible()
  visit.watch.forget() // the console tells of the answer
  await other.getByLabel('Handle').fill('ben')
  await other.getByRole('button', { name: 'Join' }).click()
  await expect(channels(other)).toBeVisible()
  await other.goto('/browse')
  await other.getByRole('listitem').filter({ hasText: 'general' }).getByRole('button', { name: 'Join' }).click()
  await link(other, 'general').click()
  await write(other, 'good morning')
  await expect(message(page, 'good morning')).toContainText('Ben Okri')
  await write(page, 'hello Ben')
  await expect(message(other, 'hello Ben')).toBeVisible()

  await visit.end()
  const late = await Visit.begin(browser, plenum.origin)
  await late.page.goto(invitation) // it was good for one
  await expect(late.page.getByRole('heading', { name: 'This link doesn’t work' })).toBeVisible()
  late.watch.forget()
  await late.end()
})

test('who comes in by a link where somebody else is signed in is told, and takes their place: a sign-out leaves nobody', async ({ page, workspace }) => {
  await signIn(page, workspace.owner)
  const invite = async () => {
    const { secret } = await workspace.owner.call('plenum.identity.v1.AdminService/Invite', { role: 'ROLE_MEMBER', ttlMs: 3_600_000 })
    await page.goto(`/#join=${String(secret)}`)
    await expect(page.getByText('You are signed in to Acme in this browser.')).toBeVisible()
  }
  await invite()
  await page.getByRole('button', { name: 'Stay signed in' }).click()
  await expect(channels(page)).toBeVisible()
  await invite()
  await page.getByLabel('Your name').fill('Eve Adams')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Join' }).click()
  await expect(channels(page)).toBeVisible()
  await page.reload()
  await page.getByRole('button', { name: /Eve Adams/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await expect(form(page)).toBeVisible()
  await page.reload()
  await expect(form(page)).toBeVisible()
  await expect.poll(() => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).filter((name) => name !== 'plenum-accounts'))).toEqual([])
})

test('an administrator changes a role, withdraws an invitation, resets a password and closes an account, and the log has all of it', async ({ page, browser, plenum, workspace }) => {
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(workspace.owner, 'design', ben)
  await signIn(page, workspace.owner)
  const visit = await Visit.begin(browser, plenum.origin, ben)
  const other = visit.page

  await page.goto('/admin/people')
  const row = page.getByRole('listitem').filter({ hasText: 'Ben Okri' })
  await row.getByLabel('Role of Ben Okri').selectOption('Administrator')
  await expect(page.getByText('Ben Okri was updated.')).toBeVisible()

  await row.getByRole('button', { name: 'Actions for Ben Okri' }).click()
  await page.getByRole('menuitem', { name: 'Link for a new password' }).click()
  const reset = page.getByText(/http\S+#reset=/)
  await expect(reset).toBeVisible()
  const address = /http\S+#reset=\S+/.exec(await reset.innerText())?.[0] ?? ''

  await page.goto('/admin/invitations')
  await page.getByLabel('Who is it for?').fill('Cho')
  await page.getByRole('button', { name: 'Create link' }).click()
  const shown = page.getByText(/http\S+#join=/)
  await expect(shown).toBeVisible()
  const invitation = /http\S+#join=\S+/.exec(await shown.innerText())?.[0] ?? ''
  await page.getByRole('button', { name: 'Withdraw invitation: Cho' }).click()
  await expect(page.getByRole('listitem').filter({ hasText: 'Cho' })).toContainText('withdrawn')

  const stranger = await Visit.begin(browser, plenum.origin)
  await stranger.page.goto(invitation)
  await expect(stranger.page.getByRole('heading', { name: 'This link doesn’t work' })).toBeVisible()
  await stranger.page.goto(address)
  await expect(stranger.page.getByText(`For @ben in Acme.`)).toBeVisible()
  const fresh = `${password} anew`
  await stranger.page.getByLabel('Password', { exact: true }).fill(fresh)
  await stranger.page.getByRole('button', { name: 'Save and sign in' }).click()
  await expect(channels(stranger.page)).toBeVisible()
  await expect(form(other)).toBeVisible() // all other devices are signed out by it
  visit.watch.forget()
  await visit.end()

  await page.goto('/admin/people')
  await row.getByRole('button', { name: 'Actions for Ben Okri' }).click()
  await page.getByRole('menuitem', { name: 'Deactivate' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Deactivate' }).click()
  await expect(row).toContainText('deactivated')
  await expect(form(stranger.page)).toBeVisible()
  stranger.watch.forget()
  await stranger.end()

  await page.goto('/admin/audit')
  const log = page.getByRole('table')
  for (const what of [/role/i, /invit/i, /reset|password/i, /deactivat/i]) await expect(log.getByRole('row').filter({ hasText: what }).first()).toBeVisible()
})

test('one changes one’s name and password: others see the one, and other devices are signed out by the other', async ({ page, browser, plenum, workspace, watch }) => {
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(workspace.owner, 'design', ben)
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await write(page, 'before')
  const peer = await Visit.begin(browser, plenum.origin, ben)
  await link(peer.page, 'design').click()
  await expect(message(peer.page, 'before')).toContainText('Ada Lovelace')
  const device = await Visit.begin(browser, plenum.origin, workspace.owner)

  await page.goto('/settings/profile')
  await page.getByLabel('Name', { exact: true }).fill('Ada King')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(message(peer.page, 'before')).toContainText('Ada King')

  await page.getByLabel('Current password').fill('not this one')
  await page.getByLabel('New password').fill('a completely new one')
  await page.getByRole('button', { name: 'Change password' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  watch.forget()
  await page.getByLabel('Current password').fill(password)
  await page.getByRole('button', { name: 'Change password' }).click()
  await expect(page.getByText('Password changed.')).toBeVisible()
  await expect(form(device.page)).toBeVisible()
  device.watch.forget()
  await device.end()
  await link(page, 'design').click()
  await composer(page).fill('still here')
  await composer(page).press('Enter')
  await expect(message(peer.page, 'still here')).toBeVisible()
  await peer.end()
})
