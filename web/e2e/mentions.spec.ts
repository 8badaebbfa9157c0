import type { Locator, Page } from '@playwright/test'
import { channelWith, chat, composer, heard, link, message, say, signIn, write } from './app.ts'
import { axeFaults, clipped, sideways, small } from './audit.ts'
import type { Person } from './people.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const admin = 'plenum.identity.v1.AdminService'
const options = (page: Page) => page.getByRole('option')
const mentions = (within: Locator) => within.locator('.mention')
const sent = (page: Page, text: string) => expect(message(page, text)).toHaveAttribute('data-state', 'sent')

/** group makes a group, and waits until chat has heard of it. */
async function group(owner: Person, handle: string, name: string, ...members: Person[]): Promise<string> {
  const { group } = await owner.call(`${admin}/CreateGroup`, { handle, name, members: members.map(({ id }) => id) })
  await heard(owner, handle)
  return (group as { id: string }).id
}

/** pictures are taken of a page as it is, light, dark, and as narrow as they come; and it is looked at as all screens are. */
async function pictures(page: Page, name: string): Promise<void> {
  const wide = page.viewportSize()
  await page.emulateMedia({ reducedMotion: 'reduce' })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: test.info().outputPath(`${name}-${colorScheme}.png`) })
    expect(await axeFaults(page), colorScheme).toEqual([])
  }
  await page.emulateMedia({ colorScheme: null })
  await page.setViewportSize({ width: 360, height: 740 })
  await page.screenshot({ path: test.info().outputPath(`${name}-narrow.png`) })
  expect([...(await sideways(page)), ...(await small(page)), ...(await clipped(page))]).toEqual([])
  if (wide) await page.setViewportSize(wide)
}

test('a group is completed, is told from a person, stands out for those in it, and comes into their inbox', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await workspace.person('desmond', 'Desmond Tutu')
  const channel = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other', ben)
  const makers = await group(ada, 'designers', 'Design <b>team</b> &amp; co', ben)
  await group(ada, 'ada-friends', 'Ada Lovelace', ben) // called as a person is
  const bens = await Visit.begin(browser, plenum.origin, ben)
  await link(bens.page, 'other').click()

  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).click()
  await page.keyboard.type('For @des')
  await expect(options(page)).toHaveText([/^Design <b>team<\/b> &amp; co@designers1 person$/, /^.*Desmond Tutu@desmond$/])
  await expect(page.getByRole('listbox', { name: 'People and groups to mention' })).toBeVisible()
  await pictures(page, 'completion')
  await page.keyboard.press('Enter')
  await page.keyboard.type('and @Ada-Friends, from @ada')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Enter')
  await sent(page, 'and @')
  const hers = message(page, 'and @')
  await expect(mentions(hers)).toHaveText(['@designers', '@ada-friends', '@Ada Lovelace'])
  await expect(hers.locator('.mention-me')).toHaveText(['@Ada Lovelace'])
  await mentions(hers).first().hover()
  await expect(page.getByText('Design <b>team</b> &amp; co: 1 person')).toBeVisible()

  await expect(bens.page.getByRole('navigation').getByRole('link', { name: 'Inbox' })).toContainText('1')
  await bens.page.keyboard.press('Alt+i')
  await bens.page.getByRole('tab', { name: 'Mentions' }).click()
  const row = bens.page.locator('.inbox-mention')
  await expect(row.locator('.pill')).toHaveText(/^@(designers|ada-friends)$/)
  await pictures(bens.page, 'inbox')
  await row.click()
  const his = message(bens.page, 'and @')
  await expect(his.locator('.mention-me')).toHaveText(['@designers', '@ada-friends'])
  await expect(his).toHaveClass(/message-mention/)
  await pictures(bens.page, 'chips')

  // What becomes of groups is seen at once; of what was said with a handle that is gone there is the text.
  await ada.call(`${admin}/ChangeGroupMembers`, { groupId: makers, add: [ada.id] })
  await expect(hers.locator('.mention-me')).toHaveText(['@designers', '@Ada Lovelace'])
  await ada.call(`${admin}/UpdateGroup`, { groupId: makers, handle: 'makers', name: 'Makers' })
  await expect(mentions(hers)).toHaveText(['@ada-friends', '@Ada Lovelace'])
  await expect(hers).toContainText('For @designers and')
  await composer(page).click()
  await page.keyboard.type('@mak')
  await expect(options(page)).toHaveText([/^Makers@makers2 people$/])
  await ada.call(`${admin}/DeleteGroup`, { groupId: makers })
  await expect(options(page)).toHaveCount(0)
  await composer(page).fill('')

  // Without a connection they are there as people are.
  await bens.page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' && navigator.serviceWorker.controller !== null)
  await bens.context.setOffline(true)
  await bens.page.goto(`/c/${channel}`)
  await expect(mentions(his)).toHaveText(['@ada-friends', '@Ada Lovelace'])
  await composer(bens.page).click()
  await bens.page.keyboard.type('@ada-f')
  await expect(options(bens.page)).toHaveText([/^Ada Lovelace@ada-friends1 person$/])
  await bens.context.setOffline(false)
  bens.watch.forget() // of the network, which was away
  await bens.end()
})

test('what is changed is completed as what is written is, over whatever stands above it; Escape ends the one, then the other', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const design = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'kitchen')
  await heard(ada, 'ben')
  await say(ada, design, 'Ask')
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'Ask')).toBeVisible()
  await composer(page).press('ArrowUp')
  const editor = page.getByRole('textbox', { name: 'Edit', exact: true })
  await expect(editor).toBeFocused()
  await page.keyboard.type(' @be')
  await expect(options(page)).toHaveText([/Ben Okri@ben$/])
  await expect(editor).toHaveAttribute('aria-activedescendant', (await options(page).getAttribute('id')) ?? '')
  const covered = await options(page).evaluate((one) => {
    const r = one.getBoundingClientRect()
    return document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2)?.closest('li') !== one
  })
  expect(covered).toBe(false)
  await pictures(page, 'editing')
  await page.keyboard.press('Enter')
  await expect(editor).toHaveValue('Ask @ben ')
  await page.keyboard.type('in #kit')
  await options(page).click()
  await expect(editor).toHaveValue('Ask @ben in #kitchen ')
  await expect(editor).toBeFocused()
  await page.keyboard.type('of @a')
  await expect(options(page).first()).toBeVisible()
  await composer(page).focus()
  await expect(options(page)).toHaveCount(0)
  await editor.focus()
  await expect(options(page).first()).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(options(page)).toHaveCount(0)
  await expect(editor).toHaveValue('Ask @ben in #kitchen of @a')
  await page.keyboard.press('Enter')
  await expect(mentions(message(page, 'Ask'))).toHaveText(['@Ben Okri', '#kitchen'])
  await expect(message(page, 'Ask')).toContainText('of @a')
  await composer(page).press('ArrowUp')
  await expect(editor).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(editor).toBeHidden()
})

test('what is offered stays while others write, goes with the cursor and with the field, and is offered again', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  for (const n of [1, 2, 3, 4, 5, 6, 7]) await workspace.person(`bee-${n}`, `Bee Number${n}`)
  const design = await channelWith(ada, 'design', ben)
  await say(ada, design, 'Ask')
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'Ask')).toBeVisible()
  await composer(page).click()
  await page.keyboard.type('@be')
  await expect(options(page)).toHaveCount(8)
  await options(page).first().evaluate((one) => { one.dataset['same'] = 'yes' })
  await say(ben, design, 'meanwhile')
  await expect(message(page, 'meanwhile')).toBeVisible()
  await expect(options(page).first()).toHaveAttribute('data-same', 'yes')

  await page.keyboard.press('Home')
  await expect(options(page)).toHaveCount(0)
  await page.keyboard.press('End')
  await expect(options(page)).toHaveCount(8)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Enter')
  await sent(page, '@be')
  await page.keyboard.type('@be')
  await expect(options(page)).toHaveCount(8)

  const high = page.viewportSize()
  await page.setViewportSize({ width: 740, height: 300 })
  const apart = () => page.evaluate(() => {
    const [list, field] = ['[role=listbox]', '.main .composer-text'].map((one) => document.querySelector(one)?.getBoundingClientRect())
    return list && field ? field.top - list.bottom : NaN
  })
  await expect.poll(apart).toBeGreaterThan(0)
  await page.keyboard.press('ArrowUp') // the last one
  await expect(options(page).last()).toBeInViewport({ ratio: 0.9 })
  if (high) await page.setViewportSize(high)
  await page.keyboard.press('Escape')
  await composer(page).fill('')

  // An edit that is scrolled out of sight takes along what is offered.
  for (let i = 0; i < 40; i++) await say(ben, design, `more ${i}`)
  await expect(message(page, 'more 39')).toBeVisible()
  await say(ada, design, 'Mine')
  await expect(message(page, 'Mine')).toBeVisible()
  await composer(page).press('ArrowUp')
  await expect(page.getByRole('textbox', { name: 'Edit', exact: true })).toBeFocused()
  await page.keyboard.type(' @be')
  await expect(options(page).first()).toBeVisible()
  await page.locator('.channel-scroll').evaluate((list) => { list.scrollTop -= 400 })
  await expect(page.getByRole('listbox')).toBeHidden()
  await page.locator('.channel-scroll').evaluate((list) => { list.scrollTop = list.scrollHeight })
  await expect(page.getByRole('textbox', { name: 'Edit', exact: true })).toBeFocused()
  await page.keyboard.type('e')
  await expect(options(page).first()).toBeVisible()
})

test('with forced colours nothing stands where tools come', async ({ page, workspace }) => {
  const design = await channelWith(workspace.owner, 'design')
  await say(workspace.owner, design, 'Ask')
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await expect(message(page, 'Ask')).toBeVisible()
  await page.emulateMedia({ forcedColors: 'active' })
  await expect(message(page, 'Ask').locator('button.message-does')).toHaveCSS('border-top-width', '0px')
})

test('groups that come late move nothing', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await group(ada, 'designers', 'The design team of all of the company')
  for (let i = 0; i < 12; i++) await say(ada, channel, `message ${i}. ${`${'word '.repeat(i)}@designers said so `.repeat(3)}`)
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  const last = message(page, 'message 11.')
  await expect(mentions(last)).toHaveCount(3)
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' && navigator.serviceWorker.controller !== null)
  // As if the group had come while the browser was away.
  await page.goto('/sw.js')
  await page.evaluate(async (name) => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve, reject) => { request.onsuccess = () => { resolve(request.result) }; request.onerror = () => { reject(new Error(request.error?.message)) } })
    const db = await done(indexedDB.open(name))
    const tx = db.transaction(['groups', 'cursors'], 'readwrite')
    await Promise.all([done(tx.objectStore('groups').clear()), done(tx.objectStore('cursors').delete('identity.workspace/me'))])
    db.close()
  }, `plenum-cache-${ada.id}`)
  proxy.hold()
  await page.goto(`/c/${channel}`)
  await expect(last).toBeVisible()
  /** Where the rows are, by their offsets, once they have stayed there for some frames. */
  const places = () => page.locator('.channel-scroll').evaluate(async (list) => {
    const now = () => Object.fromEntries([...list.querySelectorAll<HTMLElement>('.message')].map((row) => { const { left, top, right, bottom } = row.getBoundingClientRect(); return [row.dataset['offset'] ?? '', [left, top, right, bottom]] }))
    for (let [before, same] = ['', 0]; same < 10;) {
      await new Promise(requestAnimationFrame)
      const after = JSON.stringify(now())
      same = after === before ? same + 1 : 0
      before = after
    }
    return now()
  })
  await expect(mentions(last)).toHaveCount(0)
  const before = await places()
  proxy.release()
  await expect(mentions(last)).toHaveCount(3)
  await expect(last.locator('.mention-late')).toHaveCount(3)
  expect(await places()).toEqual(before)
  await page.screenshot({ path: test.info().outputPath('late.png') })
  visit.watch.forget() // a page without the application's head asks for an icon
  await visit.end()
  await proxy.stop()
})

test('who may not call all, or see the directory, writes text: nothing is offered, nothing is refused', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const gus = await workspace.person('gus', 'Gus Guest', 'ROLE_GUEST')
  const channel = await channelWith(ada, 'design', ben)
  await expect.poll(() => ada.call(`${chat}/AddMembers`, { channel, users: [gus.id] }).then(() => true, () => false)).toBe(true)
  await group(ada, 'crew', 'The crew', gus)
  await say(ada, channel, 'hello @gus')
  const guest = await Visit.begin(browser, plenum.origin, gus)
  await link(guest.page, 'design').click()
  await expect(message(guest.page, 'hello').locator('.mention-me')).toHaveText('@Gus Guest')
  await composer(guest.page).click()
  await guest.page.keyboard.type('@')
  await expect(options(guest.page).first()).toBeVisible()
  await expect(options(guest.page).filter({ hasText: /Everyone|crew/ })).toHaveCount(0)
  await composer(guest.page).fill('')
  for (const word of ['@channel', '@all', '@here', '@crew']) {
    await composer(guest.page).pressSequentially(word)
    await expect(options(guest.page)).toHaveCount(0)
    await composer(guest.page).fill('')
  }
  // As it is written it is text already.
  await guest.page.evaluate(() => {
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element && [node, ...node.querySelectorAll('.mention')].some((one) => one.matches('.mention') && /channel|crew/.test(one.textContent))) document.documentElement.dataset['chip'] = 'yes'
    }).observe(document, { childList: true, subtree: true })
  })
  await write(guest.page, '@channel, @all, @here and @crew: by @gus, a guest')
  await sent(guest.page, 'by @')
  await expect(mentions(message(guest.page, 'by @'))).toHaveText(['@Gus Guest'])
  await expect(guest.page.locator('html')).not.toHaveAttribute('data-chip', 'yes')

  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(mentions(message(page, 'by @'))).toHaveText(['@Gus Guest'])
  await expect(message(page, 'by @')).not.toHaveClass(/message-mention/)
  await write(page, '@channel and @crew: to all, not @here')
  await sent(page, 'to all')
  await expect(mentions(message(page, 'to all'))).toHaveText(['@channel', '@crew'])

  // A guest reads by which group they are called where nobody tells them its name: that it was one.
  const theirs = message(guest.page, 'to all')
  await expect(mentions(theirs)).toHaveText(['@channel'])
  await expect(theirs).toHaveClass(/message-mention/)
  await say(ben, channel, 'only for @crew')
  await expect(message(guest.page, 'only for @crew')).toHaveClass(/message-mention/)
  await expect(mentions(message(guest.page, 'only for @crew'))).toHaveCount(0)
  await guest.page.keyboard.press('Alt+i')
  await guest.page.getByRole('tab', { name: 'Mentions' }).click()
  await expect(guest.page.locator('.inbox-mention', { hasText: 'only for' }).locator('.pill')).toHaveText('a group')
  await pictures(guest.page, 'guest')
  await guest.end()
})

test('all are called by who may: in a channel, in a conversation of some, and by a reply that is told to all', async ({ page, workspace }) => {
  const ada = workspace.owner
  const [ben, cho] = [await workspace.person('ben', 'Ben Okri'), await workspace.person('cho', 'Cho Chang')]
  const channel = await channelWith(ada, 'design', ben)
  const root = await say(ben, channel, 'a question')
  const { channel: three } = await ada.call(`${chat}/OpenDirect`, { users: [ben.id, cho.id] })
  const { channel: two } = await ada.call(`${chat}/OpenDirect`, { users: [ben.id] })
  await signIn(page, ada)
  await page.goto(`/c/${three as string}`)
  await composer(page).pressSequentially('@ch')
  await expect(options(page)).toHaveText([/Cho Chang/, /^Everyone in this conversation@channel$/])
  await page.keyboard.type('annel')
  await expect(options(page)).toHaveText([/^Everyone in this conversation@channel$/])
  await page.goto(`/c/${two as string}`)
  await composer(page).pressSequentially('@ch')
  await expect(options(page)).toHaveText([/Cho Chang/])

  await page.goto(`/t/${channel}/${root}`)
  const thread = page.getByRole('complementary')
  await thread.locator('.composer-text').pressSequentially('@all')
  await expect(options(page)).toHaveCount(0)
  await thread.getByText('Also send to channel').click()
  await thread.locator('.composer-text').click()
  await expect(options(page)).toHaveText([/^Everyone in this channel@all$/])
  await page.keyboard.press('Enter')
  await page.keyboard.type('it is so')
  await page.keyboard.press('Enter')
  await expect(mentions(thread.locator('.message', { hasText: 'it is so' }))).toHaveText('@all')
  await expect(thread.locator('.message', { hasText: 'it is so' })).toHaveAttribute('data-state', 'sent')
  await expect(mentions(thread.locator('.message', { hasText: 'it is so' }))).toHaveText('@all')
})

test('a channel is completed by #, and led to by its name, by keys alone; what is none that one knows is text', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const { channel: other } = await ada.call(`${chat}/CreateChannel`, { name: 'Führung-2.0', kind: 'CHANNEL_KIND_PUBLIC', topic: 'Who leads whom, and where to; in as many words as it takes to fill a line that is not so long' })
  await ben.call(`${chat}/JoinChannel`, { channel: other })
  const { channel: plans } = await ada.call(`${chat}/CreateChannel`, { name: 'plans', kind: 'CHANNEL_KIND_PRIVATE' })
  await channelWith(ben, 'unknown') // which she isn't in
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('design')
  await composer(page).focus()
  await page.keyboard.type('# ')
  await expect(options(page)).toHaveCount(0)
  await page.keyboard.type('See #2')
  await expect(options(page)).toHaveText([/^Führung-2\.0/i])
  await page.keyboard.press('Backspace')
  await expect(options(page)).toHaveCount(0)
  await page.keyboard.type('FÜ')
  await expect(page.getByRole('listbox', { name: 'Channels to link to' })).toBeVisible()
  await expect(options(page)).toHaveText([/^führung-2\.0/])
  await page.keyboard.press('Tab')
  await page.keyboard.type('and #pl')
  await expect(options(page)).toHaveText([/^plans/])
  await pictures(page, 'channels')
  await page.keyboard.press('Enter')
  await expect(composer(page)).toHaveValue('# See #führung-2.0 and #plans ')
  await page.keyboard.type('or #Design. Not #unknown, #1, #fff, `#design`, a#design, #dеsign or ##design')
  await page.keyboard.press('Enter')
  await sent(page, 'Not #unknown')
  const hers = message(page, 'Not #unknown')
  await expect(mentions(hers)).toHaveText(['#führung-2.0', '#plans', '#Design'])
  await expect(hers).toContainText('or #Design. Not #unknown, #1, #fff, #design, a#design')
  await pictures(page, 'links')

  await page.keyboard.press('Shift+Tab') // from the composer to the messages
  await mentions(hers).first().focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('führung-2.0')
  await expect(page).toHaveURL(`${plenum.origin}/c/${other as string}`)
  await page.goBack()
  await mentions(hers).nth(1).click()
  await expect(page).toHaveURL(`${plenum.origin}/c/${plans as string}`)
  await page.goBack()

  const bens = await Visit.begin(browser, plenum.origin, ben)
  await link(bens.page, 'design').click()
  const his = message(bens.page, 'Not #unknown')
  await expect(mentions(his)).toHaveText(['#führung-2.0', '#Design', '#unknown'])
  await composer(bens.page).pressSequentially('#p')
  await expect(options(bens.page)).toHaveCount(0)

  // Names that change are told at once.
  await ada.call(`${chat}/UpdateChannel`, { channel: other, name: 'leading' })
  for (const one of [hers, his]) await expect(mentions(one).first()).toHaveText(/^#(plans|Design)$/)
  await say(ada, channel, 'now #leading')
  await expect(mentions(message(bens.page, 'now #leading'))).toHaveAttribute('href', `/c/${other as string}`)
  await say(ben, channel, '#design '.repeat(2_000))
  await expect(message(page, '#design #design #design #design').locator('.message-body')).toBeVisible()
  await expect(mentions(message(page, '#design #design #design #design'))).toHaveCount(0) // as it stands
  await bens.end()
})
