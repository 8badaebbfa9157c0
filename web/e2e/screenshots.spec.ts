/**
 * Pictures of the main screens: light and dark on a desk, light on a phone of 360 px, into the results. They are there to be looked at: nothing compares them. With
 * PICTURES=1 those of the README are made anew, in ../pictures.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { BrowserContextOptions, Page } from '@playwright/test'
import { chat, link, message, signIn } from './app.ts'
import { known, password, type Person } from './people.ts'
import type { Plenum } from './plenum.ts'
import { settle, storyOf, tell, type Story } from './story.ts'
import { expect, test } from './test.ts'
import { Visit } from './visit.ts'

const published = process.env['PICTURES'] === undefined ? undefined : resolve(import.meta.dirname, '../pictures')
/** How a picture of the README is packed, and how large it may be, in bytes. */
const packed = { format: 'webp', quality: 82 } as const
const mostBytes = 200_000

const sharp = { deviceScaleFactor: published === undefined ? 1 : 2, reducedMotion: 'reduce' } as const
const desk: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, ...sharp }
const phone: BrowserContextOptions = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, ...sharp }

/** How long after a start Plenum may not know of who has not come whether they are on their way back, in ms: the time of grace, and some more. */
const grace = 90_000

type Theme = 'light' | 'dark'
const both: readonly Theme[] = ['light', 'dark']

/** What `make demo` has made, as the pictures need it. */
interface World {
  readonly ada: Person
  readonly bob: Person
  readonly story: Story
  /** Ids by name. */
  readonly channels: ReadonlyMap<string, string>
  readonly direct: string
  /** Where threads begin. */
  readonly mount: string
  readonly missing: string
}

/** Screen is one place, and how a page comes there that shows some other one. */
interface Screen {
  readonly name: string
  readonly path: (world: World) => string
  /** Until then it isn't all there. */
  readonly until: (page: Page) => Promise<unknown>
  /** It is for who has a keyboard or a pointer. */
  readonly desk?: true
  /** It is in the README: where, in which theme. */
  readonly readme?: { readonly on: 'desk' | 'phone'; readonly theme: Theme }
}

const heading = (name: string) => (page: Page) => expect(page.getByRole('heading', { level: 1, name })).toBeVisible()
const said = (text: string) => (page: Page) => expect(message(page, text).first()).toBeVisible()

const screens: readonly Screen[] = [
  { name: 'inbox', path: () => '/inbox', until: (page) => expect(page.getByText('The ticket page, by tomorrow evening.')).toBeVisible(), readme: { on: 'desk', theme: 'dark' } },
  { name: 'mentions', path: () => '/inbox/mentions', until: (page) => expect(page.getByText('the paper would like to talk').first()).toBeVisible() },
  { name: 'channel', path: ({ channels }) => `/c/${channels.get('general') ?? ''}`, until: said('I\'m back on Monday'), readme: { on: 'phone', theme: 'dark' } },
  {
    name: 'message',
    path: ({ channels }) => `/c/${channels.get('kitchen') ?? ''}`,
    until: async (page) => {
      await message(page, 'Kepler has been asleep').hover()
      await message(page, 'Kepler has been asleep').getByRole('toolbar').getByRole('button', { name: 'More' }).click()
      await expect(page.getByRole('menuitem', { name: 'Pin' })).toBeVisible()
    },
    desk: true,
  },
  {
    name: 'emoji',
    path: ({ channels }) => `/c/${channels.get('kitchen') ?? ''}`,
    until: async (page) => {
      await page.locator('.composer').getByRole('button', { name: 'Emoji' }).click()
      await expect(page.getByRole('gridcell', { name: 'grinning face', exact: true }).or(page.locator('.emoji-cell')).first()).toBeVisible()
    },
    desk: true,
  },
  { name: 'direct', path: ({ direct }) => `/c/${direct}`, until: said('And then stop talking.') },
  {
    name: 'thread',
    path: ({ channels, mount }) => `/t/${channels.get('telescope') ?? ''}/${mount}`,
    until: async (page) => {
      await expect(page.getByRole('complementary').getByText('You\'re a treasure.')).toBeVisible()
      await expect(page.locator('.main').getByText('Pointing model of last night')).toBeAttached()
      await expect(page.locator('.main .here')).toBeAttached()
    },
    readme: { on: 'desk', theme: 'light' },
  },
  {
    name: 'details',
    path: ({ channels }) => `/c/${channels.get('visitors') ?? ''}`,
    until: async (page) => {
      await said('Three schools for May')(page)
      await page.keyboard.press('Alt+o')
      await expect(page.getByRole('complementary').getByRole('tab', { name: 'About' })).toBeVisible()
    },
  },
  {
    name: 'members',
    path: ({ channels }) => `/c/${channels.get('general') ?? ''}`,
    until: async (page) => {
      await said('I\'m back on Monday')(page)
      await page.locator('.main .channel-head').getByRole('button', { name: '8 people' }).click()
      await expect(page.getByRole('complementary').getByText('Fumiko Satō').first()).toBeVisible()
    },
  },
  { name: 'search', path: () => '/search?q=12th', until: (page) => expect(page.locator('.search-result').first()).toBeVisible() },
  {
    name: 'people',
    path: () => '/people',
    until: async (page) => {
      await expect(page.locator('.main').getByText('Hugo Almeida')).toBeVisible()
      await expect(page.locator('.main [data-state=unknown]')).toHaveCount(0, { timeout: grace })
    },
  },
  { name: 'browse', path: () => '/browse', until: (page) => expect(page.locator('.main').getByText('telescope')).toBeVisible() },
  { name: 'settings', path: () => '/settings/appearance', until: heading('Settings') },
  { name: 'profile', path: () => '/settings/profile', until: (page) => expect(page.getByLabel('What you do')).toBeVisible() },
  { name: 'notifications', path: () => '/settings/notifications', until: heading('Settings') },
  { name: 'devices', path: () => '/settings/devices', until: (page) => expect(page.getByText('This device', { exact: true })).toBeVisible() },
  { name: 'admin', path: () => '/admin/people', until: (page) => expect(page.locator('.main').getByText('Hugo Almeida')).toBeVisible() },
  { name: 'invitations', path: () => '/admin/invitations', until: heading('Administration') },
  { name: 'audit', path: () => '/admin/audit', until: heading('Administration') },
  {
    name: 'palette',
    path: ({ channels }) => `/c/${channels.get('telescope') ?? ''}`,
    until: async (page) => {
      await said('Pointing model of last night')(page)
      await page.locator('.seek').click()
      await page.keyboard.type('te')
      await expect(page.getByRole('option').first()).toBeVisible()
    },
  },
  {
    name: 'keys',
    path: ({ channels }) => `/c/${channels.get('telescope') ?? ''}`,
    until: async (page) => {
      await page.keyboard.press('Alt+j')
      await expect(page.getByRole('dialog')).toBeVisible()
    },
    desk: true,
  },
  {
    name: 'account',
    path: ({ channels }) => `/c/${channels.get('budget') ?? ''}`,
    until: async (page) => {
      await said('Half of it is more')(page)
      await page.locator('.account-button').click()
      await expect(page.getByRole('menuitem', { name: 'Sign out' })).toBeVisible()
    },
  },
]

test.describe.configure({ timeout: 300_000 })

test('pictures of a workspace that lives', async ({ browser, plenum, page: before }) => {
  const world = await makeWorld(plenum)
  await picture(before, 'sign-in', async () => {
    await before.setViewportSize({ width: 1280, height: 800 })
    await before.goto('/')
    await before.getByLabel('Workspace').fill('demo')
  })
  const others = [await Visit.begin(browser, plenum.origin, world.bob, desk), await Visit.begin(browser, plenum.origin, await known(plenum, 'demo', 'fumiko'), desk)]
  for (const { page } of others) await link(page, 'telescope').click()

  const visits: Visit[] = []
  for (const options of [desk, phone]) {
    const small = options === phone
    const visit = await Visit.begin(browser, plenum.origin, undefined, options, (context) => tell(context, world.story))
    const { page } = visit
    if (small) await signInSmall(page, world.ada)
    else await signIn(page, world.ada)
    await settle(visit.context)
    await page.goto('/people')
    for (const screen of screens.filter((one) => !small || !one.desk)) {
      await picture(page, `${screen.name}${small ? '-phone' : ''}`, async () => {
        await go(page, screen.path(world))
        await screen.until(page)
      }, { themes: small && screen.name !== 'channel' ? ['light'] : both, readme: screen.readme?.on === (small ? 'phone' : 'desk') ? screen.readme.theme : undefined })
      await page.keyboard.press('Escape')
    }
    if (small) {
      await picture(page, 'drawer-phone', async () => {
        await page.getByRole('button', { name: 'Open the sidebar' }).click()
        await expect(page.locator('.shell[data-drawer]')).toBeVisible()
      })
    }
    await go(page, `/c/${world.channels.get('kitchen') ?? ''}`)
    await said('Kepler has been asleep')(page)
    visits.push(visit)
  }
  await world.bob.call(`${chat}/Send`, { channel: world.channels.get('telescope'), text: '@ada The **spare motor** is here, and it fits. I have put the old one on your desk, as a paperweight.' })
  await visits.at(-1)?.page.locator('.notice').first().hover() // it stays while the other's pictures are made
  for (const [n, { page }] of visits.entries()) await picture(page, n === 0 ? 'notification' : 'notification-phone', () => expect(page.locator('.notice').first()).toBeVisible())
  for (const visit of [...visits, ...others]) await visit.end()
})

test('pictures of the first run, and of what is empty', async ({ browser, plenum }) => {
  const { context, page, watch } = await Visit.begin(browser, plenum.origin, undefined, desk)
  const next = () => page.getByRole('button', { name: 'Continue' }).click()
  await picture(page, 'first-account', async () => {
    await page.goto(`/#setup=${await plenum.anotherSetup()}`)
    await page.getByLabel('Your name').fill('Ada Lindqvist')
  })
  await page.getByLabel('Handle').fill('ada')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await next()
  await picture(page, 'first-workspace', () => page.getByLabel('Workspace name').fill('Skerry Observatory'))
  await page.getByRole('button', { name: 'Create workspace' }).click()
  await picture(page, 'first-people', async () => {
    await page.getByLabel('Who is it for?').fill('Bob, optics')
    await page.getByRole('button', { name: 'Create link' }).click()
    await expect(page.getByText('#join=')).toBeVisible()
  })
  await next()
  await picture(page, 'first-channel', () => page.getByLabel('What is it about?').fill('What everybody should know'))
  await page.getByRole('button', { name: 'Open workspace' }).click()
  await picture(page, 'empty-channel', () => heading('general')(page))
  for (const [name, path] of [['inbox', '/inbox'], ['mentions', '/inbox/mentions'], ['people', '/people'], ['search', '/search'], ['nothing', '/nowhere']] as const) {
    await picture(page, `empty-${name}`, async () => {
      await go(page, path)
      await expect(page.locator('.empty, .inbox-calm, .search-help').first()).toBeVisible()
    })
  }
  expect(watch.problems).toEqual([])
  await context.close()
})

async function makeWorld(plenum: Plenum): Promise<World> {
  await plenum.demo('demo', password)
  const ada = await known(plenum, 'demo', 'ada')
  const story = await storyOf(ada)
  const { channels } = (await ada.call(`${chat}/ListMyChannels`, {})) as { channels: { channel: { id: string; name?: string } }[] }
  const ids = new Map(channels.map(({ channel }) => [channel.name ?? '', channel.id]))
  const fumiko = await known(plenum, 'demo', 'fumiko')
  const { channel: direct } = await ada.call(`${chat}/OpenDirect`, { users: [fumiko.id] })
  const root = async (name: string, words: string) => {
    const { messages } = (await ada.call(`${chat}/History`, { channel: ids.get(name), limit: 100 })) as { messages: { offset: string; text?: string }[] }
    return messages.find(({ text }) => text?.includes(words))?.offset ?? ''
  }
  return { ada, bob: await known(plenum, 'demo', 'bob'), story, channels: ids, direct: direct as string, mount: await root('telescope', 'The mount loses'), missing: await root('general', 'What are we still missing') }
}

/** go goes to a path without loading the page anew. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((to) => {
    history.pushState(null, '', to)
    window.dispatchEvent(new PopStateEvent('popstate'))
  }, path)
}

/** signInSmall is signIn where the sidebar is a drawer. */
async function signInSmall(page: Page, person: Person): Promise<void> {
  await page.goto('/')
  await page.getByLabel('Workspace').fill(person.workspace)
  await page.getByLabel('Handle').fill(person.handle)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.locator('.topbar')).toBeVisible()
}

interface Taken {
  readonly themes?: readonly Theme[]
  /** The theme of the README's picture; absent: there is none. */
  readonly readme?: Theme | undefined
}

/** picture takes what a page shows once it is ready. */
async function picture(page: Page, name: string, ready: () => Promise<unknown>, { themes = both, readme }: Taken = {}): Promise<void> {
  await ready()
  await page.evaluate(() => { // where keys have brought the focus, it shows
    const at = document.activeElement
    if (at instanceof HTMLElement && at.matches('#main, .account-button, .tab')) at.blur()
  })
  await expect(page.locator('.skeleton, .side-skeleton, .spinner')).toHaveCount(0)
  for (const theme of themes) {
    await page.emulateMedia({ colorScheme: theme })
    await page.screenshot({ path: test.info().outputPath(`${name}-${theme}.png`), animations: 'disabled' })
    if (published !== undefined && theme === readme) await publish(page, name, published)
  }
}

/** publish makes a picture of the README. */
async function publish(page: Page, name: string, folder: string): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', packed)
  const bytes = Buffer.from(data, 'base64')
  expect(bytes.length, `${name}.webp`).toBeLessThan(mostBytes)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name}.webp`), bytes)
}
