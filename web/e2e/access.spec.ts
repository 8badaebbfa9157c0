/** Who uses Plenum: by eyes that need contrast, by keys alone, on narrow screens, in other languages and directions, without what moves. All screens are in screens.ts. */
import type { Locator, Page } from '@playwright/test'
import { channelWith, chat, composer, message, say, texts } from './app.ts'
import { axeFaults, clipped, moving, sideways, small, unseenFocus } from './audit.ts'
import { password } from './people.ts'
import { Pages, World } from './screens.ts'
import { expect, test as base } from './test.ts'

const test = base.extend<object, { world: World }>({
  world: [
    async ({ plenum }, use) => {
      const world = await World.make(plenum)
      await use(world)
      await world.close()
    },
    { scope: 'worker', timeout: 90_000 },
  ],
})

// What is traced of some hundred screens would take longer than they do; and who makes them doesn't sign in anew meanwhile.
test.use({ trace: 'off', flags: ['--identity.access_ttl', '1h'] })

const wide = { viewport: { width: 1280, height: 800 } }
const narrow = { viewport: { width: 360, height: 720 } } // with a mouse: fingers get more room

test('axe finds nothing on any screen, in both themes, and with more contrast', async ({ browser, world }) => {
  test.setTimeout(600_000) // some ninety screens
  const pages = new Pages(browser, world, wide)
  let n = 0
  const found = await pages.each(async (page) => {
    const all: string[] = []
    // All rules once, those on colours in each of the others; more contrast by turns in one of the themes, for contrast.test.ts computes all that stand together.
    const turn = n++ % 2 === 0 ? 'light' : 'dark'
    for (const [colorScheme, contrast] of [['light', 'no-preference'], ['dark', 'no-preference'], [turn, 'more']] as const) {
      await page.emulateMedia({ colorScheme, contrast })
      await page.waitForFunction(([theme, contrast]) => document.documentElement.dataset['theme'] === theme && document.documentElement.dataset['contrast'] === contrast, [colorScheme, contrast === 'more' ? 'more' : 'usual'])
      all.push(...(await axeFaults(page, colorScheme === 'light' && contrast === 'no-preference' ? undefined : 'colours')).map((one) => `${colorScheme}, ${contrast}: ${one}`))
    }
    all.push(...(await moving(page))) // the pages want less motion
    return all
  })
  expect(found).toEqual({})
  expect(await pages.end()).toEqual([])
})

test('at 360 px nothing scrolls sideways, and what is pressed has its 24 px', async ({ browser, world }) => {
  test.setTimeout(600_000) // some ninety screens
  const pages = new Pages(browser, world, narrow)
  const found = await pages.each(async (page) => [...(await sideways(page)), ...(await small(page)), ...(await clipped(page))])
  expect(found).toEqual({})
  expect(await pages.end()).toEqual([])
})

for (const [size, options] of [['wide', wide], ['360 px', narrow]] as const) {
  test(`longer words, from right to left, ${size}: nothing scrolls sideways, is cut off, or lies over what is beside it`, async ({ browser, world }) => {
    test.setTimeout(600_000) // some ninety screens
    const pages = new Pages(browser, world, options, { locale: 'pseudo-rtl' })
    const found = await pages.each(async (page) => [...(await sideways(page)), ...(await clipped(page))])
    expect(found).toEqual({})
    expect(await pages.end()).toEqual([])
  })
}

/** See is what is pressed by keys: after each key that moves the focus, it is seen where it is. */
class Keys {
  readonly #page: Page
  readonly faults: string[] = []

  constructor(page: Page) {
    this.#page = page
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#page.keyboard.press(key)
    await this.look()
  }

  async type(words: string): Promise<void> {
    await this.#page.keyboard.type(words)
  }

  /** to goes on by a key, until the focus is there. `made`: it is there before; else it comes as the focus does. */
  async to(there: Locator, key = 'Tab', most = 40, made = true): Promise<void> {
    if (made) await expect(there).toBeAttached()
    for (let n = 0; n < most; n++) {
      if (await there.evaluateAll((elements) => elements.some((element) => element === document.activeElement))) return
      await this.#page.keyboard.press(key)
      // Behind the last place is the browser's own window, and the first one then.
      if (await this.#page.evaluate(() => document.activeElement !== document.body)) await this.look()
    }
    throw new Error(`${most} times ${key} do not lead to ${there.toString()}`)
  }

  /** at waits until the focus has come there by itself. */
  async at(there: Locator): Promise<void> {
    await expect(there).toBeFocused()
    await this.look()
  }

  async look(): Promise<void> {
    const fault = await unseenFocus(this.#page)
    if (fault !== undefined && !this.faults.includes(fault)) this.faults.push(fault)
  }
}

test('by keys alone: sign in, change channels, send, edit, react, reply in a thread, search, settings, sign out; and the focus is seen', async ({ page, workspace }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const design = await channelWith(ada, 'design', ben)
  await channelWith(ada, 'other', ben)
  await say(ben, design, 'What do you think?')
  await page.emulateMedia({ reducedMotion: 'reduce' })
  const keys = new Keys(page)
  const pane = page.getByRole('complementary')

  await test.step('sign in', async () => {
    await page.goto('/')
    await keys.at(page.getByLabel('Workspace'))
    await keys.type(workspace.slug)
    await keys.press('Tab')
    await keys.type('ada')
    await keys.press('Tab')
    await keys.type(password)
    await keys.to(page.getByRole('button', { name: 'Sign in', exact: true }))
    await page.keyboard.press('Enter')
    await expect(page.getByRole('navigation').getByText('Channels', { exact: true })).toBeVisible()
  })
  await test.step('go to another channel: by the sidebar, and from one to the next', async () => {
    await keys.to(page.getByRole('navigation').getByRole('link', { name: 'other' }), 'Tab')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('other')
    await expect(composer(page)).toBeVisible()
    await keys.press('F6')
    await keys.at(composer(page))
    await keys.press('Alt+ArrowUp')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('design')
  })
  await test.step('send', async () => {
    await keys.to(page.locator('.main .composer-text'), 'F6')
    await keys.type('I thnik so')
    await keys.press('Enter')
    await expect(message(page, 'I thnik so')).toHaveAttribute('data-state', 'sent')
    await keys.at(composer(page))
  })
  await test.step('edit', async () => {
    await keys.press('ArrowUp')
    await keys.at(page.locator('.editor-text'))
    await page.keyboard.press('Control+a')
    await keys.type('I think so')
    await page.keyboard.press('Enter')
    await expect(message(page, 'I think so')).toContainText('edited')
    await keys.at(composer(page))
  })
  await test.step('react', async () => {
    const react = message(page, 'What do you think?').getByRole('button', { name: /^React with/ }).first()
    await keys.to(react, 'Shift+Tab', 40, false)
    await page.keyboard.press('Enter')
    await expect(message(page, 'What do you think?').locator('.reaction').first()).toHaveAttribute('aria-pressed', 'true')
    await keys.at(react)
  })
  await test.step('open a thread, and reply', async () => {
    const open = message(page, 'What do you think?').getByRole('button', { name: 'Reply in a thread' })
    await keys.to(open)
    await page.keyboard.press('Enter')
    await expect(pane).toBeVisible()
    await keys.to(pane.locator('.composer-text'), 'F6')
    await keys.type('Here, too')
    await keys.press('Enter')
    await expect.poll(() => texts(ada, design)).toContain('I think so')
    await expect(pane.getByText('Here, too')).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(pane).toBeHidden()
    await keys.at(open)
  })
  await test.step('find a message, and a place, by the palette', async () => {
    await keys.press('Control+k')
    await keys.type('othe')
    await expect(page.getByRole('option', { selected: true })).toContainText('other')
    await keys.look()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('other')
  })
  await test.step('details of the channel, and its people', async () => {
    await page.keyboard.press('Alt+o')
    await keys.at(pane.getByRole('tab', { name: 'About' }))
    await keys.press('ArrowRight')
    await keys.at(pane.getByRole('tab', { name: /People/ }))
    for (let n = 0; n < 6; n++) await keys.press('Tab')
    await page.keyboard.press('Escape')
    await expect(pane).toBeHidden()
  })
  await test.step('change a setting', async () => {
    await keys.press('Control+k')
    await keys.type('settings')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { name: 'Appearance' })).toBeVisible()
    await keys.to(page.getByRole('radio', { name: /system/i }), 'Tab', 60)
    await keys.press('ArrowDown', 'ArrowDown')
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
    for (let n = 0; n < 4; n++) await keys.press('Tab')
  })
  await test.step('what keys there are', async () => {
    await page.keyboard.press('Control+/')
    await expect(page.getByRole('dialog')).toContainText('Next unread channel')
    await keys.press('Tab')
    await page.keyboard.press('Escape')
    await expect(page.getByRole('dialog')).toBeHidden()
  })
  await test.step('sign out', async () => {
    await keys.to(page.getByRole('button', { name: /account and status/ }), 'Shift+Tab', 60)
    await page.keyboard.press('Enter')
    await keys.at(page.getByRole('menuitem').first())
    await keys.press('End')
    await page.keyboard.press('Enter')
    await keys.at(page.getByRole('button', { name: 'Cancel' }))
    await keys.press('Tab')
    await page.keyboard.press('Enter')
    await expect(page.getByLabel('Password', { exact: true })).toBeVisible()
  })
  expect(keys.faults).toEqual([])
})

test('a toast names what went wrong, why, and what to do; and tries again', async ({ page, workspace, watch }) => {
  const ada = workspace.owner
  const ben = await workspace.person('ben', 'Ben Okri')
  const channel = await channelWith(ada, 'design', ben)
  await page.goto('/')
  await page.getByLabel('Workspace').fill(workspace.slug)
  await page.getByLabel('Handle').fill('ada')
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.keyboard.press('Enter')
  await page.getByRole('navigation').getByRole('link', { name: 'design' }).click()
  await page.locator('.main').getByRole('button', { name: '2 people' }).click()
  const own = page.getByRole('complementary').getByRole('listitem').filter({ hasText: 'Ada Lovelace' })
  await own.getByRole('button', { name: /Role and membership/ }).click()
  await page.getByRole('menuitemradio', { name: 'Make a member' }).click()
  const toast = page.getByRole('alert').filter({ hasText: 'The role of Ada Lovelace was not changed' })
  await expect(toast.locator('.toast-cause')).toContainText(/owner/i)
  await ada.call(`${chat}/SetMemberRole`, { channel, user: ben.id, role: 'CHANNEL_ROLE_OWNER' })
  await toast.getByRole('button', { name: 'Try again' }).click()
  await expect(toast).toBeHidden()
  await expect(own).not.toContainText('Owner')
  watch.forget() // it was refused once
})

for (const [locale, clock, day] of [
  ['en-US', /^\d{1,2}:\d\d\s[AP]M$/, /^[A-Z][a-z]+day, [A-Z][a-z]+ \d{1,2}, \d{4} at/],
  ['en-GB', /^\d{1,2}:\d\d$/, /^[A-Z][a-z]+day,? \d{1,2} [A-Z][a-z]+ \d{4} at/],
  ['de-DE', /^\d{1,2}:\d\d$/, /^[A-Z][a-z]+day,? \d{1,2} [A-Z][a-z]+ \d{4} at/],
] as const) {
  test(`times and dates are those of ${locale}`, async ({ browser, world }) => {
    const pages = new Pages(browser, world, { ...wide, locale })
    const page = await pages.of('ada')
    await page.goto(`/c/${world.at.design}`)
    const time = page.locator('.main .message-time').first()
    await expect(time).toHaveText(clock)
    await expect(time).toHaveAttribute('data-tip', day)
    expect(await pages.end()).toEqual([])
  })
}

test('what is asked of screens is answered by what is wrong with them', async ({ page }) => {
  const answers = async (body: string, ask: (page: Page) => Promise<string[]>) => {
    await page.setContent(`<!doctype html><html lang="en"><title>Faults</title><style>body { margin: 0; font: 16px sans-serif; color: #000; background: #fff }</style><main><h1>Faults</h1>${body}</main></html>`)
    return (await ask(page)).join('\n')
  }
  const tiny = 'style="inline-size: 12px; block-size: 12px; padding: 0; border: 0"'
  for (const [ask, faulty, says, right] of [
    [axeFaults, '<p style="color: #999">faint</p>', 'color-contrast', '<p style="color: #444">soft</p>'],
    [(p: Page) => axeFaults(p, 'colours'), '<p style="color: #999">faint</p>', 'color-contrast', '<p style="color: #444">soft</p>'],
    [axeFaults, '<ul><div>no item</div></ul>', 'list:', '<ul><li>an item</li></ul>'],
    [sideways, '<div style="inline-size: 3000px">wide</div>', '3000 px wide', '<div style="overflow: hidden"><div style="inline-size: 3000px">wide</div></div>'],
    [sideways, '<div style="overflow: auto; inline-size: 100px"><p style="inline-size: 200px">wide</p></div>', '200 px wide, in 100', '<div style="overflow: auto; inline-size: 100px"><p>not</p></div>'],
    [small, `<button ${tiny}>a</button><button ${tiny}>b</button>`, '12 × 12 px', `<button ${tiny}>a</button><button style="margin-inline-start: 24px; inline-size: 12px; block-size: 12px; padding: 0; border: 0">b</button>`],
    [clipped, '<p style="overflow: hidden; inline-size: 60px; white-space: nowrap">much too long</p>', 'cut off at the side', '<p style="overflow: hidden; inline-size: 60px; white-space: nowrap; text-overflow: ellipsis">much too long</p>'],
    [clipped, '<p style="overflow: hidden; block-size: 8px">too high</p>', 'cut off above or below', '<p style="overflow: auto; block-size: 8px">too high</p>'],
    [clipped, '<p style="margin-inline-start: -20px">outside</p>', 'outside of the window', '<p>inside</p>'],
    [clipped, '<p>one</p><p style="margin-block-start: -30px">two</p>', 'lie over each other', '<p>one</p><p>two</p>'],
    [moving, '<p style="transition: color 1s">slow</p>', 'takes 1 s', '<p style="transition: none">still</p>'],
  ] as const) {
    expect(await answers(faulty, ask)).toContain(says)
    expect(await answers(right, ask)).toBe('')
  }
  const focused = async (body: string) => {
    await answers(body, () => Promise.resolve([]))
    await page.keyboard.press('Tab')
    return await unseenFocus(page) ?? ''
  }
  expect(await focused('<p>nowhere to go</p>')).toBe('nothing has the focus')
  expect(await focused('<button style="outline: none">a</button>')).toContain('nothing shows it')
  expect(await focused('<div style="overflow: hidden"><button style="outline-offset: 2px">a</button></div>')).toContain('is cut off by')
  expect(await focused('<button style="margin-inline-start: -2px">a</button>')).toContain('goes out of the window')
  expect(await focused('<p style="padding: 8px"><button>a</button></p>')).toBe('')
})
