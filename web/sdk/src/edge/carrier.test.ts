import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ClientMessage, ServerMessage, type ClientFrame, type ServerFrame, type Want } from '../proto/plenum/edge/v1/edge.ts'
import { events, failed, goodbye, replied, rest, subscribed, welcome } from '../../test/edge.ts'
import type { ServerError } from '../errors.ts'
import { system } from './clock.ts'
import type { Fetch } from './http.ts'
import { settleBy } from './limits.ts'
import type { Line } from './line.ts'
import { polls } from './poll.ts'
import { serverSentEvents } from './sse.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

const a = 'chat.channel/a'
const b = 'chat.channel/b'
const mine = 'chat.mine/me'
const at = (offset: number, epoch = 3) => ({ epoch, offset })

/** Asked is a request, whose answer a test writes. */
class Asked {
  readonly path: string
  readonly frames: NonNullable<ClientFrame['frame']>[]
  readonly token: string
  aborted = false
  readonly response: Response
  #to: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(url: string, init: RequestInit) {
    this.path = url.slice('http://h/edge/v1/'.length)
    this.frames = ClientMessage.decode(init.body as Uint8Array).frames.flatMap(({ frame }) => frame ?? [])
    this.token = (init.headers as Record<string, string>)['Authorization'] ?? ''
    this.response = new Response(new ReadableStream<Uint8Array>({ start: (c) => { this.#to = c } }))
    init.signal?.addEventListener('abort', () => {
      this.aborted = true
      try {
        this.#to?.error(new Error('aborted'))
      } catch {
        // it has ended
      }
    })
  }

  get wants(): Want[] {
    return this.frames.flatMap((f) => (f.$case === 'subscribe' ? f.value.wants : []))
  }

  say(...frames: ServerFrame['frame'][]): void {
    const bytes = ServerMessage.encode({ frames: frames.map((frame) => ({ frame })) }).finish()
    this.#to?.enqueue(this.path === 'sse' ? new TextEncoder().encode(`data: ${Buffer.from(bytes).toString('base64')}\n\n`) : bytes)
  }

  text(text: string): void {
    this.#to?.enqueue(new TextEncoder().encode(text))
  }

  end(): void {
    this.#to?.close()
  }
}

/** open opens a line, and says Hello, and what is followed. */
async function open(kind: 'sse' | 'poll', ...topics: string[]) {
  const asked: Asked[] = []
  const heard: ServerFrame['frame'][] = []
  let signs = 0
  const ends: ServerError[] = []
  const fetch = ((url: string, init: RequestInit) => {
    const one = new Asked(url, init)
    asked.push(one)
    return Promise.resolve(one.response)
  }) as Fetch
  let opened = false
  const line: Line = (kind === 'sse' ? serverSentEvents : polls)({ server: 'http://h', fetch, clock: system })({
    opened: () => { opened = true },
    heard: (frames) => {
      if (frames.length === 0) signs++
      heard.push(...frames.map(({ frame }) => frame))
    },
    closed: (why) => ends.push(why),
  })
  await rest()
  expect(opened).toBe(true)
  const say = (...frames: ClientFrame['frame'][]) => { line.send(frames.map((frame) => ({ frame }))) }
  const subscribe = (id: number, all: string[]) => ({ $case: 'subscribe' as const, value: { id, wants: all.map((topic) => ({ topic, mode: 0 as const, cursor: undefined, params: new Uint8Array(), types: [] })) } })
  const want = (id: number, ...all: string[]) => { say(subscribe(id, all)) }
  const call = (id: number, lane = 0, clientSeq = 0) => { say({ $case: 'call', value: { id, method: 'm', body: new Uint8Array(), clientSeq, lane, timeoutMs: 0 } }) }
  say({ $case: 'hello', value: { token: 't', clientId: 'c', sessionId: 's', features: [], agent: '', idleS: 5 } }, subscribe(1, topics))
  const take = () => heard.splice(0).map((f) => (f?.$case === 'subscribed' ? `${f.$case} ${f.value.id}` : f?.$case))
  const last = () => asked.at(-1) as Asked
  return { line, asked, heard, ends, say, want, call, take, last, signs: () => signs }
}

test('a request says from where: how far the one before was told', async () => {
  const { line, asked, want, take, last, heard } = await open('sse', a, mine)
  await rest()
  expect(last()).toMatchObject({ path: 'sse', token: 'Bearer t' })
  expect(last().frames[0]).toMatchObject({ value: { token: '', idleS: 5, clientId: 'c', sessionId: 's' } })
  last().say(welcome(), subscribed(1, { topic: a, start: at(7), head: at(7) }, { topic: mine, start: at(99, 0) }), events(a, [8, 9]))
  await rest()
  expect(heard.find((f) => f?.$case === 'subscribed' && f.value.subscriptions[0]?.topic === mine)).toMatchObject({ value: { subscriptions: [{ start: undefined }] } }) // it may be cut off
  expect(take()).toEqual(['welcome', 'subscribed 1', 'subscribed 1', 'events'])
  want(2, b)
  await rest(30)
  expect([asked.length, asked[0]?.aborted]).toEqual([2, true])
  expect(last().wants).toMatchObject([{ topic: a, cursor: at(9) }, { topic: mine, cursor: undefined }, { topic: b }])
  last().say(welcome(), subscribed(1, { topic: a, start: at(9), head: at(9) }, { topic: mine, start: at(99, 0) }, { topic: b, start: at(1), head: at(1) }), events(a, [10]))
  await rest()
  expect(take()).toEqual(['subscribed 2', 'events']) // what the session knows isn't told again
  line.close()
})

test('a poll is taken whole, and a list with it', async () => {
  const { line, asked, take, last, heard } = await open('poll', mine)
  await rest()
  expect(last().path).toBe('poll?wait=0')
  last().say(welcome(), subscribed(1, { topic: mine, start: at(99, 0) }))
  await rest()
  expect(take()).toEqual([])
  last().end()
  await rest()
  expect(heard[1]).toMatchObject({ value: { subscriptions: [{ start: at(99, 0) }] } })
  expect([asked.length, last().path]).toEqual([2, 'poll?wait=25000'])
  expect(last().wants).toMatchObject([{ topic: mine, cursor: at(99, 0) }])
  line.close()
})

test.each(['sse', 'poll'] as const)('over %s: a Hello that is refused has its number, and what is no answer has none', async (kind) => {
  for (const [frame, end] of [[goodbye(4201), { code: 4201 }], [events(a, [1]), { code: 4000 }]] as const) {
    const { last, ends } = await open(kind, a)
    await rest()
    last().say(frame)
    last().end()
    await rest()
    expect(ends).toMatchObject([end])
  }
})

test('what was not answered yet is not replaced at once; its Ping is answered by the next', async () => {
  const { line, asked, want, say, last, heard } = await open('sse', a)
  await rest()
  for (let i = 0; i < 5; i++) {
    want(2 + i, `chat.channel/${i}`)
    await rest(100)
  }
  expect(asked.length).toBe(1)
  say({ $case: 'ping', value: { nonce: 7, active: false } })
  await rest(settleBy)
  expect(asked.length).toBe(2)
  want(9, b)
  await rest(settleBy + 30) // it has not answered either
  expect(asked.length).toBe(3)
  last().say(welcome())
  await rest()
  expect(heard).toMatchObject([{ $case: 'welcome' }, { $case: 'pong', value: { nonce: 7 } }])
  line.close()
})

test('comments are signs of life, and a rotated stream is followed by the next', async () => {
  const { line, asked, last, signs, ends, take } = await open('sse')
  await rest()
  last().say(welcome())
  await rest()
  const before = signs()
  last().text(':\n\n')
  await rest()
  expect(signs()).toBe(before + 1)
  const { $case, value } = goodbye(4100, 700) as Extract<ServerFrame['frame'], { $case: 'goodbye' }>
  last().say({ $case, value: { error: value.error && { ...value.error, reason: 'edge.ROTATED' } } })
  last().end()
  await rest(699)
  expect(asked.length).toBe(1)
  await rest(1)
  expect([asked.length, ends, take()]).toEqual([2, [], ['welcome']])
  line.close()
})

test('a call whose answer is missing ends the line; one that is answered does not', async () => {
  const { asked, call, last, ends, take } = await open('sse')
  await rest()
  asked[0]?.say(welcome())
  call(1)
  await rest()
  last().say(welcome(), replied(1))
  last().end()
  await rest()
  expect([ends, take()]).toEqual([[], ['welcome', 'reply']])
  call(2)
  await rest()
  last().say(welcome())
  last().end()
  await rest()
  expect(ends).toMatchObject([{ code: 4000, reason: 'client.CONNECTION_LOST' }])
})

test('a lane has one poll at a time, and waits for what has to be repeated; others have four', async () => {
  const { line, asked, call, last, take } = await open('sse')
  await rest()
  asked[0]?.say(welcome())
  await rest()
  take()
  for (let seq = 1; seq <= 3; seq++) call(seq, 1, seq)
  await rest()
  expect(asked.length).toBe(2)
  last().say(failed(1, 203))
  last().end()
  await rest()
  expect([asked.length, take()]).toEqual([2, ['reply', 'reply', 'reply']]) // those behind it are refused
  call(4, 1, 2)
  call(5, 1, 1)
  await rest()
  expect(last().frames.flatMap((f) => (f.$case === 'call' ? [f.value.clientSeq] : []))).toEqual([1])
  for (let id = 10; id < 16; id++) call(id)
  await rest()
  expect(asked.length).toBe(3 + 4)
  line.close()
})

test('signals go together, the latest of each key', async () => {
  const { line, say, last } = await open('sse')
  await rest()
  const signal = (topic: string, key: string, n: number) => ({ $case: 'signal' as const, value: { topic, key, body: new Uint8Array([n]), from: '' } })
  say(signal(a, 'x', 1), signal(a, 'y', 2), signal(b, 'x', 3), signal(a, 'x', 4))
  await rest()
  expect(last().path).toBe('poll?wait=0')
  expect(last().wants).toMatchObject([{ topic: a, mode: 1 }, { topic: b, mode: 1 }])
  expect(last().frames.flatMap((f) => (f.$case === 'signal' ? [f.value.body[0]] : []))).toEqual([2, 3, 4])
  line.close()
})
