import { channelWith, chat, each, link, message, say, signIn } from './app.ts'
import { drift, jumped, long, walked } from './list.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

// So that a long channel is there in seconds.
test.use({ flags: ['--gateway.write.per_second', '20000', '--gateway.write.burst', '20000'] })

test('who scrolls as soon as a channel is there is not taken back', async ({ page, workspace }) => {
  const ada = workspace.owner
  for (const name of ['one', 'two', 'three', 'four']) {
    const channel = await channelWith(ada, name)
    for (let i = 0; i < 60; i++) await say(ada, channel, long(i))
    await ada.call(`${chat}/MarkRead`, { channel, offset: await say(ada, channel, 'the last') })
  }
  await signIn(page, ada)
  await page.locator('#main').hover()
  for (const name of ['one', 'two', 'three', 'four']) {
    await page.evaluate(() => {
      const left: number[] = []
      const old = document.querySelector('.channel-scroll')
      const state = Object.assign(window, { left, until: Infinity })
      const look = () => {
        const list = document.querySelector('.channel-scroll')
        if (list && list !== old && list.querySelector('.message')) left.push(list.scrollHeight - list.scrollTop - list.clientHeight)
        if (left.length < state.until) requestAnimationFrame(look)
      }
      requestAnimationFrame(look)
    })
    await link(page, name).evaluate((a: HTMLElement) => { a.click() })
    const left = () => page.evaluate(() => (window as unknown as { left: number[] }).left)
    while ((await left()).length === 0) await page.mouse.wheel(0, -30) // until there is something to scroll
    for (let i = 0; i < 30; i++) await page.mouse.wheel(0, -30)
    await expect(page.locator('.channel-to-end')).toHaveText('Jump to latest')
    await expect.poll(async () => (await left()).at(-1)).toBeGreaterThan(300)
    const until = await page.evaluate(() => ((window as unknown as { until: number }).until = (window as unknown as { left: number[] }).left.length + 60)) // what comes late comes in these
    await expect.poll(async () => (await left()).length).toBe(until)
    const way = await left()
    expect(way.some((px, i) => px < (way[i - 1] ?? 0) - 1), way.join(' ')).toBe(false)
    await expect(message(page, 'the last')).not.toBeInViewport()
  }
})

test('older history moves nothing where the reader has just jumped by the scrollbar', async ({ browser, plenum, workspace }) => {
  test.setTimeout(150_000)
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await each(2000, (i) => say(ada, channel, long(i)))
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(page.locator('.message').first()).toBeVisible()
  const list = page.locator('.channel-scroll')
  const height = () => list.evaluate((list) => list.scrollHeight)
  const moved: string[] = []
  let worst = 0
  for (let round = 0; round < 8; round++) {
    const frames = [-1, -1, 0, -1, 2][round % 5] ?? 0
    const share = (2 + ((round * 17) % 40)) / 100 // 0: what is measured above may have no room
    proxy.hold()
    const before = await height()
    await list.evaluate(async (list) => {
      list.scrollTop = 1100 // above which all is unseen; and more is asked for
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame)
    })
    const by = [0, 30][round % 2] ?? 0
    const drift = await jumped(page, share, by, frames, async () => {
      proxy.release()
      await expect.poll(height).toBeGreaterThan(before + 500)
    })
    moved.push(`to ${share} of it, on by ${by} px a frame, ${frames} frames before: ${drift}`)
    worst = Math.max(worst, drift)
  }
  test.info().annotations.push({ type: 'drift', description: `${worst} px` })
  expect(worst, moved.join('\n')).toBeLessThanOrEqual(1)
  await visit.end()
  await proxy.stop()
})

test('a long channel is held in part, shows each message once, in order, up and down, and new ones are counted and gone to', async ({ page, workspace }) => {
  test.setTimeout(240_000)
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const count = 2200
  await each(count, (i) => say(ada, channel, `short ${i}`))
  await signIn(page, ada)
  await link(page, 'design').click()
  await expect(page.locator('.message').first()).toBeVisible()
  const up = await walked(page, -1)
  expect(up.offsets).toHaveLength(count)
  expect(up.order).toBe(true)
  expect(up.highest).toBeLessThan(1100 * 60) // 1,000 are held, and a page; a line of them has up to 56 px
  const toEnd = page.locator('.channel-to-end')
  await expect(toEnd).toHaveText('Jump to latest')
  const moved = await drift(page, async () => {
    for (let i = 1; i <= 2; i++) await say(ben, channel, `new ${i}.`)
    await expect(toEnd).toHaveText('2 new messages')
  })
  expect(moved).toBeLessThanOrEqual(1)
  await toEnd.click()
  await expect(message(page, 'new 2.')).toBeInViewport()
  await expect(toEnd).toBeHidden()
  await walked(page, -1)
  const down = await walked(page, 1)
  expect(down.offsets).toHaveLength(count + 2)
  expect(down.order).toBe(true)
  expect(down.highest).toBeLessThan(1100 * 60)
  await expect(toEnd).toBeHidden()
})
