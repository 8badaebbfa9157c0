import { channelWith, chat, heard, link, message, say, signIn } from './app.ts'
import { password } from './people.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

test('whose name looks as another one’s is told by their handle where they write directly, and where they are named', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const eve = await workspace.person('eve', 'Веn Оkri') // in letters of another alphabet
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', eve, ben)
  for (const handle of ['eve', 'ben']) await heard(ada, handle)
  await say(ada, channel, 'ask @eve or @ben')
  const direct = (await eve.call(`${chat}/OpenDirect`, { users: [ada.id] }))['channel'] as string
  await say(eve, direct, 'send me the key')
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(message(page, 'ask').locator('.mention')).toHaveText(['@Веn Оkri (@eve)', '@Ben Okri (@ben)'])
  await page.getByRole('navigation').getByRole('link', { name: '(@eve)' }).click()
  await expect(page.getByRole('heading', { name: '(@eve)' })).toBeVisible()
  await page.screenshot({ path: test.info().outputPath('direct.png') })
  await visit.end()
})

test('a person’s name within a link says nothing of where it leads', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const eve = await workspace.person('eve', 'https://bank.example/login')
  const channel = await channelWith(ada, 'design', eve)
  await say(eve, channel, '[@eve](https://evil.example/)')
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page } = visit
  await link(page, 'design').click()
  await expect(page.locator('.message-body a')).toHaveText('@eve')
  await visit.end()
})

test('who signs out leaves neither where they were nor what they looked for: not to the next one, nor in the title', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  await workspace.person('ben', 'Ben Okri')
  await channelWith(ada, 'layoffs')
  const visit = await Visit.begin(browser, plenum.origin, ada)
  const { page } = visit
  await page.evaluate(() => {
    const clearAppBadge = () => {
      document.documentElement.dataset['badge'] = 'cleared'
      return Promise.resolve()
    }
    Object.assign(navigator, { clearAppBadge })
  })
  await link(page, 'layoffs').click()
  await expect(page).toHaveTitle(/layoffs/)
  const tab = await visit.context.newPage()
  await tab.goto('/search?q=secret')
  await expect(tab.getByRole('searchbox')).toHaveValue('secret')
  await page.getByRole('button', { name: /account and status/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  for (const one of [page, tab]) {
    await expect(one.getByRole('button', { name: 'Sign in', exact: true })).toBeVisible()
    await expect(one).toHaveTitle('Plenum')
    await expect(one).toHaveURL(`${plenum.origin}/`)
  }
  await expect(page.locator('html')).toHaveAttribute('data-badge', 'cleared')
  await tab.getByLabel('Handle').fill('ben')
  await tab.getByLabel('Password', { exact: true }).fill(password)
  await tab.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(tab.getByRole('navigation').getByText('Channels', { exact: true })).toBeVisible()
  await expect(tab).not.toHaveURL(/search/)
  await visit.end()
})

test('a link that is opened before one signs in is where one comes to', async ({ page, workspace }) => {
  const ada = workspace.owner
  await channelWith(ada, 'design')
  const other = await channelWith(ada, 'zebra')
  await page.goto(`/c/${other}`)
  await page.getByLabel('Workspace').fill(workspace.slug)
  await page.getByLabel('Handle').fill('ada')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('heading', { name: 'zebra' })).toBeVisible()
  await expect(page).toHaveURL(new RegExp(other))
})

test('a link to the thread of what can be no message says so, and takes nothing that is written', async ({ page, workspace }) => {
  const ada = workspace.owner
  const channel = await channelWith(ada, 'design')
  await say(ada, channel, 'hello')
  await signIn(page, ada)
  for (const root of ['-1', 'NaN', '0', '9007199254740993']) {
    await page.goto(`/t/${channel}/${root}`)
    const thread = page.locator('[data-thread]')
    await expect(thread.getByText('Message not found')).toBeVisible()
    await expect(thread.locator('.composer-text')).toHaveCount(0)
    await expect(message(page, 'hello')).toBeVisible()
  }
})

test('of many messages that cost much to read, each is shown as it stands until its turn comes', async ({ browser, plenum, workspace }) => {
  const ada = workspace.owner
  const eve = await workspace.person('eve', 'Eve Moss')
  const channel = await channelWith(ada, 'design', eve)
  const dear = (i: number) => `${'[](http://b)'.repeat(135)} number ${i}`
  for (let i = 0; i < 12; i++) await say(eve, channel, dear(i))
  const visit = await Visit.begin(browser, plenum.origin, ada, {}, (context) => context.addInitScript(() => {
    // What is shown as it stands, even for a moment.
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) if (node.textContent?.includes('[](http://b)')) document.documentElement.dataset['waited'] = 'yes'
    }).observe(document, { childList: true, subtree: true })
  }))
  const { page } = visit
  await link(page, 'design').click()
  for (let i = 0; i < 12; i++) await expect(message(page, `number ${i}`).first()).toBeVisible()
  await expect(page.locator('.message-body', { hasText: '[](http://b)' })).toHaveCount(0)
  await expect(page.locator('html')).toHaveAttribute('data-waited', 'yes')
  await visit.end()
})
