/** All screens of the application, as data: what each is called, whose page shows it, and how to get there whatever the language is. What is said of every screen goes through this list. */
import type { Browser, BrowserContextOptions, Page } from '@playwright/test'
import { channelWith, chat, say, signIn } from './app.ts'
import { password, Workspace, type Person } from './people.ts'
import type { Plenum } from './plenum.ts'
import { Proxy } from './proxy.ts'
import { expect, test } from './test.ts'
import { Watch } from './watch.ts'

export interface Screen {
  readonly name: string
  /** Whose page shows it: of Ada, in a workspace that is alive; of the first one in an empty workspace; of nobody yet; of somebody whose session has ended. */
  readonly of: 'ada' | 'first' | 'nobody' | 'expired'
  readonly open: (page: Page, world: World) => Promise<void>
  /** What is there once it is open, as a selector. */
  readonly shows: string
  /** It is only there where the window is narrow; false: where it isn't. */
  readonly narrow?: boolean
  /** It waits for its list to have nothing: an empty state is seen. */
  readonly empty?: boolean
  /** What takes it away again, where going elsewhere doesn't. */
  readonly close?: (page: Page, world: World) => Promise<void>
}

/** World is what the screens show: two workspaces, with their people, behind a network that can be cut. */
export class World {
  readonly plenum: Plenum
  readonly proxy: Proxy
  readonly ada: Person
  readonly ben: Person
  readonly cho: Person
  readonly first: Person
  readonly at: Readonly<Record<'design' | 'other' | 'old' | 'quiet' | 'direct' | 'group' | 'unsaid' | 'outside', string>>
  /** The offset of a message that has a thread. */
  readonly root: number
  readonly links: { readonly join: string; readonly reset: string }

  private constructor(made: Omit<World, 'pages' | 'close'>) {
    this.plenum = made.plenum
    this.proxy = made.proxy
    this.ada = made.ada
    this.ben = made.ben
    this.cho = made.cho
    this.first = made.first
    this.at = made.at
    this.root = made.root
    this.links = made.links
  }

  static async make(plenum: Plenum): Promise<World> {
    const [workspace, empty] = [await Workspace.make(plenum), await Workspace.make(plenum)]
    const ada = workspace.owner
    const ben = await workspace.person('ben', 'Ben Okri')
    const cho = await workspace.person('cho', 'Cho Nguyen-Featherstonehaugh')
    const design = await channelWith(ada, 'design', ben, cho)
    await ada.call(`${chat}/UpdateChannel`, { channel: design, topic: 'Type, colour and whatever is to be seen; please keep it short', purpose: 'How Plenum looks.' })
    const other = await channelWith(ada, 'other', ben)
    const quiet = await channelWith(ada, 'a-channel-with-a-name-that-goes-on-and-on-until-it-is-full', ben)
    await ada.call(`${chat}/SetNotifications`, { channel: quiet, muted: true })
    const { channel: old } = await ada.call(`${chat}/CreateChannel`, { name: 'old', kind: 'CHANNEL_KIND_PRIVATE' })
    await ada.call(`${chat}/ArchiveChannel`, { channel: old, archived: true })
    const outside = await channelWith(ben, 'not-joined')
    await say(ben, outside, 'Whoever comes by may read this.')
    const { channel: direct } = await ada.call(`${chat}/OpenDirect`, { users: [ben.id] })
    const { channel: unsaid } = await ada.call(`${chat}/OpenDirect`, { users: [cho.id] })
    const { channel: group } = await ada.call(`${chat}/OpenDirect`, { users: [ben.id, cho.id] })
    await say(ben, direct as string, 'Hello, Ada')
    await say(cho, group as string, 'The three of us')
    const root = await say(ada, design, 'Which of the two is it to be?\n\n- the **green** one\n- the _other_ one, see https://plenum.example/a/path/that/is/so/long/that/it/does/not/fit/into/a/narrow/window?of=360&pixels')
    await say(ben, design, 'The first, I think.', { root })
    await say(cho, design, 'I see it as @ada does.', { root })
    const pinned = await say(ben, design, '> Rows have whole heights\n\nas in `line-height: 1.375rem`, or\n\n```\n.message-body { font-size: var(--size-text); line-height: var(--lead-text); overflow-wrap: anywhere; text-wrap: pretty }\n```')
    await ada.call(`${chat}/PinMessage`, { channel: design, offset: pinned, pinned: true })
    for (const [person, emoji] of [[ada, '🎉'], [ben, '🎉'], [cho, '👍']] as const) await person.call(`${chat}/AddReaction`, { channel: design, offset: pinned, emoji })
    const gone = await say(cho, design, 'This goes')
    await cho.call(`${chat}/DeleteMessage`, { channel: design, offset: gone })
    const mended = await say(cho, design, 'Look, @ada: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft')
    await cho.call(`${chat}/EditMessage`, { channel: design, offset: mended, text: 'Look, @ada, at Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft' })
    await say(ada, design, 'I see.')
    await say(ben, other, 'Are you there, @ada?')
    const { secret: join } = await ada.call('plenum.identity.v1.AdminService/Invite', { role: 'ROLE_GUEST', ttlMs: 3_600_000, note: 'Dara' })
    const { secret: reset } = await ada.call('plenum.identity.v1.AdminService/ResetPassword', { userId: ben.id })
    return new World({
      plenum, ada, ben, cho, root, first: empty.owner,
      proxy: await Proxy.start(plenum.origin),
      at: { design, other, quiet, old: old as string, direct: direct as string, group: group as string, unsaid: unsaid as string, outside },
      links: { join: join as string, reset: reset as string },
    })
  }

  async close(): Promise<void> {
    await this.proxy.stop()
  }
}

/** Pages are one page for each of those whose screens are looked at; kept from screen to screen. */
export class Pages {
  readonly #browser: Browser
  readonly #world: World
  readonly #options: BrowserContextOptions
  readonly #made = new Map<Screen['of'], { readonly page: Page; readonly watch: Watch }>()
  /** What was chosen in the browser before: `{ locale: 'pseudo-rtl' }`. */
  readonly #preferences: object

  constructor(browser: Browser, world: World, options: BrowserContextOptions, preferences: object = {}) {
    this.#browser = browser
    this.#world = world
    this.#options = options
    this.#preferences = preferences
  }

  async of(who: Screen['of']): Promise<Page> {
    const found = this.#made.get(who)
    if (found) return found.page
    const context = await this.#browser.newContext({ ...this.#options, viewport: wideEnough, baseURL: this.#world.proxy.origin, reducedMotion: 'reduce' })
    context.setDefaultTimeout(10_000)
    const watch = new Watch(context)
    const page = await context.newPage()
    const person = who === 'ada' ? this.#world.ada : who === 'first' ? this.#world.first : who === 'expired' ? this.#world.cho : undefined
    if (person) await signIn(page, person)
    else {
      await page.goto('/')
      await expect(page.locator('[name=password]')).toBeVisible()
    }
    await page.evaluate((preferences) => {
      const newValue = JSON.stringify(preferences)
      localStorage.setItem('plenum.preferences', newValue)
      window.dispatchEvent(new StorageEvent('storage', { key: 'plenum.preferences', newValue })) // as of another tab
    }, this.#preferences)
    if (JSON.stringify(this.#preferences).includes('rtl')) await expect(page.locator('html')).toHaveAttribute('dir', 'rtl')
    if (who === 'expired') await signedOut(this.#world.cho)
    if (this.#options.viewport) await page.setViewportSize(this.#options.viewport)
    this.#made.set(who, { page, watch })
    return page
  }

  /** each opens all screens, one after the other, and has each looked at: `looks` says what is wrong with it. Those with faults are returned, all of them; one that can't be opened has one. */
  async each(looks: (page: Page) => Promise<string[]>): Promise<Record<string, readonly string[]>> {
    const narrow = (this.#options.viewport?.width ?? 1280) < 768
    const found: Record<string, readonly string[]> = {}
    for (const screen of screens.filter((one) => one.narrow !== !narrow)) {
      const page = await this.of(screen.of)
      try {
        await tidy(page)
        await screen.open(page, this.#world)
        await expect(page.locator(screen.shows).first()).toBeVisible()
        if (screen.empty) await expect(page.locator('.empty:visible, .side-empty:visible, .signin-nolinks:visible').first()).toBeVisible()
        await settled(page)
        const faults = await looks(page)
        if (faults.length > 0) found[screen.name] = faults
        await screen.close?.(page, this.#world)
      } catch (cause) {
        found[screen.name] = [`it can't be opened: ${String(cause)}`]
        await page.screenshot({ path: test.info().outputPath(`${screen.name.replace(/\W+/g, '-')}.png`) }).catch(() => undefined) // it may be gone
      }
    }
    return found
  }

  /** end closes them. What the pages complained of, but for what the screens themselves bring about, is returned. */
  async end(): Promise<string[]> {
    const problems = [...this.#made.values()].flatMap(({ watch }) => watch.forget())
    for (const { page } of this.#made.values()) await page.context().close()
    return problems.filter((problem) => !meant.test(problem))
  }
}

/** Signing in waits for the sidebar, which a narrow window hides. */
const wideEnough = { width: 1280, height: 800 }

/** A password that is wrong, a link that is used up, a session that has ended, and a network that is cut. */
const meant = /Failed to load resource|WebSocket connection to|client\.OFFLINE|ERR_|This session was closed/

/** signedOut ends all of a person's sessions but the test's own. */
async function signedOut(person: Person): Promise<void> {
  const { devices } = await person.call('plenum.identity.v1.PeopleService/ListDevices', {})
  for (const device of devices as { id: string; current?: boolean }[]) {
    if (device.current !== true) await person.call('plenum.identity.v1.PeopleService/RevokeDevice', { deviceId: device.id })
  }
}

/** tidy closes what lies over the screen. */
async function tidy(page: Page): Promise<void> {
  await page.mouse.move(0, 0)
  const over = page.locator('dialog[open], .popover:popover-open')
  await expect(async () => {
    if ((await over.count()) > 0) await page.keyboard.press('Escape')
    expect(await over.count()).toBe(0)
  }).toPass({ intervals: [20] })
  await page.evaluate(() => {
    for (const close of document.querySelectorAll<HTMLElement>('.toast > .icon-button, .notice > .icon-button')) close.click()
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
  })
}

/** settled waits until nothing is being loaded, or on its way across the screen. */
async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('.skeleton, .boot') === null && document.getAnimations().every((one) => one.playState !== 'running' || one.effect?.getComputedTiming().iterations === Infinity))
  await page.evaluate(() => new Promise<void>((done) => { requestAnimationFrame(() => { requestAnimationFrame(() => { done() }) }) }))
}

/** go goes to a path of the application, as a link does. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((path) => {
    history.pushState(null, '', path)
    window.dispatchEvent(new PopStateEvent('popstate'))
  }, path)
}

/** press presses what is there, in sight or not. */
async function press(page: Page, selector: string, nth = 0): Promise<void> {
  const found = page.locator(selector).nth(nth)
  await expect(found).toBeAttached()
  await found.evaluate((element: HTMLElement) => { element.click() })
}

const toChannel = (of: keyof World['at'], more: (page: Page, world: World) => Promise<void> = () => Promise.resolve()) => async (page: Page, world: World) => {
  await go(page, '/people') // what was open beside the channel goes
  await go(page, `/c/${world.at[of]}`)
  await expect(page.locator('.main .channel-head')).toBeVisible()
  if (of === 'design') await expect(page.locator('.main .message').first()).toBeVisible()
  await more(page, world)
}
const to = (path: string, more: (page: Page, world: World) => Promise<void> = () => Promise.resolve()) => async (page: Page, world: World) => {
  await go(page, path)
  await more(page, world)
}
const details = (part: string, more: (page: Page) => Promise<void> = () => Promise.resolve()) =>
  toChannel('design', async (page) => {
    await press(page, '.main .channel-title')
    await press(page, `.details [data-value=${part}]`)
    await more(page)
  })
const typed = (words: string) =>
  toChannel('design', async (page) => {
    await page.locator('.main .composer-text').fill('')
    await page.locator('.main .composer-text').pressSequentially(words)
  })
const untyped = async (page: Page) => {
  await page.locator('.main .composer-text').fill('')
}
const palette = (words = '') => async (page: Page) => {
  await go(page, '/people')
  await page.keyboard.press('Control+k')
  await page.locator('.palette input').fill(words)
}
/** menu opens the account's, and presses an item of it. */
const account = (nth?: number) => async (page: Page) => {
  await go(page, '/people')
  await press(page, '.account-button')
  if (nth !== undefined) await page.locator('.menu:popover-open .menu-item').nth(nth).click()
}
const link = (secret: (world: World) => string | Promise<string>) => async (page: Page, world: World) => {
  const hash = await secret(world)
  await page.evaluate((hash) => { location.hash = hash }, hash)
}
const submit = async (page: Page) => {
  await page.locator('.signin-form').evaluate((form: HTMLFormElement) => { form.requestSubmit() })
}
const person = async (page: Page, handle: string) => {
  await page.locator('[name=name]').fill('Frances Allen')
  await page.locator('[name=username]').fill(handle)
  await page.locator('[name=new-password]').fill(password)
}

/** alone signs out all other devices: those of the tests before. */
const alone = async (page: Page) => {
  await expect(page.locator('.main .person-row').first()).toBeVisible()
  const others = page.locator('.main .person-row .button')
  while ((await others.count()) > 0) {
    const before = await others.count()
    await others.first().click()
    await expect(others).not.toHaveCount(before)
  }
}

export const screens: readonly Screen[] = [
  { name: 'sign-in', of: 'nobody', shows: '[name=password]', open: async (page) => { await page.reload() } },
  { name: 'sign-in, with nothing filled in', of: 'nobody', shows: '.field-error', open: submit },
  {
    name: 'sign-in, refused', of: 'nobody', shows: '.banner-danger',
    open: async (page, world) => {
      await page.locator('[name=organization]').fill(world.ada.workspace)
      await page.locator('[name=username]').fill('ada')
      await page.locator('[name=password]').fill('not this one')
      await submit(page)
    },
  },
  { name: 'a link that is used up', of: 'nobody', shows: '.signin-sheet > .banner-danger', open: link(() => '#join=nothing') },
  { name: 'an invitation', of: 'nobody', shows: '[name=new-password]', open: link(({ links }) => `#join=${links.join}`) },
  { name: 'an invitation, with nothing filled in', of: 'nobody', shows: '.field-error', open: submit },
  { name: 'a new password', of: 'nobody', shows: '[name=username][readonly]', open: link(({ links }) => `#reset=${links.reset}`) },
  { name: 'set-up: the account', of: 'nobody', shows: '[name=name]', open: link(async ({ plenum }) => `#setup=${await plenum.anotherSetup()}`) },
  {
    name: 'set-up: the workspace', of: 'nobody', shows: '[name=slug]',
    open: async (page) => {
      await person(page, 'frances')
      await submit(page)
    },
  },
  {
    name: 'first run: invitations', of: 'nobody', shows: '[name=note]', empty: true,
    open: async (page) => {
      await page.locator('[name=slug]').fill(`w-${Date.now().toString(36)}`)
      await page.locator('.signin-form input').first().fill('Acme')
      await submit(page)
    },
  },
  { name: 'first run: a link is made', of: 'nobody', shows: '.signin-made', open: submit },
  { name: 'first run: a channel', of: 'nobody', shows: '[name=channel]', open: async (page) => { await press(page, '.signin-form > .button-primary') } },
  { name: 'a session that has ended', of: 'expired', shows: '.signin-link', open: () => Promise.resolve() },

  { name: 'channel', of: 'ada', shows: '.main .reaction', open: toChannel('design') },
  { name: 'channel, a message marked', of: 'ada', shows: '.main .message-marked', open: async (page, { at, root }) => { await go(page, `/c/${at.design}/${root}`) } },
  { name: 'thread', of: 'ada', shows: '.pane .message', open: async (page, { at, root }) => { await go(page, `/t/${at.design}/${root}`) } },
  { name: 'details: about', of: 'ada', shows: '.pane .details-ends', open: details('about') },
  { name: 'details: a field being changed', of: 'ada', shows: '.editable-field', open: details('about', async (page) => { await press(page, '.editable .icon-button', 2) }) },
  { name: 'details: people', of: 'ada', shows: '.details-row', open: details('people') },
  { name: 'details: nobody is called like that', of: 'ada', shows: '.pane .empty', empty: true, open: details('people', async (page) => { await page.locator('.details-tools input').fill('zzz') }) },
  { name: 'details: roles', of: 'ada', shows: '.menu:popover-open .menu-item', open: details('people', async (page) => { await press(page, '.details-row [aria-haspopup=menu]', 1) }) },
  { name: 'details: pins', of: 'ada', shows: '.pinned', open: details('pins') },
  { name: 'details: nothing is pinned', of: 'ada', shows: '.pane .empty', empty: true, open: toChannel('other', async (page) => {
    await press(page, '.main .channel-title')
    await press(page, '.details [data-value=pins]')
  }) },
  { name: 'details of a conversation', of: 'ada', shows: '.details-person', open: toChannel('direct', async (page) => { await press(page, '.main .channel-title') }) },
  { name: 'adding people', of: 'ada', shows: '.dialog .people-pick', open: details('people', async (page) => { await press(page, '.details-tools .button') }) },
  { name: 'asked before the archive', of: 'ada', shows: '.dialog .button-danger', open: details('about', async (page) => { await press(page, '.details-ends .button', 1) }) },
  { name: 'a date to jump to', of: 'ada', shows: '.date-grid', open: toChannel('design', async (page) => { await page.keyboard.press('Alt+j') }) },
  { name: 'composer, with words', of: 'ada', shows: '.composer-bar [aria-pressed]', open: typed('Some **words**, and `code`'), close: untyped },
  { name: 'composer: preview', of: 'ada', shows: '.composer-preview', open: async (page, world) => {
    await typed('Some **words**, and `code`')(page, world)
    await page.keyboard.press('Alt+p')
  }, close: async (page) => {
    await page.keyboard.press('Escape')
    await untyped(page)
  } },
  { name: 'composer: people to mention', of: 'ada', shows: '.composer-answers', open: typed('@'), close: untyped },
  { name: 'composer: channels to link to', of: 'ada', shows: '.composer-answers', open: typed('#d'), close: untyped },
  { name: 'composer: emoji to insert', of: 'ada', shows: '.composer-answers', open: typed(':tad'), close: untyped },
  { name: 'emoji picker', of: 'ada', shows: '.emoji-cell', open: toChannel('design', async (page) => { await press(page, '.main .composer-bar [aria-haspopup=dialog]') }) },
  { name: 'emoji picker: skin', of: 'ada', shows: '.emoji-tones', open: toChannel('design', async (page) => {
    await press(page, '.main .composer-bar [aria-haspopup=dialog]')
    await press(page, '.emoji-foot .emoji-group')
  }) },
  { name: 'emoji picker: nothing is found', of: 'ada', shows: '.emoji-none', open: toChannel('design', async (page) => {
    await press(page, '.main .composer-bar [aria-haspopup=dialog]')
    await page.locator('.emoji-search').fill('zzzz')
  }) },
  { name: 'what to do with a message', of: 'ada', shows: '.message-does', open: toChannel('design', async (page) => { await page.locator('.main .message').last().hover() }) },
  { name: 'menu of a message', of: 'ada', shows: '.menu:popover-open .menu-item', open: toChannel('design', async (page) => {
    await page.locator('.main .message').last().hover()
    await press(page, '.main .message-does [aria-haspopup=menu]')
  }) },
  { name: 'a message being edited', of: 'ada', shows: '.editor-text', open: toChannel('design', async (page) => {
    await page.locator('.main .composer-text').press('ArrowUp')
  }), close: async (page) => { await page.locator('.editor-text').press('Escape') } },
  { name: 'card of a person', of: 'ada', shows: '.card:popover-open .card-body', open: toChannel('design', async (page) => { await press(page, '.main .message .card-anchor') }) },
  { name: 'tooltip', of: 'ada', shows: '.tip:popover-open', open: toChannel('design', async (page) => { await page.locator('.main .channel-title').hover() }) },
  { name: 'direct message', of: 'ada', shows: '.main .message', open: toChannel('direct') },
  { name: 'group', of: 'ada', shows: '.main .message', open: toChannel('group') },
  { name: 'conversation in which nothing was said', of: 'ada', shows: '.main .empty', empty: true, open: toChannel('unsaid') },
  { name: 'channel with a long name, muted, and nothing in it', of: 'ada', shows: '.main .channel-muted', open: toChannel('quiet') },
  { name: 'archived channel', of: 'ada', shows: '.main .channel-silent', open: toChannel('old') },
  { name: 'channel that one is not in', of: 'ada', shows: '.main .preview-said', open: toChannel('outside') },
  { name: 'drawer', of: 'ada', narrow: true, shows: '.shell[data-drawer] .side-item', open: toChannel('design', async (page) => { await page.locator('.drawer-button button').click() }), close: async (page) => { await page.keyboard.press('Escape') } },
  { name: 'channel browser', of: 'ada', shows: '.main .person-row', open: to('/browse') },
  { name: 'channel browser: nothing is found', of: 'ada', shows: '.main .empty', empty: true, open: to('/browse', async (page) => { await page.locator('.main input').fill('zzz') }) },
  { name: 'people', of: 'ada', shows: '.main .person-row', open: to('/people') },
  { name: 'people: nobody is found', of: 'ada', shows: '.main .empty', empty: true, open: to('/people', async (page) => { await page.locator('.main input').fill('zzz') }) },
  { name: 'inbox: threads', of: 'ada', shows: '.inbox-card .inbox-line', open: to('/inbox') },
  { name: 'inbox: mentions', of: 'ada', shows: '.inbox-mention', open: to('/inbox/mentions') },
  { name: 'search', of: 'ada', shows: '.search-help', open: to('/search') },
  { name: 'search: results', of: 'ada', shows: '.search-result', open: to('/search?q=look') },
  { name: 'search: nothing is found', of: 'ada', shows: '.main .empty', empty: true, open: to('/search?q=zzzz') },
  { name: 'search: not understood', of: 'ada', shows: '.main .empty', open: to('/search?q=from:@nobody') },
  { name: 'palette', of: 'ada', shows: '.palette-option', open: palette() },
  { name: 'palette, with words', of: 'ada', shows: '.palette-option b', open: palette('de') },
  { name: 'keyboard map', of: 'ada', shows: '.keymap-row', open: async (page) => {
    await go(page, '/people')
    await page.keyboard.press('Control+/')
  } },
  { name: 'new channel', of: 'ada', shows: '.dialog form', open: to('/people', async (page) => { await press(page, '.side-head > .icon-button', 1) }) },
  { name: 'new message', of: 'ada', shows: '.dialog .person-row', open: to('/people', async (page) => { await press(page, '.side-head > .icon-button', 2) }) },
  { name: 'new message, to some', of: 'ada', shows: '.dialog .chip', open: to('/people', async (page) => {
    await press(page, '.side-head > .icon-button', 2)
    for (const name of ['ben', 'cho']) {
      await page.locator('.dialog input').fill(name)
      await page.locator('.dialog input').press('Enter')
    }
  }) },
  { name: 'account', of: 'ada', shows: '.menu:popover-open .menu-item', open: account() },
  { name: 'account: pause', of: 'ada', shows: '.menu:popover-open .menu-item', open: account(1) },
  { name: 'status', of: 'ada', shows: '.dialog .status-ideas', open: account(0) },
  { name: 'asked before signing out', of: 'ada', shows: '.dialog .button-danger', open: account(-1) },
  ...['profile', 'devices', 'notifications', 'appearance'].map((page): Screen => ({ name: `settings: ${page}`, of: 'ada', shows: '.settings-part', open: to(`/settings/${page}`) })),
  ...['people', 'invitations', 'channels', 'audit'].map((page): Screen => ({ name: `administration: ${page}`, of: 'ada', shows: '.settings-part li, .settings-part td', open: to(`/admin/${page}`) })),
  { name: 'administration: what to do with somebody', of: 'ada', shows: '.menu:popover-open .menu-item', open: to('/admin/people', async (page) => { await press(page, '.main .person-row [aria-haspopup=menu]') }) },
  { name: 'administration: nobody is found', of: 'ada', shows: '.main .empty', empty: true, open: to('/admin/people', async (page) => { await page.locator('.main input').fill('zzz') }) },
  { name: 'cards of what arrives', of: 'ada', shows: '.notice', open: to('/people', async (page, { ben, at }) => {
    await expect(page.locator('.arrived')).toBeAttached()
    await say(ben, at.direct, 'This arrives, and it is so long that it does not fit into one line, nor into two of them')
    await page.locator('.notice').first().hover() // as long as one points at them they stay
    await say(ben, at.other, 'And this, @ada')
    await expect(page.locator('.notice')).toHaveCount(2)
  }) },
  { name: 'toast', of: 'ada', shows: '.toast', open: to('/settings/profile', async (page) => { await page.locator('.settings-form').first().evaluate((form: HTMLFormElement) => { form.requestSubmit() }) }) },
  { name: 'toast of what failed', of: 'ada', shows: '.toast-failure', open: details('people', async (page) => {
    await press(page, '.details-row [aria-haspopup=menu]') // the only owner's own
    await page.locator('.menu:popover-open .menu-item').nth(2).click()
  }) },
  { name: 'a page that there isn’t', of: 'ada', shows: '.main .empty', open: to('/nowhere') },
  { name: 'a channel that there isn’t', of: 'ada', shows: '.main .empty', open: to('/c/nowhere') },

  { name: 'an empty channel', of: 'ada', shows: '.main .empty', empty: true, open: toChannel('quiet') },
  { name: 'an empty workspace', of: 'first', shows: '.main .empty', empty: true, open: to('/') },
  { name: 'an empty workspace: channels', of: 'first', shows: '.main .empty', empty: true, open: to('/browse') },
  { name: 'an empty workspace: people', of: 'first', shows: '.main .empty', empty: true, open: to('/people') },
  { name: 'an empty workspace: threads', of: 'first', shows: '.main .empty', empty: true, open: to('/inbox') },
  { name: 'an empty workspace: mentions', of: 'first', shows: '.main .empty', empty: true, open: to('/inbox/mentions') },
  { name: 'an empty workspace: search', of: 'first', shows: '.main .empty', empty: true, open: to('/search?q=hello') },
  { name: 'an empty workspace: new message', of: 'first', shows: '.dialog .empty', empty: true, open: to('/people', async (page) => { await press(page, '.side-head > .icon-button', 2) }) },
  { name: 'an empty workspace: devices', of: 'first', shows: '.main .empty', empty: true, open: to('/settings/devices', alone) },
  { name: 'an empty workspace: notifications', of: 'first', shows: '.main .settings-part', open: to('/settings/notifications') },
  { name: 'an empty workspace: invitations', of: 'first', shows: '.main .empty', empty: true, open: to('/admin/invitations') },
  { name: 'an empty workspace: channels of all', of: 'first', shows: '.main .empty', empty: true, open: to('/admin/channels') },
  { name: 'an empty workspace: the sidebar', of: 'first', narrow: false, shows: '.drawer .side-empty', empty: true, open: to('/people') },
  { name: 'an empty workspace: the drawer', of: 'first', narrow: true, shows: '.shell[data-drawer] .side-empty', empty: true, open: to('/people', async (page) => { await page.locator('.drawer-button button').click() }), close: async (page) => { await page.keyboard.press('Escape') } },

  { name: 'offline', of: 'ada', shows: '.connection-bad', open: toChannel('design', (_, { proxy }) => {
    proxy.cut()
    return Promise.resolve()
  }), close: async (page, { proxy }) => {
    proxy.mend()
    await expect(async () => {
      await page.locator('.connection-bad .button').click({ timeout: 500 }).catch(() => undefined) // it may be back by itself
      await expect(page.locator('.connection-bad')).toHaveCount(0, { timeout: 500 })
    }).toPass()
  } },
]
