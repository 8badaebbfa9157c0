import type { Locator, Page } from '@playwright/test'
import { password, type Person } from './people.ts'
import { expect } from './test.ts'

export const chat = 'plenum.chat.v1.ChatService'

/** signIn comes in by the form, and waits until the channels are there. */
export async function signIn(page: Page, person: Person): Promise<void> {
  await page.goto('/')
  await page.getByLabel('Workspace').fill(person.workspace)
  await page.getByLabel('Handle').fill(person.handle)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('navigation').getByText('Channels', { exact: true })).toBeVisible()
}

/** channelWith makes a public channel that all of them are in. */
export async function channelWith(owner: Person, name: string, ...others: Person[]): Promise<string> {
  const { channel } = await owner.call(`${chat}/CreateChannel`, { name, kind: 'CHANNEL_KIND_PUBLIC' })
  for (const person of others) await person.call(`${chat}/JoinChannel`, { channel })
  return channel as string
}

/** say sends a message beside the browser. */
export async function say(person: Person, channel: string, text: string, more: object = {}): Promise<number> {
  const { offset } = await person.call(`${chat}/Send`, { channel, text, ...more })
  return Number(offset)
}

/** heard waits until chat has heard of a handle, which somebody who has just joined has, or a new group: until then it is text. */
export async function heard(by: Person, handle: string): Promise<void> {
  const { channel: notes } = await by.call(`${chat}/OpenDirect`, { users: [by.id] })
  await expect.poll(async () => {
    const offset = await say(by, notes as string, `@${handle}`)
    const { messages } = await by.call(`${chat}/GetMessages`, { channel: notes, offsets: [offset] })
    return JSON.stringify(messages)
  }).toMatch(/"(users|groups)"/)
}

/** texts are what was said in a channel, oldest first. */
export async function texts(person: Person, channel: string): Promise<string[]> {
  const { messages } = await person.call(`${chat}/History`, { channel, limit: 100 })
  return (messages as { text?: string; system?: object }[]).filter((m) => !m.system).map((m) => m.text ?? '')
}

export const composer = (page: Page): Locator => page.locator('.composer-text').first()

/** write sends a message by the composer. */
export async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text)
  await composer(page).press('Enter')
}

export const message = (page: Page, text: string): Locator => page.locator('.message', { hasText: text })

/** live waits until a page follows a channel: what is said there reaches it by itself, and so does who types. */
export async function live(person: Person, channel: string, page: Page): Promise<void> {
  for (const text of ['Are you there?', 'And now?']) { // the first may be read with the channel
    await say(person, channel, text)
    await expect(message(page, text)).toBeVisible()
  }
}

/** banner tells that the connection is away. */
export const banner = (page: Page): Locator => page.getByRole('region', { name: 'Connection' })

/** back waits until a page that can reach Plenum again is connected, and presses Retry now meanwhile: it tries by itself at any moment, and the button is gone then. */
export async function back(page: Page): Promise<void> {
  await expect(async () => {
    await banner(page).getByRole('button', { name: 'Retry now' }).click({ timeout: 1_000 }).catch(() => undefined)
    await expect(banner(page)).toBeHidden({ timeout: 4_000 })
  }).toPass({ timeout: 40_000 })
}

/** drafted waits until what stands in the composer is on the browser's disk: a page that is closed sooner takes its last letters along. */
export async function drafted(page: Page, text: string): Promise<void> {
  const drafts = () =>
    page.evaluate(async () => {
      const name = (await indexedDB.databases()).find(({ name }) => name?.startsWith('plenum-cache-') === true)?.name
      if (name === undefined) return []
      const db = await new Promise<IDBDatabase>((done, failed) => {
        const open = indexedDB.open(name)
        open.onsuccess = () => { done(open.result) }
        open.onerror = () => { failed(new Error(open.error?.message)) }
      })
      const all = await new Promise<{ text: string }[]>((done, failed) => {
        const read = db.transaction('drafts').objectStore('drafts').getAll()
        read.onsuccess = () => { done(read.result as { text: string }[]) }
        read.onerror = () => { failed(new Error(read.error?.message)) }
      })
      db.close()
      return all.map(({ text }) => text)
    })
  await expect.poll(drafts).toContain(text)
}

export const link = (page: Page, channel: string): Locator => page.getByRole('navigation').getByRole('link', { name: channel })

/** each does something for every number below n, a few at a time. */
export async function each(n: number, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < n) await act(next++)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}
