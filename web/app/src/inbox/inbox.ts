/** What the screens of the inbox read and call. The application's model implements it over the SDK's chat model; sample.ts over nothing. */
import type { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import type { Accessor } from 'solid-js'
import type { Id } from '../model/model.ts'

/** Followed is a thread that the account follows, or has followed. */
export interface Followed {
  /** "channel/root". */
  readonly key: string
  readonly channel: Id
  /** Offset of its first message. */
  readonly root: number
  readonly replies: number
  /** Offset and time (Unix ms) of the last one. */
  readonly lastReply: number
  readonly lastReplyMs: number
  /** Offset of the last one that was read. */
  readonly read: number
  /** Replies by others behind it. */
  readonly unread: number
  readonly following: boolean
}

/** Named is a message that names the account, or a group that it is in. */
export interface Named {
  /** "channel/offset". */
  readonly key: string
  readonly channel: Id
  readonly offset: number
  /** Of its thread; 0: none. */
  readonly root: number
  readonly author: Id
  /** By which group; '': by name. */
  readonly group: Id
  /** Unix ms. */
  readonly timeMs: number
  readonly unread: boolean
}

export interface Inbox {
  /** False until it is known what is in it: from the cache or the server. */
  readonly known: Accessor<boolean>
  /** Those that are followed, the newest reply first. */
  readonly threads: Accessor<readonly Followed[]>
  /** A thread, as far as anything is known of it; a signal. */
  thread(channel: Id, root: number): Followed | undefined
  /** The newest first. */
  readonly mentions: Accessor<readonly Named[]>
  /** Followed threads with something unread, but for those of muted channels, which count nowhere. */
  readonly unreadThreads: Accessor<number>
  /** With them, mentions that are unread; one in an unread thread counts with that. */
  readonly unread: Accessor<number>
  /** The server has older ones; a signal. */
  hasOlder(what: 'threads' | 'mentions'): boolean
  /** Reads some of them. */
  older(what: 'threads' | 'mentions'): Promise<void>
  /** What was said somewhere; a signal. undefined: not known yet, or it may not be read. Where it isn't on this device it is asked for. */
  message(channel: Id, offset: number): Message | undefined
  follow(channel: Id, root: number, on: boolean): void
  /** Marks a thread as read, up to its last reply. */
  read(thread: Followed): void
}
