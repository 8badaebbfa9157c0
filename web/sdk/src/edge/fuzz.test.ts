import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ServerFrame, ServerMessage } from '../proto/plenum/edge/v1/edge.ts'
import { send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { system } from './clock.ts'
import type { Fetch } from './http.ts'
import { polls } from './poll.ts'
import { serverSentEvents } from './sse.ts'
import { login, outcome, rest, start, welcome } from '../../test/edge.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

const topics = ['chat.channel/a', 'chat.mine/me', 'presence.people/me']

/** Someone has something of everything under way. */
async function someone() {
  const s = start({ dependencies: () => [{ topic: 'chat.mine/me', cursor: { epoch: 1, offset: 9 } }] })
  for (const topic of topics) s.connection.follow(topic, () => undefined)
  outcome(s.connection.call(send, { channel: 'c' }))
  const peer = await login(s.edge)
  return { ...s, peer }
}

/** after holds a session to what it has to be by then: it goes on, or has said why not. */
async function after({ connection, peer }: Awaited<ReturnType<typeof someone>>): Promise<void> {
  await rest(3_000)
  const { state } = connection
  if (state.kind === 'offline') expect(state.cause.code).toBeGreaterThan(0)
  if (state.kind !== 'online') expect(peer.closed).toBe(true)
  connection.close()
  await rest()
  expect(vi.getTimerCount()).toBe(0)
}

test('whatever bytes come, they end the connection with a fault, or mean something', async () => {
  let garbled = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.constant(null)), { maxLength: 5 }), async (all) => {
      const s = await someone()
      for (const data of all) s.peer.data(data instanceof Uint8Array ? data.slice().buffer : data)
      await rest()
      if (s.connection.state.kind === 'offline') {
        expect(s.connection.state.cause).toMatchObject({ code: 4000, reason: 'client.GARBLED' })
        garbled++
      }
      await after(s)
    }),
    { numRuns: 300 },
  )
  expect(garbled).toBeGreaterThan(100)
})

test.each(['sse', 'poll'])('whatever is answered over %s, the connection ends with a fault, or goes on', async (kind) => {
  const host = (fetch: Fetch) => ({ server: 'http://h', fetch, clock: system })
  const text = (bytes: Uint8Array) => new TextEncoder().encode(`data: ${Buffer.from(bytes).toString('base64')}\n\n`)
  const answer = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string().map((s) => new TextEncoder().encode(s)), fc.uint8Array({ maxLength: 50 }).map(text))
  const greeting = ServerMessage.encode({ frames: [{ frame: welcome() }] }).finish()
  let faults = 0
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 4 }), fc.boolean(), fc.constantFrom(200, 200, 403, 500), async (parts, greets, status) => {
      const fetch = (() =>
        Promise.resolve(new Response(new ReadableStream({
          start(c) {
            if (greets) c.enqueue(kind === 'sse' ? text(greeting) : greeting)
            for (const part of parts) c.enqueue(part)
            c.close()
          },
        }), { status }))) as Fetch
      const s = start({ dial: (kind === 'sse' ? serverSentEvents : polls)(host(fetch)) })
      for (const topic of topics) s.connection.follow(topic, () => undefined)
      outcome(s.connection.call(send, { channel: 'c' }))
      await rest(5_000)
      for (const state of s.states) {
        if (state.kind !== 'offline') continue
        faults++
        expect(state.cause.reason).toMatch(/^client\.(GARBLED|CONNECTION_LOST|HTTP_STATUS)$/)
      }
      s.connection.close()
      await rest(100)
      expect(vi.getTimerCount()).toBe(0)
    }),
    { numRuns: 100 },
  )
  expect(faults).toBeGreaterThan(100)
})

const number = fc.oneof(fc.nat(20), fc.nat(0xffffffff))
const big = fc.oneof(fc.nat(20), fc.maxSafeNat())
const bytes = fc.uint8Array({ maxLength: 8 })
const name = fc.oneof(fc.constantFrom(...topics), fc.string({ maxLength: 5 }))
const cursor = fc.option(fc.record({ epoch: big, offset: big }), { nil: undefined })
const fault = fc.record({
  code: fc.oneof(fc.constantFrom(100, 200, 201, 203, 204, 300, 320, 340, 342), fc.nat(5000)) as fc.Arbitrary<never>, reason: fc.string({ maxLength: 4 }), message: fc.string({ maxLength: 4 }),
  retryAfterMs: fc.nat(0xffffffff), field: fc.constant(''),
})
const some = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 4 })
const maybe = fc.option(fault, { nil: undefined })

/** frames are such as a server out of its mind may say. */
const frames: fc.Arbitrary<ServerFrame['frame']> = fc.oneof(
  fc.nat(0xffffffff).map((ttl) => welcome({}, ttl)),
  fc.record({ $case: fc.constant('reply' as const), value: fc.record({ id: number, result: fc.oneof(fc.record({ $case: fc.constant('body' as const), value: bytes }), fc.record({ $case: fc.constant('error' as const), value: fault }), fc.constant(undefined)) }) }),
  fc.record({ $case: fc.constant('subscribed' as const), value: fc.record({ id: number, subscriptions: some(fc.record({ topic: name, start: cursor, head: cursor, error: maybe })) }) }),
  fc.record({ $case: fc.constant('events' as const), value: fc.record({ topic: name, events: some(fc.record({ offset: big, body: bytes, timeMs: fc.integer(), mutation: fc.bigInt(0n, 2n ** 64n - 1n).map(String) })), after: fc.option(big, { nil: undefined }), upto: big }) }),
  fc.record({ $case: fc.constant('heads' as const), value: fc.record({ topic: name, snapshot: fc.boolean(), heads: some(fc.record({ topic: name, ref: number, offset: big, count: big, badge: bytes, removed: fc.boolean(), calls: big, redacted: big, epoch: big })) }) }),
  fc.record({ $case: fc.constant('view' as const), value: fc.record({ topic: name, entries: some(fc.record({ key: name, body: bytes, removed: fc.boolean() })), snapshot: fc.boolean(), more: fc.boolean(), at: cursor, stale: fc.boolean() }) }),
  fc.record({ $case: fc.constant('stopped' as const), value: fc.record({ topics: some(name), error: maybe }) }),
  fc.record({ $case: fc.constant('signal' as const), value: fc.record({ topic: name, key: name, body: bytes, from: name }) }),
  fc.record({ $case: fc.constant('refreshed' as const), value: fc.record({ tokenTtlMs: number }) }),
  fc.record({ $case: fc.constant('ping' as const), value: fc.record({ nonce: number, active: fc.boolean() }) }),
  fc.record({ $case: fc.constant('pong' as const), value: fc.record({ nonce: number }) }),
  fc.constant(undefined),
)

test('whatever frames come, nothing is thrown, and each event is told once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(frames, { maxLength: 6 }), { maxLength: 8 }), async (messages) => {
      const s = start()
      let told = -1
      let epoch = -1
      let dead = false
      s.connection.follow('chat.channel/a', (u) => {
        expect(dead).toBe(false)
        if (u.kind === 'ended') dead = true
        if (u.kind !== 'events') return
        if (u.cursor.epoch !== epoch) told = -1 // another history
        epoch = u.cursor.epoch
        for (const { offset } of u.events) expect(offset).toBeGreaterThan(told)
        told = u.cursor.offset
      })
      outcome(s.connection.call(send, { channel: 'c' }))
      const peer = await login(s.edge)
      for (const all of messages) {
        peer.data(ServerMessage.encode({ frames: all.map((frame) => ({ frame })) }).finish().slice().buffer)
        await rest(1)
      }
      await after({ ...s, peer })
    }),
    { numRuns: 300 },
  )
})
