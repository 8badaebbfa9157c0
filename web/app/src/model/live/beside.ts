import { encode, type Following, type Session, type Update } from '@plenum/sdk'
import { changeOf, type Recorder, type Told } from '@plenum/sdk/chat'
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { Entry, Window } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'
import { createMemo, createSignal, type Accessor } from 'solid-js'
import type { About, Beside, Looking, Member } from '../../chat/beside.ts'
import type { ChannelRole, Id } from '../model.ts'
import { change } from './change.ts'
import { Membership } from './membership.ts'
import { done, historyNumber, postingNumber } from './names.ts'
import { warn } from './warn.ts'

/** For how long a channel has to stay on the screen, in ms, before more is asked of it than its messages: who only passes by costs nothing. */
export const settled = 400

/** How many members a view of a channel names: the most that it may. */
const named = 200

const nobody: Looking = { people: [], count: 0 }

export interface LiveBesideOptions {
  readonly session: Session
  readonly me: Id
  readonly channel: Id
  readonly outgoing: Accessor<Recorder['outgoing']>
  /** One of the messages on the screen. */
  readonly message: (offset: number) => Message | undefined
}

/** LiveBeside reads and changes what is beside a channel's messages. It lives as long as the channel is on the screen, and follows what others change by the channel's events. */
export class LiveBeside implements Beside {
  readonly channel: Id
  readonly members: Accessor<readonly Member[] | undefined>
  readonly moreMembers: Accessor<boolean>
  readonly pins: Accessor<readonly Message[] | undefined>
  readonly looking: Accessor<Looking>
  readonly #o: LiveBesideOptions
  readonly #membership: Membership
  readonly #setPins: (to: (before: readonly Message[] | undefined) => readonly Message[] | undefined) => void
  readonly #setLooking: (to: Looking) => void
  readonly #stop = new AbortController()
  readonly #undo: (() => void)[] = []
  /** Who looks, and how many, as the view tells it. */
  #there = new Set<Id>()
  #counted = 0
  #size = 0
  #following: Following | undefined

  constructor(o: LiveBesideOptions) {
    this.#o = o
    this.channel = o.channel
    this.#membership = new Membership(o.session, o.channel, this.#stop.signal)
    this.members = this.#membership.members
    this.moreMembers = this.#membership.more
    const [pins, setPins] = createSignal<readonly Message[]>()
    this.#setPins = setPins
    this.pins = createMemo(() => this.#withOutgoing(pins()))
    const [looking, setLooking] = createSignal(nobody, { equals: (a, b) => a.count === b.count && a.people.join() === b.people.join() })
    this.looking = looking
    this.#setLooking = setLooking
    const timer = setTimeout(() => { this.#begin() }, settled)
    this.#undo.push(() => { clearTimeout(timer) })
  }

  readMembers(): Promise<void> {
    return this.#membership.read()
  }

  update({ posting, history, ...rest }: Partial<About>): Promise<void> {
    const request = { channel: this.channel, ...rest, ...(posting && { posting: postingNumber(posting) }), ...(history && { history: historyNumber(history) }) }
    return change(this.#o.session, chat.updateChannel, request, this.channel).then(done)
  }

  archive(archived: boolean): Promise<void> {
    return change(this.#o.session, chat.archiveChannel, { channel: this.channel, archived }, this.channel).then(done)
  }

  add(people: readonly Id[]): Promise<void> {
    return this.#membership.add(people)
  }

  remove(person: Id): Promise<void> {
    return this.#membership.remove(person)
  }

  setRole(person: Id, role: ChannelRole): Promise<void> {
    return this.#membership.setRole(person, role)
  }

  pin(offset: number, pinned: boolean): Promise<void> {
    return change(this.#o.session, chat.pinMessage, { channel: this.channel, offset, pinned }, this.channel).then(done)
  }

  /** told takes over events of the channel. */
  told(events: readonly Told[]): void {
    for (const { what } of events) {
      if (what?.$case === 'members') this.#membership.told(what.value)
      else if (what?.$case === 'pin') this.#pinned(what.value.offset, !what.value.removed)
      else if (what?.$case === 'deleted') this.#pinned(what.value.offset, false)
      else if (what?.$case === 'edited') this.#edited(what.value.offset)
    }
  }

  close(): void {
    this.#stop.abort(new DOMException('the channel is left', 'AbortError'))
    for (const undo of this.#undo) undo()
    this.#following?.close()
  }

  #begin(): void {
    const see = () => { this.#look(document.visibilityState === 'visible') }
    document.addEventListener('visibilitychange', see)
    this.#undo.push(() => { document.removeEventListener('visibilitychange', see) })
    see()
    let away = false
    this.#undo.push(this.#o.session.onState(({ kind }) => {
      if (kind === 'online' && away) this.#refresh() // events may have been lost
      away = kind !== 'online'
    }))
    this.#readPins()
  }

  #refresh(): void {
    this.#readPins()
    this.#membership.refresh()
  }

  #readPins(): void {
    this.#call(this.#o.session.call(chat.listPins, { channel: this.channel }, { signal: this.#stop.signal }), ({ messages }) => { this.#setPins(() => messages) })
  }

  #pinned(offset: number, on: boolean): void {
    if (!on) {
      this.#setPins((pins) => pins?.filter((pin) => pin.offset !== offset))
      return
    }
    const message = this.#o.message(offset)
    if (message) this.#put(message)
    else this.#call(this.#o.session.call(chat.getMessages, { channel: this.channel, offsets: [offset] }, { signal: this.#stop.signal }), ({ messages }) => { this.#put(messages[0]) })
  }

  #put(message: Message | undefined): void {
    if (message) this.#setPins((pins) => pins && [message, ...pins.filter((pin) => pin.offset !== message.offset)])
  }

  /** edited reads a pinned message anew: the event may lack its text. */
  #edited(offset: number): void {
    const replace = (message: Message | undefined) => { if (message) this.#setPins((pins) => pins?.map((pin) => (pin.offset === offset ? message : pin))) }
    if (!this.pins()?.some((pin) => pin.offset === offset)) return
    this.#call(this.#o.session.call(chat.getMessages, { channel: this.channel, offsets: [offset] }, { signal: this.#stop.signal }), ({ messages }) => { replace(messages[0]) })
  }

  /** withOutgoing are the pins with those that wait in the outbox. */
  #withOutgoing(pins: readonly Message[] | undefined): readonly Message[] | undefined {
    const { entries, landed } = this.#o.outgoing()
    let now = pins
    for (const pending of [...landed.map((l) => l.pending), ...entries]) {
      const what = pending.state === 'refused' ? undefined : changeOf(pending)
      if (what?.kind !== 'PinMessage' || what.request.channel !== this.channel) continue
      const { offset, pinned } = what.request
      const message = pinned && !now?.some((pin) => pin.offset === offset) ? this.#o.message(offset) : undefined
      now = pinned ? (message && now ? [message, ...now] : now) : now?.filter((pin) => pin.offset !== offset)
    }
    return now
  }

  /** look tells others that one looks at the channel, and follows who else does. */
  #look(on: boolean): void {
    if (on === (this.#following !== undefined)) return
    if (!on) {
      this.#following?.close()
      this.#following = undefined
      return
    }
    this.#following = this.#o.session.follow(`presence.channel/${this.channel}`, (update) => { this.#seen(update) }, { params: encode(Window, { limit: named, looking: true }) })
  }

  #seen(update: Update): void {
    if (update.kind === 'ended') this.#setLooking(nobody)
    if (update.kind !== 'view') return
    if (update.snapshot) this.#there.clear()
    for (const { key, removed, body } of update.entries) {
      if (key === '~') continue
      const { looking, counts } = Entry.decode(body)
      if (key === '#') {
        this.#counted = counts?.looking ?? 0
        this.#size = counts?.members ?? 0
      } else if (looking && !removed) this.#there.add(key)
      else this.#there.delete(key)
    }
    const people = [...this.#there].filter((id) => id !== this.#o.me)
    // Of a channel that isn't named as a whole, the count says how many; oneself is one of them.
    this.#setLooking({ people, count: this.#size <= named ? people.length : Math.max(people.length, this.#counted - 1) })
  }

  /** call takes over what a read answers. It is read again with the next connection, and when the channel is opened the next time. */
  #call<T>(asked: Promise<T>, then: (answer: T) => void): void {
    asked.then(then, (error: unknown) => { if (!this.#stop.signal.aborted) warn(error) })
  }
}
