import type { ServerError } from '../errors.ts'
import { message } from '../method.ts'
import { Message, type SendRequest } from '../proto/plenum/chat/v1/chat.ts'
import type { Pending } from '../session.ts'
import { EVERYTHING, emptied, find, reacted, type Tail, type Window } from './messages.ts'
import { changeOf, type Change, type Outgoing } from './outgoing.ts'

/** Item is a message as it is shown. */
export interface Item {
  /** Stays the same from the moment that a message is written. */
  readonly key: string
  /** With what the outbox does to it. Its offset is 0 as long as it has none. */
  readonly message: Message
  /** message.mentions are of this text: not of one that was written or edited here, and that the server has not told yet. */
  readonly resolved: boolean
  /** `waiting`: for a connection, or behind others; `sending`: under way; `refused`: see cause, and retry or drop `seq`. */
  readonly state: 'sent' | 'waiting' | 'sending' | 'refused'
  readonly cause: ServerError | undefined
  /** Of its Send, in the outbox; undefined: it has left that. */
  readonly seq: number | undefined
  /** What else the outbox has for it: shown already, or refused and not shown. */
  readonly changes: readonly Waiting[]
}

/** Waiting is an entry of the outbox that changes a message. */
export interface Waiting {
  readonly pending: Pending
  readonly change: Change
}

const untouched: readonly Waiting[] = []
const plain = new WeakMap<Message, Item>()

/**
 * shown is what a window shows together with what goes out: what was sent stands at the end, in its order, and what was edited, deleted, pinned or reacted to
 * is so at once. What was refused is taken back, but for a message, which stays with its cause. An item that stayed the same is the same object.
 */
export function shown(w: Window, o: Outgoing): readonly Item[] {
  if (o.entries.length === 0 && o.landed.length === 0) return w.messages.map(itemOf)
  const past = mutationsOf(w.tail)
  const own = new Set(w.messages.map((m) => m.mutation))
  const touched = new Map<number, { message: Message; changes: Waiting[] }>()
  const unsent: Item[] = []
  const take = (pending: Pending, landed: number | undefined, answered: boolean) => {
    const change = changeOf(pending)
    if (change === undefined || !('channel' in change.request) || change.request.channel !== w.channel || past.has(pending.mutation)) return
    if (change.kind === 'Send') {
      const came = own.has(pending.mutation) || (landed !== undefined && landed <= w.cursor.offset)
      if (!came && w.to === Infinity && belongs(w, change.request)) unsent.push(sendOf(w, pending, change.request, landed, answered))
      return
    }
    const target = targetOf(change)
    if (target === undefined) return
    const now = touched.get(target)?.message ?? find(w, target)
    if (now === undefined || (landed !== undefined && landed <= (w.ahead.get(target) ?? w.cursor.offset))) return
    const changes = touched.get(target)?.changes ?? []
    const taken = pending.state === 'refused' && !answered ? now : changed(now, change, w.me)
    touched.set(target, { message: taken, changes: answered ? changes : [...changes, { pending, change }] })
  }
  for (const l of o.landed) take(l.pending, l.offset, true)
  for (const p of o.entries) take(p, undefined, false)
  const items = w.messages.map((m) => {
    const t = touched.get(m.offset)
    return t === undefined || (t.message === m && t.changes.length === 0) ? itemOf(m) : { ...itemOf(m), message: t.message, resolved: t.message.text === m.text, changes: t.changes }
  })
  return [...items, ...unsent]
}

function itemOf(m: Message): Item {
  let item = plain.get(m)
  if (item === undefined) {
    item = { key: keyOf(m.mutation, m.offset), message: m, resolved: true, state: 'sent', cause: undefined, seq: undefined, changes: untouched }
    plain.set(m, item)
  }
  return item
}

function keyOf(mutation: string, offset: number): string {
  return mutation === '0' ? `@${offset}` : mutation
}

const states = { waiting: 'waiting', sent: 'sending', refused: 'refused' } as const

/** sendOf is a message that has no event yet. */
function sendOf(w: Window, p: Pending, { text, root, alsoInChannel, context }: SendRequest, landed: number | undefined, answered: boolean): Item {
  const fields = { timeMs: p.since, author: w.me, text, root, alsoInChannel, context, mutation: p.mutation }
  return {
    key: keyOf(p.mutation, 0),
    message: message(Message, { ...fields, offset: landed ?? 0 }),
    resolved: false,
    state: answered ? 'sent' : states[p.state],
    cause: answered ? undefined : p.cause,
    seq: answered ? undefined : p.seq,
    changes: untouched,
  }
}

function belongs(w: Window, r: SendRequest): boolean {
  return w.root === EVERYTHING || (w.root === 0 ? r.root === 0 || r.alsoInChannel : r.root === w.root)
}

function targetOf(c: Change): number | undefined {
  switch (c.kind) {
    case 'EditMessage':
    case 'DeleteMessage':
    case 'AddReaction':
    case 'RemoveReaction':
    case 'PinMessage':
      return c.request.offset
    default:
      return undefined
  }
}

/** changed is a message as the change leaves it, if the server takes it. */
function changed(m: Message, c: Change, me: string): Message {
  if (m.deleted) return m
  switch (c.kind) {
    case 'EditMessage':
      return m.text === c.request.text ? m : { ...m, text: c.request.text, edits: m.edits + 1 }
    case 'DeleteMessage':
      return emptied(m)
    case 'AddReaction':
    case 'RemoveReaction':
      return reacted(m, { emoji: c.request.emoji, user: me, removed: c.kind === 'RemoveReaction', mine: true })
    case 'PinMessage':
      return m.pinned === c.request.pinned ? m : { ...m, pinned: c.request.pinned }
    default:
      return m
  }
}

const mutations = new WeakMap<Tail, ReadonlySet<string>>()

/** mutationsOf are those of the events that came last: what stands in the outbox, too, has taken place and is in the window. */
function mutationsOf(t: Tail): ReadonlySet<string> {
  let set = mutations.get(t)
  if (set === undefined) {
    set = new Set(t.events.map((e) => e.mutation))
    mutations.set(t, set)
  }
  return set
}
