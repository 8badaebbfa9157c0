import type { Page } from '@playwright/test'
import { back, channelWith, each, message, say, signIn } from './app.ts'
import { Proxy } from './proxy.ts'
import type { Person } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

// So that a long channel is there in seconds.
test.use({ flags: ['--gateway.write.per_second', '20000', '--gateway.write.burst', '20000'] })

const notHere = (page: Page) => page.getByRole('status').filter({ hasText: 'That message is not on this device.' })

/** linked opens the page of a link to a message of long ago, without a connection: what the browser keeps of the channel doesn't reach there. */
async function linked(page: Page, proxy: Proxy, ada: Person, channel: string, offset: number): Promise<void> {
  await signIn(page, ada)
  await page.goto(`/c/${channel}`)
  await expect(message(page, 'the last')).toBeInViewport()
  await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' && navigator.serviceWorker.controller !== null)
  proxy.cut()
  await page.goto(`/c/${channel}/${offset}`)
  await expect(message(page, 'the last')).toBeInViewport()
  await expect(notHere(page)).toContainText('You’ll be taken there')
}

for (const moves of [false, true]) {
  test(`a link to a message that isn’t on this device is gone to once there is a connection${moves ? ', unless the reader has moved: then it is offered' : ''}`, async ({ browser, plenum, workspace }) => {
    const ada = workspace.owner
    const channel = await channelWith(ada, 'design')
    const first = await say(ada, channel, 'what it is about')
    await each(300, (i) => say(ada, channel, `message ${i}.`))
    await say(ada, channel, 'the last')
    const proxy = await Proxy.start(plenum.origin)
    const visit = await Visit.begin(browser, proxy.origin)
    const { page } = visit
    await linked(page, proxy, ada, channel, first)
    await page.screenshot({ path: test.info().outputPath('not-here.png') })
    const meant = page.locator('.message-marked', { hasText: 'what it is about' })
    if (moves) {
      await page.locator('.channel-scroll').hover()
      await page.mouse.wheel(0, -300)
      await expect(notHere(page)).not.toContainText('You’ll be taken there')
    }
    proxy.mend()
    await back(page)
    if (moves) {
      await page.screenshot({ path: test.info().outputPath('offered.png') })
      await expect(meant).toHaveCount(0)
      await notHere(page).getByRole('button', { name: 'Go there' }).click()
    }
    await expect(meant).toBeInViewport()
    await expect(notHere(page)).toHaveCount(0)
    visit.watch.forget() // it was cut off
    await visit.end()
    await proxy.stop()
  })
}
