import { ServerError } from '../src/errors.ts'
import { encode, message, type Method } from '../src/method.ts'
import { changeOf } from '../src/chat/outgoing.ts'
import {
  Badge, Channel, ChannelKind, Draft, Marker, Mine, MyChannel, UserEvent, type GetMessagesRequest, type HistoryRequest, type SetDraftRequest,
} from '../src/proto/plenum/chat/v1/chat.ts'
import { Head, type Cursor, type Event } from '../src/proto/plenum/edge/v1/edge.ts'
import { Person } from '../src/proto/plenum/identity/v1/model.ts'
import type { CallOptions, FollowOptions, Following, Outbox, Pending, Session, State, Update } from '../src/session.ts'
import { ChannelLog } from './channel.ts'

/** Server is what sessions of tests talk to. */
export class Server {
  readonly logs = new Map<string, ChannelLog>()
  readonly user: Event[] = []
  readonly drafts = new Map<string, Draft>()
  readonly redacted = new Map<string, number>()
  readonly sessions = new Set<TestSession>()
  guest = false

  log(channel: string): ChannelLog {
    let log = this.logs.get(channel)
    if (log === undefined) this.logs.set(channel, (log = new ChannelLog()))
    return log
  }

  tellUser(event: NonNullable<UserEvent['event']>): void {
    this.user.push({ offset: this.user.length + 1, timeMs: 1, mutation: '0', body: encode(UserEvent, { event }) })
    this.flush()
  }

  heads(): Head[] {
    return [...this.logs].map(([id, log]) => {
      const count = [...log.said.values()].filter((s) => s.system === undefined && (s.root === 0 || s.also)).length
      const badge = encode(Badge, { marker: message(Marker, {}), kind: ChannelKind.PUBLIC })
      return message(Head, { topic: `chat.channel/${id}`, epoch: log.epoch, offset: log.head, count, badge, redacted: this.redacted.get(id) ?? 0 })
    })
  }

  /** flush tells all who are connected what is new. */
  flush(): void {
    for (const s of this.sessions) s.flush()
  }

  events(topic: string): { epoch: number; events: Event[] } {
    if (topic === 'chat.user/me') return { epoch: 3, events: this.user }
    const log = this.logs.get(topic.slice('chat.channel/'.length))
    return { epoch: log?.epoch ?? 3, events: log?.events ?? [] }
  }

  answer(name: string, q: object): object {
    switch (name.slice(name.indexOf('/') + 1)) {
      case 'History': {
        const r = q as HistoryRequest
        return this.log(r.channel).history('ada', r)
      }
      case 'GetMessages': {
        const r = q as GetMessagesRequest
        return this.log(r.channel).get('ada', r.offsets)
      }
      case 'ListMyChannels':
        return { channels: [...this.logs.keys()].map((id) => message(MyChannel, { channel: this.channel(id), mine: message(Mine, { role: 1 }) })) }
      case 'GetChannel':
        return { channel: this.channel((q as { channel: string }).channel), mine: message(Mine, { role: 1 }) }
      case 'ListPeople':
        if (this.guest) throw new ServerError(102, 'identity.DIRECTORY', 'No.')
        return { people: [message(Person, { id: 'ada', version: 1, displayName: 'Ada' })], cursor: { epoch: 3, offset: 0 } }
      case 'GetPeople':
        return { people: (q as { ids: string[] }).ids.map((id) => message(Person, { id, version: 1 })) }
      case 'ListDrafts':
        return { drafts: [...this.drafts.values()].filter((d) => d.text !== '') }
      case 'SetDraft': {
        const { channel, root, text, version } = q as SetDraftRequest
        const key = `${channel}/${root}`
        const old = this.drafts.get(key) ?? message(Draft, { channel, root })
        if (version === old.version + 1) this.drafts.set(key, { ...old, text, version })
        const draft = this.drafts.get(key) ?? old
        return { draft, applied: draft.version === version && draft.text === text }
      }
      default:
        return {}
    }
  }

  channel(id: string): Channel {
    return message(Channel, { id, kind: ChannelKind.PUBLIC, name: `#${id}` })
  }
}

class TestFollowing implements Following {
  readonly topic: string
  readonly told: (u: Update) => void
  readonly #session: TestSession
  cursor: Cursor | undefined
  open = true
  live = false
  waiting = false

  constructor(session: TestSession, topic: string, told: (u: Update) => void, from: Cursor | undefined) {
    this.#session = session
    this.topic = topic
    this.told = told
    this.cursor = from
  }

  resume(from: Cursor): void {
    this.cursor = from
    this.waiting = false
    this.#session.flush()
  }

  signal(): void {
    // Nobody listens.
  }

  close(): void {
    this.open = false
  }
}

/** TestSession is a session of Ada's, that is online or not. */
export class TestSession implements Session {
  readonly server: Server
  readonly followings: TestFollowing[] = []
  readonly calls: string[] = []
  #online: boolean
  #waiting: (() => void)[] = []
  entries: Pending[] = []
  readonly #listeners = new Set<(entries: readonly Pending[]) => void>()
  readonly #answers = new Map<number, { done: (a: unknown) => void; failed: (e: unknown) => void; promise: Promise<unknown> }>()
  #seq = 0

  constructor(server: Server, online = true) {
    this.server = server
    this.#online = online
    server.sessions.add(this)
  }

  state: State = { kind: 'online', since: 0, transport: 'websocket', skew: 0 }
  readonly #states = new Set<(state: State) => void>()

  onState(listener: (state: State) => void): () => void {
    this.#states.add(listener)
    return () => this.#states.delete(listener)
  }

  /** turn tells another state, and nothing else changes. */
  turn(state: State): void {
    this.state = state
    for (const tell of this.#states) tell(state)
  }

  set online(online: boolean) {
    this.#online = online
    if (!online) return
    for (const go of this.#waiting.splice(0)) go()
    this.flush()
  }

  async call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options?: CallOptions): Promise<A> {
    if (!this.#online && options?.onlyOnline) throw new ServerError(200, 'client.OFFLINE', 'There is no connection.')
    if (!this.#online) await new Promise<void>((go, stop) => {
      this.#waiting.push(go)
      options?.signal?.addEventListener('abort', () => { stop(new DOMException('stopped', 'AbortError')) })
    })
    options?.signal?.throwIfAborted()
    this.calls.push(method.name.slice(method.name.indexOf('/') + 1))
    const q = method.request.decode(encode(method.request as never, request))
    const a = this.server.answer(method.name, q) as Partial<A>
    await Promise.resolve()
    return method.response.decode(encode(method.response as never, a as never))
  }

  follow(topic: string, told: (update: Update) => void, options?: FollowOptions): Following {
    const f = new TestFollowing(this, topic, told, options?.from)
    this.followings.push(f)
    queueMicrotask(() => { this.flush() })
    return f
  }

  flush(): void {
    if (!this.#online) return
    for (const f of this.followings) {
      if (!f.open || f.waiting) continue
      if (this.server.guest && f.topic === 'identity.workspace/me') {
        f.open = false
        f.told({ kind: 'ended', cause: new ServerError(102, 'identity.DIRECTORY', 'No.') })
        continue
      }
      if (!f.live) {
        f.live = true
        f.told({ kind: 'live', head: undefined })
      }
      if (f.topic === 'chat.mine/me') {
        f.told({ kind: 'heads', snapshot: f.cursor === undefined, heads: this.server.heads(), cursor: { epoch: 1, offset: 1 } })
        f.cursor = { epoch: 1, offset: 1 }
        continue
      }
      const { epoch, events } = this.server.events(f.topic)
      f.cursor ??= { epoch, offset: events.length }
      if (f.cursor.epoch !== epoch) {
        f.waiting = true
        f.told({ kind: 'reset', cause: new ServerError(320, 'edge.RESET_EPOCH', 'Another history.') })
        continue
      }
      const news = events.slice(f.cursor.offset)
      if (news.length === 0) continue
      f.cursor = { epoch, offset: events.length }
      f.told({ kind: 'events', events: news, cursor: f.cursor })
    }
  }

  get outbox(): Outbox {
    return this.#outbox
  }

  readonly #outbox: Outbox = ((session: TestSession): Outbox => ({
    number: () => Promise.reject(new Error('no changes are called beside the outbox')),
    clientId: 'client',
    get entries() { return session.entries },
    onChange: (listener) => {
      session.#listeners.add(listener)
      return () => session.#listeners.delete(listener)
    },
    put: (method, request, { lane, note }) => {
      const seq = ++session.#seq
      const mutation = `${10_000 + seq}`
      session.set([...session.entries, { seq, mutation, method: method.name, body: encode(method.request, request), lane, note, since: seq, state: 'waiting', cause: undefined }])
      return Promise.resolve(seq)
    },
    answer: <A>(seq: number) => {
      let a = session.#answers.get(seq)
      if (a === undefined) {
        let [done, failed]: [(x: unknown) => void, (e: unknown) => void] = [() => undefined, () => undefined]
        const promise = new Promise<unknown>((d, f) => { [done, failed] = [d, f] })
        a = { done, failed, promise }
        session.#answers.set(seq, a)
      }
      return a.promise as Promise<A | undefined>
    },
    retry: () => Promise.resolve(),
    drop: () => Promise.resolve(false),
    settle: (mutation) => {
      const gone = session.entries.find((p) => p.mutation === mutation)
      session.set(session.entries.filter((p) => p !== gone))
      if (gone !== undefined) session.#answers.get(gone.seq)?.done(undefined)
    },
  }))(this)

  set(entries: Pending[]): void {
    this.entries = entries
    for (const tell of this.#listeners) tell(entries)
  }

  /** transmit sends all that waits; `told` says whether the event comes before the answer. */
  transmit(told: boolean): void {
    for (const p of this.entries.filter((x) => x.state === 'waiting')) {
      this.set(this.entries.map((x) => (x === p ? { ...p, state: 'sent' } : x)))
      const change = changeOf(p)
      if (change?.kind !== 'Send') continue
      const log = this.server.log(change.request.channel)
      const offset = log.post('ada', change.request.text, { mutation: p.mutation })
      if (told) this.server.flush()
      this.set(this.entries.filter((x) => x.seq !== p.seq))
      this.#answers.get(p.seq)?.done({ offset, epoch: log.epoch, timeMs: log.now })
    }
  }

  /** accept answers the first entry. */
  accept(answer: object): void {
    const [p] = this.entries
    if (p === undefined) return
    this.set(this.entries.slice(1))
    this.#answers.get(p.seq)?.done(answer)
  }

  /** refuse refuses the first entry. */
  refuse(cause: ServerError): void {
    const [p] = this.entries
    if (p === undefined) return
    this.set(this.entries.map((x) => (x === p ? { ...p, state: 'refused', cause } : x)))
    this.#answers.get(p.seq)?.failed(cause)
  }

  active(): void {
    // Nobody asks.
  }

  probe(): void {
    // It is in order.
  }

  close(): void {
    this.server.sessions.delete(this)
  }
}
