import { expect, test } from 'vitest'
import { Gateway } from '../../test/gateway.ts'
import { MemoryStore } from '../../test/memory.ts'
import { Builder, Document as Content, empty, type Delta } from '../ot/index.ts'
import { History, historyBytes, historySteps, weight } from './history.ts'
import { Others } from './presence.ts'
import { maxRefused } from './refused.ts'
import { Replica, type Listener } from './replica.ts'
import { split } from './split.ts'
import { mutationOf } from './state.ts'
import { ServerError } from '../errors.ts'
import { Writer } from './writer.ts'

const insertAt = (at: number, text: string): Delta => new Builder().retain(at).insert(text).delta()
const tooLarge = new ServerError(104, 'docs.TOO_LARGE', 'No')

/** replicaOf is one that was read, with its store. */
async function replicaOf(text: string, listener: Listener = {}, store = new MemoryStore()): Promise<[Replica, MemoryStore]> {
  const r = new Replica('d', 'me', new Writer(await store.open('d'), 0, () => undefined), listener)
  r.renew(Content.of(text === '' ? empty : insertAt(0, text)), { epoch: 1, offset: 1 })
  return [r, store]
}

/** again is what another page has of it. */
async function again(store: MemoryStore): Promise<Replica> {
  const journal = await store.open('d')
  const r = new Replica('d', 'me', new Writer(journal, 0, () => undefined), {})
  r.play(await journal.read(), 0)
  return r
}

test('what can be taken back is bounded, in steps and in bytes', () => {
  const h = new History()
  for (let i = 0; i < historySteps + 10; i++) h.typed(insertAt(0, 'x'), i * 60_000)
  expect(h.undo.length).toBe(historySteps)
  const large = new History()
  for (let i = 0; i < 40; i++) large.typed(insertAt(0, 'x'.repeat(historyBytes / 32)), i * 60_000)
  expect(large.undo.length).toBeLessThanOrEqual(16)
  expect(large.bytes).toBeLessThanOrEqual(historyBytes)
  expect(large.bytes).toBe(large.undo.reduce((n, d) => n + weight(d), 0))
})

test('what is typed within a second is taken back at once, and what comes later by itself', async () => {
  const [r] = await replicaOf('')
  let now = 0
  for (const ms of [0, 400, 400, 400, 100]) { // the fourth is beyond a second
    now += ms
    r.edit(insertAt(r.state?.shown.length ?? 0, 'x'), now)
  }
  const text = () => r.state?.shown.text()
  expect([r.step(true, now)?.json(), text()]).toEqual(['{"ops":[{"retain":3},{"delete":2}]}', 'xxx'])
  expect([r.step(true, now)?.changeLength, text()]).toEqual([-3, ''])
  expect([r.step(true, now), text()]).toEqual([null, ''])
  expect([r.step(false, now)?.changeLength, text()]).toEqual([3, 'xxx'])
  r.edit(insertAt(0, 'y'), now + 10)
  expect([r.step(false, now), text()]).toEqual([null, 'yxxx'])
})

test('the journal is written anew when it has become long', async () => {
  const [r, store] = await replicaOf('0')
  for (let i = 0; i < 40; i++) r.edit(insertAt(0, 'x'.repeat(40_000)), 0)
  await r.writer?.flushed()
  expect((await (await store.open('d')).read()).join('').length).toBeGreaterThan(1_600_000)
  const [other, kept] = await replicaOf('0')
  for (let i = 0; i < 40; i++) other.edit(insertAt(0, 'x'.repeat(40_000)), 0)
  other.update({ kind: 'events', events: [] }, 0)
  await other.writer?.flushed()
  const texts = await (await kept.open('d')).read()
  expect([texts.length, (texts[0]?.length ?? 0) < 1_700_000]).toEqual([1, true])
  expect((await again(kept)).state?.shown.length).toBe(1_600_001)
})

test('no more is typed than can be kept, until something is forgotten', async () => {
  const [r, store] = await replicaOf('0')
  for (let i = 0; i < maxRefused; i++) {
    r.edit(insertAt(0, 'x'), 0)
    r.reject(tooLarge, true, 0)
  }
  expect(() => { r.edit(insertAt(0, 'x'), 0) }).toThrow('forget them first')
  await r.writer?.flushed()
  const other = await again(store)
  expect(other.state?.refused.length).toBe(maxRefused)
  other.forget(1)
  other.edit(insertAt(0, 'x'), 0)
})

test.for([
  [100, 'docs.DELTA', '0b', true],
  [101, 'docs.DOCUMENT', '0', false],
  [102, 'docs.FORBIDDEN', '0', false],
  [103, 'docs.TRASHED', '0', false],
  [103, 'docs.LIMIT', '0b', false],
  [104, 'docs.TOO_LARGE', '0b', false],
  [103, 'docs.BASE_TOO_OLD', '0ab', false],
  [100, 'docs.FUTURE', '0ab', true],
] as const)('a refusal %s %s leaves %s', async ([code, reason, text, stale]) => {
  const [r] = await replicaOf('0')
  r.edit(insertAt(1, 'a'), 0)
  r.send(1, 0)
  r.edit(insertAt(2, 'b'), 0)
  r.answered(1, new ServerError(code, reason, 'No'), 0)
  expect([r.state?.shown.text(), r.state?.sent, r.stale]).toEqual([text, null, stale])
})

test('an answer outlives the page, while the events before it have not come', async () => {
  const [r, store] = await replicaOf('0')
  r.edit(insertAt(1, 'a'), 0)
  r.send(1, 0)
  r.answered(1, { epoch: 1, version: 3 }, 0)
  r.edit(insertAt(0, 'b'), 0) // which writes the answer down, too
  await r.writer?.flushed()
  const other = await again(store)
  expect(other.due(0)).toBe('nothing')
  await other.writer?.flushed()
  const third = await again(store) // of a journal that was written anew
  expect(third.due(0)).toBe('nothing')
  third.update({ kind: 'events', events: [{ version: 2, mutation: 0n, actor: 'eve', delta: '' }] }, 0)
  expect([third.state?.version, third.due(0)]).toEqual([3, 'new'])
})

test('an own edit that came out differently at the server is not made twice', async () => {
  const [r] = await replicaOf('0')
  r.edit(insertAt(1, 'a'), 0)
  r.send(1, 0)
  r.edit(insertAt(2, 'b'), 0)
  r.update({ kind: 'events', events: [{ version: 2, mutation: mutationOf('me', 1), actor: 'ada', delta: insertAt(0, 'a').json() }] }, 0)
  expect(r.stale).toBe(true)
  r.renew(Content.of(insertAt(0, 'a0')), { epoch: 1, offset: 2 })
  expect([r.state?.shown.text(), r.state?.sent]).toEqual(['a0b', null])
})

test('what does not fit a document is not typed', async () => {
  const [r] = await replicaOf('0')
  expect(() => { r.edit(insertAt(0, 'x'.repeat(2_000_000)), 0) }).toThrow('the limit is 2000000')
  expect(() => { r.edit(insertAt(2, 'x'), 0) }).toThrow('past the end')
  expect([r.state?.shown.text(), r.state?.pending]).toEqual(['0', false])
})

test('what a listener throws loses nothing', async () => {
  const [r, store] = await replicaOf('0', {
    onChange: () => {
      throw new Error('the page is broken')
    },
  })
  r.edit(insertAt(1, 'mine'), 0)
  const e = { version: 2, mutation: 0n, actor: 'eve', delta: insertAt(0, 'theirs').json() }
  expect(() => { r.update({ kind: 'events', events: [e] }, 0) }).toThrow('the page is broken')
  r.edit(insertAt(0, '>'), 0)
  await r.writer?.flushed()
  const other = await again(store)
  expect([other.state?.version, other.state?.shown.text()]).toEqual([2, '>theirs0mine'])
})

test('parts of an edit are the edit, and none is longer than it may be', () => {
  const whole = new Builder().retain(1).insert('ab😀'.repeat(300)).retain(2).delete(3).insert('é'.repeat(200)).retain(1).insert('end').delta()
  const base = Content.of(insertAt(0, '0123456789'))
  let content = base
  let rest = whole
  let parts = 0
  while (!rest.isEmpty) {
    const [first, more] = split(rest, 200, 3)
    expect(new TextEncoder().encode(first.json()).length).toBeLessThanOrEqual(230)
    content = content.apply(first)
    rest = more
    expect(++parts).toBeLessThan(100)
  }
  expect(parts).toBeGreaterThan(5)
  expect(content.json()).toBe(base.apply(whole).json())
})

test('a cursor of a version that is not known is not shown, nor one too old to be moved', () => {
  const others = new Others(10)
  const at = (version: number) => ({ version, anchor: 1, head: 1, typing: false, left: false })
  others.heard('a/s', at(9), 0)
  others.heard('b/s', at(10), 0)
  others.heard('c/s', at(12), 0)
  const users = (version: number, now: number) => others.cursors(version, now, (n) => n).map((c) => `${c.user}${c.anchor}`)
  expect(users(10, 0)).toEqual(['b1'])
  others.passed(11, 'b', insertAt(1, 'x'))
  others.passed(12, 'c', insertAt(0, 'y'))
  expect(users(12, 0)).toEqual(['b3', 'c1'])
  expect(users(12, 45_001)).toEqual([])
  for (let i = 0; i < 600; i++) others.heard(`u${i}/s`, at(12), i)
  expect(users(12, 600).length).toBe(500)
})

test('where the user is is told when it is news, not too often, and again', async () => {
  const [r] = await replicaOf('hello')
  expect(r.present(0)).toEqual({ signal: null, again: Infinity })
  r.point(1, 3)
  expect(r.present(0)).toMatchObject({ signal: { version: 1, anchor: 1, head: 3, typing: false, left: false }, again: 15_000 })
  r.point(2, 3)
  expect(r.present(50)).toEqual({ signal: null, again: 100 })
  expect(r.present(100)).toMatchObject({ signal: { anchor: 2 }, again: 15_100 })
  r.edit(insertAt(0, 'x'), 200)
  expect(r.present(200)).toMatchObject({ signal: { anchor: 1, typing: true }, again: 3200 }) // of what others have
  expect(r.present(3200)).toMatchObject({ signal: { typing: false } })
  expect(r.present(18_199)).toMatchObject({ signal: null, again: 18_200 })
  expect(r.present(18_200)).toMatchObject({ signal: { anchor: 1 } })
  r.leave()
  expect(r.present(18_300)).toMatchObject({ signal: { left: true }, again: Infinity })
  expect(r.present(99_999)).toEqual({ signal: null, again: Infinity })
})

test('a gateway of these tests is strict', () => {
  const g = new Gateway('x')
  const edit = { document: 'd', seq: 1, epoch: 7, base: 2, delta: insertAt(0, 'y').json() }
  expect(g.owner.submit('ada', 'c', edit)).toEqual(g.owner.submit('ada', 'c', edit))
  g.owner.submit('ada', 'c', { ...edit, base: 1 })
  expect(g.owner.faults).toEqual(['another request under c/1'])
})
