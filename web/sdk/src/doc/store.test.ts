import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import { Desk } from '../../test/desk.ts'
import { Gateway } from '../../test/gateway.ts'
import { MemoryStore } from '../../test/memory.ts'
import { Random } from '../../test/mix.ts'
import { recordingOf, sessionNames } from '../../test/recordings.ts'
import { Player, type Step } from '../../test/sessions.ts'
import { Builder, composeAll } from '../ot/index.ts'
import { Document } from './document.ts'
import { IndexedStore } from './indexeddb.ts'
import { encode } from './record.ts'
import { TakenOverError, type Store } from './store.ts'

let databases = 0
const fresh = () => `plenum-${++databases}`

// Both stores do the same.
describe.for<[string, () => Promise<Store>]>([
  ['in memory', () => Promise.resolve(new MemoryStore())],
  ['in the database', () => IndexedStore.open(fresh())],
])('a journal %s', ([, open]) => {
  test('keeps what was written, in order', async () => {
    const store = await open()
    const journal = await store.open('d')
    expect(await journal.read()).toEqual([])
    await journal.append(['a'])
    await journal.append(['b', 'c'])
    const other = await store.open('d2')
    await other.append(['other'])
    expect(await (await store.open('d')).read()).toEqual(['a', 'b', 'c'])
    const again = await store.open('d')
    await again.append(['d'])
    expect(await again.read()).toEqual(['a', 'b', 'c', 'd'])
    await again.rewrite(['e'])
    await again.append(['f'])
    expect(await again.read()).toEqual(['e', 'f'])
    expect(await other.read()).toEqual(['other'])
  })

  test('is written by whoever opened it last', async () => {
    const store = await open()
    const first = await store.open('d')
    await first.append(['a'])
    const second = await store.open('d')
    await expect(first.append(['b'])).rejects.toThrow(TakenOverError)
    await expect(first.rewrite(['b'])).rejects.toThrow(TakenOverError)
    await second.append(['c'])
    expect(await second.read()).toEqual(['a', 'c'])
  })

  test('is closed', async () => {
    const journal = await (await open()).open('d')
    journal.close()
    await expect(journal.append(['a'])).rejects.toThrow('closed')
  })
})

test('a database outlives its page, and forgets what it is told to', async () => {
  const name = fresh()
  const store = await IndexedStore.open(name)
  await (await store.open('d')).append(['a'])
  store.close()
  const again = await IndexedStore.open(name)
  const journal = await again.open('d')
  expect(await journal.read()).toEqual(['a'])
  await again.erase('d')
  await expect(journal.append(['b'])).rejects.toThrow(TakenOverError)
  expect(await (await again.open('d')).read()).toEqual([])
})

test('a text that can not be kept leaves the others as they are', async () => {
  const journal = await (await IndexedStore.open(fresh())).open('d')
  await journal.append(['a'])
  const unkept = ['b', (() => undefined) as unknown as string]
  await expect(journal.append(unkept)).rejects.toThrow()
  await expect(journal.rewrite(unkept)).rejects.toThrow()
  await journal.append(['c'])
  expect(await journal.read()).toEqual(['a', 'c'])
})

test('a session comes to the same over the database', async () => {
  const [name = ''] = sessionNames()
  const players = new Map<number, Player>()
  for (const step of recordingOf<Step>(name)) {
    const player = players.get(step.client) ?? new Player(await IndexedStore.open(fresh()))
    players.set(step.client, player)
    expect(await player.play(step)).toEqual(step)
  }
})

test('whenever the page dies, what was on disk is there, and nothing was sent that is not', async () => {
  const r = new Random(1)
  for (let round = 0; round < 20; round++) {
    const g = new Gateway('hello\n')
    const store = await IndexedStore.open(fresh())
    const transport = g.transport('ada')
    const desk = await Desk.at(g, 'ada', store, transport)
    await desk.document.ready()
    const kept: string[] = []
    const all: string[] = []
    for (let i = 0; i < 12; i++) {
      const text = String.fromCharCode(0x4e00 + all.length)
      all.push(text)
      desk.typeAt(r.below(desk.document.content.length + 1), text)
      for (let turns = r.below(12); turns > 0; turns--) await Promise.resolve() // somewhere on the way of the write
      if (r.chance(30)) {
        await desk.document.saved()
        kept.push(...all.filter((t) => desk.text.includes(t) && !kept.includes(t)))
      }
      if (r.chance(30)) {
        await desk.kill()
        for (const t of kept) expect(desk.text).toContain(t)
      }
    }
    await desk.document.sync()
    const text = g.owner.content.text()
    expect(desk.text).toBe(text)
    for (const t of all) expect(text.split(t).length - 1).toBeLessThan(2)
    for (const t of kept) expect(text).toContain(t)
    expect(g.owner.faults).toEqual([])
    await desk.quit()
  }
})

test('who opens a document a second time goes on with all that was typed, and the first one is told', async () => {
  const g = new Gateway('hello\n')
  const store = new MemoryStore()
  const first = await Desk.at(g, 'ada', store)
  await first.document.ready()
  g.set(() => (g.down = true))
  first.typeAt(0, 'x')
  await first.document.saved()
  const second = await Desk.at(g, 'ada', store)
  expect(second.text).toBe('xhello\n')
  const typing = async () => {
    first.typeAt(0, 'y') // it may know by now
    await first.document.saved()
  }
  await expect(typing()).rejects.toThrow(TakenOverError)
  expect(() => { first.typeAt(0, 'z') }).toThrow(TakenOverError)
  g.set(() => (g.down = false))
  await second.document.sync()
  expect(g.owner.content.text()).toBe('xhello\n')
  await expect(first.document.sync()).rejects.toThrow(TakenOverError)
  expect(first.ended).toBeInstanceOf(TakenOverError)
  await second.quit()
})

test('a journal of another document, or a damaged one, is told', async () => {
  const g = new Gateway('hello\n')
  const store = new MemoryStore()
  const d = await Desk.at(g, 'ada', store)
  await d.document.ready()
  await d.document.saved()
  await d.quit()
  const texts = await (await store.open('d')).read()
  for (const spoiled of [
    ['nonsense'],
    ['{}'],
    ['[{"state":{}}]'],
    ['[{"edit":"{}"}]'],
    ['[{"forget":"1"}]'],
    [...texts, '[{"edit":"{\\"ops\\":[{\\"delete\\":99}]}"}]'],
    texts.map((t) => t.replace('"document":"d"', '"document":"e"')),
  ]) {
    const other = new MemoryStore()
    await (await other.open('d')).append(spoiled)
    await expect(Document.open({ transport: g.transport('ada'), document: 'd', store: other })).rejects.toThrow('damaged')
  }
  await expect(Document.open({ transport: g.transport('ada'), document: '../d' })).rejects.toThrow("no document's id")
})

test('thousands of edits that wait are read back', async () => {
  const g = new Gateway('hello\n')
  const store = new MemoryStore()
  const d = await Desk.at(g, 'ada', store)
  await d.document.ready()
  await d.quit()
  const r = new Random(1)
  const edits = Array.from({ length: 5000 }, (_, i) => new Builder().retain(r.below(i + 7)).insert('x').delta())
  await (await store.open('d')).append(edits.map((edit) => encode([{ edit: edit.json() }])))
  const again = await Document.open({ transport: g.transport('ada'), document: 'd', store })
  expect(again.content.json()).toBe(d.document.content.apply(composeAll(edits)).json())
})
