/**
 * What the screen of a channel, or of a thread, reads and calls. The application's model implements it over the SDK's chat model; the gallery over nothing.
 */
import type { ServerError } from '@plenum/sdk'
import type { Item } from '@plenum/sdk/chat'
import type { Accessor } from 'solid-js'
import type { Id } from '../model/model.ts'
import type { Beside } from './beside.ts'

/** Place is where a room is opened, or jumped to. */
export type Place =
  /** Its first unread message, if the room has not reached it; else the end. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'end' }
  /** A message by its offset; `mark`: it is shown as the one that was meant. */
  | { readonly kind: 'message'; readonly offset: number }
  /** The first message of a day, Unix ms. */
  | { readonly kind: 'time'; readonly ms: number }

export interface Room {
  readonly channel: Id
  /** 0: the channel; else the thread of this message. */
  readonly root: number
  /** All that is held, in order; undefined: nothing yet, neither cached nor read. */
  readonly items: Accessor<readonly Item[] | undefined>
  /** Why nothing new comes: the room could not be read or followed, until `again`. undefined: nothing is wrong. */
  readonly trouble: Accessor<ServerError | undefined>
  /** Tries again to read it. */
  again(): void
  /** There are older or newer ones than those held. */
  readonly moreBefore: Accessor<boolean>
  readonly moreAfter: Accessor<boolean>
  /** Reads them; does nothing while it does so, or where there are none. As many are held as a room may hold: those at the other side go, and can be read again. */
  readBefore(): void
  readAfter(): void
  /** Goes somewhere else: `items` are others then. It resolves with the offset to show, once it is among them; undefined: the end. */
  jump(to: Place): Promise<number | undefined>
  /** The first unread message as the room was opened, or marked unread since; 0: none. It stays, so that the divider does. */
  readonly unreadFrom: Accessor<number>
  /** How many have been posted since it was opened, held or not. */
  readonly arrived: Accessor<number>
  /** Who types here now. */
  readonly typing: Accessor<readonly Id[]>

  /** The message of an offset has been seen, in a focused window: it is read up to there. */
  seen(offset: number): void
  markUnread(offset: number): void
  send(text: string, options?: { readonly alsoInChannel?: boolean }): void
  edit(offset: number, text: string): void
  remove(offset: number): void
  /** React, or take it back. */
  react(offset: number, emoji: string, on: boolean): void
  pin(offset: number, on: boolean): void
  /** Of a message that was refused, by Item.seq. */
  retry(seq: number): void
  drop(seq: number): void
  /** The person types: told to others, cheaply. */
  types(): void

  readonly draft: Draft
}

/** Draft is what is being written here, kept on this device and told to others of the account. */
export interface Draft {
  readonly text: Accessor<string>
  write(text: string): void
  /** What another device has written meanwhile; undefined: nothing else. */
  readonly theirs: Accessor<string | undefined>
  resolve(choice: 'mine' | 'theirs' | 'both'): void
}

/** Unsent is a message that a channel has not taken. */
export interface Unsent {
  readonly seq: number
  readonly text: string
  /** Why it was refused; undefined: it waits still. */
  readonly cause: unknown
}

/** Rooms opens rooms: the same one for all who ask while it is open. */
export interface Rooms {
  /** What was written to a channel and isn't sent: of one that can't be opened any more, since its person was removed. */
  unsent(channel: Id): readonly Unsent[]
  /** Of one that was refused, by Unsent.seq. */
  retry(seq: number): void
  drop(seq: number): void
  /** `glance`: it is shown among many others, and its channel doesn't count as one that was opened, which are kept ready. */
  open(channel: Id, root: number, glance?: boolean): Room
  /** Who has it open no longer. */
  close(room: Room): void
  /** What is beside a channel's messages: the same one for all who ask. */
  beside(channel: Id): Beside
  /** Who shows it no longer. */
  leave(beside: Beside): void
}
