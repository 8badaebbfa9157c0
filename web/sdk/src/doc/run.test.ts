import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Desk } from '../../test/desk.ts'
import { Gateway } from '../../test/gateway.ts'
import { Random } from '../../test/mix.ts'
import { Builder } from '../ot/index.ts'
import { notRead } from './replica.ts'
import { inserted } from './refused.ts'
import { ServerError } from '../errors.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** pass has time go by, and all happen that happens meanwhile. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** settled: everybody has what the owner has, and no client did what it may not do. */
async function settled(g: Gateway, ...desks: Desk[]): Promise<void> {
  await pass(60_000)
  for (const d of desks) {
    expect(d.document.status).toMatchObject({ pending: false, unsaved: false, epoch: g.owner.epoch, version: g.owner.version })
    expect(d.document.content.json()).toBe(g.owner.content.json())
  }
  expect(g.owner.faults).toEqual([])
}

const quit = (...desks: Desk[]) => Promise.all(desks.map((d) => d.quit()))

/** others: somebody whom nobody watches types at the start. */
function others(g: Gateway, text: string): void {
  for (const c of text) g.owner.append('eve', 0n, new Builder().insert(c).delta())
}

test.for([1, 2, 3, 4, 5])('four people type while connections break, answers are lost and pages die: %s', async (seed) => {
  const g = new Gateway('hello\n')
  const r = new Random(seed)
  const luck = new Random(seed + 100)
  g.owner.part = 3
  g.lose = () => luck.chance(25)
  const desks = await Promise.all(['ada', 'bob', 'eve', 'dan'].map((user) => Desk.at(g, user)))
  await pass(1000)
  const kept: string[] = []
  let typed = 0
  for (let i = 0; i < 200; i++) {
    const d = r.one(desks)
    switch (r.below(20)) {
      case 0:
        g.set(() => (g.down = true))
        await pass(10)
        g.set(() => (g.down = false))
        break
      case 1:
        await d.kill()
        break
      case 2:
        g.set(() => (g.down = !g.down))
        break
      case 3: // typed, and the page dies before it can be on disk: it is there or not, and once at the most
        d.typeAt(0, String.fromCharCode(0x4e00 + typed++))
        await d.kill()
        break
      default: {
        const text = String.fromCharCode(0x4e00 + typed++)
        d.typeAt(r.below(2) * d.document.content.length, text)
        await d.document.saved()
        kept.push(text)
      }
    }
    await pass(r.below(300))
  }
  g.set(() => {
    g.down = false
    g.lose = () => false
  })
  await settled(g, ...desks)
  const text = g.owner.content.text()
  for (const c of kept) expect(text.split(c).length - 1, c).toBe(1)
  for (let i = 0; i < typed; i++) expect(text.split(String.fromCharCode(0x4e00 + i)).length - 1).toBeLessThan(2)
  await quit(...desks)
})

test.for<['silent' | 'quiet']>([['silent'], ['quiet']])('an own edit is known by its event or its answer, where the other does not come: %s', async ([hold]) => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => (g[hold] = true))
  for (let i = 0; i < 3; i++) {
    d.typeAt(0, 'abc'.charAt(i))
    await pass(1000)
    expect(d.document.status).toMatchObject({ pending: false, version: 3 + i })
  }
  g.set(() => (g[hold] = false))
  await settled(g, d)
  expect([d.text, g.requests]).toEqual(['cbahello\n', 3])
  await quit(d)
})

test('what was typed without a connection, in a page that died, comes to the server once there is one', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => (g.silent = true)) // it arrives, and nobody hears of it
  d.typeAt(5, ' world')
  await pass(100)
  g.set(() => (g.down = true))
  d.typeAt(11, ', it is me')
  await d.document.saved()
  await d.kill()
  expect(d.text).toBe('hello world, it is me\n')
  expect(d.document.status.pending).toBe(true)
  d.typeAt(0, '>')
  await d.document.saved()
  await d.kill()
  expect(() => { d.typeAt(99, 'x') }).toThrow('it goes past the end')
  g.set(() => {
    g.down = false
    g.silent = false
  })
  await settled(g, d)
  expect(d.text).toBe('>hello world, it is me\n')
  await quit(d)
})

test('a refused edit is taken out of what is shown, told, and kept over restarts until it is forgotten', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.owner.refuse = 'docs.FORBIDDEN'
  d.typeAt(5, ' world')
  await expect(d.document.sync()).rejects.toMatchObject({ code: 102, reason: 'docs.FORBIDDEN' })
  expect(d.text).toBe('hello\n')
  expect(d.heard.map((r) => inserted(r.delta))).toEqual([' world'])
  expect(d.changes.at(-1)).toMatchObject({ actor: '', delta: new Builder().retain(5).delete(6).delta() })
  await d.document.saved()
  await d.kill()
  const [kept] = d.document.refused
  expect(kept).toMatchObject({ id: 1, version: 2, cause: { reason: 'docs.FORBIDDEN' } })
  d.document.forget(1)
  await d.document.saved()
  await d.kill()
  expect(d.document.refused).toEqual([])
  g.owner.refuse = null
  d.typeAt(0, 'x')
  expect(await d.document.sync()).toBe(3)
  await quit(d)
})

test('who may not read the document any more keeps what they typed', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => (g.down = true))
  d.typeAt(5, ' world')
  g.set(() => {
    g.down = false
    g.owner.refuse = 'docs.DOCUMENT'
    g.stop = new ServerError(340, 'edge.REVOKED', 'no more')
  })
  await pass(1000)
  expect(d.ended).toMatchObject({ code: 340 })
  expect(d.document.refused.map((r) => inserted(r.delta))).toEqual([' world'])
  expect([d.text, d.document.status.pending]).toEqual(['hello\n', false])
  await expect(d.document.reach(99)).rejects.toMatchObject({ code: 340 })
  await quit(d)
})

describe('where the log can not be followed, the document is read anew, and what is pending comes along', () => {
  test.for<[string, (g: Gateway) => void]>([
    ['the floor rose', (g) => (g.owner.floor = g.owner.version)],
    ['a backup is there', (g) => { g.owner.rewrite(g.owner.version - 1) }],
  ])('%s', async ([, reset]) => {
    const g = new Gateway('hello\n')
    const d = await Desk.at(g, 'ada')
    const other = await Desk.at(g, 'bob')
    await pass(1000)
    other.typeAt(0, '1')
    await pass(1000)
    g.set(() => (g.down = true))
    d.typeAt(6, ' world')
    others(g, '22222')
    g.set(reset)
    g.set(() => (g.down = false))
    await settled(g, d, other)
    expect(d.text).toContain('hello world')
    await quit(d, other)
  })
})

test('a base that is too old while the log can be followed: what was typed is sent anew from the newest version', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => (g.down = true))
  d.typeAt(5, ' world')
  others(g, '22222')
  g.owner.refuse = 'docs.BASE_TOO_OLD'
  g.set(() => (g.down = false))
  await pass(900)
  expect(d.document.status).toMatchObject({ pending: true, version: 7 })
  g.owner.refuse = null
  await settled(g, d)
  expect(d.text).toBe('22222hello world\n')
  expect(g.requests).toBe(2)
  await quit(d)
})

test('what waits is not sent again before the content is as new as the server said', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => (g.quiet = true))
  others(g, '22222')
  g.owner.refuse = 'docs.BASE_TOO_OLD'
  d.typeAt(5, ' world')
  await pass(100)
  g.owner.refuse = null
  await pass(60_000)
  expect([g.requests, d.document.status.version]).toEqual([1, 2])
  g.set(() => (g.quiet = false))
  await settled(g, d)
  expect([g.requests, d.text]).toEqual([2, '22222hello world\n'])
  await quit(d)
})

test('what is typed in the very moment in which there was nothing to do is sent', async () => {
  for (let turns = 0; turns < 40; turns++) {
    const g = new Gateway('hello\n')
    const d = await Desk.at(g, 'ada')
    await pass(1000)
    g.owner.append('eve', 0n, new Builder().delta()) // it wakes, looks, and rests again some turns later
    for (let i = 0; i < turns; i++) await Promise.resolve()
    d.typeAt(0, 'x')
    await pass(1)
    expect(g.owner.content.text(), `after ${turns} turns`).toBe('xhello\n')
    await quit(d)
  }
})

test('a topic that is reset while an edit is refused is read anew all the same', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  g.set(() => {
    g.silent = true
    g.owner.refuse = 'docs.TOO_LARGE'
  })
  d.typeAt(0, 'x')
  await pass(100)
  others(g, '1')
  g.set(() => (g.owner.floor = g.owner.version + 1))
  others(g, '2')
  await pass(100)
  g.set(() => {
    g.silent = false
    g.owner.refuse = null
  })
  await settled(g, d)
  expect(d.text).toBe('21hello\n')
  await quit(d)
})

test('content that differs from the server’s is read anew', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  others(g, '1')
  g.owner.log[2] = { version: 3, mutation: 0n, actor: 'eve', delta: '{"ops":[{"delete":99}]}' } // which can't be
  g.owner.tell()
  d.typeAt(0, 'x')
  await settled(g, d)
  expect(d.text).toContain('1')
  await quit(d)
})

test('a paste that is longer than one operation may be goes in parts', async () => {
  const g = new Gateway('hello\n')
  const d = await Desk.at(g, 'ada')
  await pass(1000)
  d.typeAt(3, '😀 paste\n'.repeat(150_000))
  await settled(g, d)
  expect(g.requests).toBeGreaterThan(2)
  expect(d.document.content.length).toBe(6 + 9 * 150_000)
  await quit(d)
})

test('others see where somebody is, in what they are shown, and for as long as it is told', async () => {
  const g = new Gateway('hello world\n')
  const ada = await Desk.at(g, 'ada')
  const bob = await Desk.at(g, 'bob')
  await pass(1000)
  ada.document.point(5, 5)
  await pass(1000)
  const expectAt = (what: string, anchor: number, head: number) => {
    expect(bob.document.cursors, what).toMatchObject([{ user: 'ada', anchor, head }])
  }
  expectAt('at rest', 5, 5)
  g.set(() => (g.down = true))
  bob.typeAt(0, '123')
  expectAt('after what is not sent', 8, 8)
  bob.typeAt(8, 'x') // at ada's cursor: she stays before it
  expectAt('after somebody typed there', 8, 8)
  g.set(() => (g.down = false))
  await pass(20_000)
  expectAt('told again', 8, 8)
  ada.typeAt(8, 'mine')
  ada.document.point(6, 12)
  await pass(1000)
  expectAt('a selection', 6, 12)
  expect(bob.document.cursors[0]?.typing).toBe(true)
  await pass(10_000)
  expect(bob.document.cursors[0]?.typing).toBe(false)
  ada.document.leave()
  await pass(1000)
  expect(bob.document.cursors).toEqual([])
  ada.document.point(1, 1)
  await pass(1000)
  expectAt('back', 1, 1)
  ada.die()
  await pass(60_000)
  expect(bob.document.cursors).toEqual([])
  await quit(bob)
})

test('a document that was never read can not be edited, and goes on once there is a connection', async () => {
  const g = new Gateway('hello\n')
  g.down = true
  const d = await Desk.at(g, 'ada')
  expect(() => { d.typeAt(0, 'x') }).toThrow(notRead)
  expect(() => d.text).toThrow(notRead)
  const patience = new AbortController()
  const waiting = expect(d.document.sync(patience.signal)).rejects.toThrow('enough')
  await pass(2000)
  patience.abort(new Error('enough'))
  await waiting
  g.set(() => (g.down = false))
  await d.document.ready()
  await settled(g, d)
  await quit(d)
})

test('a session that ends for good ends run, and what was typed stays', async () => {
  const g = new Gateway('hello\n')
  const transport = g.transport('ada')
  const d = await Desk.at(g, 'ada', undefined, { ...transport, submit: () => Promise.reject(new Error('signed out')) })
  await pass(1000)
  d.typeAt(0, 'x')
  await pass(1000)
  expect(d.ended).toEqual(new Error('signed out'))
  await expect(d.document.sync()).rejects.toThrow('signed out')
  expect([d.text, d.document.status.pending]).toEqual(['xhello\n', true])
  await quit(d)
})

test('the server says what is no document: it is asked three times, then told', async () => {
  const g = new Gateway('hello\n')
  const transport = g.transport('ada')
  let asked = 0
  const read = () => Promise.resolve({ ...g.owner.read(0, 0), hash: new Uint8Array(32).fill(++asked) })
  const d = await Desk.at(g, 'ada', undefined, { ...transport, read })
  await pass(1000)
  expect(String(d.ended)).toContain('did not come whole')
  expect(asked).toBe(3)
  await quit(d)
})
