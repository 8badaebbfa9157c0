import { encode, type Method, type Session } from '@plenum/sdk'
import { readTo, shown, unreadFrom, unread, groupsOf, type Item, type Recorder, type Told, type View, type Window } from '@plenum/sdk/chat'
import { Typing, type Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createMemo, createRoot, createSignal, type Accessor } from 'solid-js'
import type { Draft, Place, Room, Rooms } from '../../chat/room.ts'
import type { Beside } from '../../chat/beside.ts'
import { createTypists, sayEvery, type Typists } from '../../chat/typing.ts'
import type { Id } from '../model.ts'
import { LiveBeside } from './beside.ts'

/** The lane of all that is read and marked unread: each marker's version follows the one before. */
export const marks = 'marks'

interface Open {
  readonly room: LiveRoom
  users: number
  readonly dispose: () => void
}

/** LiveRooms opens rooms over the recorder: one of each, however many show it. */
export class LiveRooms implements Rooms {
  readonly #open = new Map<string, Open>()
  readonly #beside = new Map<Id, { readonly beside: LiveBeside; users: number; readonly dispose: () => void }>()
  readonly #session: Session
  readonly #recorder: () => Recorder
  readonly #me: Id
  readonly #outgoing: Accessor<Recorder['outgoing']>

  /** `outgoing` is the recorder's, as a signal. */
  constructor(session: Session, recorder: () => Recorder, me: Id, outgoing: Accessor<Recorder['outgoing']>) {
    this.#session = session
    this.#recorder = recorder
    this.#me = me
    this.#outgoing = outgoing
  }

  open(channel: Id, root: number): Room {
    const key = keyOf(channel, root)
    let there = this.#open.get(key)
    if (there === undefined) {
      there = createRoot((dispose) => ({ room: new LiveRoom(this.#session, this.#recorder(), this.#me, this.#outgoing, channel, root), users: 0, dispose }))
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
      there = createRoot((dispose) => ({ beside: new LiveBeside({ session: this.#session, me: this.#me, channel, outgoing: this.#outgoing, message }), users: 0, dispose }))
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

const keyOf = (channel: Id, root: number) => `${channel}/${root}`

class LiveRoom implements Room {
  readonly channel: Id
  readonly root: number
  readonly items: Accessor<readonly Item[] | undefined>
  readonly moreBefore: Accessor<boolean>
  readonly moreAfter: Accessor<boolean>
  readonly unreadFrom: Accessor<number>
  readonly typing: Accessor<readonly Id[]>
  readonly draft: Draft
  readonly #session: Session
  readonly #recorder: Recorder
  readonly #me: Id
  readonly #view: View
  readonly #window: Accessor<Window | undefined>
  readonly #setUnread: (offset: number) => void
  readonly #typists: Typists
  readonly #signal: (key: string, body: Uint8Array) => void
  #said = -Infinity
  #read = 0

  constructor(session: Session, recorder: Recorder, me: Id, outgoing: Accessor<Recorder['outgoing']>, channel: Id, root: number) {
    this.channel = channel
    this.root = root
    this.#session = session
    this.#recorder = recorder
    this.#me = me
    const room = recorder.open(channel)
    this.#signal = (key, body) => { room.signal(key, body) }
    this.#view = room.view(root)
    const [window, setWindow] = createSignal(this.#view.window, { equals: false })
    this.#window = window
    this.#view.onChange((w) => setWindow(w))
    this.items = createMemo(() => {
      const w = window()
      return w && shown(w, outgoing())
    })
    this.moreBefore = createMemo(() => (window()?.from ?? 0) > 0)
    this.moreAfter = createMemo(() => (window()?.to ?? Infinity) !== Infinity)
    const [from, setFrom] = createSignal(this.#firstUnread())
    this.unreadFrom = from
    this.#setUnread = setFrom
    this.#typists = createTypists()
    this.typing = this.#typists.who
    this.draft = this.#drafted()
  }

  readBefore(): void {
    if (this.moreBefore()) this.#view.older().catch(() => undefined) // it is asked for again as one scrolls
  }

  readAfter(): void {
    if (this.moreAfter()) this.#view.newer().catch(() => undefined)
  }

  async jump(to: Place): Promise<number | undefined> {
    switch (to.kind) {
      case 'end':
        await this.#view.latest()
        return undefined
      case 'message':
        if (!this.#holds(to.offset)) await this.#view.jump({ offset: to.offset })
        return to.offset
      case 'time':
        await this.#view.jump({ atMs: to.ms })
        return this.items()?.find((item) => item.message.timeMs >= to.ms)?.message.offset
      case 'unread': {
        const first = this.#firstUnread()
        this.#setUnread(first)
        if (first === 0) return undefined
        if (!this.#holds(first) && this.#window() !== undefined) await this.#view.jump({ offset: first })
        return first
      }
    }
  }

  seen(offset: number): void {
    if (offset <= this.#read) return
    this.#read = offset
    if (this.root !== 0) {
      this.#put(chat.markThreadRead, { channel: this.channel, root: this.root, offset }, marks)
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
    this.#setUnread(offset)
    this.#read = Infinity // until it is opened again: what is marked unread isn't read by being looked at
    this.#put(chat.markUnread, mark.request, marks, mark.note)
  }

  send(text: string, options: { readonly alsoInChannel?: boolean } = {}): void {
    this.#said = -Infinity
    this.#put(chat.send, { channel: this.channel, text, root: this.root, alsoInChannel: options.alsoInChannel ?? false }, this.channel)
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
    void this.#session.outbox.retry(seq)
  }

  drop(seq: number): void {
    void this.#session.outbox.drop(seq)
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
    this.#view.close()
    this.#recorder.leave(this.channel)
  }

  #put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, lane: string, note?: unknown): void {
    void this.#session.outbox.put(method, request, { lane, note })
  }

  #groups(): ReadonlySet<string> {
    return groupsOf(this.#recorder.directory, this.#me)
  }

  #firstUnread(): number {
    const entry = this.#recorder.channels.get(this.channel)
    if (this.root !== 0 || entry === undefined || unread(entry) === 0) return 0
    return (entry.badge.marker?.offset ?? 0) + 1
  }

  #holds(offset: number): boolean {
    const w = this.#window()
    return w !== undefined && offset >= w.from && offset <= w.to
  }

  #drafted(): Draft {
    const book = this.#recorder.drafts
    const [writing, setWriting] = createSignal(book.of(this.channel, this.root), { equals: false })
    book.onChange((w) => {
      if (w.channel === this.channel && w.root === this.root) setWriting(w)
    })
    return {
      text: () => writing().text,
      write: (text) => void book.type(this.channel, this.root, text),
      theirs: () => writing().theirs?.text,
      resolve: (choice) => void book.resolve(this.channel, this.root, choice),
    }
  }
}
