import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeSession } from '../../test/fake-session.ts'
import { Hall, Line, Tape } from '../../test/hall.ts'
import { ServerError } from '../errors.ts'
import { MemoryStore } from '../outbox/memory.ts'
import { send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Book } from './book.ts'
import { Cache } from './cache/cache.ts'

const me = 'ada'
const leaving = { key: 'k', text: 'hello', alsoInChannel: false }

/** Device is where pages begin and die: its disk, and the server. */
class Device {
  readonly hall = new Hall(new Tape([]))
  readonly #store = new MemoryStore()
  readonly #open: (() => void)[] = []

  /** page begins; `close` is that it dies. */
  async page(online = true) {
    const line = new Line(this.hall)
    if (!online) line.die()
    const session = await FakeSession.open(this.#store, line)
    const cache = await Cache.open(me)
    const book = new Book(session, cache)
    await book.load(session.outbox.entries)
    const close = () => {
      book.close()
      cache.close()
      session.close()
    }
    this.#open.push(close)
    return { book, cache, session, close, put: () => session.outbox.put(send, { channel: 'c', text: 'hello' }, { lane: 'c', key: 'k' }) }
  }

  close(): void {
    for (const close of this.#open) close()
  }

  said = () => this.hall.done.map(({ text }) => text)
}

let device: Device
beforeEach(async () => {
  await Cache.wipe(me)
  device = new Device()
})
afterEach(() => { device.close() })

const shown = ({ book }: Awaited<ReturnType<Device['page']>>) => book.of('c', 0).text

describe('a message that is sent', () => {
  for (const [when, put, answered] of [['before the outbox has it', false, false], ['once the outbox has it', true, false], ['once it has gone out', true, true]] as const) {
    test(`is there once, and in no composer, where its page dies ${when}`, async () => {
      const first = await device.page(answered)
      await first.book.type('c', 0, 'hello')
      await first.book.leave('c', 0, leaving)
      expect(shown(first)).toBe('')
      if (put) await first.put()
      if (answered) await vi.waitUntil(() => device.said().length > 0 && first.session.outbox.entries.length === 0)
      first.close()

      const second = await device.page()
      await vi.waitUntil(() => second.book.of('c', 0).leaving === undefined && second.session.outbox.entries.length === 0)
      expect([device.said(), shown(second)]).toEqual([['hello'], ''])
      await vi.waitUntil(async () => (await second.cache.drafts()).every((w) => w.leaving === undefined))
      second.close()
      await device.page()
      expect(device.said()).toEqual(['hello'])
    })
  }

  test('stands before what was written since where the outbox can’t keep it', async () => {
    const page = await device.page()
    await page.book.leave('c', 0, leaving)
    await page.book.type('c', 0, 'and more')
    page.book.back('c', 0, 'k')
    page.book.back('c', 0, 'k')
    expect([shown(page), page.book.of('c', 0).leaving]).toEqual(['hello\n\nand more', undefined])
    page.close()

    const other = await device.page()
    await other.book.leave('c', 4, { ...leaving, key: 'l' })
    await other.book.leave('c', 4, { ...leaving, key: 'm', text: 'second' })
    other.book.left('c', 4, 'l')
    other.close()
    vi.spyOn(MemoryStore.prototype, 'open').mockImplementationOnce(async function (this: MemoryStore, clientId) {
      const box = await new MemoryStore().open(clientId)
      return { ...box, write: () => Promise.reject(new ServerError(200, 'client.NOT_KEPT', 'The disk is full.')) }
    })
    const full = await device.page()
    await vi.waitUntil(() => full.book.of('c', 4).leaving === undefined)
    expect(full.book.of('c', 4).text).toBe('second')
    expect(device.said()).toEqual([])
  })
})
