import { channelWith, chat, link, message, say, signIn } from './app.ts'
import { expect, test } from './test.ts'

test('who and what is renamed again, moments later, is called so on others’ screens at once', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  const closed = await channelWith(ada, 'planning', ben)
  const { channel: direct } = await ben.call(`${chat}/OpenDirect`, { users: [ada.id] })
  await say(ada, direct as string, 'hello')
  await say(ada, channel, 'of hers, for @ada')
  await signIn(page, ben)
  await link(page, 'design').click()
  const hers = message(page, 'of hers')
  await expect(hers.locator('.message-author')).toHaveText('Ada Lovelace')
  await expect(link(page, 'planning')).toBeVisible()
  for (const n of ['first', 'second', 'third']) {
    await ada.call('plenum.identity.v1.PeopleService/UpdateProfile', { displayName: `Ada the ${n}` })
    for (const [id, name] of [[channel, 'design'], [closed, 'planning']] as const) await ada.call(`${chat}/UpdateChannel`, { channel: id, name: `${name}-${n}` })
    await expect(hers.locator('.message-author')).toHaveText(`Ada the ${n}`)
    await expect(hers.locator('.mention')).toHaveText(`@Ada the ${n}`)
    await expect(link(page, `Ada the ${n}`)).toBeVisible()
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`design-${n}`)
    await expect(link(page, `planning-${n}`)).toBeVisible()
  }
})
