import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { method, type Codec } from '../method.ts'
import { error, outcome, rest, say, start, type Start } from '../../test/edge.ts'
import { Hall } from '../../test/transports.ts'
import { system } from './clock.ts'
import { anyTransport } from './ladder.ts'
import type { Dialer } from './line.ts'
import { polls } from './poll.ts'
import { serverSentEvents } from './sse.ts'
import { webSocket } from './websocket.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

/** Text is a request that is its text. */
const Text = {
  encode: ({ text }: { text: string }) => ({ finish: () => new TextEncoder().encode(text) }),
  decode: (bytes: Uint8Array) => ({ text: new TextDecoder().decode(bytes) }),
} as unknown as Codec<{ text: string }>
const read = method('test/Read', 'read', Text, Text)
const change = method('test/Change', 'change', Text, Text)

const a = 'chat.channel/a'
const b = 'chat.channel/b'
const from = { epoch: 1, offset: 0 }
const server = 'http://hall'

const dialers: Record<string, (h: Hall) => Dialer> = {
  websocket: (h) => webSocket(server, h.Maker),
  sse: (h) => serverSentEvents({ server, fetch: h.fetch, clock: system }),
  poll: (h) => polls({ server, fetch: h.fetch, clock: system }),
}

/** settle waits in steps, so that what waits for what waits is done, too. */
async function settle(ms: number): Promise<void> {
  for (let t = 0; t < ms; t += 50) await rest(50)
}

/** random is the same each time (Lehmer). */
function random(seed: number): () => number {
  let x = seed
  return () => (x = (x * 48271) % 2147483647) / 2147483647
}

function close({ connection }: Start): void {
  connection.close()
}

describe.each(Object.keys(dialers))('over %s', (name) => {
  const visit = (h: Hall, options = {}) => start({ dial: dialers[name]?.(h) as Dialer, random: random(1), ...options })

  test('nothing is lost and nothing doubled, whatever is cut and refused', async () => {
    const h = new Hall()
    const chance = random(7)
    h.budget = () => 1 + Math.floor(chance() * 25)
    let tries = 0
    h.answer = () => (++tries % 5 === 0 ? 200 : 0)
    const s = visit(h)
    const got = { [a]: 0, [b]: 0 }
    for (const topic of [a, b] as const) {
      s.connection.follow(topic, (u) => {
        if (u.kind === 'reset' || u.kind === 'ended') throw new Error(say(u))
        if (u.kind === 'events') for (const { offset } of u.events) expect(offset).toBe(++got[topic])
      }, { from })
    }
    const calls = []
    for (let i = 0; i < 200; i++) {
      h.set(() => { for (const topic of [a, b]) h.heads.set(topic, i + 1) })
      if (i % 4 === 0) calls.push(outcome(s.connection.call(change, { text: String(i) })))
      if (i === 100) h.cut()
      await settle(150)
    }
    h.budget = undefined
    await settle(120_000)
    expect(got).toEqual({ [a]: 200, [b]: 200 })
    expect(h.done.length).toBe(50)
    expect(new Set(h.done).size).toBe(50)
    expect(calls.filter(({ value }) => value !== undefined).length).toBe(50)
    close(s)
  })

  test('the token is replaced in mid-session', async () => {
    const h = new Hall()
    const s = visit(h)
    const told: string[] = []
    s.connection.follow(a, (u) => told.push(say(u)))
    for (let i = 0; i < 1200; i++) {
      await rest(1000)
      if (i % 30 === 0) h.set(() => h.heads.set(b, i))
      if (i % 10 === 0) s.connection.probe()
    }
    expect(s.tokens.asked.length).toBeGreaterThanOrEqual(3)
    expect(s.tokens.asked.length).toBeLessThanOrEqual(4)
    expect([...h.tokens.keys()].slice(0, 3)).toEqual(['token-1', 'token-2', 'token-3'])
    expect(s.states.map(({ kind }) => kind)).toEqual(['connecting', 'online'])
    h.set(() => h.heads.set(a, 1))
    await settle(200)
    expect(told).toEqual(['live', '1@1'])
    close(s)
  })

  test('a topic lags, is reset, goes on, and is over', async () => {
    const h = new Hall()
    const s = visit(h)
    const told: string[] = []
    const other: string[] = []
    const sub = s.connection.follow(a, (u) => told.push(say(u)))
    s.connection.follow(b, (u) => other.push(say(u)))
    await settle(1000)
    h.set(() => h.heads.set(a, 2))
    await settle(1000)
    h.set(() => {
      h.heads.set(a, 5)
      h.stopping.set(a, 300)
    })
    await settle(3000)
    expect(told.filter((t) => t !== 'live')).toEqual(['1,2@2', '3,4,5@5'])
    h.set(() => {
      h.stopping.set(a, 320).set(b, 320)
      h.epoch = 2
    })
    await settle(3000)
    expect([told.at(-1), other.at(-1)]).toEqual(['reset 320', 'reset 320'])
    sub.resume({ epoch: 2, offset: 5 })
    h.set(() => h.heads.set(a, 6))
    await settle(3000)
    expect(told.at(-1)).toBe('6@6')
    h.set(() => h.stopping.set(a, 340))
    await settle(3000)
    expect(told.at(-1)).toBe('ended 340')
    h.refuse.set('chat.channel/x', 101)
    s.connection.follow('chat.channel/x', (u) => told.push(say(u)))
    await settle(3000)
    expect(told.at(-1)).toBe('ended 101')
    close(s)
  })

  test('signals get there, the latest of a key at last', async () => {
    const h = new Hall()
    const s = visit(h)
    const sub = s.connection.follow(a, () => undefined)
    await settle(1000)
    for (let i = 0; i < 5; i++) sub.signal('typing', new Uint8Array([i]))
    await settle(1000)
    expect(h.heard.at(-1)).toMatchObject({ topic: a, key: 'typing', body: new Uint8Array([4]) })
    close(s)
  })

  test('who is told to go comes back when it was told to; who is signed out does not', async () => {
    const h = new Hall()
    const s = visit(h)
    s.connection.follow(a, () => undefined)
    await settle(1000)
    const begun = Date.now()
    h.set(() => { h.leave = error(4100, 3000) })
    await rest()
    expect(s.connection.state).toMatchObject({ kind: 'offline', retryAt: begun + 3000, cause: { code: 4100 } })
    h.leave = undefined
    await settle(3500)
    expect(s.connection.state.kind).toBe('online')
    h.set(() => { h.leave = error(4400) })
    await rest()
    expect(s.connection.state.kind).toBe('wiped')
    close(s)
  })

  test('a list is whole, and comes anew where it was cut', async () => {
    const h = new Hall()
    h.heads.set(a, 3).set(b, 4)
    let once = true
    h.budget = () => (once ? ((once = false), 3) : Infinity) // Welcome, Subscribed, the first frame of the list
    const s = visit(h)
    const list = new Map<string, number>()
    s.connection.follow('chat.mine/me', (u) => {
      if (u.kind !== 'heads') return
      if (u.snapshot) list.clear()
      for (const { topic, offset, epoch } of u.heads) list.set(topic, offset * 10 + epoch)
    })
    await settle(5000)
    expect([...list]).toEqual([[a, 31], [b, 41]])
    close(s)
  })

  test('what was given up is over, and its place is free', async () => {
    const h = new Hall()
    const s = visit(h)
    await settle(1000)
    const stops = Array.from({ length: 40 }, () => new AbortController())
    const calls = stops.map(({ signal }) => outcome(s.connection.call(read, { text: 'r' }, { signal })))
    await rest()
    for (const stop of stops) stop.abort(new Error('enough'))
    await settle(1000)
    expect(calls.filter(({ value, error: e }) => value === undefined && e === undefined)).toEqual([])
    const last = outcome(s.connection.call(read, { text: 'last' }))
    await settle(1000)
    expect(last.value).toBeDefined()
    close(s)
  })

  test('a lane keeps its order', async () => {
    const h = new Hall()
    const s = visit(h)
    await settle(1000)
    let refused = 0
    h.answer = ({ clientSeq }) => (clientSeq === 2 && refused++ === 0 ? 203 : 0)
    const put = (seq: number) => outcome(s.connection.send({ method: 'm', body: new TextEncoder().encode(String(seq)), seq, lane: 1 }))
    const calls = [1, 2, 3].map(put)
    await settle(200)
    const late = put(4)
    await settle(200)
    expect([...calls, late].map(({ value, error: e }) => e?.code ?? typeof value)).toEqual(['object', 203, 200, 200])
    for (const seq of [2, 3, 4]) put(seq)
    await settle(1000)
    expect(h.done).toEqual(['1', '2', '3', '4'])
    close(s)
  })

  test('a dead line is noticed within two heartbeats, and replaced', async () => {
    const h = new Hall()
    const s = visit(h)
    const told: string[] = []
    s.connection.follow(a, (u) => told.push(say(u)), { from })
    await settle(20_000)
    h.mute = true
    h.heads.set(a, 1)
    await settle(41_000)
    expect(s.states.map(({ kind }) => kind)).toContain('offline')
    h.mute = false
    await settle(40_000)
    expect([s.connection.state.kind, told.at(-1)]).toEqual(['online', '1@1'])
    close(s)
  })

  test('what sleeps and is probed is replaced in five seconds', async () => {
    const h = new Hall()
    const s = visit(h)
    s.connection.follow(a, () => undefined)
    await settle(1000)
    h.mute = true
    s.connection.probe()
    await settle(5_100)
    expect(s.states.map(({ kind }) => kind)).toContain('offline')
    close(s)
  })
})

describe('a ladder', () => {
  const visit = (h: Hall) => start({ dial: anyTransport({ server, fetch: h.fetch, clock: system }, h.Maker), random: random(3) })
  const transport = ({ connection: { state } }: Start) => (state.kind === 'online' ? state.transport : state.kind)

  test('takes a WebSocket where it can', async () => {
    const h = new Hall()
    const s = visit(h)
    await settle(1000)
    expect([transport(s), h.opened]).toEqual(['websocket', { websocket: 1, sse: 0, poll: 0 }])
    close(s)
  })

  test('takes a stream where none opens, and climbs again', async () => {
    const h = new Hall()
    h.blocked.set('/edge/v1/ws', 403)
    const s = visit(h)
    await settle(100)
    expect(transport(s)).toBe('sse')
    h.cut()
    await settle(1000)
    expect(transport(s)).toBe('sse')
    await settle(600_000)
    expect([transport(s), h.opened.websocket]).toEqual(['sse', 0]) // in vain, without a break
    h.blocked.clear()
    await settle(600_000)
    expect(transport(s)).toBe('sse')
    await settle(602_000)
    expect(transport(s)).toBe('websocket')
    close(s)
  })

  test('stays with a stream where a page may not even make a WebSocket', async () => {
    const h = new Hall()
    const made: string[] = []
    const Maker = function (url: string) { made.push(url); throw new DOMException('not from here', 'SecurityError') } as unknown as typeof h.Maker
    const s = start({ dial: anyTransport({ server, fetch: h.fetch, clock: system }, Maker), random: random(3) })
    await settle(1000)
    expect([transport(s), made.length]).toEqual(['sse', 1])
    await settle(600_000)
    expect([transport(s), made.length]).toEqual(['sse', 2])
    await settle(1_200_000)
    expect([transport(s), made.length]).toEqual(['sse', 3]) // and is tried again, later
    close(s)
  })

  test('takes a stream where it opens and is silent, polls where that is held back', async () => {
    const h = new Hall()
    h.silent = true
    h.buffered = true
    const s = visit(h)
    await settle(12_000)
    expect(transport(s)).toBe('poll')
    close(s)
  })

  test('takes polls where streams are refused', async () => {
    const h = new Hall()
    h.blocked.set('/edge/v1/ws', 403).set('/edge/v1/sse', 403)
    const s = visit(h)
    await settle(3000)
    expect(transport(s)).toBe('poll')
    close(s)
  })

  test.each([0, 502, 503])('a server that is away (%i) is no reason', async (status) => {
    const h = new Hall()
    const s = visit(h)
    await settle(1000)
    for (const path of ['ws', 'sse', 'poll']) h.blocked.set(`/edge/v1/${path}`, status === 0 && path === 'ws' ? 1 : status)
    h.cut()
    await settle(60_000)
    expect(s.connection.state.kind).not.toBe('online')
    h.blocked.clear()
    await settle(31_000)
    expect(transport(s)).toBe('websocket')
    close(s)
  })
})
