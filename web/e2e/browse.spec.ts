import { channelWith, signIn } from './app.ts'
import { expect, test } from './test.ts'

test('who browses finds a channel by any word of its name', async ({ page, workspace }) => {
  const ben = await workspace.person('ben', 'Ben Okri')
  for (const name of ['web-design', 'design_reviews', 'redesign', 'books']) await channelWith(ben, name)
  await signIn(page, workspace.owner)
  await page.goto('/browse')
  const found = page.getByRole('main').getByRole('listitem').locator('.strong')
  await expect(found).toHaveText(['books', 'design_reviews', 'redesign', 'web-design'])
  const search = page.getByRole('searchbox', { name: 'Find a channel' })
  await search.fill('#Design')
  await expect(found).toHaveText(['design_reviews', 'web-design'])
  await search.fill('design web')
  await expect(found).toHaveText(['web-design'])
  await search.fill('c++') // no name may have it
  await expect(page.getByText('No channels found')).toBeVisible()
})
