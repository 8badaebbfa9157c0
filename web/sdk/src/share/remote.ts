import { tell } from '../tell.ts'
import { Code, ServerError } from '../errors.ts'
import { errorOf } from '../fault.ts'
import { encode, type Method } from '../method.ts'
import { newId } from '../id.ts'
import type { CallOptions, FollowOptions, Following, Outbox, Pending, PutOptions, Session, State, Update } from '../session.ts'
import { whole, type Ask, type ToHost, type ToTab } from './messages.ts'
import type { Port } from './port.ts'
import { RemoteFollowing } from './following.ts'

/** After how long a session is opened again that could not be, in ms. */
export const openAgain = 5000

/**
 * How much a page may have asked that isn't answered yet; more is 202 `client.TOO_MANY_CALLS`. Answers that it waits for are as many as the outbox has entries. The host
 * has limits of its own, for all pages.
 */
export const mostAsks = 1000

interface Asked {
  ask: Ask
  /** It was said to the host that is there now. */
  said: boolean
  /** The installation whose number a change has under which it goes out; '': it has none. */
  numberedBy: string
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: Error) => void
}

/**
 * Remote is a session whose connection another page keeps, its host. Hosts come and go: what is followed goes on from where it was, and what was asked is
 * asked again: a change by the number that it had. What nobody knows to be safe rejects with 201 `client.LOST`: what is called once, or only online, and
 * changes of which no number was heard.
 */
export class Remote implements Session {
  readonly outbox: Outbox
  readonly #lock: string
  readonly #listeners = new Set<(state: State) => void>()
  readonly #entries = new RemoteEntries()
  readonly #asks = new Map<number, Asked>()
  readonly #followings = new Map<number, RemoteFollowing>()
  readonly #closed: () => void
  readonly #opened: (lock: string) => void
  readonly #failed: () => void
  #port: Port | undefined
  /** The host's name, once it has said something. */
  #host = ''
  /** It was said hello to, and has answered. */
  #welcomed = false
  /** There was a host. */
  #begun = false
  #clientId = ''
  #welcome: () => void = () => undefined
  #refuse: (reason: ServerError) => void = () => undefined
  #last = 0
  #state: State = { kind: 'connecting', since: Date.now() }
  #ended: ServerError | undefined
  /** Resolves once the first host has said how all stands; it rejects where there can be none. */
  readonly ready: Promise<void>

  /**
   * `lock` is the Web Lock that this page holds for its life; '': none. `closed` is called by close, `opened` for each host that comes, with the lock that
   * it holds, or '', `failed` where one can't open the session after another had: it is to be tried again `openAgain` later.
   */
  constructor(lock = '', closed: () => void = () => undefined, opened: (lock: string) => void = () => undefined, failed: () => void = () => undefined) {
    this.#lock = lock
    this.#closed = closed
    this.#opened = opened
    this.#failed = failed
    this.ready = new Promise((resolve, reject) => {
      this.#welcome = resolve
      this.#refuse = reject
    })
    this.ready.catch(() => undefined) // who doesn't wait for it is told by the state
    this.outbox = this.#outbox()
  }

  get state(): State {
    return this.#state
  }

  onState(listener: (state: State) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** attach listens on another port. What is at its other end says that it is there. */
  attach(port: Port): void {
    this.#port?.close()
    this.#port = port
    this.#host = ''
    this.#welcomed = false
    port.onmessage = ({ data }) => { if (port === this.#port) this.#heard(data as ToTab) }
  }

  /** unreachable tells that nobody is at the other end of a port, if nobody has said anything. */
  unreachable(port: Port, reason: ServerError): void {
    if (port === this.#port && this.#host === '') this.refuse(reason)
  }

  /** refuse tells that there is no session to be had, for now where there was one. */
  refuse(reason: ServerError): void {
    this.#refuse(reason)
    if (!this.#begun || this.#ended !== undefined) return
    for (const following of this.#followings.values()) following.pause()
    const since = Date.now()
    this.#stands({ kind: 'offline', since, retryAt: since + openAgain, cause: reason })
    this.#failed()
  }

  call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options: CallOptions = {}): Promise<A> {
    const { signal, onlyOnline = false, seq } = options
    const body = encode(method.request, request)
    const done = this.#ask({ kind: 'call', method: method.name, how: method.kind, body, onlyOnline, ...(seq !== undefined && { seq }) }, signal)
    return done.then((value) => method.response.decode(value as Uint8Array))
  }

  follow(topic: string, told: (update: Update) => void, options: FollowOptions = {}): Following {
    const id = ++this.#last
    const following = new RemoteFollowing(id, topic, options, told, (message) => this.#say(message), () => this.#followings.delete(id))
    this.#followings.set(id, following)
    following.begin()
    return following
  }

  active(): void {
    this.#say({ kind: 'active' })
  }

  probe(): void {
    this.#say({ kind: 'probe' })
  }

  /** close ends this page's part; the host goes on for the others. */
  close(): void {
    if (this.#ended !== undefined) return
    this.#say({ kind: 'bye' })
    this.#ended = new ServerError(Code.UNAVAILABLE, 'client.CLOSED', 'This session was closed.')
    for (const { reject } of this.#asks.values()) reject(this.#ended)
    this.#asks.clear()
    this.#followings.clear()
    this.#listeners.clear()
    this.#entries.end()
    this.#port?.close()
    this.#port = undefined
    this.#closed()
  }

  #outbox(): Outbox {
    const entries = this.#entries
    const clientId = () => this.#clientId
    const ask = (a: Ask) => this.#ask(a)
    const say = (m: ToHost) => { this.#say(m) }
    return {
      get clientId() {
        return clientId()
      },
      get entries() {
        return entries.all
      },
      onChange: (listener) => entries.onChange(listener),
      async put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, { lane, note, key = newId() }: PutOptions) {
        if (method.kind !== 'change') throw new TypeError(`${method.name} is no change that may be repeated, so it can't wait in the outbox`)
        return (await ask({ kind: 'put', method: method.name, body: encode(method.request, request), lane, note: structuredClone(note), key })) as number
      },
      async answer<A>(seq: number, method: Method<unknown, A>) {
        const reply = (await ask({ kind: 'answer', seq })) as Uint8Array | undefined
        return reply === undefined ? undefined : method.response.decode(reply)
      },
      async retry(seq) {
        await ask({ kind: 'retry', seq })
      },
      async drop(seq) {
        return (await ask({ kind: 'drop', seq })) as boolean
      },
      async number() {
        return (await ask({ kind: 'number' })) as number
      },
      settle(mutation) {
        if (entries.all.some((entry) => entry.mutation === mutation)) say({ kind: 'settle', mutation })
      },
    }
  }

  #ask(ask: Ask, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended
      signal?.throwIfAborted()
      if (ask.kind !== 'answer' && this.#waiting() >= mostAsks) throw new ServerError(Code.TOO_MANY_CALLS, 'client.TOO_MANY_CALLS', `${mostAsks} calls are under way. Wait for one to end.`)
      const id = ++this.#last
      const abort = () => {
        if (!this.#asks.delete(id)) return
        this.#say({ kind: 'abort', id })
        reject(signal?.reason as Error)
      }
      const end = () => { signal?.removeEventListener('abort', abort) }
      signal?.addEventListener('abort', abort)
      const asked: Asked = {
        ask,
        said: false,
        numberedBy: '',
        resolve: (value) => {
          end()
          resolve(value)
        },
        reject: (reason) => {
          end()
          reject(reason)
        },
      }
      this.#asks.set(id, asked)
      if (this.#welcomed) this.#sayAsk(id, asked)
    })
  }

  /** waiting counts what was asked, but for answers of the outbox. */
  #waiting(): number {
    let n = 0
    for (const { ask } of this.#asks.values()) if (ask.kind !== 'answer') n++
    return n
  }

  #sayAsk(id: number, asked: Asked): void {
    asked.said = true
    this.#say({ kind: 'ask', id, ask: asked.ask })
  }

  /** say says something to the host that is there. It returns whether one is. */
  #say(message: ToHost): boolean {
    const there = this.#welcomed || message.kind === 'hello' || message.kind === 'bye'
    if (there) this.#port?.postMessage(message)
    return there
  }

  #heard(m: ToTab): void {
    if (this.#ended !== undefined) return
    switch (m.kind) {
      case 'open':
        if (m.host === this.#host) break
        this.#host = m.host
        this.#opened(m.lock)
        this.#hello()
        break
      case 'gone':
        this.#hello()
        break
      case 'unopened':
        this.refuse(errorOf(m.fault))
        break
      case 'welcome':
        this.#welcomes(m)
        break
      case 'state':
        this.#stands(whole<State>(m.state))
        break
      case 'outbox':
        this.#entries.change(m.put.map((p) => whole<Pending>(p)), m.remove)
        break
      case 'numbered': {
        const asked = this.#asks.get(m.id)
        if (asked?.ask.kind !== 'call') break
        asked.ask = { ...asked.ask, seq: m.seq }
        asked.numberedBy = this.#clientId
        break
      }
      case 'reply':
        this.#take(m.id)?.resolve(m.value)
        break
      case 'failed':
        this.#take(m.id)?.reject(errorOf(m.fault))
        break
      case 'update':
        this.#followings.get(m.id)?.hear(whole<Update>(m.update))
        break
      case 'alive':
        this.#say({ kind: 'alive' })
    }
  }

  /** hello begins with a host: what the last one had under way is lost, or asked again. */
  #hello(): void {
    this.#welcomed = false
    for (const [id, asked] of this.#asks) {
      if (!asked.said) continue
      asked.said = false
      const { ask } = asked
      if (ask.kind !== 'call' || ask.how === 'read') continue
      if (ask.how === 'once' || ask.onlyOnline || asked.numberedBy === '') this.#take(id)?.reject(lost())
    }
    for (const following of this.#followings.values()) following.pause()
    if (this.#state.kind === 'online') this.#stands({ kind: 'connecting', since: Date.now() })
    this.#say({ kind: 'hello', lock: this.#lock })
  }

  #welcomes({ clientId, state, entries }: Extract<ToTab, { kind: 'welcome' }>): void {
    this.#welcomed = true
    this.#begun = true
    this.#clientId = clientId
    this.#entries.begin(entries.map((p) => whole<Pending>(p)))
    this.#stands(whole<State>(state))
    for (const following of this.#followings.values()) following.begin()
    for (const [id, asked] of this.#asks) {
      if (asked.numberedBy !== '' && asked.numberedBy !== clientId) this.#take(id)?.reject(lost())
      else this.#sayAsk(id, asked)
    }
    this.#welcome()
  }

  #stands(state: State): void {
    this.#state = state
    for (const listener of [...this.#listeners]) tell(listener, state)
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asks.get(id)
    this.#asks.delete(id)
    return asked
  }
}

const lost = () => new ServerError(Code.OUTCOME_UNKNOWN, 'client.LOST', 'The page that kept the connection was closed before the answer came; it may have taken place.')

/** RemoteEntries is what a tab knows of the outbox. */
class RemoteEntries {
  #entries = new Map<number, Pending>()
  #all: readonly Pending[] | undefined
  readonly #listeners = new Set<(entries: readonly Pending[]) => void>()

  get all(): readonly Pending[] {
    return (this.#all ??= [...this.#entries.values()])
  }

  onChange(listener: (entries: readonly Pending[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  begin(entries: readonly Pending[]): void {
    this.#entries = new Map(entries.map((entry) => [entry.seq, entry]))
    this.#tell()
  }

  change(put: readonly Pending[], remove: readonly number[]): void {
    for (const seq of remove) this.#entries.delete(seq)
    for (const entry of put) this.#entries.set(entry.seq, entry) // numbers grow: a new one is the last
    this.#tell()
  }

  end(): void {
    this.#listeners.clear()
  }

  #tell(): void {
    this.#all = undefined
    for (const listener of [...this.#listeners]) tell(listener, this.all)
  }
}
