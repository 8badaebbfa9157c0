import type { Session } from '@plenum/sdk'
import { emptied, isUnread, threadKey, type Channels, type Recorder, type Told } from '@plenum/sdk/chat'
import type { Cache } from '@plenum/sdk/chat/cache'
import type { Mention, Message, MyThread } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createMemo, createSignal, type Accessor, type Setter } from 'solid-js'
import type { Followed, Inbox, Named } from '../../inbox/inbox.ts'
import type { Keeper } from './keep.ts'
import { marks } from './rooms.ts'

/** mostAsked is how many messages one call asks for. */
const mostAsked = 100

interface Known {
  readonly message: Accessor<Message | undefined>
  readonly set: Setter<Message | undefined>
}

/** Around is what the inbox is of. */
export interface Around {
  readonly session: Session
  readonly recorder: Recorder
  readonly cache: Cache
  readonly keeper: Keeper
}

/** LiveInbox is the recorder's inbox as screens have it. Made within a root of Solid's, once for all who sign in. */
export class LiveInbox implements Inbox {
  readonly known: Accessor<boolean>
  readonly threads: Accessor<readonly Followed[]>
  readonly mentions: Accessor<readonly Named[]>
  readonly unreadThreads: Accessor<number>
  readonly unread: Accessor<number>
  readonly #around: Accessor<Around | undefined>
  readonly #all: Accessor<ReadonlyMap<string, Followed>>
  readonly #of: Accessor<Recorder['inbox']>
  #messages = new Map<string, Known>()
  /** Replies that stand in their channel, too. */
  readonly #also: Accessor<ReadonlySet<string>>
  readonly #setAlso: Setter<ReadonlySet<string>>
  #messagesOf: Around | undefined
  #wanted: (readonly [channel: string, offset: number])[] = []

  /** The recorder's values, as signals. */
  constructor(around: Accessor<Around | undefined>, of: Accessor<Recorder['inbox']>, channels: Accessor<Channels>) {
    this.#around = around
    this.#of = of
    ;[this.#also, this.#setAlso] = createSignal<ReadonlySet<string>>(new Set())
    const made = new WeakMap<MyThread, Followed>()
    this.#all = createMemo(() => new Map([...of().threads].map(([key, t]) => [key, kept(made, t, followedOf)])))
    this.known = () => {
      of()
      return around()?.recorder.inboxKnown ?? false
    }
    this.threads = createMemo(() => [...this.#all().values()].filter((t) => t.following && channels().has(t.channel)).sort((a, b) => b.lastReplyMs - a.lastReplyMs))
    this.mentions = createMemo(() =>
      of()
        .mentions.filter((m) => channels().has(m.channel))
        .map((m) => namedOf(m, isUnread(m, of(), channels(), this.#also().has(threadKey(m.channel, m.offset))))),
    )
    const loud = (channel: string) => channels().get(channel)?.badge.muted === false
    this.unreadThreads = createMemo(() => this.threads().filter((t) => t.unread > 0 && loud(t.channel)).length)
    this.unread = createMemo(() => {
      const unread = new Set(this.threads().filter((t) => t.unread > 0).map((t) => t.key))
      return this.unreadThreads() + this.mentions().filter((m) => m.unread && loud(m.channel) && !unread.has(threadKey(m.channel, m.root))).length
    })
  }

  thread(channel: string, root: number): Followed | undefined {
    return this.#all().get(threadKey(channel, root))
  }

  hasOlder(what: 'threads' | 'mentions'): boolean {
    this.#of()
    return this.#around()?.recorder.hasOlder(what) ?? false
  }

  older(what: 'threads' | 'mentions'): Promise<void> {
    return this.#around()?.recorder.older(what) ?? Promise.resolve()
  }

  message(channel: string, offset: number): Message | undefined {
    const around = this.#around()
    if (around !== this.#messagesOf) {
      this.#messagesOf = around
      this.#messages = new Map()
    }
    const key = threadKey(channel, offset)
    let known = this.#messages.get(key)
    if (known === undefined) {
      const [message, set] = createSignal<Message>()
      known = { message, set }
      this.#messages.set(key, known)
      this.#wanted.push([channel, offset])
      if (this.#wanted.length === 1) queueMicrotask(() => void this.#ask())
    }
    return known.message()
  }

  follow(channel: string, root: number, on: boolean): void {
    this.#around()?.keeper.put(chat.followThread, { channel, root, follow: on }, { lane: marks })
  }

  read({ channel, root, lastReply, unread }: Followed): void {
    if (unread > 0) this.#around()?.keeper.put(chat.markThreadRead, { channel, root, offset: lastReply }, { lane: marks })
  }

  /** told takes over what was told of a channel: messages that are shown here may be edited or deleted. */
  told(channel: string, events: readonly Told[]): void {
    for (const { what, timeMs } of events) {
      if (what?.$case !== 'edited' && what?.$case !== 'deleted') continue
      const known = this.#messages.get(threadKey(channel, what.value.offset))
      if (what.$case === 'deleted') known?.set((m) => m && emptied(m))
      else {
        const { text, mentions, edits, textOmitted } = what.value
        if (!textOmitted) known?.set((m) => m && { ...m, text, mentions, edits, editedMs: timeMs })
      }
    }
  }

  #have(messages: ReadonlyMap<string, Known>, channel: string, message: Message): void {
    const key = threadKey(channel, message.offset)
    messages.get(key)?.set(message)
    if (message.alsoInChannel) this.#setAlso((all) => new Set([...all, key]))
  }

  /** ask reads what is wanted from the cache, and what isn't there from the server. What can't be had is shown without its words. */
  async #ask(): Promise<void> {
    const [wanted, around, messages] = [this.#wanted.splice(0), this.#around(), this.#messages]
    if (around === undefined) return
    const missing = new Map<string, number[]>()
    const have = new Map((await around.cache.messages(wanted)).map((hit) => [threadKey(hit.channel, hit.message.offset), hit.message]))
    for (const [channel, offset] of wanted) {
      const message = have.get(threadKey(channel, offset))
      if (message !== undefined) this.#have(messages, channel, message)
      else missing.set(channel, [...(missing.get(channel) ?? []), offset])
    }
    for (const [channel, offsets] of missing) {
      for (let n = 0; n < offsets.length; n += mostAsked) {
        const some = offsets.slice(n, n + mostAsked)
        around.session.call(chat.getMessages, { channel, offsets: some }).then(
          (answer) => { for (const m of answer.messages) this.#have(messages, channel, m) },
          () => { for (const offset of some) messages.delete(threadKey(channel, offset)) }, // it is asked for again when it is shown again
        )
      }
    }
  }
}

function kept<K extends object, V>(made: WeakMap<K, V>, of: K, make: (of: K) => V): V {
  let value = made.get(of)
  if (value === undefined) made.set(of, (value = make(of)))
  return value
}

function followedOf({ channel, thread, read, unread, following }: MyThread): Followed {
  const { root = 0, replies = 0, lastReply = 0, lastReplyMs = 0 } = thread ?? {}
  return { key: threadKey(channel, root), channel, root, replies, lastReply, lastReplyMs, read, unread, following }
}

function namedOf({ channel, offset, root, author, group, timeMs }: Mention, unread: boolean): Named {
  return { key: threadKey(channel, offset), channel, offset, root, author, group, timeMs, unread }
}
