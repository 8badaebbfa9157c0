import type { Page } from '@playwright/test'
import { password, type Person } from './people.ts'
import { expect, test } from './test.ts'

/** signIn comes in by the form, and waits until the channels are there. */
async function signIn(page: Page, person: Person): Promise<void> {
  await page.goto('/')
  await page.getByLabel('Workspace').fill(person.workspace)
  await page.getByLabel('Handle').fill(person.handle)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('navigation').getByText('Channels', { exact: true })).toBeVisible()
}

const chat = 'plenum.chat.v1.ChatService'

test('two people talk', async ({ page, workspace, browser, plenum }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const { channel } = await ada.call(`${chat}/CreateChannel`, { name: 'design', kind: 'CHANNEL_KIND_PUBLIC', topic: 'How it looks' })
  await ben.call(`${chat}/JoinChannel`, { channel })
  await ben.call(`${chat}/Send`, { channel, text: 'Hello **Ada**, see https://plenum.example and `code`' })

  await signIn(page, ada)
  await page.getByRole('link', { name: /design/ }).click()
  await expect(page.getByText('Hello Ada, see')).toBeVisible()
  const composer = page.getByRole('textbox', { name: /Write to #design/ })
  await composer.fill('Good morning, @be')
  await composer.press('Enter') // chooses Ben
  await expect(composer).toHaveValue('Good morning, @ben ')
  await composer.press('Enter')
  const own = page.locator('.message', { hasText: 'Good morning' })
  await expect(own).toHaveAttribute('data-state', 'sent')
  await expect(own.locator('.mention')).toHaveText('@Ben Okri')
  await page.screenshot({ path: test.info().outputPath('channel.png') })

  const other = await (await browser.newContext({ baseURL: plenum.origin })).newPage()
  await signIn(other, ben)
  await other.getByRole('link', { name: /design/ }).click()
  await expect(other.getByText('Good morning,')).toBeVisible()
  await other.getByRole('textbox', { name: /Write to #design/ }).fill('And to you')
  await other.getByRole('textbox', { name: /Write to #design/ }).press('Enter')
  await expect(page.getByText('And to you')).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('channel2.png') })
})
