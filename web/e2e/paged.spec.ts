import { channelWith, link } from './app.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

test('a list of channels is read on, says that it does, and keeps to what is looked for meanwhile', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const names = Array.from({ length: 60 }, (_, i) => `place-${String(i + 1).padStart(2, '0')}`)
  for (const name of names) await expect(() => channelWith(ada, name)).toPass() // so many are too fast
  const proxy = await Proxy.start(plenum.origin)
  const visit = await Visit.begin(browser, proxy.origin, ada)
  const { page } = visit
  await expect(link(page, 'place-01')).toBeVisible()
  await page.goto('/browse')
  const rows = page.locator('.people-list > li')
  await expect(rows).toHaveCount(50)
  const more = page.getByRole('button', { name: 'Show more' })
  await more.click()
  await expect(rows).toHaveCount(60)
  await expect(more).toHaveCount(0)

  await page.reload()
  await expect(rows).toHaveCount(50)
  proxy.hold()
  await more.click()
  await expect(more).toHaveAttribute('aria-busy', 'true')
  await page.getByRole('searchbox').fill('place-07')
  proxy.release()
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('place-07')
  await expect(more).toHaveCount(0)

  await page.getByRole('searchbox').fill('place')
  await expect(rows).toHaveCount(50)
  proxy.hold()
  await page.getByRole('searchbox').fill('place-')
  await expect(more).toHaveAttribute('aria-busy', 'true') // what comes next of the list before isn't asked for
  proxy.release()
  await expect(more).not.toHaveAttribute('aria-busy', 'true')
  await more.click()
  await expect(rows).toHaveCount(60)
  await visit.end()
})
