/** A narrow window, by keys: what is opened lies over the channel. */
import type { Page } from '@playwright/test'
import { banner, channelWith, link, message, say, signIn } from './app.ts'
import type { Person } from './people.ts'
import { expect, test } from './test.ts'

const pane = (page: Page) => page.getByRole('complementary')
const title = (page: Page) => page.getByRole('main').getByRole('heading', { level: 1 }).getByRole('button')

/** covered is whether the focus is nowhere, or on what is covered. */
const covered = (page: Page) => page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest('[inert]') !== null)

/** enter comes to a channel, and makes the window narrow. */
async function enter(page: Page, person: Person, channel: string): Promise<void> {
  await signIn(page, person)
  await link(page, channel).click()
  await page.setViewportSize({ width: 360, height: 740 })
  await expect(banner(page)).toBeHidden() // it lies over the head there
  await expect(title(page)).toBeVisible()
}

test('details that are opened take the focus, keep it, and give it back', async ({ page, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  await enter(page, ada, 'design')
  for (const close of ['Escape', 'Close', 'Escape']) {
    await title(page).press('Enter')
    await expect(pane(page).getByRole('tab', { name: 'About' })).toBeFocused()
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.closest('main')?.id)).toBeUndefined()
    }
    if (close === 'Escape') await page.keyboard.press('Escape')
    else await pane(page).getByRole('button', { name: 'Close the pane' }).press('Enter')
    await expect(title(page)).toBeFocused()
  }
})

test('a thread that is opened takes the focus, and gives it back however it is closed', async ({ page, workspace, plenum }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const root = await say(ada, channel, 'a question')
  await say(ada, channel, 'an answer', { root })
  await say(ada, channel, `as in [the other](${plenum.origin}/t/${channel}/${root}) one`)
  await enter(page, ada, 'design')
  const replies = message(page, 'a question').getByRole('button', { name: /1 reply/ })
  const reply = pane(page).locator('.composer-text')
  await replies.press('Enter')
  await expect(reply).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(replies).toBeFocused()
  await replies.press('Enter')
  await expect(reply).toBeFocused()
  await page.goBack()
  await expect(pane(page)).toBeHidden()
  await expect(replies).toBeFocused()

  const link = message(page, 'as in').getByRole('link', { name: 'the other' })
  await link.press('Enter') // who follows a link reads, and writes when they choose to
  await expect(pane(page)).toBeFocused()
  await expect(reply).toBeVisible()
  expect(await covered(page)).toBe(false)
  await page.keyboard.press('Tab')
  await expect(pane(page).locator(':focus')).toHaveCount(1) // what comes first in it
  await pane(page).getByRole('button', { name: 'Close the pane' }).press('Enter')
  await expect(link).toBeFocused()
})

test('a window that becomes narrow moves the focus to what then covers it', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  const root = await say(ada, channel, 'a question')
  await signIn(page, ada)
  await page.goto(`/t/${channel}/${root}`)
  await expect(pane(page).locator('.composer-text')).toBeVisible()
  await page.getByRole('main').locator('.composer-text').focus()
  await page.setViewportSize({ width: 360, height: 740 })
  await expect(pane(page)).toBeFocused()
})

test.describe('with a finger', () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 360, height: 740 } })

  test('a thread has the focus, and no keyboard comes', async ({ page, workspace, plenum }) => {
    const ada = workspace.owner
    const channel = await channelWith(ada, 'design')
    const root = await say(ada, channel, 'a question')
    await say(ada, channel, 'an answer', { root })
    await page.setViewportSize({ width: 1280, height: 740 })
    await signIn(page, ada)
    await page.goto(`${plenum.origin}/c/${channel}`)
    await page.setViewportSize({ width: 360, height: 740 })
    const replies = message(page, 'a question').getByRole('button', { name: /1 reply/ })
    await replies.tap()
    await expect(pane(page).locator('.composer-text')).toBeVisible()
    await expect(pane(page)).toBeFocused()
    await pane(page).getByRole('button', { name: 'Close the pane' }).tap()
    await expect(pane(page)).toBeHidden()
    expect(await covered(page)).toBe(false)
  })
})
