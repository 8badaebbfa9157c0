import type { ServerError } from './errors.ts'
import type { Method } from './method.ts'
import type { Cursor, Entry, Event, Head } from './proto/plenum/edge/v1/edge.ts'

/**
 * Session is what an application has of the server: one connection, which comes back by itself, over which it calls methods and follows topics. It is
 * the same whether this page keeps the connection (`Connection`) or shares that of another one (`share/`).
 */
export interface Session {
  /** How it stands now. */
  readonly state: State
  /** onState tells each change of it, until the function that it returns is called. */
  onState(listener: (state: State) => void): () => void

  /**
   * call runs a method and waits for its answer, over lost connections: until the server has answered with something that is no use repeating, or
   * `signal` is aborted. A `change` gets a client_seq of its own and takes place once; what is called `once` isn't repeated after a doubt. What has to survive
   * this page goes by the outbox. It rejects with a ServerError, or with the signal's reason.
   */
  call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options?: CallOptions): Promise<A>

  /** follow follows a topic over lost connections, without a hole, until it is closed. */
  follow(topic: string, told: (update: Update) => void, options?: FollowOptions): Following

  /** What waits to be sent, survives this page, and takes place once and in its order. */
  readonly outbox: Outbox

  /** active says that the person does something, by keys or a pointer: call it as often as you like. */
  active(): void

  /** probe asks for a sign of life now: on wake, focus, and when the network is back. */
  probe(): void

  /** close ends the session: nothing is told, and nothing is sent, behind it. */
  close(): void
}

export interface CallOptions {
  /** Gives up the call. Whether it took place may stay unknown. */
  readonly signal?: AbortSignal
  /** Fail with 200 `client.OFFLINE` rather than wait for a connection. */
  readonly onlyOnline?: boolean
  /** The client_seq of a change, of the outbox's `number`: for who calls it again after a doubt. Absent: another one. */
  readonly seq?: number
}

/** Transport is how the frames travel. */
export type Transport = 'websocket' | 'sse' | 'poll'

/** State is how a session stands to the server. Times are `Date.now()`. */
export type State =
  | { readonly kind: 'connecting'; readonly since: number }
  | { readonly kind: 'online'; readonly since: number; readonly transport: Transport; /** Server's clock less ours, in ms. */ readonly skew: number }
  | { readonly kind: 'offline'; readonly since: number; /** When it is tried again. */ readonly retryAt: number; readonly cause: ServerError }
  | {
      /** There is no use in going on: sign in again; likewise, and erase what is kept of the account; update the client. */
      readonly kind: 'signed-out' | 'wiped' | 'outdated'
      readonly since: number
      readonly cause: ServerError
    }

export interface FollowOptions {
  /** Where to go on. Absent: from now on; of a view or bundle: from a snapshot. */
  readonly from?: Cursor
  /** Where topics stand, for a bundle (the default there) and a log. */
  readonly heads?: boolean
  /** Of a view: its encoded parameters. */
  readonly params?: Uint8Array
  /** Names of fields of the event's message: only these. */
  readonly types?: readonly string[]
}

/** Update is what is told of a topic. */
export type Update =
  /** It is followed; what comes goes on from where it was. `head` is where it stands, of a log. */
  | { readonly kind: 'live'; readonly head: Cursor | undefined }
  /** Events, each once and in order; `cursor` is where the topic stands with them: keep both together. */
  | { readonly kind: 'events'; readonly events: readonly Event[]; readonly cursor: Cursor }
  /** Where topics stand. `snapshot`: the whole list, forget all that was told. Each head has its topic's name. `cursor`, of a bundle: of the list, to come back with. */
  | { readonly kind: 'heads'; readonly snapshot: boolean; readonly heads: readonly Head[]; readonly cursor: Cursor | undefined }
  /** What a view holds. `snapshot`: forget all that was told. */
  | { readonly kind: 'view'; readonly snapshot: boolean; readonly entries: readonly Entry[]; readonly stale: boolean; readonly cursor: Cursor | undefined }
  /** What another client said that isn't kept. `from` is "user/session". */
  | { readonly kind: 'signal'; readonly from: string; readonly key: string; readonly body: Uint8Array }
  /** Events are lost to us: forget what is cached of the topic, load it by a call, and `resume` from its cursor. Nothing more is told until then. */
  | { readonly kind: 'reset'; readonly cause: ServerError }
  /** It is not connected now; it goes on by itself. */
  | { readonly kind: 'paused' }
  /** The last word: it may not be read any more, or there is none (100–199, 340–359). */
  | { readonly kind: 'ended'; readonly cause: ServerError }

/** Following is a topic that is followed. */
export interface Following {
  readonly topic: string
  /** resume goes on from another cursor, after a reset. */
  resume(from: Cursor): void
  /** signal tells the others on the topic something that isn't kept; it may be lost. `key` <= 32 bytes, `body` <= 1 KiB. */
  signal(key: string, body: Uint8Array): void
  /** close stops it. */
  close(): void
}

export interface PutOptions {
  readonly lane: string
  readonly note?: unknown
  readonly key?: string
}

/** Outbox holds changes until the server has answered them for good. */
export interface Outbox {
  /** Names this installation; see PROTOCOL.md §3. */
  readonly clientId: string
  /** What is in it, in the order in which it is sent. */
  readonly entries: readonly Pending[]
  /** onChange tells each change of `entries`, until the function that it returns is called. */
  onChange(listener: (entries: readonly Pending[]) => void): () => void
  /**
   * put keeps a change, and sends it as soon as it can be: entries of one lane in their order, one after the other. It returns once the entry is on disk.
   * `note` is the application's own, kept beside it: what was seen as it was made. A `key` names the change for who puts it again after a doubt: while an
   * entry of that key is in the outbox, its number is the answer.
   */
  put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, options: PutOptions): Promise<number>
  /** answer waits until an entry is settled; it rejects with the ServerError that refused it. */
  answer<A>(seq: number, method: Method<unknown, A>): Promise<A | undefined>
  /** retry sends a refused entry again, as a new change at the end. */
  retry(seq: number): Promise<void>
  /** drop takes an entry out: one that was refused, or that was never sent. It returns whether it did. */
  drop(seq: number): Promise<boolean>
  /** settle takes out what an event has shown to have taken place, by Event.mutation. */
  settle(mutation: string): void
  /** number is a client_seq that was never given before, nor will be after a crash, for what is called beside the outbox. */
  number(): Promise<number>
}

/** Pending is one change in the outbox. */
export interface Pending {
  /** Its client_seq. */
  readonly seq: number
  /** Event.mutation of the event that it becomes. */
  readonly mutation: string
  readonly method: string
  /** The encoded request. */
  readonly body: Uint8Array
  readonly lane: string
  readonly note: unknown
  /** When it was put. */
  readonly since: number
  /** `waiting`: not sent yet, or not since the last doubt; `sent`: under way; `refused`: the server won't have it, and why. */
  readonly state: 'waiting' | 'sent' | 'refused'
  readonly cause: ServerError | undefined
}
