import type { Session } from '@plenum/sdk'
import type { Member as Told, MembersChanged } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { createMemo, createSignal, type Accessor } from 'solid-js'
import type { Member } from '../../chat/beside.ts'
import type { ChannelRole, Id } from '../model.ts'
import { change } from './change.ts'
import { channelRoleName, channelRoleNumber, done } from './names.ts'

/** How many members are read at a time: the most that the service gives. */
const page = 500

type Known = ReadonlyMap<Id, Member>

/** Asked is what is being changed: it is shown before the server has taken it. */
type Asked = (members: Map<Id, Member>) => void

const memberOf = ({ user, role, guest }: Told): Member => ({ id: user, role: channelRoleName(role), guest })

/** Membership is who is in a channel: read by pages, kept up to date by its events. */
export class Membership {
  readonly members: Accessor<readonly Member[] | undefined>
  readonly more: Accessor<boolean>
  readonly #session: Session
  readonly #channel: Id
  readonly #stop: AbortSignal
  readonly #known: Accessor<Known | undefined>
  readonly #setKnown: (to: Known | undefined) => void
  readonly #setAsked: (to: (before: readonly Asked[]) => readonly Asked[]) => void
  readonly #next: Accessor<string | undefined>
  readonly #setNext: (to: string | undefined) => void
  #reading: Promise<void> | undefined
  /** What was told while a page was on its way, which may be older. */
  #meanwhile: MembersChanged[] = []
  /** How often all was read anew: a page of a turn before is none of this one's. */
  #turn = 0

  constructor(session: Session, channel: Id, stop: AbortSignal) {
    this.#session = session
    this.#channel = channel
    this.#stop = stop
    const [known, setKnown] = createSignal<Known>()
    const [asked, setAsked] = createSignal<readonly Asked[]>([])
    const [next, setNext] = createSignal<string | undefined>('') // undefined: all are read
    this.#known = known
    this.#setKnown = setKnown
    this.#setAsked = setAsked
    this.#next = next
    this.#setNext = setNext
    this.more = () => next() !== undefined
    this.members = createMemo(() => {
      const there = known()
      if (there === undefined) return undefined
      const now = new Map(there)
      for (const apply of asked()) apply(now)
      return [...now.values()]
    })
  }

  read(): Promise<void> {
    if (this.#next() === undefined) return Promise.resolve()
    if (this.#reading !== undefined) return this.#reading
    const reading = this.#read(this.#turn).finally(() => {
      if (this.#reading === reading) this.#reading = undefined
    })
    this.#reading = reading
    return reading
  }

  /** refresh reads all that has been read anew: events may have been lost. */
  refresh(): void {
    if (this.#known() === undefined) return
    this.#turn++
    this.#reading = undefined
    this.#setNext('')
    this.#setKnown(new Map())
    this.read().catch(() => undefined) // it is read again when it is looked at
  }

  told(event: MembersChanged): void {
    if (this.#reading) this.#meanwhile.push(event)
    const known = this.#known()
    if (known) this.#setKnown(applied(known, event))
  }

  add(people: readonly Id[]): Promise<void> {
    const asked: Asked = (members) => {
      for (const id of people) if (!members.has(id)) members.set(id, { id, role: 'member', guest: false })
    }
    return this.#change(asked, change(this.#session, chat.addMembers, { channel: this.#channel, users: [...people] }, this.#channel))
  }

  remove(person: Id): Promise<void> {
    return this.#change((members) => members.delete(person), change(this.#session, chat.removeMember, { channel: this.#channel, user: person }, this.#channel))
  }

  setRole(person: Id, role: ChannelRole): Promise<void> {
    const asked: Asked = (members) => {
      const member = members.get(person)
      if (member) members.set(person, { ...member, role })
    }
    return this.#change(asked, change(this.#session, chat.setMemberRole, { channel: this.#channel, user: person, role: channelRoleNumber(role) }, this.#channel))
  }

  async #change(asked: Asked, taken: Promise<unknown>): Promise<void> {
    this.#setAsked((all) => [...all, asked])
    const gone = () => { this.#setAsked((all) => all.filter((one) => one !== asked)) }
    await taken.then(() => {
      const known = this.#known()
      if (known) {
        const now = new Map(known)
        asked(now) // as its event tells, which may come later
        this.#setKnown(now)
      }
      gone()
    }, (error: unknown) => {
      gone()
      throw error
    }).then(done)
  }

  async #read(turn: number): Promise<void> {
    this.#meanwhile = []
    const { members, next } = await this.#session.call(chat.listMembers, { channel: this.#channel, page: this.#next() ?? '', limit: page }, { signal: this.#stop })
    if (turn !== this.#turn) return
    let now: Known = new Map([...(this.#known() ?? []), ...members.map((m) => [m.user, memberOf(m)] as const)])
    for (const event of this.#meanwhile) now = applied(now, event)
    this.#setKnown(now)
    this.#setNext(next === '' ? undefined : next)
  }
}

function applied(known: Known, { joined, left, roles }: MembersChanged): Known {
  const now = new Map(known)
  for (const id of left) now.delete(id)
  for (const member of [...joined, ...roles]) now.set(member.user, memberOf(member))
  return now
}
