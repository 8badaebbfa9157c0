import { expect, test } from 'vitest'
import { encode } from '../method.ts'
import { ClientMessage, Error as Fault, ServerMessage } from '../proto/plenum/edge/v1/edge.ts'
import { ask, chunks, framesOf, type Fetch } from './http.ts'
import { eventsOf } from './sse.ts'

const frames = [{ frame: { $case: 'ping' as const, value: { nonce: 7, active: false } } }]
const to = (fetch: Fetch, signal = new AbortController().signal) => ask({ fetch, server: 'https://plenum.example.com', path: '/edge/v1/poll', token: 't', frames, signal })

/** body comes in such parts. */
const body = (bytes: Uint8Array, size: number) =>
  new ReadableStream<Uint8Array>({
    start(c) {
      for (let i = 0; i < bytes.length; i += size) c.enqueue(bytes.subarray(i, i + size))
      c.close()
    },
  })

async function all<T>(of: AsyncGenerator<T>): Promise<T[]> {
  const out: T[] = []
  for await (const x of of) out.push(x)
  return out
}

test('a message is sent, and its answer is there to be read', async () => {
  const asked: [string, RequestInit][] = []
  const fetch: Fetch = (url, init) => {
    asked.push([url as string, init ?? {}])
    return Promise.resolve(new Response('yes'))
  }
  expect(new TextDecoder().decode((await all(chunks(await to(fetch))))[0])).toBe('yes')
  expect(asked[0]?.[0]).toBe('https://plenum.example.com/edge/v1/poll')
  expect(asked[0]?.[1]).toMatchObject({ method: 'POST', headers: { 'Content-Type': 'application/proto', Authorization: 'Bearer t' }, body: ClientMessage.encode({ frames }).finish() })
})

test.each([
  ['the gateway refuses', 403, `{"details":[{"type":"other"},{"type":"plenum.edge.v1.Error","value":"${Buffer.from(encode(Fault, { code: 102, reason: 'identity.SIGN_IN', message: 'Wrong.' })).toString('base64').replaceAll('=', '')}"}]}`, { code: 102, reason: 'identity.SIGN_IN', message: 'Wrong.' }],
  ['something on the way does', 403, '<html>', { code: 200, reason: 'client.HTTP_STATUS', retryAfterMs: 4000 }],
  ['what stands before a server that is away', 502, '{"details":[{"type":"plenum.edge.v1.Error","value":"!"}]}', { code: 200, reason: 'client.AWAY' }],
])('a refusal: %s', async (_, status, text, error) => {
  const fetch: Fetch = () => Promise.resolve(new Response(text, { status, headers: { 'Retry-After': '4' } }))
  await expect(to(fetch)).rejects.toMatchObject(error)
})

test('no answer', async () => {
  await expect(to(() => Promise.reject(new TypeError('no')))).rejects.toMatchObject({ code: 200, reason: 'client.UNREACHABLE' })
  const never: Fetch = (_, init) => new Promise((__, reject) => { init?.signal?.addEventListener('abort', () => { reject(new Error('aborted')) }) })
  const stop = new AbortController()
  const asking = to(never, stop.signal)
  stop.abort(new Error('enough'))
  await expect(asking).rejects.toThrow('enough')
  await expect(to(never, stop.signal)).rejects.toThrow('enough')
})

test('answers are read in whatever parts they come', async () => {
  const replies = Array.from({ length: 5 }, (_, i) => ({ frame: { $case: 'reply' as const, value: { id: i + 1, result: { $case: 'body' as const, value: new Uint8Array(i * 200) } } } }))
  const bytes = ServerMessage.encode({ frames: replies }).finish()
  for (const size of [1, 7, 300, 5000]) {
    expect((await all(framesOf(body(bytes, size)))).map(({ frame }) => frame)).toEqual(replies.map(({ frame }) => frame))
  }
  await expect(all(framesOf(body(bytes.subarray(0, -1), 7)))).rejects.toMatchObject({ code: 4000, reason: 'client.CONNECTION_LOST' })
  for (const wrong of [[9], [10, 255, 255, 255, 255, 255, 255, 1], [10, 1, 255], [10, 2, 10, 200]]) {
    await expect(all(framesOf(body(new Uint8Array(wrong), 7)))).rejects.toMatchObject({ code: 4000 })
  }
})

test('a stream is read in whatever parts it comes', async () => {
  const text = new TextEncoder().encode(': héllo\r\n\r\nid: 5\r\nretry: 1000\ndata: YQ==\r\n\r\n:\n\ndata:YWI=\n\ndata: cut')
  for (const size of [1, 2, 3, 100]) expect(await all(eventsOf(body(text, size)))).toEqual(['', 'YQ==', '', 'YWI='])
})
