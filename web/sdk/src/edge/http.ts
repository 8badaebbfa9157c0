import { ClientMessage, ServerFrame, type ClientFrame } from '../proto/plenum/edge/v1/edge.ts'
import { refusal } from '../refusal.ts'
import * as fault from './fault.ts'
import { errorBody, readLimit } from './limits.ts'

export type Fetch = typeof fetch

/** Question is a POST of a session's message to a gateway. */
interface Question {
  readonly fetch: Fetch
  /** "https://plenum.example.com" */
  readonly server: string
  readonly path: string
  readonly token: string
  readonly frames: ClientFrame[]
  readonly signal: AbortSignal
}

/**
 * ask sends a message, and returns the answer's body. It rejects with a ServerError: what the gateway says; where something else answered 200 `client.AWAY`, as from what
 * stands before a server that is not there, or 200 `client.HTTP_STATUS`; or 200 `client.UNREACHABLE`. An aborted one rejects with the signal's reason.
 */
export async function ask({ fetch, server, path, token, frames, signal }: Question): Promise<ReadableStream<Uint8Array>> {
  signal.throwIfAborted()
  const headers = { 'Content-Type': 'application/proto', Authorization: `Bearer ${token}` }
  const body = ClientMessage.encode({ frames }).finish()
  let response: Response
  try {
    response = await fetch(server + path, { method: 'POST', headers, body, signal, cache: 'no-store', credentials: 'omit', redirect: 'error' })
  } catch {
    signal.throwIfAborted()
    throw fault.unreachable(server)
  }
  if (response.status === 200 && response.body !== null) return response.body
  const text = response.body === null ? '' : new TextDecoder().decode(await whole(response.body, errorBody).catch(() => new Uint8Array()))
  throw refusal(response, text)
}

/** whole reads a body of so many bytes at most. */
async function whole(body: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  let all = new Uint8Array()
  for await (const chunk of chunks(body)) {
    if (all.length + chunk.length > most) throw fault.garbled(`an answer is longer than ${most} bytes`)
    all = concat(all, chunk)
  }
  return all
}

/** chunks are those of a body, as they come. Who stops reading ends the request. */
export async function* chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader() // async iteration of streams is missing in Safari
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    reader.cancel().catch(() => undefined) // it has ended already, as it may
  }
}

/** framesOf reads a poll's answer frame by frame, as it comes. It throws where it breaks off in a frame, and a ServerError where it is none. */
export async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerFrame> {
  let rest = new Uint8Array()
  for await (const chunk of chunks(body)) {
    rest = concat(rest, chunk)
    for (let found = next(rest); found !== undefined; found = next(rest)) {
      yield decode(rest.subarray(found.from, found.to))
      rest = rest.subarray(found.to)
    }
  }
  if (rest.length > 0) throw fault.lost('an answer broke off')
}

/** next is where the first frame of a ServerMessage stands; undefined: it isn't there whole. */
function next(data: Uint8Array): { readonly from: number; readonly to: number } | undefined {
  let length = 0
  for (let i = 0; i < data.length; i++) {
    const byte = data[i] ?? 0
    if (i === 0) {
      if (byte !== 10) throw fault.garbled('it is no ServerMessage')
      continue
    }
    length += (byte & 127) * 2 ** (7 * (i - 1))
    if (length > readLimit || i > 5) throw fault.garbled('it is no ServerMessage')
    if (byte < 128) return data.length < i + 1 + length ? undefined : { from: i + 1, to: i + 1 + length }
  }
  return undefined
}

function decode(data: Uint8Array): ServerFrame {
  try {
    return ServerFrame.decode(data)
  } catch (e) {
    throw fault.garbled(String(e))
  }
}

export function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length)
  out.set(a)
  out.set(b, a.length)
  return out
}
