/** What the screens beside a channel's messages read and call: who is in it, what is pinned, who looks at it, and how it is changed. */
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import type { Accessor } from 'solid-js'
import type { Channel, ChannelRole, Id } from '../model/model.ts'

export interface Member {
  readonly id: Id
  readonly role: ChannelRole
  /** Sees only what is shared with them. */
  readonly guest: boolean
}

/** Looking is who else has the channel on the screen now. */
export interface Looking {
  /** Those whose names are known: all of a channel of 200 people, and of a larger one those who come first. */
  readonly people: readonly Id[]
  /** How many there are. */
  readonly count: number
}

/** What can be changed of a channel. */
export type About = Pick<Channel, 'name' | 'topic' | 'purpose' | 'posting' | 'history'>

export interface Beside {
  readonly channel: Id
  /** Those read so far, with what the account is just changing; undefined: none yet. In no order. */
  readonly members: Accessor<readonly Member[] | undefined>
  /** There are more to be read. */
  readonly moreMembers: Accessor<boolean>
  /** Reads some hundred more, once at a time; it resolves when they are there. */
  readMembers(): Promise<void>
  /** Pinned messages, the newest pin first; undefined: not read yet. */
  readonly pins: Accessor<readonly Message[] | undefined>
  readonly looking: Accessor<Looking>

  // Each is shown at once, resolves when the server has taken it, and rejects with a Refusal when it hasn't: then all is as before.
  update(change: Partial<About>): Promise<void>
  archive(on: boolean): Promise<void>
  /** 100 at the most. */
  add(people: readonly Id[]): Promise<void>
  remove(person: Id): Promise<void>
  setRole(person: Id, role: ChannelRole): Promise<void>
  pin(offset: number, on: boolean): Promise<void>
}
