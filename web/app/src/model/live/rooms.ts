import { encode, type Method, type ServerError, type Session } from '@plenum/sdk'
import { changeOf, PAGE, readTo, shown, threadKey, unreadFrom, unread, groupsOf, type Entry, type Item, type Recorder, type RoomState, type Told, type View, type Window } from '@plenum/sdk/chat'
import { newId } from '@plenum/sdk/outbox'
import { Typing, type Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createMemo, createRoot, createSignal, type Accessor } from 'solid-js'
import type { Draft, Place, Room, Rooms, Unsent } from '../../chat/room.ts'
import type { Beside } from '../../chat/beside.ts'
import { createTypists, sayEvery, type Typists } from '../../chat/typing.ts'
import type { Id } from '../model.ts'
import { LiveBeside } from './beside.ts'
import type { Keeper, NotKept } from './keep.ts'
import { forgetUnread, isKeptUnread, keepUnread } from './unread.ts'

/** The lane of all that is read and marked unread: each marker's version follows the one before. */
export const marks = 'marks'

/** So many messages a room holds: 20 pages, of which one that is read drops one at the other side. */
export const most = 1_000

interface Open {
  readonly room: LiveRoom
  users: number
  readonly dispose: () => void
}

/** What rooms need. */
export interface RoomsOptions {
  readonly session: Session
  readonly recorder: () => Recorder
  readonly me: Id
  /** The recorder's, as a signal. */
  readonly outgoing: Accessor<Recorder['outgoing']>
  readonly keeper: Keeper
  readonly onNotKept: NotKept
}

/** LiveRooms opens rooms over the recorder: one of each, however many show it. */
export class LiveRooms implements Rooms {
  readonly #open = new Map<string, Open>()
  readonly #o: RoomsOptions
  readonly #beside = new Map<Id, { readonly beside: LiveBeside; users: number; readonly dispose: () => void }>()

  constructor(o: RoomsOptions) {
    this.#o = o
  }

  unsent(channel: Id): readonly Unsent[] {
    return this.#o.outgoing().entries.flatMap((entry) => {
      const change = changeOf(entry)
      return change?.kind === 'Send' && change.request.channel === channel ? [{ seq: entry.seq, text: change.request.text, cause: entry.cause }] : []
    })
  }

  retry(seq: number): void {
    this.#o.keeper.retry(seq)
  }

  drop(seq: number): void {
    this.#o.keeper.drop(seq)
  }

  open(channel: Id, root: number, glance = false): Room {
    if (!glance) this.#o.recorder().use(channel)
    const key = keyOf(channel, root)
    let there = this.#open.get(key)
    if (there === undefined) {
      there = createRoot((dispose) => ({ room: new LiveRoom(this.#o, channel, root), users: 0, dispose }), null) // not of who asks first, who may go before others
      this.#open.set(key, there)
    }
    there.users++
    return there.room
  }

  close(room: Room): void {
    const key = keyOf(room.channel, room.root)
    const there = this.#open.get(key)
    if (there === undefined || --there.users > 0) return
    this.#open.delete(key)
    there.room.leave()
    there.dispose()
  }

  beside(channel: Id): Beside {
    let there = this.#beside.get(channel)
    if (there === undefined) {
      const message = (offset: number) => this.#open.get(keyOf(channel, 0))?.room.message(offset)
      there = createRoot((dispose) => ({ beside: new LiveBeside({ ...this.#o, channel, message }), users: 0, dispose }), null)
      this.#beside.set(channel, there)
    }
    there.users++
    return there.beside
  }

  leave({ channel }: Beside): void {
    const there = this.#beside.get(channel)
    if (there === undefined || --there.users > 0) return
    this.#beside.delete(channel)
    there.beside.close()
    there.dispose()
  }

  /** told takes over events of a channel. */
  told(channel: Id, events: readonly Told[]): void {
    this.#beside.get(channel)?.beside.told(events)
  }

  /** heard takes over a signal of a channel. */
  heard(channel: Id, from: string, body: Uint8Array): void {
    const user = from.slice(0, from.indexOf('/'))
    this.#open.get(keyOf(channel, Typing.decode(body).root))?.room.heard(user)
  }

  /** said is that somebody has posted. */
  said(channel: Id, root: number, user: Id): void {
    this.#open.get(keyOf(channel, root))?.room.said(user)
  }
}

const unreadOf = (entry: Entry | undefined) => (entry === undefined ? 0 : unread(entry))
const keyOf = (channel: Id, root: number) => `${channel}/${root}`

/** posted counts the messages that a window's room has had since a cursor, also those behind the window. */
function posted(w: Window, since: Window['cursor']): number {
  if (w.cursor.epoch !== since.epoch) return 0
  if (w.to === Infinity) return w.messages.filter((m) => m.offset > since.offset && m.offset <= w.cursor.offset && m.system === undefined).length
  return w.tail.events.filter(({ offset, what }) => {
    if (offset <= since.offset || what?.$case !== 'posted') return false
    const { root, alsoInChannel } = what.value
    return w.root === 0 ? root === 0 || alsoInChannel : root === w.root
  }).length
}

class LiveRoom implements Room {
  readonly channel: Id
  readonly root: number
  readonly items: Accessor<readonly Item[] | undefined>
  readonly trouble: Accessor<ServerError | undefined>
  readonly again: () => void
  readonly moreBefore: Accessor<boolean>
  readonly moreAfter: Accessor<boolean>
  readonly arrived: Accessor<number>
  readonly unreadFrom: Accessor<number>
  readonly typing: Accessor<readonly Id[]>
  readonly draft: Draft
  readonly #o: RoomsOptions
  readonly #recorder: Recorder
  readonly #me: Id
  /** The side that the reader has come near to last. */
  #toward: 'before' | 'after' = 'after'
  readonly #view: View
  readonly #window: Accessor<Window | undefined>
  readonly #setUnread: (offset: number) => void
  readonly #typists: Typists
  readonly #signal: (key: string, body: Uint8Array) => void
  readonly #undo: (() => void)[] = []
  /** Something of it is known: from the cache or the server. */
  readonly #known: Promise<void>
  #said = -Infinity
  /** Seen up to there. Infinity: it was marked unread, and isn't read by being looked at until it is opened anew. */
  #read = 0
  #version: number

  constructor(o: RoomsOptions, channel: Id, root: number) {
    const { me, outgoing } = o
    const recorder = o.recorder()
    this.channel = channel
    this.root = root
    this.#o = o
    this.#recorder = recorder
    this.#me = me
    const room = recorder.glance(channel)
    this.#signal = (key, body) => { room.signal(key, body) }
    this.#view = room.view(root)
    const troubleOf = (state: RoomState) => (state.kind === 'failed' ? state.cause : undefined) // one that has ended leaves the list, and the screen says so
    const [trouble, setTrouble] = createSignal(troubleOf(room.state))
    const [lacking, setLacking] = createSignal(this.#view.trouble)
    this.trouble = () => trouble() ?? lacking()
    this.again = () => {
      room.retry()
      this.#view.retry()
    }
    this.#undo.push(room.onState((state) => { setTrouble(troubleOf(state)) }), this.#view.onTrouble(setLacking))
    const [window, setWindow] = createSignal(this.#view.window, { equals: false })
    this.#window = window
    let know = () => { /* the promise has it */ }
    this.#known = new Promise((resolve) => { know = resolve })
    if (this.#view.window !== undefined) know()
    const [arrived, setArrived] = createSignal(0)
    this.arrived = arrived
    let known = this.#view.window
    this.#view.onChange((w) => {
      setArrived((n) => n + (known === undefined ? 0 : posted(w, known.cursor)))
      known = w
      if (w.messages.length > most + PAGE) queueMicrotask(() => { this.#trim('after') }) // so many came while it was open
      setWindow(w)
      know()
    })
    this.items = createMemo(() => {
      const w = window()
      return w && shown(w, outgoing())
    })
    this.moreBefore = createMemo(() => (window()?.from ?? 0) > 0)
    this.moreAfter = createMemo(() => (window()?.to ?? Infinity) !== Infinity)
    const [from, setFrom] = createSignal(this.#firstUnread())
    this.unreadFrom = from
    this.#setUnread = setFrom
    this.#version = this.#marker()?.version ?? 0
    if (root === 0 && unreadOf(recorder.channels.get(channel)) > 0 && isKeptUnread(channel, this.#version)) this.#read = Infinity
    this.#undo.push(
      recorder.onChange((part) => {
        if (part === 'channels') this.#marked()
      }),
    )
    this.#typists = createTypists()
    this.typing = this.#typists.who
    this.draft = this.#drafted()
  }

  /** trim has the room hold no more than `most`, for who has come near to one side: they may have gone to the other one while a page was on its way. */
  #trim(side: 'before' | 'after'): void {
    if (this.#toward === side) this.#view.trim(most, side === 'before' ? 'after' : 'before')
  }

  readBefore(): void {
    this.#toward = 'before'
    if (this.moreBefore()) this.#view.older().then(() => { this.#trim('before') }, () => undefined) // it is asked for again as one scrolls
  }

  readAfter(): void {
    this.#toward = 'after'
    if (this.moreAfter()) this.#view.newer().then(() => { this.#trim('after') }, () => undefined)
  }

  async jump(to: Place): Promise<number | undefined> {
    switch (to.kind) {
      case 'end':
        this.#toward = 'after'
        await this.#view.latest()
        return undefined
      case 'message':
        if (!this.#holds(to.offset)) await this.#view.jump({ offset: to.offset })
        return to.offset
      case 'time':
        await this.#view.jump({ atMs: to.ms })
        return this.items()?.find((item) => item.message.timeMs >= to.ms)?.message.offset
      case 'unread': {
        if (this.#window() === undefined) await this.#known // where that is can't be said before
        const first = this.#firstUnread()
        this.#setUnread(first)
        if (first === 0) return undefined
        if (!this.#holds(first)) await this.#view.jump({ offset: first })
        return first
      }
    }
  }

  seen(offset: number): void {
    if (offset <= this.#read) return
    this.#read = offset
    if (this.root !== 0) {
      const thread = this.#thread()
      const unread = thread === undefined ? this.#hasReplies() : thread.following && offset > thread.read
      if (unread) this.#put(chat.markThreadRead, { channel: this.channel, root: this.root, offset }, marks)
      return
    }
    const entry = this.#recorder.channels.get(this.channel)
    const mark = entry && readTo(entry, offset, this.#window(), this.#groups())
    if (mark) this.#put(chat.markRead, mark.request, marks, mark.note)
  }

  markUnread(offset: number): void {
    const entry = this.#recorder.channels.get(this.channel)
    if (entry === undefined) return
    const mark = unreadFrom(entry, offset, this.#window(), this.#groups())
    this.#read = Infinity
    this.#put(chat.markUnread, mark.request, marks, mark.note)
  }

  send(text: string, options: { readonly alsoInChannel?: boolean } = {}): void {
    this.#said = -Infinity
    if (this.#read === Infinity) this.#read = 0 // who writes has read it
    const { channel, root } = this
    const { drafts } = this.#recorder
    const { alsoInChannel = false } = options
    const key = newId() // so that it takes place once, where it is put again after a doubt
    void drafts.leave(channel, root, { key, text, alsoInChannel }) // until the outbox has it, this is where it is
    this.#o.keeper.keep(chat.send, { channel, text, root, alsoInChannel }, { lane: channel, key }).then(
      () => drafts.left(channel, root, key),
      (cause: unknown) => {
        drafts.back(channel, root, key)
        this.#o.onNotKept(cause, undefined)
      },
    )
  }

  edit(offset: number, text: string): void {
    this.#put(chat.editMessage, { channel: this.channel, offset, text }, this.channel)
  }

  remove(offset: number): void {
    this.#put(chat.deleteMessage, { channel: this.channel, offset }, this.channel)
  }

  react(offset: number, emoji: string, on: boolean): void {
    this.#put(on ? chat.addReaction : chat.removeReaction, { channel: this.channel, offset, emoji }, this.channel)
  }

  pin(offset: number, on: boolean): void {
    this.#put(chat.pinMessage, { channel: this.channel, offset, pinned: on }, this.channel)
  }

  retry(seq: number): void {
    this.#o.keeper.retry(seq)
  }

  drop(seq: number): void {
    this.#o.keeper.drop(seq)
  }

  types(): void {
    const now = Date.now()
    if (now - this.#said < sayEvery) return
    this.#said = now
    this.#signal('typing', encode(Typing, { root: this.root }))
  }

  /** message is one that is held. */
  message(offset: number): Message | undefined {
    return this.items()?.find((item) => item.message.offset === offset)?.message
  }

  heard(user: Id): void {
    if (user !== this.#me) this.#typists.heard(user)
  }

  said(user: Id): void {
    this.#typists.gone(user)
  }

  leave(): void {
    for (const undo of this.#undo) undo()
    if (this.root === 0) forgetUnread(this.channel)
    this.#view.close()
    this.#recorder.leave(this.channel)
  }

  #put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, lane: string, note?: unknown): void {
    this.#o.keeper.put(method, request, { lane, note })
  }

  /** marked notices that it was marked unread, here or on another device. */
  #marked(): void {
    const marker = this.#marker()
    if (this.root !== 0 || marker === undefined || marker.version <= this.#version) return
    this.#version = marker.version
    this.#read = Infinity
    this.#setUnread(marker.offset + 1)
    keepUnread(this.channel, marker.version)
  }

  #marker() {
    return this.#recorder.channels.get(this.channel)?.badge.marker
  }

  #groups(): ReadonlySet<string> {
    return groupsOf(this.#recorder.directory, this.#me)
  }

  #thread() {
    return this.#recorder.inbox.threads.get(threadKey(this.channel, this.root))
  }

  /** A message without replies is no thread of which something could be read. */
  #hasReplies(): boolean {
    return this.#window()?.messages.some((m) => m.offset !== this.root) ?? false
  }

  #firstUnread(): number {
    const thread = this.#thread()
    if (this.root !== 0) return thread?.following && thread.unread > 0 ? Math.max(thread.read, this.root) + 1 : 0
    const entry = this.#recorder.channels.get(this.channel)
    if (entry === undefined || unread(entry) === 0) return 0
    return (entry.badge.marker?.offset ?? 0) + 1
  }

  #holds(offset: number): boolean {
    const w = this.#window()
    return w !== undefined && offset >= w.from && offset <= w.to
  }

  #drafted(): Draft {
    const book = this.#recorder.drafts
    const [writing, setWriting] = createSignal(book.of(this.channel, this.root), { equals: false })
    this.#undo.push(
      book.onChange((w) => {
        if (w.channel === this.channel && w.root === this.root) setWriting(w)
      }),
    )
    return {
      text: () => writing().text,
      write: (text) => void book.type(this.channel, this.root, text),
      theirs: () => writing().theirs?.text,
      resolve: (choice) => void book.resolve(this.channel, this.root, choice),
    }
  }
}
