import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { back, banner, channelWith, chat, composer, drafted, each, link, message, say, signIn, texts, write } from './app.ts'
import { drift, long, rows, said, scrolled } from './list.ts'
import { password, type Person } from './people.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

// So that a long channel is there in seconds.
test.use({ flags: ['--gateway.write.per_second', '20000', '--gateway.write.burst', '20000'] })

const posting = (owner: Person, channel: string, who: 'MEMBERS' | 'MODERATORS') => owner.call(`${chat}/UpdateChannel`, { channel, posting: `CHANNEL_POSTING_${who}` })

test('a message says how far it has come; one that was refused can be retried and deleted', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ben)
  const { page } = visit
  await link(page, 'design').click()
  await write(page, 'first')
  await expect(message(page, 'first')).toHaveAttribute('data-state', 'sent')

  await plenum.kill()
  await write(page, 'waits')
  const waits = message(page, 'waits')
  await expect(waits.getByRole('status')).toHaveText(/Sending…|Waiting to be sent/)
  await expect(waits.getByRole('status')).toBeVisible()
  await plenum.restart()
  await expect(waits).toHaveAttribute('data-state', 'sent', { timeout: 45_000 })
  await expect(waits).toContainText('Sent')

  proxy.hold() // he doesn't hear of the change
  await posting(ada, channel, 'MODERATORS')
  await write(page, 'refused')
  const refused = message(page, 'refused')
  await expect(refused.getByRole('status')).toHaveText(/Sending…/)
  proxy.release()
  await expect(refused.getByRole('button', { name: 'Retry' })).toBeVisible({ timeout: 5_000 })
  await expect(refused.getByRole('button', { name: 'Delete' })).toBeVisible()
  await expect(refused.getByRole('status')).toHaveText(/Not sent: \w/)
  await page.screenshot({ path: test.info().outputPath('refused.png') })

  proxy.hold() // or it may be refused anew before it was seen to be sent
  await refused.getByRole('button', { name: 'Retry' }).click() // in vain
  await expect(refused.getByRole('status')).toHaveText(/Sending…/)
  proxy.release()
  await expect(refused.getByRole('status')).toHaveText(/Not sent/)
  await posting(ada, channel, 'MEMBERS')
  await refused.getByRole('button', { name: 'Retry' }).click()
  await expect(refused).toHaveAttribute('data-state', 'sent')
  expect(await texts(ada, channel)).toEqual(['first', 'waits', 'refused'])

  proxy.hold()
  await posting(ada, channel, 'MODERATORS')
  await write(page, 'never')
  proxy.release()
  await message(page, 'never').getByRole('button', { name: 'Delete' }).click()
  await expect(message(page, 'never')).toHaveCount(0)
  await page.reload()
  await expect(message(page, 'refused')).toBeVisible()
  await expect(message(page, 'never')).toHaveCount(0)
  expect(await texts(ada, channel)).toEqual(['first', 'waits', 'refused'])
  visit.watch.forget() // the server was away
  await visit.end()
  await proxy.stop()
})

for (const closed of [false, true]) {
  test(`five messages that were written offline go out in order, once${closed ? ', also when the page was closed meanwhile' : ''}`, async ({ page, context, workspace, plenum, watch }) => {
    const ada = workspace.owner
    const channel = await channelWith(ada, 'design')
    const five = ['one', 'two', 'three', 'four', 'five']
    await signIn(page, ada)
    await link(page, 'design').click()
    await write(page, 'before')
    await expect(message(page, 'before')).toHaveAttribute('data-state', 'sent')
    await plenum.kill()
    for (const text of five) await write(page, text)
    await expect(message(page, 'five')).toContainText('Waiting to be sent')
    if (closed) await page.close()
    await plenum.restart()
    const there = closed ? await context.newPage() : page
    if (closed) await there.goto(`/c/${channel}`)
    for (const text of five) await expect(message(there, text)).toHaveAttribute('data-state', 'sent', { timeout: 45_000 })
    expect(await said(there)).toEqual(['before', ...five])
    expect(await texts(ada, channel)).toEqual(['before', ...five])
    watch.forget() // the server was away
  })
}

test('who was cut off while others wrote has all of it after, once', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await say(ben, channel, 'before')
  await expect(message(page, 'before')).toBeVisible()
  proxy.cut()
  const all = Array.from({ length: 100 }, (_, i) => `missed ${i + 1}.`)
  for (const text of all) await say(ben, channel, text)
  await expect(banner(page)).toBeVisible()
  expect(await page.locator('.message').allTextContents()).toHaveLength(1)
  proxy.mend()
  await back(page)
  await expect(message(page, 'missed 100.')).toBeVisible({ timeout: 35_000 })
  expect(await said(page)).toEqual(['before', ...all])
  visit.watch.forget() // it was cut off
  await visit.end()
  await proxy.stop()
})

test('a draft survives the browser', async ({ playwright, launchOptions, plenum, workspace }) => {
  const channel = await channelWith(workspace.owner, 'design')
  const profile = await mkdtemp(join(tmpdir(), 'plenum-profile-'))
  const open = async () => {
    const context = await playwright.chromium.launchPersistentContext(profile, { ...launchOptions, baseURL: plenum.origin, locale: 'en-GB' })
    return { context, page: context.pages()[0] ?? (await context.newPage()) }
  }
  let { context, page } = await open()
  await signIn(page, workspace.owner)
  await link(page, 'design').click()
  await composer(page).fill('half a thought')
  await drafted(page, 'half a thought')
  await context.close()
  ;({ context, page } = await open())
  await page.goto(`/c/${channel}`)
  await expect(composer(page)).toHaveValue('half a thought')
  await expect(page.locator('.composer-theirs')).toHaveCount(0)
  await composer(page).press('Enter')
  await expect(message(page, 'half a thought')).toHaveAttribute('data-state', 'sent')
  await context.close()
  ;({ context, page } = await open())
  await page.goto(`/c/${channel}`)
  await expect(message(page, 'half a thought')).toHaveCount(1)
  await expect(composer(page)).toHaveValue('')
  await context.close()
  await rm(profile, { recursive: true, force: true })
})

test('a draft survives the end of the session', async ({ page, workspace, watch }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await say(ada, channel, 'before')
  await signIn(page, ada)
  await link(page, 'design').click()
  await composer(page).fill('half a thought')
  await signOutElsewhere(ada, false)
  await expect(page.getByRole('heading', { name: /session|sign in/i })).toBeVisible()
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(composer(page)).toHaveValue('half a thought')
  await expect(page.locator('.composer-theirs')).toHaveCount(0)
  await composer(page).press('Enter')
  await expect(message(page, 'half a thought')).toHaveAttribute('data-state', 'sent')
  await page.reload()
  await expect(message(page, 'half a thought')).toHaveCount(1)
  await expect(composer(page)).toHaveValue('')
  watch.forget() // the session has ended
})

/** signOutElsewhere ends the sessions of all a person's devices but this test's own. */
async function signOutElsewhere(person: Person, wipe: boolean): Promise<void> {
  const { devices } = await person.call('plenum.identity.v1.PeopleService/ListDevices', {})
  for (const device of devices as { id: string; current?: boolean }[]) {
    if (device.current !== true) await person.call('plenum.identity.v1.PeopleService/RevokeDevice', { deviceId: device.id, wipe })
  }
}

test('history comes in above without moving anything, and few rows are in the document', async ({ browser, plenum, workspace }) => {
  test.setTimeout(150_000)
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const count = 2000
  await each(count, (i) => say(ada, channel, long(i)))
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(page.locator('.message').first()).toBeVisible()

  const oldest = () => page.locator('.channel-scroll').evaluate((list) => list.scrollHeight)
  const top = () => page.locator('.channel-scroll').evaluate((list) => list.scrollTop)
  let furthest = 0
  let most = 0
  // Where the reader has come near to the beginning, and stands still.
  for (let round = 0; round < 5; round++) {
    proxy.hold()
    const before = await oldest()
    while ((await top()) > 700) furthest = Math.max(furthest, (await scrolled(page, -300)) ?? 0)
    const moved = await drift(page, async () => {
      proxy.release()
      await expect.poll(oldest).toBeGreaterThan(before + 1000)
    })
    expect(moved).toBeLessThanOrEqual(1)
  }
  // While the reader scrolls, by steps.
  for (let step = 0; step < 100; step++) {
    furthest = Math.max(furthest, (await scrolled(page, -300)) ?? 0)
    most = Math.max(most, await rows(page))
  }
  test.info().annotations.push({ type: 'rows', description: String(most) }, { type: 'drift', description: `${furthest} px` })
  expect(furthest).toBeLessThanOrEqual(1)
  expect(most).toBeLessThan(100)
  await visit.end()
  await proxy.stop()
})

test('what arrives while the reader looks further up moves nothing, and is counted; a click goes there', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  for (let i = 0; i < 60; i++) await say(ada, channel, long(i))
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(message(page, 'message 59')).toBeInViewport()
  await page.locator('.channel-scroll').hover()
  const toEnd = page.locator('.channel-to-end')
  await page.mouse.wheel(0, -900)
  await expect(toEnd).toHaveText('Jump to latest')
  const moved = await drift(page, async () => {
    for (let i = 1; i <= 3; i++) await say(ben, channel, `new ${i}.`)
    await expect(toEnd).toHaveText('3 new messages')
  })
  expect(moved).toBeLessThanOrEqual(1)
  await expect(message(page, 'new 3.')).not.toBeInViewport()
  await toEnd.click()
  await expect(message(page, 'new 3.')).toBeInViewport()
  await expect(toEnd).toBeHidden()
  await say(ben, channel, 'new 4.') // at the end one stays there
  await expect(message(page, 'new 4.')).toBeInViewport()
  await page.mouse.wheel(0, -900)
  await expect(toEnd).toBeVisible()
  await write(page, 'mine') // who writes sees what they wrote
  await expect(message(page, 'mine')).toBeInViewport()
  await expect(toEnd).toBeHidden()
})

test('what changes above what is read moves nothing, and the end stays the end', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const offsets: number[] = []
  for (let i = 0; i < 60; i++) offsets.push(await say(ben, channel, long(i)))
  await ada.call(`${chat}/MarkRead`, { channel, offset: offsets.at(-1) })
  await signIn(page, ada)
  await link(page, 'design').click()
  const last = message(page, 'message 59')
  await expect(last).toBeInViewport()
  // At the end, the last message grows.
  await ben.call(`${chat}/AddReaction`, { channel, offset: offsets.at(-1), emoji: '🎉' })
  await expect(last.locator('.reaction').first()).toBeInViewport({ ratio: 1 })
  await ben.call(`${chat}/Send`, { channel, root: offsets.at(-1), text: 'a reply' })
  await expect(last.locator('.thread-summary')).toBeInViewport({ ratio: 1 })
  await ben.call(`${chat}/EditMessage`, { channel, offset: offsets.at(-1), text: `message 59, mended\n\n${'more\n\n'.repeat(8)}the end of it` })
  await expect(last.getByText('the end of it')).toBeInViewport({ ratio: 1 })
  // Further up, what is above the window and within the document grows, shrinks and goes.
  await page.locator('.channel-scroll').evaluate((list) => { list.scrollTop -= 1500 })
  const above = async () => page.evaluate(() => {
    const list = document.querySelector('.channel-scroll')
    const top = list?.getBoundingClientRect().top ?? 0
    return [...(list?.querySelectorAll<HTMLElement>('.message') ?? [])].filter((row) => row.getBoundingClientRect().bottom < top).map((row) => Number(row.dataset['offset']))
  })
  await expect.poll(async () => (await above()).length).toBeGreaterThan(2)
  const [one, two, three] = (await above()).slice(-3)
  const moved = await drift(page, async () => {
    await ben.call(`${chat}/EditMessage`, { channel, offset: one, text: `grown\n\n${'more\n\n'.repeat(8)}` })
    await ben.call(`${chat}/AddReaction`, { channel, offset: two, emoji: '🎉' })
    await ben.call(`${chat}/DeleteMessage`, { channel, offset: three })
    await expect(page.locator(`.message[data-offset="${three}"]`)).toContainText('This message was deleted.')
    await expect(page.locator(`.message[data-offset="${one}"]`)).toContainText('edited')
  })
  expect(moved).toBeLessThanOrEqual(1)
})

test('what one does the other sees: replies, edits, reactions, deletions', async ({ browser, page, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await say(ada, channel, 'of hers')
  const visit = await Visit.begin(browser, plenum.origin, ben)
  const peer = visit.page
  await signIn(page, ada)
  for (const one of [page, peer]) await link(one, 'design').click()
  const took = async (what: string, does: () => Promise<unknown>, seen: () => Promise<unknown>) => {
    const begun = performance.now()
    await does()
    await seen()
    test.info().annotations.push({ type: what, description: `${Math.round(performance.now() - begun)} ms, with the tests' own way` })
  }
  await took('message', () => write(page, 'a word'), () => expect(message(peer, 'a word')).toBeVisible())
  await message(page, 'a word').hover()
  await message(page, 'a word').getByRole('button', { name: 'Edit' }).click()
  await page.locator('.editor-text').fill('a better word')
  await took('edit', () => page.locator('.editor-text').press('Enter'), () => expect(message(peer, 'a better word')).toContainText('edited'))
  await message(page, 'a better word').hover()
  await took('reaction', () => message(page, 'a better word').getByRole('button', { name: /^React with/ }).first().click(), () => expect(message(peer, 'a better word').locator('.reaction').first()).toHaveAccessibleName(/, 1 person$/))
  await took('reaction taken back', () => message(page, 'a better word').locator('.reaction').first().click(), () => expect(message(peer, 'a better word').locator('.reaction')).toHaveCount(0))
  await message(page, 'a better word').hover()
  await message(page, 'a better word').getByRole('button', { name: 'Reply in a thread' }).click()
  const reply = page.getByRole('complementary').locator('.composer-text')
  await reply.fill('a reply')
  await took('reply', () => reply.press('Enter'), () => expect(message(peer, 'a better word').getByRole('button', { name: /1 reply/ })).toBeVisible())
  await page.keyboard.press('Escape')
  await message(page, 'of hers').hover()
  await message(page, 'of hers').getByRole('button', { name: 'More' }).click()
  await took('deletion', async () => {
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  }, () => expect(peer.getByText('This message was deleted.')).toBeVisible())
  await visit.end()
})

test('Escape closes a thread and gives the focus back to what opened it, by keys alone', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const root = await say(ada, channel, 'a question')
  await say(ada, channel, 'an answer', { root })
  await signIn(page, ada)
  await link(page, 'design').click()
  for (const name of [/1 reply/, 'Reply in a thread']) {
    const opener = message(page, 'a question').getByRole('button', { name })
    await opener.focus()
    await page.keyboard.press('Enter')
    const pane = page.getByRole('complementary')
    await expect(pane.getByText('an answer')).toBeVisible()
    await pane.locator('.composer-text').focus()
    await page.keyboard.press('Escape')
    await expect(pane).toBeHidden()
    await expect(opener).toBeFocused()
  }
})

