import type { BrowserContext, Page } from '@playwright/test'
import { channelWith, link, message, say, signIn, texts, write } from './app.ts'
import { said } from './list.ts'
import { password } from './people.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

/** alone is a browser without SharedWorker: pages elect the one that keeps the session. */
const alone = (context: BrowserContext) => context.addInitScript(() => { Reflect.deleteProperty(window, 'SharedWorker') })

for (const [name, prepare] of [['by a worker', undefined], ['by the page that was elected', alone]] as const) {
  test(`ten tabs hold one socket, ${name}, and one that closes loses nothing`, async ({ browser, plenum, workspace }) => {
    test.setTimeout(180_000)
    const ada = workspace.owner
    const ben = await workspace.person('ben', 'Ben Okri')
    const channel = await channelWith(ada, 'design', ben)
    const proxy = await Proxy.start(plenum.origin)
    const visit = await Visit.begin(browser, proxy.origin, ada, {}, prepare)
    const tabs = [visit.page]
    await link(visit.page, 'design').click()
    for (let i = 1; i < 10; i++) {
      const tab = await visit.context.newPage()
      await tab.goto(`/c/${channel}`)
      tabs.push(tab)
    }
    await say(ben, channel, 'to all.')
    for (const tab of tabs) await expect(message(tab, 'to all.')).toBeVisible()
    expect(await visit.page.evaluate(() => typeof SharedWorker)).toBe(prepare === undefined ? 'function' : 'undefined')
    expect(proxy.sockets).toBe(1)
    const all = ['to all.']
    for (let i = 1; i <= 3; i++) {
      const [first, , , fourth] = tabs // the first of those that are left leads, where none is a worker
      if (first === undefined || fourth === undefined) throw new Error('there are tabs')
      const [mine, theirs, last] = [`of a tab ${i}.`, `his ${i}.`, `last words ${i}.`]
      await write(fourth, mine)
      const heard = say(ben, channel, theirs)
      await write(first, last)
      await expect(message(first, last)).toBeVisible()
      await Promise.all([heard, first.close()])
      tabs.shift()
      all.push(mine, theirs, last)
      await say(ben, channel, `after ${i}.`)
      all.push(`after ${i}.`)
    }
    await expect.poll(() => texts(ada, channel).then((kept) => kept.length), { timeout: 45_000 }).toBe(all.length)
    const kept = await texts(ada, channel)
    expect(kept.toSorted()).toEqual(all.toSorted())
    for (const tab of tabs) {
      await expect(tab.locator('.message[data-state="sent"]')).toHaveCount(all.length)
      await tab.bringToFront() // frames are painted for that one alone
      expect(await said(tab)).toEqual(kept)
    }
    expect(proxy.sockets).toBe(1)
    await visit.end()
    await proxy.stop()
  })
}

/** kept are the databases of an account that a profile has. */
const kept = (page: Page, account: string) => page.evaluate(async (account) => (await indexedDB.databases()).map(({ name }) => name ?? '').filter((name) => name.includes(account)), account)
/** held is what a profile has of an account in what it keeps beside. */
const held = (page: Page, account: string) => page.evaluate((account) => [localStorage, sessionStorage].flatMap((store) => Object.entries(store) as [string, string][]).flat().filter((text) => text.includes(account)), account)

test('two accounts never see what is kept of the other', async ({ browser, plenum, workspace, page }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const { channel } = await ada.call('plenum.chat.v1.ChatService/CreateChannel', { name: 'hers', kind: 'CHANNEL_KIND_PRIVATE' })
  await say(ada, channel as string, 'a secret of hers')
  await channelWith(ben, 'his')
  await signIn(page, ada)
  await link(page, 'hers').click()
  await expect(message(page, 'a secret of hers')).toBeVisible()
  await expect.poll(() => kept(page, ada.id)).not.toEqual([])

  // In two profiles.
  const other = await Visit.begin(browser, plenum.origin, ben)
  await link(other.page, 'his').click()
  await expect.poll(() => kept(other.page, ben.id)).not.toEqual([])
  expect(await kept(other.page, ada.id)).toEqual([])
  expect(await kept(page, ben.id)).toEqual([])
  await other.page.goto(`/c/${channel as string}`)
  await expect(other.page.getByText('Channel not found')).toBeVisible()
  await expect(other.page.getByText('a secret of hers')).toHaveCount(0)
  await other.end()

  // In one, one after the other.
  await page.getByRole('button', { name: /account and status/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible()
  await expect.poll(() => kept(page, ada.id)).toEqual([])
  expect(await held(page, channel as string)).toEqual([])
  await signIn(page, ben)
  await link(page, 'his').click()
  await page.goto(`/c/${channel as string}`)
  await expect(page.getByText('Channel not found')).toBeVisible()
  expect(await kept(page, ada.id)).toEqual([])
})

test('of a device that was signed out from another one nothing is left, in any of its tabs', async ({ browser, plenum, workspace, page, context, watch }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await say(ada, channel, 'a secret of hers')
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'a secret of hers')).toBeVisible()
  const tab = await context.newPage()
  await tab.goto(`/c/${channel}`)
  await expect(message(tab, 'a secret of hers')).toBeVisible()
  await expect.poll(() => kept(page, ada.id)).not.toEqual([])

  const second = await Visit.begin(browser, plenum.origin, ada)
  await second.page.goto('/settings/devices')
  const device = second.page.getByRole('listitem').filter({ hasText: 'on Linux' }).filter({ hasNotText: 'This device' })
  await device.getByRole('button', { name: /^Sign out/ }).click()
  for (const one of [page, tab]) {
    await expect(one.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible()
    await expect(one.getByText('a secret of hers')).toHaveCount(0)
  }
  await expect.poll(() => kept(page, ada.id)).toEqual([])
  expect(await held(page, channel)).toEqual([])
  await page.reload()
  await expect(page.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible()
  expect(await kept(page, ada.id)).toEqual([])
  watch.forget() // it was signed out
  await second.end()
})

test('who signs in where somebody else’s session has ended is who they are, also after a reload', async ({ page, workspace, watch }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'hers')
  await channelWith(ben, 'his')
  await signIn(page, ada)
  const { devices } = await ada.call('plenum.identity.v1.PeopleService/ListDevices', {})
  for (const device of devices as { id: string; current?: boolean }[]) {
    if (device.current !== true) await ada.call('plenum.identity.v1.PeopleService/RevokeDevice', { deviceId: device.id })
  }
  await page.getByRole('button', { name: 'Sign in as someone else' }).click()
  await page.getByLabel('Workspace').fill(workspace.slug)
  await page.getByLabel('Handle').fill('ben')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(link(page, 'his')).toBeVisible()
  await page.reload()
  await expect(link(page, 'his')).toBeVisible()
  watch.forget() // her session has ended
})
