/**
 * What screens read and call: signals that tell how things are, and functions that change them. The application's model implements it over the SDK;
 * sample.ts implements it over nothing, for the gallery. Each function that returns a promise rejects with a Refusal.
 */
import type { Hit, Query } from '@plenum/sdk/chat/cache'
import type { Mentions } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import type { Accessor } from 'solid-js'
import type { Inbox } from '../inbox/inbox.ts'
import type { Arrivals } from '../notify/arrivals.ts'

/** A name that the server gave, <= 26 bytes. */
export type Id = string

/** Refusal is why something was not done; a ServerError of the SDK is one. i18n/refusals.ts says it in words. */
export interface Refusal {
  /** "identity.SIGN_IN", "client.OFFLINE": append-only names. */
  readonly reason: string
  /** For people, in English: shown when there are no words of our own for the reason. */
  readonly message: string
  /** Which field of the request is meant; '': no single one. */
  readonly field: string
  /** Not before so many ms; 0: not said. */
  readonly retryAfterMs: number
}

export type Role = 'owner' | 'admin' | 'member' | 'guest' | 'service'

export interface Workspace {
  readonly id: Id
  /** [a-z0-9-], 2 to 40 characters. */
  readonly slug: string
  readonly name: string
}

export interface Person {
  readonly id: Id
  /** [a-z0-9._-], 2 to 32 characters. */
  readonly handle: string
  readonly name: string
  readonly role: Role
  /** '': none. */
  readonly title: string
  readonly deactivated: boolean
}

/** Group is a named set of people, who are mentioned as one. */
export interface Group {
  readonly id: Id
  /** As a person's; no person has the same. */
  readonly handle: string
  readonly name: string
  /** How many are in it, <= 1,000. */
  readonly members: number
  /** The account is in it. */
  readonly mine: boolean
}

export type PresenceState = 'unknown' | 'offline' | 'online' | 'away' | 'busy' | 'silent'

export interface Presence {
  readonly state: PresenceState
  readonly mobile: boolean
  /** Custom status; both '': none. */
  readonly emoji: string
  readonly text: string
}

export type ChannelKind = 'public' | 'private' | 'direct' | 'group'
/** What somebody may do in a channel; 'none': not a member, or a conversation, which has no roles. */
export type ChannelRole = 'none' | 'member' | 'moderator' | 'owner'
export type NotifyLevel = 'default' | 'all' | 'mentions' | 'none'

export interface Channel {
  readonly id: Id
  readonly kind: ChannelKind
  /** '' for direct and group: they are called after their people. */
  readonly name: string
  readonly topic: string
  readonly purpose: string
  readonly archived: boolean
  /** Who may post. */
  readonly posting: 'members' | 'moderators'
  /** What those may read of the time before, who come to a private channel. */
  readonly history: 'all' | 'joined'
  /** '': not known. */
  readonly creator: Id
  /** Unix ms; 0: not known. */
  readonly created: number
  /** The account's. */
  readonly role: ChannelRole
  readonly members: number
  /** Of direct and group: all members, the account's own as well. */
  readonly people: readonly Id[]
  /** Messages after the marker. */
  readonly unread: number
  /** Of these, those that mention the account. */
  readonly mentions: number
  readonly muted: boolean
  readonly level: NotifyLevel
  readonly draft: boolean
}

/** Account is who uses the application now. */
export interface Account {
  readonly me: Id
  readonly workspace: Workspace
  /** "chat.create_channel": what is offered; the services decide. */
  readonly permissions: ReadonlySet<string>
}

/** Stage is how far somebody has come. */
export type Stage =
  /** What is cached is being opened. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'signed-out' }
  /** The session has ended; what is cached, and drafts, wait for the same account. */
  | { readonly kind: 'expired'; readonly workspace: Workspace; readonly handle: string }
  | { readonly kind: 'signed-in'; readonly account: Account }

export type Connection =
  | { readonly kind: 'online' }
  /** For the first time, or again. */
  | { readonly kind: 'connecting' }
  /** `retryAt`: Date.now() of the next attempt; undefined: the device has no network. */
  | { readonly kind: 'offline'; readonly retryAt: number | undefined }
  /** The server speaks no longer as we do: load the page anew. */
  | { readonly kind: 'outdated' }

/**
 * Kept is how this device keeps what is read, for offline. `low`: there is little room left; `full`: none, even without the oldest; `off`: the storage can't be
 * written. The application goes on in each, with what it has in memory.
 */
export type Kept = 'kept' | 'low' | 'full' | 'off'

/** Link is what a one-time link offers. */
export type Link =
  | { readonly kind: 'setup' }
  | { readonly kind: 'join'; readonly workspace: string; readonly slug: string; readonly invitedBy: string; readonly role: Role; readonly expires: number }
  | { readonly kind: 'reset'; readonly workspace: string; readonly slug: string; readonly handle: string; readonly expires: number }

/** Access is becoming somebody. */
export interface Access {
  readonly stage: Accessor<Stage>
  /** The workspace of who was here last, to be offered at sign-in; ''. */
  readonly lastWorkspace: string
  describe(secret: string): Promise<Link>
  signIn(slug: string, handle: string, password: string): Promise<void>
  setUp(secret: string, workspace: { readonly slug: string; readonly name: string }, person: NewPerson): Promise<void>
  join(secret: string, person: NewPerson): Promise<void>
  reset(secret: string, password: string): Promise<void>
  /** Erases what is cached of the account. */
  signOut(): Promise<void>
}

export interface NewPerson {
  readonly handle: string
  /** '': the handle. */
  readonly name: string
  /** 10 to 256 bytes. */
  readonly password: string
}

export interface Device {
  readonly id: Id
  readonly name: string
  readonly agent: string
  /** Unix ms. */
  readonly seen: number
  readonly current: boolean
}

export interface Invitation {
  readonly id: Id
  readonly role: Role
  /** Whom it is for; ''. */
  readonly note: string
  readonly by: Id
  /** Unix ms. */
  readonly expires: number
  readonly state: 'open' | 'used' | 'revoked' | 'expired'
}

export interface AuditEntry {
  readonly seq: number
  /** Unix ms. */
  readonly time: number
  /** "role.changed". */
  readonly action: string
  /** Names, or pseudonyms of who was erased; '': nobody, or what has no name here. */
  readonly actor: string
  readonly target: string
  /** What it was done to, by its id; ''. */
  readonly targetId: string
  /** What else the service wrote down: { from: 'member', to: 'admin' }. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface Page<T> {
  readonly items: readonly T[]
  /** '': that was all. */
  readonly next: string
}

/** Quiet is whether one is not to be disturbed. `until`: Unix ms; undefined: until it is changed. */
export type Quiet = { readonly on: false } | { readonly on: true; readonly until: number | undefined }

/** Status is what one has chosen to tell of oneself. */
export interface Status {
  readonly state: PresenceState | 'automatic' | 'invisible'
  readonly emoji: string
  readonly text: string
  /** When all of it ends, Unix ms; undefined: when it is changed. */
  readonly until: number | undefined
}

/** Profile is what settings change of the account's own. */
export interface Profile {
  update(change: { readonly name: string; readonly title: string }): Promise<void>
  setStatus(status: Status): Promise<void>
  /** Asks the server for it: Model.status is what is known. */
  status(): Promise<Status>
  changePassword(old: string, fresh: string): Promise<void>
  devices(): Promise<readonly Device[]>
  revoke(device: Id): Promise<void>
}

/** Administration is what owners and administrators do. */
export interface Administration {
  /** The link to give away, whole. */
  invite(role: Role, note: string): Promise<string>
  invitations(page: string): Promise<Page<Invitation>>
  withdraw(invitation: Id): Promise<void>
  setRole(person: Id, role: Role): Promise<void>
  setActive(person: Id, active: boolean): Promise<void>
  /** The link for a new password, whole. */
  resetPassword(person: Id): Promise<string>
  audit(page: string): Promise<Page<AuditEntry>>
}

export interface NewChannel {
  readonly name: string
  readonly topic: string
  readonly private: boolean
}

/** Browsed is a channel that one may join. */
export interface Browsed {
  readonly id: Id
  readonly name: string
  readonly topic: string
  readonly members: number
  readonly joined: boolean
  readonly archived: boolean
}

/** Preview is what one may know of a channel before one joins it. */
export interface Preview {
  readonly name: string
  readonly topic: string
  readonly purpose: string
  /** How many are in it. */
  readonly members: number
  readonly archived: boolean
  /** Some of its people, eight at most. */
  readonly people: readonly Id[]
  /** What was said last, oldest first; undefined: one may not read it. */
  readonly said: readonly { readonly offset: number; readonly author: Id; readonly timeMs: number; readonly text: string; readonly mentions: Mentions | undefined }[] | undefined
}

export interface Model {
  readonly access: Access
  readonly connection: Accessor<Connection>
  /** Changes that wait for the server. */
  readonly sending: Accessor<number>
  readonly storage: Accessor<Kept>
  /** Try to connect now. */
  reconnect(): void

  /** One's own, as the sidebar orders them. */
  readonly channels: Accessor<readonly Channel[]>
  /** False until the list is known: from the cache or the server. */
  readonly ready: Accessor<boolean>
  channel(id: Id): Channel | undefined
  readonly people: Accessor<readonly Person[]>
  person(id: Id): Person | undefined
  /** <= 1,000; who may not see the directory knows none. */
  readonly groups: Accessor<readonly Group[]>
  presence(id: Id): Presence

  createChannel(channel: NewChannel): Promise<Id>
  /** The channel with exactly these and the account. */
  openDirect(people: readonly Id[]): Promise<Id>
  /** Channels in whose names each of at most four words begins a word. `archived`: archived ones alone. */
  browse(words: string, page: string, archived: boolean): Promise<Page<Browsed>>
  preview(channel: Id): Promise<Preview>
  join(channel: Id): Promise<void>
  leave(channel: Id): Promise<void>
  setNotifications(channel: Id, change: { readonly muted: boolean; readonly level: NotifyLevel }): Promise<void>
  markRead(channel: Id): void
  /** Marks all channels as read. What it returns takes that back; undefined: nothing was unread. */
  markAllRead(): (() => void) | undefined

  readonly inbox: Inbox
  /** Messages that this device holds, the newest first, a few at a time; nothing is asked of the server. Who has enough stops. */
  search(query: Query): AsyncIterable<readonly Hit[]>

  /** What one has chosen to tell of oneself, which others see only a part of; undefined: not known yet. */
  readonly status: Accessor<Status | undefined>
  /** undefined: not known yet. */
  readonly quiet: Accessor<Quiet | undefined>
  /** Of who is signed in: call it once for each who tells of them. */
  arrivals(): Arrivals
  readonly profile: Profile
  readonly administration: Administration
}
