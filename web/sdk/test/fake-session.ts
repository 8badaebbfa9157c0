import { StoredOutbox } from '../src/outbox/send.ts'
import type { Store } from '../src/outbox/store.ts'
import type { Wire } from '../src/edge/wire.ts'
import { encode, type Method } from '../src/method.ts'
import type { CallOptions, FollowOptions, Following, Session, State, Update } from '../src/session.ts'

/** FakeFollowing is a topic that is followed, whose updates the test tells. */
export class FakeFollowing implements Following {
  readonly topic: string
  readonly options: FollowOptions
  readonly tell: (update: Update) => void
  readonly resumed: unknown[] = []
  readonly signals: unknown[] = []
  closed = false

  constructor(topic: string, tell: (update: Update) => void, options: FollowOptions) {
    this.topic = topic
    this.tell = tell
    this.options = options
  }

  resume(from: unknown): void {
    this.resumed.push(from)
  }

  signal(key: string, body: Uint8Array): void {
    this.signals.push([key, body])
  }

  close(): void {
    this.closed = true
  }
}

interface FakeCall {
  readonly name: string
  readonly kind: string
  readonly body: Uint8Array
  readonly options: CallOptions
  readonly reply: (body: Uint8Array) => void
  readonly fail: (reason: Error) => void
}

/** FakeSession is a session whose answers the test gives; its outbox is a real one. */
export class FakeSession implements Session {
  readonly outbox: StoredOutbox
  readonly calls: FakeCall[] = []
  readonly followings: FakeFollowing[] = []
  readonly heard: string[] = []
  state: State = { kind: 'online', since: 1, transport: 'websocket', skew: 0 }
  #listeners = new Set<(state: State) => void>()

  private constructor(outbox: StoredOutbox) {
    this.outbox = outbox
  }

  static async open(store: Store, wire: Wire): Promise<FakeSession> {
    const outbox = await StoredOutbox.open(store, 'me')
    outbox.attach(wire)
    return new FakeSession(outbox)
  }

  onState(listener: (state: State) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  turn(state: State): void {
    this.state = state
    for (const listener of this.#listeners) listener(state)
  }

  call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options: CallOptions = {}): Promise<A> {
    return new Promise((resolve, reject) => {
      const { name, kind } = method
      options.signal?.addEventListener('abort', () => { reject(options.signal?.reason as Error) })
      this.calls.push({ name, kind, body: encode(method.request, request), options, reply: (body) => { resolve(method.response.decode(body)) }, fail: reject })
    })
  }

  follow(topic: string, told: (update: Update) => void, options: FollowOptions = {}): Following {
    const following = new FakeFollowing(topic, told, options)
    this.followings.push(following)
    return following
  }

  active(): void {
    this.heard.push('active')
  }

  probe(): void {
    this.heard.push('probe')
  }

  close(): void {
    this.heard.push('close')
    this.outbox.close()
  }
}
