/** What is beside a channel's messages: its details, its people, pins, notifications, who looks at it, and days. */
import type { Locator, Page } from '@playwright/test'
import { banner, channelWith, chat, composer, link, message, say, signIn } from './app.ts'
import type { Person } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

/** A zone in which it is about noon: no day ends meanwhile. */
const ahead = 12 - new Date().getUTCHours()
test.use({ timezoneId: `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}` }) // POSIX counts to the west

const pane = (page: Page): Locator => page.getByRole('complementary')
const head = (page: Page): Locator => page.locator('.main .channel-head')
const row = (page: Page, name: string): Locator => pane(page).getByRole('listitem').filter({ hasText: name })

/** sayMany sends messages in their order, as fast as the service takes them. */
async function sayMany(people: readonly Person[], channel: string, texts: readonly string[]): Promise<void> {
  for (const [n, text] of texts.entries()) {
    const person = people[n % people.length]
    if (person) await expect(async () => { await say(person, channel, text) }).toPass()
  }
}

const count = (n: number, word: (at: number) => string) => Array.from({ length: n }, (_, at) => word(at))

test('a new name and topic are seen by others at once; a name that is taken comes back with the reason', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'design', ben)
  await channelWith(ada, 'taken')
  await signIn(page, ada)
  await link(page, 'design').click()
  const other = await Visit.begin(browser, plenum.origin, ben)
  await link(other.page, 'design').click()
  await expect(other.page.getByRole('heading', { name: 'design' })).toBeVisible()

  await page.keyboard.press('Alt+o')
  await expect(pane(page).getByRole('tab', { name: 'About' })).toBeFocused()
  await pane(page).getByRole('button', { name: 'Change: Topic' }).click()
  await pane(page).getByLabel('Topic').fill('Type and colour')
  await pane(page).getByLabel('Topic').press('Enter')
  await expect(head(page)).toContainText('Type and colour')
  await expect(head(other.page)).toContainText('Type and colour')
  await expect(pane(page).getByRole('button', { name: 'Change: Topic' })).toBeFocused()

  await pane(page).getByRole('button', { name: 'Change: Name' }).click()
  await pane(page).getByLabel('Name').fill('taken')
  await pane(page).getByLabel('Name').press('Enter')
  await expect(pane(page).getByRole('alert')).toContainText('Not saved')
  await expect(pane(page).getByLabel('Name')).toHaveValue('taken')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('design') // rolled back
  await pane(page).getByLabel('Name').fill('forms')
  await pane(page).getByLabel('Name').press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('forms')
  await expect(other.page.getByRole('heading', { level: 1 })).toHaveText('forms')
  await expect(link(other.page, 'forms')).toBeVisible()
  await expect(other.page.getByText('renamed the channel to “forms”')).toBeVisible()

  // Escape leaves the field first, then the pane, and gives the focus back.
  await pane(page).getByRole('button', { name: 'Change: Purpose' }).click()
  await page.keyboard.press('Escape')
  await expect(pane(page).getByRole('button', { name: 'Change: Purpose' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(pane(page)).toBeHidden()
  await other.end()
})

test('people are added, get a role and are removed; who may not sees no buttons', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const cleo = await workspace.person('cleo', 'Cleo Park')
  await channelWith(ada, 'design', ben)
  await signIn(page, ada)
  await link(page, 'design').click()
  const other = await Visit.begin(browser, plenum.origin, ben)
  await link(other.page, 'design').click()
  await head(other.page).getByRole('button', { name: '2 people' }).click()
  await expect(row(other.page, 'Ada Lovelace')).toContainText('Owner')
  await expect(row(other.page, 'Ada Lovelace')).toContainText(/online/)
  await expect(pane(other.page).getByRole('button', { name: /Role and membership/ })).toHaveCount(0)

  await head(page).getByRole('button', { name: '2 people' }).click()
  await pane(page).getByRole('button', { name: 'Add people' }).click()
  const dialog = page.getByRole('dialog', { name: /Add people/ })
  await dialog.getByLabel('To').fill('cle')
  await dialog.getByLabel('To').press('Enter')
  await dialog.getByRole('button', { name: 'Add 1 person' }).click()
  await expect(dialog).toBeHidden()
  await expect(row(page, 'Cleo Park')).toBeVisible()
  await expect(row(other.page, 'Cleo Park')).toBeVisible()
  await expect(head(other.page).getByRole('button', { name: '3 people' })).toBeVisible()

  const more = row(page, 'Ben Okri').getByRole('button', { name: 'Role and membership of Ben Okri' })
  await more.click()
  await page.keyboard.press('Escape') // the menu alone
  await expect(more).toBeFocused()
  await expect(row(page, 'Ben Okri')).toBeVisible()
  await more.click()
  await page.getByRole('menuitemradio', { name: 'Make a moderator' }).click()
  await expect(row(page, 'Ben Okri')).toContainText('Moderator')
  await expect(row(other.page, 'Ben Okri')).toContainText('Moderator')
  // A moderator removes members, not owners, and gives no roles.
  await expect(pane(other.page).getByRole('button', { name: 'Role and membership of Cleo Park' })).toBeVisible()
  await expect(pane(other.page).getByRole('button', { name: /Role and membership of (Ada|Ben)/ })).toHaveCount(0)
  await pane(other.page).getByRole('button', { name: 'Role and membership of Cleo Park' }).click()
  await expect(other.page.getByRole('menuitemradio')).toHaveCount(0)
  await other.page.getByRole('menuitem', { name: 'Remove from the channel' }).click()
  await expect(row(other.page, 'Cleo Park')).toHaveCount(0)
  await expect(row(page, 'Cleo Park')).toHaveCount(0)
  await expect(head(page).getByRole('button', { name: '2 people' })).toBeVisible()
  await pane(page).getByLabel('Find by name').fill('okr')
  await expect(pane(page).getByRole('listitem')).toHaveCount(1)
  await pane(page).getByLabel('Find by name').fill('zzz')
  await expect(pane(page).getByText('No one found')).toBeVisible()

  // The last owner cannot stop being one: it is as before, and said why.
  await pane(page).getByLabel('Find by name').fill('ada')
  await row(page, 'Ada Lovelace').getByRole('button', { name: /Role and membership/ }).click()
  await page.getByRole('menuitemradio', { name: 'Make a member' }).click()
  await expect(page.getByText('The role of Ada Lovelace was not changed')).toBeVisible()
  await expect(row(page, 'Ada Lovelace')).toContainText('Owner')
  expect(cleo.name).toBe('Cleo Park')
  await other.end()
})

test('a member who may not change a channel sees no buttons for it', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await signIn(page, ben)
  await link(page, 'design').click()
  await head(page).getByRole('button', { name: 'design' }).click()
  await expect(pane(page).getByText('Created by Ada Lovelace on')).toBeVisible()
  await expect(pane(page).getByRole('button', { name: /^Change/ })).toHaveCount(0)
  await expect(pane(page).getByRole('button', { name: 'Archive' })).toHaveCount(0)
  await expect(pane(page).getByRole('button', { name: 'Leave' })).toBeVisible()
  // Where moderators alone write, others have no composer; it comes back with the right.
  await ada.call(`${chat}/UpdateChannel`, { channel, posting: 'CHANNEL_POSTING_MODERATORS' })
  await expect(page.getByText('Only moderators and owners can write here.')).toBeVisible()
  await expect(composer(page)).toHaveCount(0)
  await ada.call(`${chat}/SetMemberRole`, { channel, user: ben.id, role: 'CHANNEL_ROLE_MODERATOR' })
  await expect(composer(page)).toBeVisible()
  await expect(pane(page).getByRole('button', { name: 'Change: Topic' })).toBeVisible()
  // Leaving a public channel can be taken back.
  await pane(page).getByRole('button', { name: 'Leave' }).click()
  await expect(link(page, 'design')).toHaveCount(0)
  await page.getByRole('button', { name: 'Join again' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'design' })).toBeVisible()
})

test('the archive, and leaving what one cannot come back to', async ({ page, workspace }) => {
  const ada = workspace.owner
  const { channel } = await ada.call(`${chat}/CreateChannel`, { name: 'secret', kind: 'CHANNEL_KIND_PRIVATE' })
  await say(ada, channel as string, 'hush')
  await signIn(page, ada)
  await link(page, 'secret').click()
  await head(page).getByRole('button', { name: 'secret' }).click()
  await pane(page).getByRole('button', { name: 'Archive' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Archive' }).click()
  await expect(page.getByText('This channel is archived. You can read it, but not write in it.')).toBeVisible()
  await expect(pane(page).getByRole('button', { name: /^Change/ })).toHaveCount(0)
  await pane(page).getByRole('button', { name: 'Unarchive' }).click()
  await expect(composer(page)).toBeVisible()
  await pane(page).getByRole('button', { name: 'Leave' }).click()
  const sure = page.getByRole('dialog', { name: 'Leave secret?' })
  await sure.getByRole('button', { name: 'Cancel' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'secret' })).toBeVisible()
  await expect(pane(page).getByRole('button', { name: 'Leave' })).toBeFocused()
  await pane(page).getByRole('button', { name: 'Leave' }).click()
  await sure.getByRole('button', { name: 'Leave' }).click()
  await expect(link(page, 'secret')).toHaveCount(0)
  await expect(page.getByText('You have left secret.')).toBeVisible()
})

test('a pin is seen by others at once, and leads to its message', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const offset = await say(ben, channel, 'the rules')
  await sayMany([ada, ben], channel, count(120, (n) => `and so on ${n}`))
  await signIn(page, ada)
  await link(page, 'design').click()
  const other = await Visit.begin(browser, plenum.origin, ben)
  await link(other.page, 'design').click()
  await expect(message(other.page, 'and so on 119')).toBeVisible()
  await head(other.page).getByRole('button', { name: 'design' }).click()
  await pane(other.page).getByRole('tab', { name: 'Pinned' }).click()
  await expect(pane(other.page).getByText('Nothing is pinned')).toBeVisible()

  const last = message(page, 'and so on 119')
  await last.hover()
  await last.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Pin' }).click()
  await expect(head(page).getByRole('button', { name: '1 pinned message' })).toBeVisible()
  await expect(pane(other.page).getByText('and so on 119')).toBeVisible()
  await ada.call(`${chat}/PinMessage`, { channel, offset, pinned: true })
  await expect(head(other.page).getByRole('button', { name: '2 pinned messages' })).toBeVisible()
  const pinned = pane(other.page).getByRole('list', { name: 'Pinned messages' }).getByRole('listitem')
  await expect(pinned.first()).toContainText('the rules') // the newest pin first
  await pinned.first().getByRole('button', { name: 'Show in channel' }).click()
  const rules = message(other.page, 'the rules')
  await expect(rules).toBeInViewport()
  await expect(rules).toHaveClass(/message-marked/)
  await expect(pane(other.page)).toBeVisible()

  await ben.call(`${chat}/EditMessage`, { channel, offset, text: 'the new rules' })
  await expect(pinned.first()).toContainText('the new rules')
  await expect(rules.or(message(other.page, 'the new rules')).locator('.message-edited')).toHaveAttribute('data-tip', /\d{4}/)
  await pinned.first().getByRole('button', { name: 'Unpin' }).click()
  await expect(pinned).toHaveCount(1)
  await expect(head(page).getByRole('button', { name: '1 pinned message' })).toBeVisible()
  await other.end()
})

test('mute takes the badge away, survives a reload and reaches the second device', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const design = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'quiet', ben)
  await signIn(page, ada)
  const second = await Visit.begin(browser, plenum.origin, ada)
  await link(second.page, 'quiet').click()
  await link(page, 'quiet').click()
  await say(ben, design, 'look, @ada')
  for (const at of [page, second.page]) await expect(link(at, 'design').locator('.badge')).toHaveCount(1)
  await second.page.goto(`/c/${design}`) // read there, so that what follows is new
  await expect(link(page, 'design').locator('.badge')).toHaveCount(0)
  await link(second.page, 'quiet').click()

  await link(page, 'design').click()
  await head(page).getByRole('button', { name: 'design' }).click()
  await pane(page).getByRole('switch', { name: 'Mute' }).check()
  await expect(head(page).getByText('muted', { exact: true })).toBeAttached()
  await expect(link(page, 'design')).toHaveClass(/side-muted/)
  await expect(link(second.page, 'design')).toHaveClass(/side-muted/)
  await link(page, 'quiet').click()
  await say(ben, design, 'again, @ada')
  await ben.call(`${chat}/UpdateChannel`, { channel: design, topic: 'x' }).catch(() => undefined) // not his to change; nothing comes of it
  for (const at of [page, second.page]) await expect(link(at, 'design').locator('.badge')).toHaveCount(0)
  await expect(page).not.toHaveTitle(/^\(/)
  await page.reload()
  await expect(link(page, 'design')).toHaveClass(/side-muted/)
  await link(second.page, 'design').click()
  await head(second.page).getByRole('button', { name: 'design' }).click()
  await expect(pane(second.page).getByRole('switch', { name: 'Mute' })).toBeChecked()
  await pane(second.page).getByRole('switch', { name: 'Mute' }).uncheck()
  await pane(second.page).getByRole('radio', { name: 'Every message' }).check()
  await expect(link(page, 'design')).not.toHaveClass(/side-muted/)
  await link(page, 'design').click()
  await head(page).getByRole('button', { name: 'design' }).click()
  await expect(pane(page).getByRole('radio', { name: 'Every message' })).toBeChecked()
  await second.end()
})

test('who looks at the channel appears, and goes', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other', ben)
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(head(page).getByRole('button', { name: '2 people' })).toBeVisible()
  await expect(page.locator('.here')).toHaveCount(0) // alone
  const other = await Visit.begin(browser, plenum.origin, ben)
  await link(other.page, 'design').click()
  await expect(head(page).getByRole('button', { name: '1 here now: Ben Okri' })).toBeVisible()
  await expect(head(other.page).getByRole('button', { name: '1 here now: Ada Lovelace' })).toBeVisible()
  await link(other.page, 'other').click()
  await expect(page.locator('.here')).toHaveCount(0)
  await other.end()
})

test('a conversation has its people, and begins a group with more of them', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  await workspace.person('cleo', 'Cleo Park')
  await ada.call(`${chat}/OpenDirect`, { users: [ben.id] })
  await signIn(page, ada)
  await link(page, 'Ben Okri').click()
  await head(page).getByRole('button', { name: 'Ben Okri' }).click()
  await expect(pane(page).getByText('Between the two of you.')).toBeVisible()
  for (const name of ['Leave', 'Archive', /^Change/]) await expect(pane(page).getByRole('button', { name })).toHaveCount(0)
  await pane(page).getByRole('tab', { name: 'People 2' }).click()
  await expect(pane(page).getByRole('listitem')).toHaveCount(2)
  await pane(page).getByRole('button', { name: 'Start a group' }).click()
  await page.getByRole('dialog').getByLabel('To').fill('cleo')
  await page.getByRole('dialog').getByLabel('To').press('Enter')
  await page.getByRole('dialog').getByRole('button', { name: 'Start the group' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(/Ben Okri, Cleo Park|Cleo Park, Ben Okri/)
})

test('by whatever a pane is left, the focus is somewhere', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await channelWith(ada, 'other')
  const root = await say(ada, channel, 'a question')
  await say(ada, channel, 'an answer', { root })
  await signIn(page, ada)
  await link(page, 'design').click()
  await page.keyboard.press('Alt+o')
  await expect(pane(page).getByRole('tab', { name: 'About' })).toBeFocused()
  await page.keyboard.press('Alt+ArrowDown')
  await expect(page).toHaveTitle(/other/)
  await expect(pane(page)).toBeHidden()
  expect(await page.evaluate(() => document.activeElement === document.body)).toBe(false)

  // Of two that lie over each other, what is below has it again, and then by what that was opened.
  await link(page, 'design').click()
  const replies = message(page, 'a question').getByRole('button', { name: /1 reply/ })
  await replies.press('Enter')
  await expect(pane(page).locator('.composer-text')).toBeFocused()
  await page.keyboard.press('Alt+o')
  await expect(pane(page).getByRole('tab', { name: 'About' })).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(pane(page).getByText('an answer')).toBeVisible()
  await expect(pane(page)).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(pane(page)).toBeHidden()
  await expect(replies).toBeFocused()
})

test('jump to a date lands there and scrolls both ways, by keyboard alone', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const ben = await workspace.person('ben', 'Ben Okri')
  await ben.call(`${chat}/JoinChannel`, { channel })
  await sayMany([ada, ben], channel, count(120, (n) => `line ${n}.`))
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'line 119.')).toBeInViewport()
  await page.keyboard.press('Alt+j')
  const dialog = page.getByRole('dialog', { name: 'Jump to a date' })
  await expect(dialog.locator('.date-day:focus')).toHaveAttribute('aria-current', 'date')
  await page.keyboard.press('ArrowLeft') // the channel was made today: there is no day before
  await expect(dialog.locator('.date-day:focus')).toHaveAttribute('aria-current', 'date')
  await page.keyboard.press('Enter')
  await expect(dialog).toBeHidden()
  await expect(message(page, 'line 0.')).toBeInViewport()
  await expect(page.locator('.day').first()).toHaveText('Today')

  // From a message in the middle, which isn't near what was read before, up to the beginning and down to the end.
  await page.goto(`/c/${channel}/60`)
  await expect(page.locator('.message-marked')).toBeInViewport()
  const scroll = page.locator('.main .channel-scroll')
  await scroll.hover()
  const wheel = async (down: number, text: string) => {
    await expect(async () => {
      await page.mouse.wheel(0, down)
      await expect(message(page, text)).toBeInViewport({ timeout: 250 })
    }).toPass()
  }
  await wheel(-900, 'line 0.')
  await wheel(900, 'line 119.')
  await expect(page.getByRole('button', { name: 'Jump to latest' })).toBeHidden()
})

test('a day without messages leads to what comes next, and says so', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await page.clock.install({ time: Date.now() + 2 * 24 * 3_600_000 }) // for the page it is the day after tomorrow
  await say(ada, channel, 'the only one')
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'the only one')).toBeVisible()
  await head(page).getByRole('button', { name: 'Jump to a date' }).click()
  await page.getByRole('button', { name: 'Yesterday' }).click()
  await expect(page.getByText('Nothing was written on that day.')).toBeVisible()
  await expect(message(page, 'the only one')).toBeInViewport()
})

test('the preview keeps the text and the cursor', async ({ page, workspace }) => {
  await channelWith(workspace.owner, 'design')
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await composer(page).fill('some **bold** words')
  await composer(page).press('Home')
  for (let n = 0; n < 4; n++) await composer(page).press('ArrowRight')
  await page.keyboard.press('Alt+p')
  const preview = page.getByRole('region', { name: 'Preview' })
  await expect(preview).toBeFocused()
  await expect(preview.locator('strong')).toHaveText('bold')
  await page.keyboard.press('Escape')
  await expect(composer(page)).toBeFocused()
  await page.keyboard.type('x')
  await expect(composer(page)).toHaveValue('somex **bold** words')
})

test('Escape closes the pane and gives the focus back, and at 360 px nothing scrolls sideways', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri with a name that is longer than a narrow screen has room for')
  const channel = await channelWith(ada, 'a-channel-with-a-long-name-that-does-not-fit', ben)
  const offset = await say(ada, channel, 'pinned, aVeryLongWordWithoutAnyBlankInItWhichIsWiderThanTheScreenOfATelephoneWouldEverBe')
  await ada.call(`${chat}/PinMessage`, { channel, offset, pinned: true })
  await signIn(page, ada)
  await link(page, 'a-channel').click()
  await page.setViewportSize({ width: 360, height: 740 })
  await expect(banner(page)).toBeHidden() // it lies over the head there
  const sideways = () => page.evaluate(() => [...document.querySelectorAll('.main, .pane, .details, .details-scroll, .details-list, dialog, html')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className))
  const small = () => page.evaluate(() => [...document.querySelectorAll('.pane button, .main .channel-head button, dialog button')].filter((e) => e.getBoundingClientRect().width > 0).filter((e) => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24 }).map((e) => e.outerHTML.slice(0, 80)))
  const title = head(page).getByRole('heading', { level: 1 }).getByRole('button')
  await title.click()
  for (const tab of ['About', 'People', 'Pinned']) {
    await pane(page).getByRole('tab', { name: tab }).click()
    await expect(pane(page).getByRole('tabpanel', { name: tab })).toBeVisible()
    expect(await sideways()).toEqual([])
    expect(await small()).toEqual([])
    await page.screenshot({ path: test.info().outputPath(`360-${tab}.png`) })
  }
  await page.keyboard.type('x') // what lies below the pane takes no letters
  await expect(composer(page)).toHaveValue('')
  await page.keyboard.press('Escape')
  await expect(pane(page)).toBeHidden()
  await expect(title).toBeFocused()
  const date = head(page).getByRole('button', { name: 'Jump to a date' })
  await date.click()
  expect(await sideways()).toEqual([])
  expect(await small()).toEqual([])
  await page.screenshot({ path: test.info().outputPath('360-date.png') })
  await page.keyboard.press('Escape')
  await expect(date).toBeFocused()
})
