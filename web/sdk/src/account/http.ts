import { Code, ServerError } from '../errors.ts'
import { encode, type Method } from '../method.ts'
import { refusal } from '../refusal.ts'

/** Answers of more bytes are not read. */
const maxReply = 16 << 20

/** Fetch is `fetch`, as far as it is needed. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpOptions {
  /** "https://plenum.example.com"; '' is the page's own. */
  readonly server: string
  /** The access token; absent: the method is public. */
  readonly token?: string
  /** Of a change: the installation's client_id, and the number of the call. */
  readonly change?: { readonly clientId: string; readonly seq: number }
  readonly signal?: AbortSignal
  /** How long it may take, in ms; 30 s where it isn't said. */
  readonly timeoutMs?: number
  readonly fetch?: Fetch
}

/**
 * callHttp calls a method by POST, as the Connect protocol has it (PROTOCOL.md §3): what is needed before there is a connection. It is not repeated. It
 * rejects with a ServerError: the server's; 200 `client.UNREACHABLE`, of a read; 201 `client.LOST`, of others, which may have taken place; 200
 * `client.AWAY` or `client.HTTP_STATUS` where something else answered. An aborted one rejects with the signal's reason.
 */
export async function callHttp<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options: HttpOptions): Promise<A> {
  const { timeoutMs = 30_000, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  const init: RequestInit = {
    method: 'POST',
    headers: headers(options, timeoutMs),
    body: encode(method.request, request) as Uint8Array<ArrayBuffer>,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error', // what is sent may be a password
    referrerPolicy: 'no-referrer',
  }
  let response: Response
  let body: Uint8Array
  try {
    response = await (options.fetch ?? fetch)(`${options.server.replace(/\/+$/, '')}/${method.name}`, init)
    body = await read(response)
  } catch (e) {
    signal?.throwIfAborted()
    throw e instanceof ServerError ? e : unheard(method.kind)
  }
  if (response.status !== 200) throw refusal(response, new TextDecoder().decode(body))
  if (response.headers.get('Content-Type') !== 'application/proto') throw refusal(response, '') // a page of the network's own, say
  return method.response.decode(body)
}

function headers({ token, change }: HttpOptions, timeoutMs: number): Record<string, string> {
  return {
    'Content-Type': 'application/proto',
    'Connect-Protocol-Version': '1',
    'Connect-Timeout-Ms': String(timeoutMs),
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(change !== undefined && { 'Plenum-Client-Id': change.clientId, 'Plenum-Client-Seq': String(change.seq) }),
  }
}

/** read reads an answer, up to `maxReply`. */
async function read(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    parts.push(part.value)
    length += part.value.length
    if (length <= maxReply) continue
    await reader?.cancel()
    throw refusal(response, '')
  }
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

const unheard = (kind: Method<unknown, unknown>['kind']) =>
  kind === 'read'
    ? new ServerError(Code.UNAVAILABLE, 'client.UNREACHABLE', "The server can't be reached. Look whether you are online, then try again.")
    : new ServerError(Code.OUTCOME_UNKNOWN, 'client.LOST', "The server can't be reached, or its answer was lost. Look whether you are online, then try again.")
