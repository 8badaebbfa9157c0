import { Code, ServerError } from '../errors.ts'
import { newId } from '../id.ts'
import type { Method } from '../method.ts'
import type { ClientFrame, ServerFrame, Welcome } from '../proto/plenum/edge/v1/edge.ts'
import type { CallOptions, FollowOptions, Following, Outbox, Session, State, Update } from '../session.ts'
import { Backoff } from './backoff.ts'
import { Calls, type Out } from './calls.ts'
import type { Dependencies } from './causal.ts'
import { Alarm, system, type Clock } from './clock.ts'
import * as fault from './fault.ts'
import { tell } from '../tell.ts'
import { activeGap, dialBy, maxAgent, pongBy, refreshAgain, refreshBefore, silence, welcomeBy } from './limits.ts'
import type { Fetch } from './http.ts'
import { anyTransport } from './ladder.ts'
import type { Dialer, Line } from './line.ts'
import { ask, type TokenSource } from './token.ts'
import { Topics } from './topics.ts'
import type { SocketMaker } from './websocket.ts'
import type { Wire } from './wire.ts'

/** Options say where to connect, as whom, and what to keep. */
export interface Options {
  /** The address of a gateway, "https://plenum.example.com" or "http://127.0.0.1:8080"; '' is the page's own. */
  readonly server: string
  readonly tokens: TokenSource
  /** What waits to be sent, and the numbers of all changes. */
  readonly outbox: Outbox
  /** Names this browser profile, or run of the program, over reconnects: 22 characters as `clientId`. Absent: random. */
  readonly sessionId?: string
  /** Told to the server: "mine/1.0", at most 64 bytes. */
  readonly agent?: string
  /** For how long the person has done nothing, in ms. Absent: they are at it. */
  readonly idle?: number
  /** Reads the causal context out of an event. Absent: none is held back. */
  readonly dependencies?: Dependencies
  /** Opens lines. Absent: over the best transport that gets through, with the two below. */
  readonly dial?: Dialer
  /** Absent: those of this page or worker. Without a WebSocket it is server-sent events or polls. */
  readonly WebSocket?: SocketMaker
  readonly fetch?: Fetch
  readonly clock?: Clock
  /** From 0 to less than 1. */
  readonly random?: () => number
}

/** Connection is a session with the server that this page or worker keeps by itself. It does nothing before `open`. */
export class Connection implements Session, Wire {
  readonly outbox: Outbox
  readonly #server: string
  readonly #tokens: TokenSource
  readonly #sessionId: string
  readonly #agent: string
  readonly #dial: Dialer
  readonly #clock: Clock
  readonly #random: () => number
  readonly #calls: Calls
  readonly #topics: Topics
  readonly #states = new Set<(state: State) => void>()
  readonly #ups = new Set<(up: boolean) => void>()
  #state: State
  /** After `close`, or once there is no use in going on. */
  #over = false

  /** Invariant: one at most of #line (dialled, or open), #dialling (a token is waited for) and a wait of #redial is there. */
  #line: Line | undefined
  #dialling = false
  #up = false
  #welcomed = false
  #since = 0
  /** Not before this is dialled again, whoever asks: the server has said so. */
  #notBefore = 0
  readonly #redial: Alarm
  readonly #backoff: Backoff
  /** Frames of the next message. */
  #frames: ClientFrame[] = []
  #flushing = false
  #nextId = 0

  /** Rings where the other side has been silent for too long: while dialling, before Welcome, before a Ping, before its Pong. */
  readonly #watch: Alarm
  #pinged: number | undefined
  /** Bytes that waited to be sent as it was asked last. */
  #waited = 0
  /** When the person did something last, and when the server was told so. */
  #used: number
  #told = -Infinity

  #token = ''
  /** A token that is no use any more. */
  #stale = ''
  /** Refusals of tokens, one after the other. */
  #refused = 0
  /** The line for which a new one is being got. */
  #refreshing: Line | undefined
  readonly #refresh: Alarm

  /** It throws a RangeError where an option can't be used. */
  constructor(options: Options) {
    const { server, tokens, outbox, clock = system, random = Math.random, agent = '' } = options
    const url = new URL(server === '' ? location.origin : server)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new RangeError(`server ${server}: write it as https://host or http://host:port`)
    if (new TextEncoder().encode(agent).length > maxAgent) throw new RangeError(`agent ${agent}: at most ${maxAgent} bytes`)
    this.#server = url.origin
    this.#tokens = tokens
    this.outbox = outbox
    this.#sessionId = options.sessionId ?? newId()
    this.#agent = agent
    const { fetch = globalThis.fetch.bind(globalThis), WebSocket: Maker = globalThis.WebSocket } = options
    this.#dial = options.dial ?? anyTransport({ server: this.#server, fetch, clock }, Maker)
    this.#clock = clock
    this.#random = random
    this.#backoff = new Backoff(random)
    this.#used = clock.now() - Math.max(0, options.idle ?? 0)
    this.#redial = new Alarm(clock, () => { this.#begin() })
    this.#watch = new Alarm(clock, () => { this.#silent() })
    this.#refresh = new Alarm(clock, () => { this.#renew() })
    this.#state = { kind: 'connecting', since: clock.now() }
    const self = this as { readonly up: boolean }
    const waiting = () => this.#line?.waiting ?? 0
    const out: Out = {
      clock,
      random,
      get up() { return self.up },
      get waiting() { return waiting() },
      send: (frame) => { this.#send(frame) },
      wake: () => { this.#wake() },
      end: (why) => { this.#lost(why) },
      stale: () => { this.#renew() },
      id: () => this.#id(),
    }
    this.#calls = new Calls(out, () => outbox.number())
    this.#topics = new Topics(out, (mutation) => { outbox.settle(mutation) }, options.dependencies)
  }

  /** open begins to connect, and stays connected until `close`. */
  open(): void {
    if (!this.#over && this.#line === undefined && !this.#dialling) this.#begin()
  }

  get state(): State {
    return this.#state
  }

  get up(): boolean {
    return this.#up
  }

  /** Events that were shown before what they depend on had come. */
  get violations(): number {
    return this.#topics.violations
  }

  onState(listener: (state: State) => void): () => void {
    return register(this.#states, listener)
  }

  onUp(listener: (up: boolean) => void): () => void {
    return register(this.#ups, listener)
  }

  call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options?: CallOptions): Promise<A> {
    return this.#calls.call(method, request, options)
  }

  send(c: Parameters<Wire['send']>[0]): Promise<Uint8Array> {
    return this.#calls.wire(c)
  }

  follow(topic: string, told: (update: Update) => void, options: FollowOptions = {}): Following {
    return this.#topics.follow(topic, told, options)
  }

  active(): void {
    this.#used = this.#clock.now()
    if (this.#welcomed && Math.abs(this.#used - this.#told) >= activeGap) this.#ping(true) // a clock may be set back
  }

  probe(): void {
    if (this.#over) return
    if (this.#welcomed) {
      if (this.#pinged === undefined) this.#ping(false)
    } else if (this.#state.kind === 'offline' && this.#line === undefined && !this.#dialling && this.#clock.now() >= this.#notBefore) {
      this.#begin()
    }
  }

  close(): void {
    this.#flush() // what was said before
    this.#states.clear()
    this.#topics.close()
    const cause = new ServerError(Code.UNAVAILABLE, 'client.CLOSED', 'The session was closed.')
    if (!this.#over) this.#end(cause)
    this.#ups.clear() // not before: the outbox has to hear that nothing is taken any more
    if (this.#state.kind === 'online' || this.#state.kind === 'connecting') this.#state = { kind: 'offline', since: this.#clock.now(), retryAt: Infinity, cause }
  }

  /** end is for good. */
  #end(why: ServerError): void {
    this.#over = true
    this.#dialling = false
    this.#hangUp(false)
    this.#redial.clear()
    this.#calls.end(why)
  }

  /** begin gets a token, then a line. */
  #begin(): void {
    this.#redial.clear()
    this.#dialling = true
    this.#setState({ kind: 'connecting', since: this.#clock.now() })
    ask(this.#tokens, this.#stale, this.#clock, dialBy).then(
      (token) => {
        if (this.#over) return
        this.#dialling = false
        this.#token = token
        this.#open()
      },
      (e: unknown) => {
        if (this.#over) return
        this.#dialling = false
        this.#failed(e as ServerError, true)
      },
    )
  }

  #open(): void {
    const mine = () => line !== undefined && this.#line === line
    let line: Line | undefined
    try {
      line = this.#dial({
        opened: () => { if (mine()) this.#opened() },
        heard: (frames) => { if (mine()) this.#heard(frames) },
        closed: (why) => { if (mine()) this.#lost(why) },
      })
    } catch {
      this.#failed(fault.unreachable(this.#server), false)
      return
    }
    this.#line = line
    this.#since = this.#clock.now()
    this.#watch.set(dialBy)
  }

  /** opened begins a session on a new line: Hello, all subscriptions and all calls that wait go out at once. */
  #opened(): void {
    const now = this.#clock.now()
    this.#since = now
    this.#up = true
    this.#watch.set(welcomeBy)
    const idleS = Math.min(2 ** 32 - 1, Math.floor(Math.max(0, now - this.#used) / 1000))
    this.#send({ $case: 'hello', value: { token: this.#token, clientId: this.outbox.clientId, sessionId: this.#sessionId, features: [], agent: this.#agent, idleS } })
    this.#topics.up()
    this.#topics.flush()
    this.#calls.up()
    for (const listener of [...this.#ups]) tell(listener, true)
  }

  #heard(frames: readonly ServerFrame[]): void {
    const line = this.#line
    // What was on its way before the Ping says nothing of the line, but the Pong is behind it. Where requests are answered there is none: any answer is one.
    if (this.#pinged !== undefined && line?.transport === 'websocket' && !frames.some(({ frame }) => frame?.$case === 'pong')) {
      this.#await()
    } else {
      this.#pinged = undefined
      if (this.#welcomed) this.#watch.set(silence)
    }
    for (const { frame } of frames) {
      if (this.#line !== line) return // it ended with a frame before
      if (frame !== undefined) this.#take(frame)
    }
    if (this.#line === line) this.#topics.whole() // the frames of a list are in one message
  }

  #take(frame: NonNullable<ServerFrame['frame']>): void {
    this.#topics.whole(frame.$case === 'heads' ? frame.value.topic : '')
    if (this.#over) return // a listener has closed the session
    switch (frame.$case) {
      case 'welcome':
        this.#welcome(frame.value)
        break
      case 'reply':
        this.#calls.reply(frame.value)
        break
      case 'subscribed':
        this.#topics.subscribed(frame.value)
        break
      case 'events':
        this.#topics.events(frame.value)
        break
      case 'heads':
        this.#topics.heads(frame.value)
        break
      case 'view':
        this.#topics.view(frame.value)
        break
      case 'stopped':
        this.#topics.stopped(frame.value)
        break
      case 'signal':
        this.#topics.signalled(frame.value)
        break
      case 'refreshed':
        this.#validFor(frame.value.tokenTtlMs)
        break
      case 'goodbye':
        this.#lost(fault.of(frame.value.error), !this.#welcomed)
        break
      case 'ping':
        this.#send({ $case: 'pong', value: { nonce: frame.value.nonce } })
        break
      case 'pong': // heard has it
        break
    }
  }

  #welcome({ tokenTtlMs, serverTimeMs, limits }: Welcome): void {
    const line = this.#line
    if (line === undefined || this.#welcomed) return
    this.#welcomed = true
    this.#refused = 0
    this.#stale = ''
    this.#notBefore = 0
    this.#watch.set(silence)
    this.#validFor(tokenTtlMs)
    const now = this.#clock.now()
    this.#setState({ kind: 'online', since: now, transport: line.transport, skew: serverTimeMs === 0 ? 0 : serverTimeMs - now })
    this.#topics.limit(limits?.signalsPerS ?? 0)
    this.#calls.limit(limits?.calls ?? 0, limits?.messageBytes ?? 0)
  }

  /** silent ends a line on which too little was heard, or asks for a word. */
  #silent(): void {
    if (this.#welcomed && this.#pinged === undefined) {
      this.#ping(false)
    } else if (this.#pinged !== undefined && this.#clock.now() - this.#pinged > 2 * pongBy) {
      this.#pinged = undefined // the page was asleep, and what has come meanwhile is behind this: ask anew
      this.#ping(false)
    } else if (this.#pinged !== undefined && (this.#line?.waiting ?? 0) < this.#waited) {
      this.#await() // the Ping is behind something long, which gets on
    } else {
      const why = this.#welcomed ? 'no answer to a Ping' : this.#up ? 'no Welcome came' : 'it did not open'
      this.#lost(this.#up ? fault.lost(why) : fault.unreachable(this.#server))
    }
  }

  #ping(active: boolean): void {
    if (this.#pinged === undefined) { // else an earlier one waits for its answer
      this.#await()
    }
    this.#send({ $case: 'ping', value: { nonce: Math.floor(this.#random() * 2 ** 32), active } })
  }

  /** await has a Pong come in time. */
  #await(): void {
    this.#pinged = this.#clock.now()
    this.#waited = this.#line?.waiting ?? 0
    this.#watch.set(pongBy)
  }

  #id(): number {
    this.#nextId = this.#nextId >= 2 ** 32 - 1 ? 1 : this.#nextId + 1
    return this.#nextId
  }

  #send(frame: ClientFrame['frame']): void {
    if (!this.#up) return
    if ((frame?.$case === 'call' && frame.value.clientSeq !== 0) || frame?.$case === 'signal' || (frame?.$case === 'ping' && frame.value.active)) {
      this.#used = this.#told = this.#clock.now() // the person is at it
    }
    this.#frames.push({ frame })
    this.#wake()
  }

  /** wake has what is said by the code that runs now go out in one message. */
  #wake(): void {
    if (this.#flushing || !this.#up) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (!this.#up) return
    this.#topics.flush()
    const frames = this.#frames
    this.#frames = []
    if (frames.length > 0) this.#line?.send(frames)
  }

  /** hangUp ends the line, and what belongs to it. It returns whether it was up. */
  #hangUp(refused: boolean): void {
    this.#line?.close()
    this.#line = undefined
    this.#watch.clear()
    this.#refresh.clear()
    this.#frames = []
    this.#pinged = undefined
    this.#welcomed = false
    if (!this.#up) return
    this.#up = false
    this.#calls.down(refused)
    this.#topics.down()
    for (const listener of [...this.#ups]) tell(listener, false)
  }

  /** lost decides what follows the end of a line. `refused`: the server has taken nothing that was sent. */
  #lost(why: ServerError, refused = false): void {
    if (this.#line === undefined) return
    if (this.#welcomed) this.#backoff.served(this.#clock.now() - this.#since)
    this.#hangUp(refused)
    if (!this.#over) this.#failed(why, false) // else a listener has closed the session
  }

  /** failed plans the next attempt, if there is any use in one. */
  #failed(cause: ServerError, ofTokens: boolean): void {
    const course = fault.courseOf(cause.code)
    if (course === 'token') this.#refused++
    // A new token that is refused, too, is no better than a source that has none.
    if (course === 'wipe' || course === 'stop' || this.#refused > 1 || (ofTokens && fault.final(cause.code))) {
      this.#stop(cause)
      return
    }
    if (course === 'token') {
      this.#stale = this.#token
      this.#backoff.reset()
    }
    const now = this.#clock.now()
    const wait = this.#backoff.next(cause.retryAfterMs)
    this.#notBefore = now + cause.retryAfterMs
    this.#redial.set(wait)
    this.#setState({ kind: 'offline', since: now, retryAt: now + wait, cause })
  }

  /** stop says that there is no use in going on. */
  #stop(cause: ServerError): void {
    const course = fault.courseOf(cause.code)
    this.#end(cause)
    this.#setState({ kind: course === 'wipe' ? 'wiped' : course === 'stop' ? 'outdated' : 'signed-out', since: this.#clock.now(), cause })
  }

  /** renew gets another token, in mid-connection. */
  #renew(): void {
    const line = this.#line
    if (!this.#up || line === undefined || this.#refreshing === line) return
    this.#refreshing = line
    this.#refresh.clear()
    const came = (then: () => void) => {
      if (this.#refreshing === line) this.#refreshing = undefined
      if (this.#line === line) then() // else the next line has begun with a token of its own
    }
    ask(this.#tokens, this.#token, this.#clock, dialBy).then(
      (token) => {
        came(() => {
          this.#token = token
          this.#send({ $case: 'refresh', value: { token } })
        })
      },
      (e: unknown) => {
        came(() => {
          const cause = e as ServerError
          if (fault.final(cause.code)) this.#stop(cause)
          else this.#refresh.set(refreshAgain)
        })
      },
    )
  }

  /** validFor notes the token's rest of life. The refresh is spread a little, so that a crowd that signed in together doesn't refresh together. */
  #validFor(ms: number): void {
    this.#refresh.set(Math.max(ms - refreshBefore, ms / 2, 1000) - this.#random() * Math.min(ms / 20, refreshBefore / 2))
  }

  #setState(state: State): void {
    this.#state = state
    for (const listener of [...this.#states]) tell(listener, state)
  }
}

/** register adds a listener, and returns what takes it away. Twice the same one is two. */
function register<T>(listeners: Set<(what: T) => void>, listener: (what: T) => void): () => void {
  const own = (what: T) => { listener(what) }
  listeners.add(own)
  return () => { listeners.delete(own) }
}
