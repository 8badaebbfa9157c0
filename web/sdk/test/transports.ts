import { Code, ClientMessage, ServerMessage, type Call, type ClientFrame, type Cursor, type Error as Fault, type ServerFrame, type Signal, type Want } from './frames.ts'
import { error, events, failed, replied, stopped, subscribed, welcome } from './edge.ts'
import type { SocketMaker } from '../src/edge/websocket.ts'

/** Visit is one session at a hall, whatever carries it. */
interface Visit {
  readonly kind: 'websocket' | 'sse' | 'poll'
  readonly wait: number
  readonly send: (frames: ServerFrame['frame'][]) => void
  /** Ends it: in the middle where it was cut. */
  readonly end: (cut: boolean) => void
  readonly begun: number
  readonly subs: Map<string, number>
  readonly lists: Map<string, number>
  news: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

/** Hall is a gateway in memory that plays itself, over every transport. Its topics are logs whose events have an offset and nothing else; `chat.mine/me` lists them. */
export class Hall {
  readonly heads = new Map<string, number>()
  epoch = 1
  /** Whoever follows the topic next is told so. */
  readonly stopping = new Map<string, number>()
  /** What Subscribe of a topic is answered. */
  readonly refuse = new Map<string, number>()
  /** Texts of calls, as they took place. */
  readonly done: string[] = []
  readonly #answers = new Map<number, boolean>()
  /** Code by which a call is refused; 0: none. */
  answer: (call: Call) => number = () => 0
  readonly heard: Signal[] = []
  /** How often sessions came with a token. */
  readonly tokens = new Map<string, number>()
  readonly opened = { websocket: 0, sse: 0, poll: 0 }
  /** Status by which requests to a path are refused; of 0 nothing is heard. */
  readonly blocked = new Map<string, number>()
  /** WebSockets open, and carry nothing. */
  silent = false
  /** Streams are held back. */
  buffered = false
  /** Nothing that is said gets anywhere any more, either way. */
  mute = false
  /** Of streams, in ms. */
  life = 600_000
  /** Told to all. */
  leave: Fault | undefined
  /** Frames that a visit carries to the client before it is cut; undefined: any. */
  budget: (() => number) | undefined
  readonly #visits = new Set<Visit>()
  readonly Maker: SocketMaker
  readonly #broken = new Map<Visit, Map<number, number>>()

  constructor() {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- a class within
    const hall = this
    this.Maker = class {
      readonly protocol = 'plenum.v1.proto'
      readonly bufferedAmount = 0
      binaryType = 'blob'
      onopen: (() => void) | null = null
      onmessage: ((e: { data: unknown }) => void) | null = null
      onclose: ((e: { code: number; reason: string }) => void) | null = null
      onerror = null
      #visit: Visit | undefined

      constructor() {
        setTimeout(() => {
          const status = hall.blocked.get('/edge/v1/ws')
          if (status === 0) return
          if (status !== undefined) this.onclose?.({ code: 1006, reason: '' })
          else this.onopen?.()
        }, 1)
      }

      send(data: Uint8Array): void {
        if (hall.silent || hall.mute) return
        this.#visit ??= hall.#arrive('websocket', 0, (bytes) => this.onmessage?.({ data: bytes.slice().buffer }), () => this.onclose?.({ code: 1006, reason: '' }))
        hall.#take(this.#visit, ClientMessage.decode(data).frames)
      }

      close(): void {
        if (this.#visit !== undefined) hall.#leave(this.#visit)
      }
    } as unknown as SocketMaker
  }

  /** set changes something, and has everybody hear. */
  set(change: (h: this) => void): void {
    change(this)
    for (const v of [...this.#visits]) this.#tell(v)
  }

  cut(): void {
    for (const v of [...this.#visits]) v.end(true)
  }

  readonly fetch = ((url: string, init: { body: Uint8Array; headers: Record<string, string>; signal: AbortSignal }) => {
    const { pathname, searchParams } = new URL(url)
    const status = this.blocked.get(pathname)
    if (status === 0) return Promise.reject(new TypeError('fetch failed'))
    if (status !== undefined) return Promise.resolve(new Response('no', { status }))
    init.signal.throwIfAborted()
    if (this.mute) {
      return new Promise<Response>((_, reject) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as fetch does
        init.signal.addEventListener('abort', () => { reject(init.signal.reason) })
      })
    }
    const kind = pathname.endsWith('sse') ? 'sse' : 'poll'
    let visit: Visit | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        let open = true
        const close = (cut: boolean) => {
          if (!open) return
          open = false
          if (cut) controller.error(new TypeError('terminated'))
          else controller.close()
        }
        const write = (bytes: Uint8Array) => {
          if (!open) return
          if (kind === 'poll') controller.enqueue(bytes)
          else if (!this.buffered) controller.enqueue(new TextEncoder().encode(`: x\r\n\nid: 1\ndata: ${Buffer.from(bytes).toString('base64')}\n\n`))
        }
        const v = this.#arrive(kind, Number(searchParams.get('wait') ?? 25_000), write, close)
        visit = v
        const beat = setInterval(() => {
          if (!this.#visits.has(v)) clearInterval(beat)
          else if (kind === 'sse' && open && !this.buffered && !this.mute) controller.enqueue(new TextEncoder().encode(':\n\n'))
        }, 15_000)
        init.signal.addEventListener('abort', () => {
          clearInterval(beat)
          this.#leave(v)
          close(true)
        })
        const { frames } = ClientMessage.decode(init.body)
        const [first] = frames
        if (first?.frame?.$case === 'hello') first.frame.value.token = (init.headers['Authorization'] ?? '').slice(7)
        if (frames.length > 64) throw new Error('a message beyond the limits of the protocol')
        this.#take(v, frames)
      },
      cancel: () => { if (visit !== undefined) this.#leave(visit) },
    })
    return Promise.resolve({ status: 200, body, headers: new Headers() } as Response)
  }) as unknown as typeof fetch

  #arrive(kind: Visit['kind'], wait: number, write: (bytes: Uint8Array) => void, end: (cut: boolean) => void): Visit {
    let left = this.budget?.() ?? Infinity
    const v: Visit = {
      kind, wait, begun: Date.now(), subs: new Map(), lists: new Map(), news: false, timer: undefined,
      send: (frames) => {
        if (!this.#visits.has(v) || this.mute || frames.length === 0) return
        const whole = frames.length <= left
        const some = whole ? frames : kind === 'poll' ? frames.slice(0, left) : [] // a message comes whole, or not at all
        left -= frames.length
        if (some.length > 0) write(ServerMessage.encode({ frames: some.map((frame) => ({ frame })) }).finish())
        if (!whole) v.end(true)
      },
      end: (cut) => {
        if (!this.#visits.has(v)) return
        this.#leave(v)
        end(cut)
      },
    }
    this.#visits.add(v)
    this.#broken.set(v, new Map())
    this.opened[kind]++
    const due = kind === 'sse' ? this.life : kind === 'poll' ? wait : undefined
    if (due !== undefined) v.timer = setTimeout(() => { this.#tell(v) }, due)
    return v
  }

  #leave(v: Visit): void {
    clearTimeout(v.timer)
    this.#visits.delete(v)
    this.#broken.delete(v)
  }

  #take(v: Visit, frames: ClientFrame[]): void {
    const out: ServerFrame['frame'][] = []
    for (const { frame } of frames) {
      switch (frame?.$case) {
        case 'hello':
          this.tokens.set(frame.value.token, (this.tokens.get(frame.value.token) ?? 0) + 1)
          out.push(welcome())
          break
        case 'subscribe':
          for (const w of frame.value.wants) out.push(...this.#subscribe(v, frame.value.id, w))
          break
        case 'unsubscribe':
          for (const topic of frame.value.topics) v.subs.delete(topic)
          break
        case 'call':
          out.push(this.#call(v, frame.value))
          break
        case 'signal':
          this.heard.push(frame.value)
          break
        case 'refresh':
          this.tokens.set(frame.value.token, (this.tokens.get(frame.value.token) ?? 0) + 1)
          out.push({ $case: 'refreshed', value: { tokenTtlMs: 600_000 } })
          break
        case 'ping':
          out.push({ $case: 'pong', value: { nonce: frame.value.nonce } })
          break
      }
    }
    v.send(out)
    this.#tell(v)
  }

  #subscribe(v: Visit, id: number, { topic, cursor }: Want): ServerFrame['frame'][] {
    if (topic === 'chat.mine/me') return this.#list(v, id, cursor)
    let code = this.refuse.get(topic) ?? 0
    if (cursor !== undefined && cursor.epoch !== this.epoch) {
      code = Code.RESET_EPOCH
      this.stopping.delete(topic) // is told
    }
    if (code !== 0) {
      v.news = true
      return [subscribed(id, { topic, error: error(code) })]
    }
    const head = { epoch: this.epoch, offset: this.heads.get(topic) ?? 0 }
    const start = cursor ?? head
    v.subs.set(topic, start.offset)
    return [subscribed(id, { topic, start, head })]
  }

  #list(v: Visit, id: number, cursor: Cursor | undefined): ServerFrame['frame'][] {
    const sum = 1000 + [...this.heads.values()].reduce((n, m) => n + m, 0)
    v.lists.set('chat.mine/me', sum)
    const begin = subscribed(id, { topic: 'chat.mine/me', start: { epoch: 0, offset: sum } })
    if (cursor?.offset === sum) return [begin]
    v.news = true
    const heads = [...this.heads].map(([topic, offset], i) => ({ topic, offset, ref: i + 1, count: offset, badge: new Uint8Array(), removed: false, calls: 0, redacted: 0, epoch: this.epoch }))
    const frame = (some: typeof heads, snapshot: boolean): ServerFrame['frame'] => ({ $case: 'heads', value: { topic: 'chat.mine/me', heads: some, snapshot } })
    return [begin, frame(heads.slice(0, 1), true), frame(heads.slice(1), false)]
  }

  /** call does what was asked for, once for each number. */
  #call(v: Visit, call: Call): ServerFrame['frame'] {
    const lanes = this.#broken.get(v) ?? new Map<number, number>()
    const first = lanes.get(call.lane)
    if (call.lane !== 0 && first !== undefined && call.clientSeq !== first) return failed(call.id, 200)
    lanes.delete(call.lane)
    if (call.clientSeq !== 0 && this.#answers.has(call.clientSeq)) return replied(call.id)
    const code = this.answer(call)
    if (code !== 0) {
      if (call.clientSeq !== 0 && code >= 200 && code < 300) lanes.set(call.lane, call.clientSeq)
      return failed(call.id, code)
    }
    this.done.push(new TextDecoder().decode(call.body))
    this.#answers.set(call.clientSeq, true)
    return replied(call.id)
  }

  /** tell says what is new, and ends what is at its end. */
  #tell(v: Visit): void {
    if (!this.#visits.has(v) || this.mute) return
    if (this.leave !== undefined) {
      v.send([{ $case: 'goodbye', value: { error: this.leave } }])
      v.end(false)
      return
    }
    for (const [topic, at] of [...v.subs]) {
      const code = this.stopping.get(topic)
      if (code !== undefined) {
        this.stopping.delete(topic)
        v.subs.delete(topic)
        v.news = true
        v.send([stopped(topic, code)])
        continue
      }
      const head = this.heads.get(topic) ?? 0
      if (head <= at) continue
      v.subs.set(topic, head)
      v.news = true
      v.send([events(topic, Array.from({ length: head - at }, (_, i) => at + 1 + i))])
    }
    const age = Date.now() - v.begun
    if (v.kind === 'sse' && age >= this.life) {
      v.send([{ $case: 'goodbye', value: { error: { ...error(Code.DRAINING, 500), reason: 'edge.ROTATED' } } }])
      v.end(false)
    } else if (v.kind === 'poll' && (v.news || v.subs.size + v.lists.size === 0 || age >= v.wait)) {
      v.end(false)
    }
  }
}
