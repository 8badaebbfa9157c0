import { banner, channelWith, chat, composer, link, live, message, say, texts, write } from './app.ts'
import { said } from './list.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

/** Of the protocol, in ms: a silent connection is asked by Ping after 35 s and given up 5 s later; the server's heartbeat is 25 s. */
const heartbeat = 25_000
/** Of the SDK: the first wait's ceiling, and the last one's. */
const backoff = { base: 500, most: 30_000 }

test('who types is shown, and no longer once they don’t', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const [one, other] = [await Visit.begin(browser, plenum.origin, ada), await Visit.begin(browser, plenum.origin, ben)]
  for (const { page } of [one, other]) await link(page, 'design').click()
  const typing = other.page.locator('.typing')
  await live(ada, channel, other.page)
  await composer(one.page).press('a')
  const begun = performance.now()
  await expect(typing).toHaveText('Ada Lovelace is typing…')
  const came = performance.now() - begun
  await expect(typing).toHaveText('', { timeout: 18_000 })
  const went = performance.now() - begun
  test.info().annotations.push({ type: 'typing', description: `after ${Math.round(came)} ms, until ${Math.round(went)} ms` })
  expect(went).toBeGreaterThan(1_000)
  await composer(one.page).press('b')
  await expect(typing).toHaveText('Ada Lovelace is typing…')
  await composer(one.page).press('Enter')
  await expect(message(other.page, 'ab')).toBeVisible()
  await expect(typing).toHaveText('', { timeout: 1_000 })
  await one.end()
  await other.end()
})

test('presence is told in words, not by colour alone', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const { channel } = await ada.call(`${chat}/OpenDirect`, { users: [ben.id] })
  await say(ada, channel as string, 'Hello')
  const one = await Visit.begin(browser, plenum.origin, ada)
  const side = one.page.getByRole('navigation').getByRole('link', { name: /Ben Okri/ })
  await expect(side).toHaveAccessibleName(/offline|presence unknown/) // for 45 s after a start nobody knows
  const shape = () => side.locator('.presence svg').innerHTML()
  const before = await shape()
  await side.click()
  const head = one.page.locator('.channel-head')
  await expect(head).toContainText(/offline|presence unknown/)
  const other = await Visit.begin(browser, plenum.origin, ben)
  await expect(side).toHaveAccessibleName(/online/)
  await expect(head).toContainText('online')
  expect(await shape()).not.toBe(before)
  await ben.call('plenum.presence.v1.PresenceService/SetStatus', { user: ben.id, state: 'STATE_DO_NOT_DISTURB', custom: { emoji: '🌴', text: 'On holiday' } })
  await expect(head).toContainText('On holiday, do not disturb')
  await expect(side).toHaveAccessibleName(/do not disturb/)
  await other.end()
  await one.end()
})

test('a connection that leads nowhere is noticed within two heartbeats', async ({ browser, plenum, workspace }) => {
  test.setTimeout(150_000)
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await say(ben, channel, 'before')
  await expect(message(page, 'before')).toBeVisible()
  const opened = proxy.attempts.length
  proxy.lose()
  const lost = performance.now()
  await say(ben, channel, 'unheard')
  await expect.poll(() => proxy.attempts.length, { timeout: 2 * heartbeat }).toBeGreaterThan(opened)
  test.info().annotations.push({ type: 'noticed', description: `${Math.round((performance.now() - lost) / 1000)} s` })
  await expect(message(page, 'unheard')).toBeVisible()
  await write(page, 'an answer')
  await expect(message(page, 'an answer')).toHaveAttribute('data-state', 'sent')
  expect(await texts(ada, channel)).toEqual(['before', 'unheard', 'an answer'])

  // Somebody who comes back to the page needn't wait so long.
  proxy.lose()
  const again = performance.now()
  await say(ben, channel, 'unheard, too')
  await page.evaluate(() => { window.dispatchEvent(new Event('focus')) })
  await expect(message(page, 'unheard, too')).toBeVisible({ timeout: 18_000 })
  test.info().annotations.push({ type: 'noticed on focus', description: `${Math.round((performance.now() - again) / 1000)} s` })
  visit.watch.forget() // requests of the page's own came to nothing, too
  await visit.end()
  await proxy.stop()
})

test('a server that can’t be reached is tried again after waits by chance, longer and longer, which are told', async ({ browser, plenum, workspace }) => {
  const channel = await channelWith(workspace.owner, 'design')
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, workspace.owner)
  const { page } = visit
  await link(page, 'design').click()
  await expect.poll(() => proxy.sockets).toBe(1)
  const before = proxy.attempts.length
  proxy.cut()
  const cut = Date.now()
  await expect.poll(() => proxy.attempts.length - before, { timeout: 60_000 }).toBeGreaterThanOrEqual(5)
  const times = [cut, ...proxy.attempts.slice(before)]
  const waits = times.slice(1).map((time, i) => Math.min(time - (times[i] ?? 0), proxy.pauses[before + i] ?? Infinity)) // an attempt has several ways, which take their time
  const ceilings = waits.map((_, i) => Math.min(backoff.base * 2 ** i, backoff.most))
  test.info().annotations.push({ type: 'waits', description: waits.join(' ') })
  const slow = 1_500 // the attempt itself, on a busy machine
  waits.forEach((wait, i) => { expect(wait).toBeLessThanOrEqual((ceilings[i] ?? 0) + slow) })
  expect(waits.every((wait, i) => Math.abs(wait - (ceilings[i] ?? 0)) < 0.05 * (ceilings[i] ?? 0))).toBe(false)
  await expect(banner(page)).toBeVisible()
  await expect(banner(page)).toContainText(/Reconnecting in ([12]?\d|30) s/)
  proxy.mend()
  await expect(banner(page)).toBeHidden({ timeout: 45_000 })
  await say(workspace.owner, channel, 'after')
  await expect(message(page, 'after')).toBeVisible()
  visit.watch.forget() // it was cut off
  await visit.end()
  await proxy.stop()
})

for (const [name, refused, way] of [
  ['WebSockets are', /^\/edge\/v1\/ws/, '/edge/v1/sse'],
  ['WebSockets and streams are', /^\/edge\/v1\/(ws|sse)/, '/edge/v1/poll'],
] as const) {
  test(`where ${name} refused on the way, messages flow both ways`, async ({ browser, plenum, workspace }) => {
    const ada = workspace.owner
    const ben = await workspace.person('ben', 'Ben Okri')
    const channel = await channelWith(ada, 'design', ben)
    const proxy = await Proxy.start(plenum.origin)
    proxy.refuse(refused)
    const visit = await Visit.begin(browser, proxy.origin, ada)
    const { page } = visit
    await link(page, 'design').click()
    for (let i = 1; i <= 5; i++) {
      await write(page, `hers ${i}.`)
      await say(ben, channel, `his ${i}.`)
    }
    for (let i = 1; i <= 5; i++) {
      await expect(message(page, `hers ${i}.`)).toHaveAttribute('data-state', 'sent')
      await expect(message(page, `his ${i}.`)).toBeVisible()
    }
    expect(proxy.asked.some((path) => path.startsWith(way))).toBe(true)
    expect(proxy.sockets).toBe(0)
    expect(await said(page)).toEqual(await texts(ada, channel))
    expect((await texts(ada, channel)).filter((text) => text.startsWith('hers'))).toEqual([1, 2, 3, 4, 5].map((i) => `hers ${i}.`))
    visit.watch.forget() // what was refused
    await visit.end()
    await proxy.stop()
  })
}

test('two people talk on while the server is killed, and nothing is lost or doubled', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const visits = [await Visit.begin(browser, plenum.origin, ada), await Visit.begin(browser, plenum.origin, ben)]
  for (const { page } of visits) await link(page, 'design').click()
  const all: string[][] = [[], []]
  const round = async (n: number) => {
    for (const [who, { page }] of visits.entries()) {
      const text = `${who === 0 ? 'Ada' : 'Ben'} says ${n}.`
      await write(page, text)
      all[who]?.push(text)
    }
  }
  for (let n = 1; n <= 3; n++) await round(n)
  const dead = plenum.kill() // with the last ones on their way
  await round(4)
  await dead
  await round(5)
  const back = plenum.restart()
  await round(6)
  await back
  await round(7)
  for (const { page } of visits) {
    for (const text of all.flat()) await expect(message(page, text)).toHaveAttribute('data-state', 'sent', { timeout: 60_000 })
    await expect(banner(page)).toBeHidden()
  }
  const kept = await texts(ada, channel)
  expect(kept.toSorted()).toEqual(all.flat().toSorted())
  for (const [who, { page }] of visits.entries()) {
    expect(kept.filter((text) => all[who]?.includes(text))).toEqual(all[who])
    expect(await said(page)).toEqual(kept)
  }
  for (const visit of visits) {
    visit.watch.forget() // the server was away
    await visit.end()
  }
})
