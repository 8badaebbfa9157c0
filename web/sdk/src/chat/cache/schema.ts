import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb'
import type { Mention, Message, MyThread } from '../../proto/plenum/chat/v1/chat.ts'
import type { Group, Person } from '../../proto/plenum/identity/v1/model.ts'
import type { Entry } from '../channels.ts'
import type { Writing } from '../drafts.ts'

/** Row is a message on disk. */
export interface Row {
  readonly channel: string
  readonly offset: number
  readonly timeMs: number
  readonly message: Message
  /** For the index of that name, over all messages. Offsets and times are negative in indexes: then the newest come first, and `getAll` takes a limit. */
  readonly newest: readonly [timeMs: number, channel: string, offset: number]
  /** Likewise, of what is shown in the channel. */
  readonly shown?: readonly [channel: string, offset: number]
  /** Likewise, of replies and their root. */
  readonly thread?: readonly [channel: string, root: number, offset: number]
  /** The message was read at this cursor's offset, later than its channel's; absent: it stands where that does. */
  readonly asOf?: number
}

/** Stand is up to where something on disk is true. It is written in the transaction of what it stands for. */
export interface Stand {
  readonly epoch: number
  readonly offset: number
  /** Of a channel: all that is shown in it from here on is on disk; 0: from the beginning. */
  readonly from: number
  /** When the reader opened the channel last, Unix milliseconds; 0: never. */
  readonly openedMs: number
  /** Messages whose text has to be read anew. */
  readonly omitted: readonly number[]
}

export interface Schema extends DBSchema {
  messages: {
    key: [channel: string, offset: number]
    value: Row
    indexes: { shown: [string, number]; thread: [string, number, number]; newest: [number, string, number] }
  }
  channels: { key: string; value: Entry }
  people: { key: string; value: Person }
  groups: { key: string; value: Group }
  drafts: { key: [channel: string, root: number]; value: Writing }
  threads: { key: [channel: string, root: number]; value: MyThread }
  mentions: { key: [channel: string, offset: number]; value: Mention }
  /** By topic. */
  cursors: { key: string; value: Stand }
}

export type Database = IDBPDatabase<Schema>
export type Name = 'messages' | 'channels' | 'people' | 'groups' | 'drafts' | 'threads' | 'mentions' | 'cursors'
export type Upgrade = IDBPTransaction<Schema, Name[], 'versionchange'>

/**
 * The steps from each version of the database to the next: the first one makes it. A step is never changed once it was released; add another one, and its
 * test, which begins with what the version before it wrote.
 */
export const steps: readonly ((db: Database, tx: Upgrade) => void | Promise<void>)[] = [
  (db) => {
    const messages = db.createObjectStore('messages', { keyPath: ['channel', 'offset'] })
    messages.createIndex('shown', 'shown')
    messages.createIndex('thread', 'thread')
    messages.createIndex('newest', 'newest')
    db.createObjectStore('channels', { keyPath: 'id' })
    db.createObjectStore('people', { keyPath: 'id' })
    db.createObjectStore('groups', { keyPath: 'id' })
    db.createObjectStore('drafts', { keyPath: ['channel', 'root'] })
    db.createObjectStore('cursors')
  },
  (db) => {
    db.createObjectStore('threads')
    db.createObjectStore('mentions')
  },
]

/** openAt opens a database at the version behind so many steps. `closing` is told when a page of a later version has to change it: it is closed then. */
export function openAt(name: string, version: number, closing: () => void): Promise<Database> {
  return openDB<Schema>(name, version, {
    upgrade(db, from, to, tx) {
      const upgraded = async () => {
        for (const step of steps.slice(from, to ?? version)) await step(db, tx)
      }
      upgraded().catch(() => { tx.abort() }) // then it is made anew
    },
    blocking(_from, _to, event) {
      ;(event.target as IDBDatabase).close()
      closing()
    },
    terminated: closing,
  })
}

/** erase deletes a database, and with it all that is known of the account offline. */
export function erase(name: string): Promise<void> {
  return new Promise((done, failed) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => { done() }
    request.onerror = () => { failed(request.error ?? new Error('the database is not deleted')) }
    // Blocked by another page: that one is told to close it, and then it is deleted.
  })
}

