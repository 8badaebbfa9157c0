import { channelWith, chat, composer, each, link, message, say, signIn, texts, write } from './app.ts'
import { drift, scrolled } from './list.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

// So that a long channel is there in seconds.
test.use({ flags: ['--gateway.write.per_second', '20000', '--gateway.write.burst', '20000'] })

/** long is a message whose height depends on its number. */
function long(i: number): string {
  const words = `message ${i} `
  const kinds = [words, words.repeat(30), `${words}\n\n${'and more\n\n'.repeat(i % 5)}`, `${words}\n\`\`\`\n${'let there = be(light)\n'.repeat(1 + (i % 12))}\`\`\``, `${words}\n\n- one\n- two\n- three`, words, `> ${words}\n\nyes`]
  return (kinds[i % kinds.length] ?? words).trim()
}

test('who scrolls as soon as a channel is there isn’t pulled back', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channels = [await channelWith(ada, 'one'), await channelWith(ada, 'two')]
  const offsets = await Promise.all(channels.map(async (channel) => {
    for (let i = 0; i < 60; i++) await say(ada, channel, long(i))
    return (await say(ada, channel, 'the last'))
  }))
  for (const [i, channel] of channels.entries()) await ada.call(`${chat}/MarkRead`, { channel, offset: offsets[i] })
  await signIn(page, ada)
  for (const name of ['one', 'two']) {
    await page.locator('#main').hover()
    // With the first frame in which the end is there: a wheel's turn up, which is what the page hears of it.
    const places = await page.evaluate(async (name) => {
      const scrolled: number[] = []
      const other = [...document.querySelectorAll<HTMLAnchorElement>('nav a')].find((a) => a.textContent.includes(name))
      const before = document.querySelector('.channel-scroll')
      other?.click()
      for (let frames = 0; frames < 600; frames++) {
        await new Promise(requestAnimationFrame)
        const list = document.querySelector<HTMLElement>('.channel-scroll')
        if (!list || list === before || ![...list.querySelectorAll('.message')].some((m) => m.textContent.includes('the last'))) continue
        for (let step = 0; step < 30; step++) {
          const from = list.scrollTop
          list.scrollTop = from - 40
          await new Promise(requestAnimationFrame)
          await new Promise(requestAnimationFrame)
          scrolled.push(Math.round(list.scrollHeight - list.scrollTop - list.clientHeight))
        }
        break
      }
      return scrolled
    }, name)
    expect(places).toHaveLength(30)
    // Each step goes on from the one before: nothing has brought the end back.
    expect(places.every((left, i) => left > (places[i - 1] ?? 0))).toBe(true)
    await expect(page.locator('.channel-to-end')).toHaveText('To the newest')
  }
})

test('a wheel’s turn as soon as a channel is there goes where it goes', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  for (let i = 0; i < 60; i++) await say(ada, channel, long(i))
  await ada.call(`${chat}/MarkRead`, { channel, offset: await say(ada, channel, 'the last') })
  await signIn(page, ada)
  await page.locator('#main').hover()
  await link(page, 'design').evaluate((a: HTMLElement) => { a.click() })
  await expect(message(page, 'the last')).toBeInViewport()
  await page.mouse.wheel(0, -600)
  await expect(page.locator('.channel-to-end')).toHaveText('To the newest')
  await expect.poll(() => page.locator('.channel-scroll').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight)).toBeGreaterThan(500)
})

test('older history moves nothing where the reader has jumped by the scrollbar', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await each(1500, (i) => say(ada, channel, long(i)))
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(page.locator('.message').first()).toBeVisible()
  const height = () => page.locator('.channel-scroll').evaluate((list) => list.scrollHeight)
  const jump = (to: number) => page.locator('.channel-scroll').evaluate(async (list, to) => {
    list.scrollTop = to
    await new Promise(requestAnimationFrame)
  }, to)
  const all: string[] = []
  let worst = 0
  for (const [round, to] of [0, 900, 350, 1100, 120, 700, 10, 500, 1000, 250].entries()) {
    proxy.hold()
    const before = await height()
    await jump(to)
    if (round % 2 === 1) for (let i = 0; i < 3; i++) await scrolled(page, 30)
    const moved = await drift(page, async () => {
      proxy.release()
      await expect.poll(height).toBeGreaterThan(before + 500)
    })
    all.push(`${to}: ${moved}`)
    worst = Math.max(worst, moved)
  }
  test.info().annotations.push({ type: 'drift', description: all.join(', ') })
  expect(worst, all.join(', ')).toBeLessThanOrEqual(1)
  await visit.end()
  await proxy.stop()
})

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
  await expect(page.getByText('design is not muted any more.')).toBeVisible()
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
  const opener = page.getByRole('button', { name: 'Look into #books' })
  await opener.click()
  const preview = page.getByRole('dialog', { name: '#books' })
  await expect(preview.getByText('What we read')).toBeVisible()
  await expect(preview.getByText('One a month')).toBeVisible()
  await expect(preview.getByRole('list', { name: 'Said last' }).getByText('Chapter four?')).toBeVisible()
  await expect(preview.getByText('Ben Okri').first()).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('preview.png') })
  await page.keyboard.press('Escape')
  await expect(preview).toBeHidden()
  await expect(opener).toBeFocused()

  await page.getByLabel('Which channels').selectOption({ label: 'Archived' })
  await expect(page.getByText('old-plans', { exact: true })).toBeVisible()
  await expect(page.getByText('books', { exact: true })).toHaveCount(0)
  await page.getByRole('button', { name: 'Look into #old-plans' }).click()
  await expect(page.getByRole('dialog').getByText('Done with.')).toBeVisible()
  await expect(page.getByRole('dialog').getByRole('button', { name: 'Join' })).toHaveCount(0)
  await page.keyboard.press('Escape')
  await page.setViewportSize({ width: 360, height: 740 })
  await page.screenshot({ path: test.info().outputPath('browse-narrow.png') })

  await page.getByLabel('Which channels').selectOption({ label: 'In use' })
  await opener.click()
  await preview.getByRole('button', { name: 'Join' }).click()
  await expect(page).toHaveURL(new RegExp(`/c/${books}$`))
})
