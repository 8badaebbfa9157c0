import { encode, message } from '../src/method.ts'
import {
  ChannelEvent, GetMessagesResponse, HistoryResponse, Message, Reaction, Thread, type HistoryRequest, type Mentions,
} from '../src/proto/plenum/chat/v1/chat.ts'
import type { Event } from '../src/proto/plenum/edge/v1/edge.ts'

interface Said {
  offset: number
  timeMs: number
  mutation: string
  author: string
  text: string
  mentions: Mentions | undefined
  root: number
  also: boolean
  edits: number
  editedMs: number
  edited: number[]
  deleted: boolean
  reactions: { emoji: string; user: string }[]
  pinned: boolean
  replies: number
  last: number
  system: Message['system']
}

/** ChannelLog is a channel as the server keeps it: a log, and what became of its messages. It is written anew here, so that the client is held to it. */
export class ChannelLog {
  readonly epoch: number
  readonly events: Event[] = []
  readonly said = new Map<number, Said>()
  /** Edits of messages before this offset are told without their text. */
  sealed = 0
  now = 1_000

  constructor(epoch = 7) {
    this.epoch = epoch
  }

  get head(): number {
    return this.events.length
  }

  get cursor() {
    return { epoch: this.epoch, offset: this.head }
  }

  #commit(actor: string, event: NonNullable<ChannelEvent['event']>, mutation = '0'): Event {
    const e = { offset: this.head + 1, timeMs: (this.now += 10), mutation, body: encode(ChannelEvent, { actor, event }) }
    this.events.push(e)
    return e
  }

  #place(e: Event, author: string, fields: Partial<Said>): void {
    this.said.set(e.offset, {
      offset: e.offset, timeMs: e.timeMs, mutation: e.mutation, author, text: '', mentions: undefined, root: 0, also: false, edits: 0, editedMs: 0, edited: [],
      deleted: false, reactions: [], pinned: false, replies: 0, last: 0, system: undefined, ...fields,
    })
  }

  post(author: string, text: string, o: { root?: number; also?: boolean; mutation?: string; mentions?: Mentions } = {}): number {
    const { root = 0, also = false, mutation = '0', mentions } = o
    const thread = this.said.get(root)
    if (root !== 0 && (thread === undefined || thread.deleted || thread.system !== undefined || thread.root !== 0)) return 0
    const summary = thread && message(Thread, { root, replies: thread.replies + 1 })
    const e = this.#commit(author, { $case: 'posted', value: message(Message, { author, text, mentions, root, alsoInChannel: also, thread: summary }) }, mutation)
    this.#place(e, author, { text, mentions, root, also })
    if (thread !== undefined) {
      thread.replies++
      thread.last = e.offset
    }
    return e.offset
  }

  #alive(offset: number): Said | undefined {
    const m = this.said.get(offset)
    return m === undefined || m.deleted || m.system !== undefined ? undefined : m
  }

  edit(actor: string, offset: number, text: string, mutation = '0'): number {
    const m = this.#alive(offset)
    if (m === undefined || m.text === text) return 0
    m.edits++
    const omitted = offset < this.sealed
    const value = { offset, text: omitted ? '' : text, mentions: undefined, edits: m.edits, textOmitted: omitted, root: m.root, alsoInChannel: m.also }
    const e = this.#commit(actor, { $case: 'edited', value }, mutation)
    m.edited.push(e.offset)
    Object.assign(m, { text, mentions: undefined, editedMs: e.timeMs })
    return e.offset
  }

  remove(actor: string, offset: number, mutation = '0'): number {
    const m = this.#alive(offset)
    if (m === undefined) return 0
    const thread = this.said.get(m.root)
    if (thread !== undefined) thread.replies--
    const value = { offset, thread: thread && { root: m.root, replies: thread.replies, lastReply: thread.last, lastReplyMs: this.#time(thread.last) } }
    const e = this.#commit(actor, { $case: 'deleted', value }, mutation)
    for (const at of [offset, ...m.edited]) {
      const gone = this.events[at - 1]
      if (gone !== undefined) this.events[at - 1] = { ...gone, body: new Uint8Array() }
    }
    Object.assign(m, { deleted: true, text: '', mentions: undefined, reactions: [], pinned: false })
    return e.offset
  }

  react(user: string, offset: number, emoji: string, removed: boolean, mutation = '0'): number {
    const m = this.#alive(offset)
    const i = m?.reactions.findIndex((r) => r.emoji === emoji && r.user === user) ?? -1
    if (m === undefined || (i >= 0) !== removed) return 0
    if (removed) m.reactions.splice(i, 1)
    else m.reactions.push({ emoji, user })
    return this.#commit(user, { $case: 'reaction', value: { offset, emoji, removed } }, mutation).offset
  }

  pin(actor: string, offset: number, pinned: boolean, mutation = '0'): number {
    const m = this.#alive(offset)
    if (m === undefined || m.pinned === pinned) return 0
    m.pinned = pinned
    const value = { offset, removed: !pinned }
    const e = this.#commit(actor, { $case: 'pin', value }, mutation)
    this.#place(e, actor, { system: { change: { $case: 'pin', value } } })
    return e.offset
  }

  join(user: string): number {
    const value = { joined: [{ user, role: 1, joinedMs: this.now, guest: false }], left: [], roles: [], members: 2 } as const
    const change = { $case: 'members' as const, value: { ...value, joined: [...value.joined], left: [], roles: [] } }
    const e = this.#commit(user, change)
    this.#place(e, user, { system: { change } })
    return e.offset
  }

  #time(offset: number): number {
    return this.events[offset - 1]?.timeMs ?? 0
  }

  #message(s: Said, me: string): Message {
    const reactions: Reaction[] = []
    for (const { emoji, user } of s.reactions) {
      let r = reactions.find((x) => x.emoji === emoji)
      if (r === undefined) reactions.push((r = message(Reaction, { emoji })))
      r.count++
      r.mine ||= user === me
      if (r.users.length < 20) r.users.push(user)
    }
    const thread = s.last > 0 ? { root: s.offset, replies: s.replies, lastReply: s.last, lastReplyMs: this.#time(s.last) } : undefined
    const { offset, timeMs, mutation, author, text, mentions, root, edits, editedMs, deleted, pinned, system } = s
    return message(Message, { offset, timeMs, mutation, author, text, mentions, root, alsoInChannel: s.also, edits, editedMs, deleted, pinned, system, reactions, thread })
  }

  all(me: string, root: number): Message[] {
    const list = [...this.said.values()].sort((a, b) => a.offset - b.offset)
    return list.filter((s) => (root === 0 ? s.root === 0 || s.also : s.offset === root || s.root === root)).map((s) => this.#message(s, me))
  }

  history(me: string, { root = 0, place, limit = 50 }: Partial<HistoryRequest>): HistoryResponse {
    const all = this.all(me, root)
    const size = limit || 50
    let [from, to] = [Math.max(0, all.length - size), all.length]
    if (place?.$case === 'before') {
      to = all.filter((m) => m.offset < place.value).length
      from = Math.max(0, to - size)
    } else if (place?.$case === 'after') {
      from = all.filter((m) => m.offset <= place.value).length
      to = Math.min(all.length, from + size)
    } else if (place !== undefined) {
      const at = all.filter((m) => (place.$case === 'around' ? m.offset : m.timeMs) < place.value).length
      from = Math.max(0, Math.min(at - (size >> 1), all.length - size))
      to = Math.min(all.length, from + size)
    }
    return structuredClone(message(HistoryResponse, { messages: all.slice(from, to), moreBefore: from > 0, moreAfter: to < all.length, cursor: this.cursor }))
  }

  get(me: string, offsets: readonly number[]): GetMessagesResponse {
    const found = offsets.flatMap((o) => this.said.get(o) ?? []).filter((s) => s.system === undefined)
    return structuredClone(message(GetMessagesResponse, { messages: found.map((s) => this.#message(s, me)), cursor: this.cursor }))
  }
}
