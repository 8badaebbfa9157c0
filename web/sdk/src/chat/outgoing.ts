import type { Codec } from '../method.ts'
import {
  AddReactionRequest, ArchiveChannelRequest, DeleteMessageRequest, EditMessageRequest, FollowThreadRequest, LeaveChannelRequest, MarkReadRequest,
  MarkThreadReadRequest, MarkUnreadRequest, PinMessageRequest, RemoveReactionRequest, SendRequest, SetNotificationsRequest, UpdateChannelRequest,
} from '../proto/plenum/chat/v1/chat.ts'
import type { Pending } from '../session.ts'

/** What may wait in the outbox and is shown before the server has it, by the name of its method. */
const requests = {
  Send: SendRequest,
  EditMessage: EditMessageRequest,
  DeleteMessage: DeleteMessageRequest,
  AddReaction: AddReactionRequest,
  RemoveReaction: RemoveReactionRequest,
  PinMessage: PinMessageRequest,
  MarkRead: MarkReadRequest,
  MarkUnread: MarkUnreadRequest,
  MarkThreadRead: MarkThreadReadRequest,
  FollowThread: FollowThreadRequest,
  SetNotifications: SetNotificationsRequest,
  UpdateChannel: UpdateChannelRequest,
  ArchiveChannel: ArchiveChannelRequest,
  LeaveChannel: LeaveChannelRequest,
}

type Requests = typeof requests
type RequestOf<K extends keyof Requests> = Requests[K] extends Codec<infer T> ? T : never

/** Change is what an entry of the outbox asks for. */
export type Change = { [K in keyof Requests]: { readonly kind: K; readonly request: RequestOf<K> } }[keyof Requests]

const service = 'plenum.chat.v1.ChatService/'
const decoded = new WeakMap<Uint8Array, Change>()

/** changeOf decodes an entry; undefined: it is of another service, or nothing that is shown before it took place. */
export function changeOf({ method, body }: Pick<Pending, 'method' | 'body'>): Change | undefined {
  const kind = method.slice(service.length)
  if (!method.startsWith(service) || !Object.hasOwn(requests, kind)) return undefined
  let change = decoded.get(body)
  if (change === undefined) {
    const codec: Codec<unknown> = requests[kind as keyof Requests]
    change = { kind, request: codec.decode(body) } as Change
    decoded.set(body, change)
  }
  return change
}

/** UNKNOWN_MS is how long, in milliseconds, what was taken off the outbox without an answer that we saw is shown until its event comes. */
export const UNKNOWN_MS = 10_000

/** LANDED is how many answered changes are remembered until their events come. */
export const LANDED = 200

/** Landed is a change that the server has taken and whose event has not come yet, as far as we know. */
export interface Landed {
  readonly pending: Pending
  /** Of its event; undefined: not known, since somebody else took it off the outbox. */
  readonly offset: number | undefined
  readonly since: number
}

/**
 * Outgoing is what waits in the outbox, and what has left it and has not come back as an event: event and answer come in either order, and in between a
 * message must be there once.
 */
export interface Outgoing {
  readonly entries: readonly Pending[]
  readonly landed: readonly Landed[]
  /** Mutations of which an event has come, the last LANDED. */
  readonly seen: readonly string[]
}

export const nothingOutgoing: Outgoing = { entries: [], landed: [], seen: [] }

/** listed takes over what is in the outbox now. An entry that was under way and is gone has been taken; one that was refused, or never sent, was dropped. */
export function listed(o: Outgoing, entries: readonly Pending[], now: number): Outgoing {
  const there = new Set(entries.map((p) => p.seq))
  const known = new Set(o.landed.map((l) => l.pending.seq))
  const seen = new Set(o.seen)
  const gone = o.entries.filter((p) => !there.has(p.seq) && p.state === 'sent' && changeOf(p) !== undefined)
  const landed = [...o.landed, ...gone.map((pending) => ({ pending, offset: undefined, since: now }))]
  return { ...o, entries: entries.filter((p) => !known.has(p.seq) && !seen.has(p.mutation)), landed: landed.filter((l) => l.offset !== undefined || now - l.since < UNKNOWN_MS).slice(-LANDED) }
}

/** came takes over events by their mutations: what they settle has taken place, and stands in the window. Settle it in the outbox, too. */
export function came(o: Outgoing, mutations: readonly string[]): Outgoing {
  const own = new Set([...o.entries, ...o.landed.map((l) => l.pending)].map((p) => p.mutation).filter((m) => mutations.includes(m)))
  if (own.size === 0) return o
  return {
    entries: o.entries.filter((p) => !own.has(p.mutation)),
    landed: o.landed.filter((l) => !own.has(l.pending.mutation)),
    seen: [...o.seen, ...own].slice(-LANDED),
  }
}

/** answered takes over that the server has taken an entry: its event's offset, 0 where nothing changed. */
export function answered(o: Outgoing, pending: Pending, offset: number, now: number): Outgoing {
  const rest = o.landed.filter((l) => l.pending.seq !== pending.seq)
  const landed = offset === 0 || o.seen.includes(pending.mutation) ? rest : [...rest, { pending, offset, since: now }].slice(-LANDED)
  return { ...o, entries: o.entries.filter((p) => p.seq !== pending.seq), landed }
}
