import { vi } from 'vitest'
import { Connection, type Options } from '../src/edge/connection.ts'
import { webSocket, type SocketMaker } from '../src/edge/websocket.ts'
import type { ServerError } from '../src/errors.ts'
import { ClientMessage, Code, ServerMessage, type ClientFrame, type Event, type Limits, type ServerFrame, type Subscription } from './frames.ts'
import type { Outbox, State, Update } from '../src/session.ts'

type Of<F extends { frame: unknown }, C> = Extract<NonNullable<F['frame']>, { $case: C }> extends { value: infer V } ? V : never

/** Edge is a gateway in memory that a test plays frame by frame. */
export class Edge {
  readonly peers: Peer[] = []
  /** When it was dialled. */
  readonly dials: number[] = []
  /** Connections are refused. */
  down = false
  readonly Maker: SocketMaker

  constructor() {
    const arrive = (peer: Peer) => {
      this.dials.push(Date.now())
      this.peers.push(peer)
      setTimeout(() => {
        if (this.down) peer.hangUp(1006)
        else peer.open()
      }, 1)
    }
    this.Maker = class extends Peer {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        arrive(this)
      }
    } as unknown as SocketMaker
  }

  get last(): Peer {
    const peer = this.peers.at(-1)
    if (peer === undefined) throw new Error('nobody has dialled')
    return peer
  }
}

/** Peer is the gateway's end of a WebSocket, and the client's. */
export class Peer {
  readonly url: string
  readonly protocols: string[]
  protocol = 'plenum.v1.proto'
  binaryType = 'blob'
  bufferedAmount = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onerror: (() => void) | null = null
  /** What came, message by message, and how many frames of them were taken. */
  readonly messages: ClientFrame[][] = []
  #taken = 0
  /** The client has closed it. */
  closed = false

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.protocols = protocols
  }

  send(data: Uint8Array): void {
    const { frames } = ClientMessage.decode(data)
    const most = this.messages.length === 0 && frames.length > 1 ? 64 << 10 : (1 << 20) + (64 << 10)
    if (frames.length === 0 || frames.length > 64 || data.length > most) throw new Error('a message beyond the limits of the protocol')
    this.messages.push(frames)
  }

  close(): void {
    this.closed = true
  }

  open(): void {
    this.onopen?.()
  }

  hangUp(code: number, reason = ''): void {
    this.onclose?.({ code, reason })
  }

  data(data: unknown): void {
    this.onmessage?.({ data })
  }

  say(...frames: ServerFrame['frame'][]): void {
    const bytes = ServerMessage.encode({ frames: frames.map((frame) => ({ frame })) }).finish()
    this.data(bytes.slice().buffer)
  }

  /** rest takes what came and was not taken. */
  rest(): NonNullable<ClientFrame['frame']>[] {
    const all = this.messages.flat().flatMap(({ frame }) => frame ?? [])
    const rest = all.slice(this.#taken)
    this.#taken = all.length
    return rest
  }

  /** take takes what came, of one kind, and forgets what else did. */
  take<C extends NonNullable<ClientFrame['frame']>['$case']>(kind: C): Of<ClientFrame, C>[] {
    return this.rest().flatMap((frame) => (frame.$case === kind ? [frame.value as Of<ClientFrame, C>] : []))
  }
}

/** rest waits until all is done that needs no time. */
export async function rest(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

/** Tokens counts, and gives token-1, token-2, … */
export class Tokens {
  readonly asked: (string | undefined)[] = []
  fail: unknown
  #n = 1

  token(stale?: string): Promise<string> {
    this.asked.push(stale)
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a source may throw anything
    if (this.fail !== undefined) return Promise.reject(this.fail)
    if (stale === `token-${this.#n}`) this.#n++
    return Promise.resolve(`token-${this.#n}`)
  }
}

/** Start is a connection that was opened to an edge. */
export interface Start {
  readonly edge: Edge
  readonly connection: Connection
  readonly tokens: Tokens
  readonly states: State[]
  /** Event.mutation of what was settled. */
  readonly settled: string[]
}

/** start opens a connection whose waits are half of what they may be at most. Its tokens' source fails as it is told. */
export function start(options: Partial<Options> = {}, fail?: unknown): Start {
  const edge = new Edge()
  const tokens = new Tokens()
  tokens.fail = fail
  const settled: string[] = []
  let number = 0
  const outbox = { clientId: 'q83vEjRWeJCrze8SNFZ4kA', number: () => Promise.resolve(++number), settle: (m: string) => settled.push(m) } as unknown as Outbox
  const connection = new Connection({ server: 'http://edge', tokens, outbox, sessionId: 'session', agent: 'test/1', dial: webSocket('http://edge', edge.Maker), random: () => 0.5, ...options })
  const states: State[] = []
  connection.onState((s) => states.push(s))
  connection.open()
  return { edge, connection, tokens, states, settled }
}

/** login answers the Hello of the newest line. */
export async function login(edge: Edge, limits: Partial<Limits> = {}): Promise<Peer> {
  await rest(1)
  edge.last.say(welcome(limits))
  await rest()
  return edge.last
}

export function welcome(limits: Partial<Limits> = {}, tokenTtlMs = 600_000): ServerFrame['frame'] {
  const all = { messageBytes: 1_114_112, calls: 32, subscriptions: 200, heads: 5000, signalsPerS: 20, queueBytes: 262_144, replayBytes: 1 << 20, ...limits }
  return { $case: 'welcome', value: { features: [], heartbeatMs: 25_000, tokenTtlMs, serverTimeMs: Date.now() + 1234, limits: all, connectionId: 'c' } }
}

export function error(code: number, retryAfterMs = 0) {
  return { code: code as Code, reason: '', message: '', retryAfterMs, field: '' }
}

export function goodbye(code: number, retryAfterMs = 0): ServerFrame['frame'] {
  return { $case: 'goodbye', value: { error: error(code, retryAfterMs) } }
}

export function replied(id: number, body: Uint8Array = new Uint8Array()): ServerFrame['frame'] {
  return { $case: 'reply', value: { id, result: { $case: 'body', value: body } } }
}

export function failed(id: number, code: number, retryAfterMs = 0): ServerFrame['frame'] {
  return { $case: 'reply', value: { id, result: { $case: 'error', value: error(code, retryAfterMs) } } }
}

export function subscribed(id: number, ...subscriptions: (Partial<Subscription> & { topic: string })[]): ServerFrame['frame'] {
  return { $case: 'subscribed', value: { id, subscriptions: subscriptions.map((s) => ({ start: undefined, head: undefined, error: undefined, ...s })) } }
}

export function event(offset: number, mutation = '0'): Event {
  return { offset, body: new Uint8Array(), timeMs: 0, mutation }
}

export function events(topic: string, offsets: readonly number[], more: { after?: number; upto?: number } = {}): ServerFrame['frame'] {
  return { $case: 'events', value: { topic, events: offsets.map((o) => event(o)), upto: 0, ...more } }
}

export function stopped(topic: string, code: number, retryAfterMs = 0): ServerFrame['frame'] {
  return { $case: 'stopped', value: { topics: [topic], error: error(code, retryAfterMs) } }
}

/** say is an update in a few words: "live", "1,2,3@3", "reset 321". */
export function say(u: Update): string {
  switch (u.kind) {
    case 'events':
      return `${u.events.map(({ offset }) => offset).join()}@${u.cursor.offset}`
    case 'reset':
    case 'ended':
      return `${u.kind} ${u.cause.code}`
    case 'heads':
    case 'view': {
      const all = u.kind === 'heads' ? u.heads.map((h) => `${h.topic}=${h.epoch}:${h.offset}${h.removed ? '-' : ''}`) : u.entries.map((e) => e.key + (e.removed ? '-' : ''))
      return `${u.kind}${u.snapshot ? '!' : ''} ${all.join()}@${u.cursor?.offset ?? ''}${u.kind === 'view' && u.stale ? '?' : ''}`
    }
    default:
      return u.kind
  }
}

/** outcome is what a promise came to, once it has. */
export function outcome(promise: Promise<unknown>): { value?: unknown; error?: ServerError } {
  const o: { value?: unknown; error?: ServerError } = {}
  promise.then((value) => { o.value = value ?? null }, (e: unknown) => { o.error = e as ServerError })
  return o
}
