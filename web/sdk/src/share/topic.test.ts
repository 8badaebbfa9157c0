import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeFollowing } from '../../test/fake-session.ts'
import { ServerError } from '../errors.ts'
import { message } from '../method.ts'
import { Entry, Event, Head, type Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Session, Update } from '../session.ts'
import { Ring, ringBytes, ringEvents } from './ring.ts'
import { SharedTopic, type Reader } from './topic.ts'

const at = (offset: number, epoch = 1): Cursor => ({ epoch, offset })
const event = (offset: number, bytes = 1) => message(Event, { offset, body: new Uint8Array(bytes) })
const events = (...offsets: number[]): Update => ({ kind: 'events', events: offsets.map((n) => event(n)), cursor: at(offsets.at(-1) ?? 0) })
const live = (head?: Cursor): Update => ({ kind: 'live', head })
const entry = (key: string, n: number, removed = false) => message(Entry, { key, body: new Uint8Array([n]), removed })
const view = (snapshot: boolean, cursor: Cursor | undefined, ...entries: Entry[]): Update => ({ kind: 'view', snapshot, entries, stale: false, cursor })

/** Tab is a reader that writes down what it is told: events as their offsets. */
class Tab implements Reader {
  readonly heard: unknown[] = []
  cursor: Cursor | undefined

  told(update: Update): void {
    if (update.kind === 'events') {
      this.cursor = update.cursor
      this.heard.push(update.events.map((e) => e.offset))
    } else if (update.kind === 'view') {
      const entries = update.entries.map((e) => (e.removed ? `-${e.key}` : `${e.key}${e.body[0] ?? ''}`))
      this.heard.push(`${update.snapshot ? 'all' : 'and'} ${entries.join(' ')}`)
    } else if (update.kind === 'reset') {
      this.heard.push(`reset ${update.cause.code}`)
    } else {
      this.heard.push(update.kind)
    }
  }
}

function shared(options: FollowOptions = {}) {
  const followings: FakeFollowing[] = []
  const session = {
    follow(topic: string, told: (u: Update) => void, o: FollowOptions) {
      const f = new FakeFollowing(topic, told, o)
      followings.push(f)
      return f
    },
  } as unknown as Session
  const state = { ended: 0 }
  const topic = new SharedTopic(session, 'chat.channel/c', options, () => { state.ended++ })
  const join = (from?: Cursor) => {
    const tab = new Tab()
    topic.join(tab, from)
    return tab
  }
  const tell = (...updates: Update[]) => { for (const u of updates) followings.at(-1)?.tell(u) }
  return { topic, followings, join, tell, state }
}

describe('a log', () => {
  test('is followed once, and ends with its last reader', () => {
    const s = shared({ types: ['posted'] })
    const a = s.join(at(5))
    const b = s.join(at(5))
    s.tell(live(at(7)), events(6, 7))
    const c = s.join()
    s.tell(events(8))
    expect(s.followings.map((f) => f.options)).toEqual([{ types: ['posted'], from: at(5) }])
    expect([a.heard, b.heard, c.heard]).toEqual([['live', [6, 7], [8]], ['live', [6, 7], [8]], ['live', [8]]])
    s.topic.leave(a)
    s.topic.leave(b)
    expect(s.state.ended).toBe(0)
    s.topic.leave(c)
    expect([s.state.ended, s.followings[0]?.closed]).toEqual([1, true])
    s.tell(events(9))
    expect(c.heard).toEqual(['live', [8]])
  })

  test('tells who comes from further back what the ring has', () => {
    const s = shared()
    const a = s.join(at(5))
    s.tell(live(at(8)), events(6, 7), { kind: 'events', events: [event(8)], cursor: at(9) }) // 9 is of a type that wasn't asked for
    const b = s.join(at(6))
    const c = s.join(at(9))
    const ahead = s.join(at(10))
    s.tell(events(10, 11))
    expect(s.followings).toHaveLength(1)
    expect([b.heard, b.cursor]).toEqual([['live', [7, 8], [10, 11]], at(11)])
    expect(c.heard).toEqual(['live', [10, 11]])
    expect(ahead.heard).toEqual(['live', [11]])
    expect(a.heard).toEqual(['live', [6, 7], [8], [10, 11]])
  })

  test('is followed again from further back than the ring, and nobody is told twice', () => {
    const s = shared()
    const a = s.join(at(50))
    s.tell(live(at(50)), events(51))
    const b = s.join(at(48))
    expect(s.followings.map((f) => [f.options.from, f.closed])).toEqual([[at(50), true], [at(48), false]])
    s.followings[0]?.tell(events(52)) // of the former one
    s.tell(live(at(52)), events(49, 50, 51), events(52))
    expect(a.heard).toEqual(['live', [51], 'live', [52]])
    expect(b.heard).toEqual(['live', [49, 50, 51], [52]])
  })

  test('spares those who had come further, where that is too far back for the server', () => {
    const s = shared()
    const a = s.join(at(50))
    s.tell(live(at(50)), events(51))
    const b = s.join(at(10))
    s.tell({ kind: 'reset', cause: new ServerError(322, 'edge.RESET_TOO_LONG', '') })
    expect(b.heard).toEqual(['reset 322'])
    expect(s.followings.at(-1)?.resumed).toEqual([at(51)])
    s.tell(live(at(52)), events(52))
    expect(a.heard).toEqual(['live', [51], 'live', [52]])
    s.topic.resume(b, at(52))
    s.tell(events(53))
    expect(b.heard).toEqual(['reset 322', 'live', [53]])
  })

  test('says reset to who comes from much too far back, or from another life of it', () => {
    const s = shared()
    const a = s.join(at(5000))
    s.tell(live(at(5000)))
    expect(s.join(at(3999)).heard).toEqual(['reset 321'])
    expect(s.join(at(5000, 2)).heard).toEqual(['reset 320'])
    expect(s.followings).toHaveLength(1)
    expect(a.heard).toEqual(['live'])
  })

  test('is resumed by the first that has loaded it anew', () => {
    const s = shared()
    const [a, b, c] = [s.join(at(5)), s.join(at(5)), s.join(at(5))]
    s.tell(live(at(5)), { kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', '') })
    s.topic.resume(a, at(3, 2))
    expect(s.followings[0]?.resumed).toEqual([at(3, 2)])
    s.tell(live(at(4, 2)), { kind: 'events', events: [event(4)], cursor: at(4, 2) })
    s.topic.resume(b, at(4, 2))
    s.topic.resume(c, at(3, 2))
    s.topic.resume(c, at(3, 2)) // means nothing now
    expect([a.heard, b.heard, c.heard]).toEqual([
      ['live', 'reset 320', 'live', [4]],
      ['live', 'reset 320', 'live'],
      ['live', 'reset 320', 'live', [4]],
    ])
  })

  test('that was begun anew is followed from further back, before anybody is live', () => {
    const s = shared()
    const a = s.join(at(5))
    s.tell(live(at(5)), { kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', '') })
    const b = s.join()
    s.topic.resume(a, at(7))
    s.tell(live(at(9)))
    expect(s.followings.map((f) => f.options.from)).toEqual([at(5), undefined, at(7)])
    expect([a.heard, b.heard]).toEqual([['live', 'reset 320'], []])
    s.tell(live(at(9)), events(8, 9), events(10))
    expect([a.heard, b.heard]).toEqual([['live', 'reset 320', 'live', [8, 9], [10]], ['live', [10]]])
  })

  test('says that it waits for the connection', () => {
    const s = shared()
    const a = s.join(at(5))
    s.tell(live(at(5)), events(6), { kind: 'paused' })
    const b = s.join(at(5))
    expect(b.heard).toEqual(['paused'])
    s.tell(live(at(7)), events(7))
    expect(a.heard).toEqual(['live', [6], 'paused', 'live', [7]])
    expect(b.heard).toEqual(['paused', 'live', [6], [7]])
  })

  test('that ends, ends for all', () => {
    const s = shared()
    const a = s.join(at(5))
    const waiting = s.join(at(4))
    s.tell({ kind: 'ended', cause: new ServerError(340, 'edge.REVOKED', '') })
    expect([a.heard, waiting.heard, s.state.ended]).toEqual([['ended'], ['ended'], 1])
  })

  test('has signals both ways', () => {
    const s = shared()
    const a = s.join(at(5))
    s.tell(live(at(5)), { kind: 'signal', from: 'u/s', key: 'typing', body: new Uint8Array() })
    s.topic.signal('typing', new Uint8Array([1]))
    expect(a.heard).toEqual(['live', 'signal'])
    expect(s.followings[0]?.signals).toEqual([['typing', new Uint8Array([1])]])
  })
})

describe('a view', () => {
  test('is told to who comes later as it stands', () => {
    const s = shared()
    s.join()
    s.tell(live(), view(true, at(1, 9), entry('a', 1), entry('b', 1)), view(false, at(1, 8), entry('a', 2), entry('b', 0, true), entry('c', 1)))
    expect(s.join().heard).toEqual(['live', 'all a2 c1'])
    expect(s.join(at(1, 8)).heard).toEqual(['live'])
    expect(s.join(at(1, 9)).heard).toEqual(['live', 'all a2 c1'])
    s.tell({ kind: 'paused' })
    expect(s.join().heard).toEqual(['all a2 c1', 'paused'])
    expect(s.followings).toHaveLength(1)
  })

  test('that went on from a cursor is asked for anew for who does not have it', () => {
    const s = shared()
    const a = s.join(at(1, 9))
    const same = s.join(at(1, 9))
    const other = s.join(at(7, 7))
    const none = s.join()
    s.tell(live())
    expect(s.followings.map((f) => f.options.from)).toEqual([at(1, 9), undefined])
    s.tell(live(), view(true, at(1, 10), entry('a', 1)))
    expect([a.heard, same.heard]).toEqual([['live', 'live', 'all a1'], ['live', 'live', 'all a1']])
    expect([other.heard, none.heard]).toEqual([['live', 'all a1'], ['live', 'all a1']])
    expect(s.followings).toHaveLength(2)
  })

  test('between two parts has no cursor', () => {
    const s = shared()
    s.join()
    s.tell(live(), view(true, at(1), entry('a', 1)), view(false, undefined, entry('a', 2)))
    const late = s.join(at(1))
    s.tell(view(false, at(2), entry('b', 1)))
    expect(late.heard).toEqual(['live', 'all a2', 'and b1'])
  })
})

test('a bundle is told to who comes later, with what the newest heads leave out', () => {
  const s = shared()
  s.join()
  const head = (topic: string, h: Partial<Head>) => message(Head, { topic, ...h })
  const heads = (snapshot: boolean, cursor: Cursor | undefined, ...all: Head[]): Update => ({ kind: 'heads', snapshot, heads: all, cursor })
  const badge = new Uint8Array([7])
  s.tell(live(), heads(true, at(1), head('x', { offset: 1, epoch: 3, badge, redacted: 1 }), head('y', { offset: 1 })))
  s.tell(heads(false, undefined, head('x', { offset: 2, count: 2 }), head('y', { removed: true })))
  const told: Update[] = []
  s.topic.join({ told: (u) => told.push(u) }, undefined)
  expect(told).toEqual([live(), heads(true, undefined, head('x', { offset: 2, count: 2, epoch: 3, badge, redacted: 1 }))])
})

test('who comes with the cursor of a list is told what has moved since, however it was followed', () => {
  const head = (offset: number) => message(Head, { topic: 'x', epoch: 1, offset })
  const heads = (snapshot: boolean, cursor: Cursor | undefined, ...all: Head[]): Update => ({ kind: 'heads', snapshot, heads: all, cursor })
  const listed = shared()
  listed.join()
  listed.tell(live(), heads(true, at(77), head(5)))
  const [early, late]: [Update[], Update[]] = [[], []]
  listed.topic.join({ told: (u) => early.push(u) }, at(77))
  expect(early).toEqual([live()])
  listed.tell(heads(false, undefined, head(6)))
  listed.topic.join({ told: (u) => late.push(u) }, at(77))
  expect(late).toEqual([live(), heads(true, undefined, head(6))])

  const kept = shared()
  kept.join(at(77))
  kept.tell(live(), heads(false, undefined, head(6)))
  kept.join(at(77))
  expect(kept.followings.map((f) => f.options.from)).toEqual([at(77), undefined]) // all of it is told anew
})

test('a ring is bounded by count and bytes', () => {
  const ring = new Ring(0)
  ring.push(Array.from({ length: ringEvents + 10 }, (_, i) => event(i + 1)))
  expect([ring.start, ring.after(ring.start).length]).toEqual([10, ringEvents])
  ring.push([event(1000, ringBytes), event(1001)])
  expect([ring.start, ring.after(0).map((e) => e.offset)]).toEqual([1000, [1001]])
  ring.push([event(1002, ringBytes + 1)])
  expect([ring.start, ring.after(0)]).toEqual([1002, []])
})

type Step = { kind: 'join' | 'append' | 'tell'; n: number } | { kind: 'leave' | 'pause' | 'come back'; n: number }

test('each reader of a log is told all behind its cursor, in order and once', () => {
  const step = fc.record({ kind: fc.constantFrom<Step['kind']>('join', 'join', 'append', 'append', 'tell', 'tell', 'leave', 'pause', 'come back'), n: fc.nat(1000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      let length = 300 // of the log; the server keeps what is behind 200
      const s = shared()
      const tabs: { tab: Tab; from: number }[] = []
      let position: { f: FakeFollowing; offset: number } | undefined
      /** serve tells the newest following up to some events. */
      const serve = (most: number) => {
        const f = s.followings.at(-1)
        if (f === undefined || f.closed) return
        if (position?.f !== f) {
          const from = f.options.from?.offset ?? length
          position = { f, offset: from }
          if (from < 200) f.tell({ kind: 'reset', cause: new ServerError(321, 'edge.RESET_FLOOR', '') })
          else f.tell(live(at(length)))
          return
        }
        const resumed = (f.resumed.shift() as Cursor | undefined)?.offset
        if (resumed !== undefined) {
          position.offset = resumed
          if (resumed < 200) f.tell({ kind: 'reset', cause: new ServerError(321, 'edge.RESET_FLOOR', '') })
          else f.tell(live(at(length)))
          return
        }
        if (position.offset < 200) return
        const { offset } = position
        const upto = Math.min(length, offset + most)
        const next = Array.from({ length: upto - offset }, (_, i) => offset + i + 1)
        position.offset = upto
        if (next.length > 0) f.tell(events(...next))
      }
      for (const { kind, n } of steps) {
        if (kind === 'append') length += n % 5
        else if (kind === 'join') {
          const from = Math.max(190, length - (n % 120))
          tabs.push({ tab: s.join(at(from)), from })
        } else if (kind === 'leave' && tabs.length > 1) {
          const [gone] = tabs.splice(n % tabs.length, 1)
          if (gone !== undefined) s.topic.leave(gone.tab)
        } else if (kind === 'tell') serve(n % 7)
        else if (kind === 'pause' && position?.f === s.followings.at(-1)) s.tell({ kind: 'paused' })
        else if (kind === 'come back' && position !== undefined && position.f === s.followings.at(-1) && position.offset >= 200) s.tell(live(at(length)))
      }
      for (let i = 0; i < 300; i++) serve(100)
      if (position?.offset !== undefined && position.offset >= 200) s.tell(live(at(length)))
      for (const { tab, from } of tabs) {
        const heard = tab.heard.filter((h) => Array.isArray(h)).flat() as number[]
        const wasReset = tab.heard.some((h) => String(h).startsWith('reset'))
        if (wasReset) expect(from).toBeLessThan(200)
        if (wasReset) expect(heard).toEqual([])
        else expect(heard).toEqual(Array.from({ length: length - from }, (_, i) => from + i + 1))
      }
    }),
    { numRuns: Number(process.env['SHARE_RUNS'] ?? 500) },
  )
})
