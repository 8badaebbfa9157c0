import { Code, ServerError } from '../errors.ts'
import type { Fault } from '../fault.ts'

/** Kept is an entry as it is stored. */
export interface Kept {
  readonly seq: number
  readonly method: string
  readonly body: Uint8Array
  readonly lane: string
  readonly note: unknown
  /** Names the change for who puts it again after a doubt; '': nobody will. */
  readonly key: string
  /** `Date.now()` as it was put. */
  readonly since: number
  /** Why the server refused it; undefined: it has not. */
  readonly cause: Fault | undefined
}

/** Past is an entry that has left: its key, and the number that it had. */
export type Past = readonly [key: string, seq: number]

/** Contents is what an outbox has to know after a restart. */
export interface Contents {
  readonly clientId: string
  /** Invariant: numbers below were given, or never will be. */
  readonly reserved: number
  /** Entries up to this number may have been sent; those behind it were not. */
  readonly tried: number
  /** Ascending by number. */
  readonly entries: readonly Kept[]
  /** Of entries that had a key, those that left last. */
  readonly past: readonly Past[]
}

/** Write is what changes: all of it is stored, or nothing. */
export interface Write {
  readonly reserved?: number
  readonly tried?: number
  readonly put?: readonly Kept[]
  readonly remove?: readonly number[]
  /** In place of those that there were. */
  readonly past?: readonly Past[]
}

/** Box is an outbox's store that was opened. */
export interface Box {
  /** What was there as it was opened. */
  readonly contents: Contents
  /** write stores a change: when it resolves, it is there after a crash. It rejects with 106 `client.OUTBOX_TAKEN` once another one has opened the store. */
  write(w: Write): Promise<void>
  /** close ends it: what is written behind it rejects. */
  close(): void
}

/** Store keeps an outbox. */
export interface Store {
  /**
   * open takes the outbox over: whoever had it open before can't write any more. So there is no lock that a page which died could leave behind.
   * `clientId` becomes the installation's where the store has none yet.
   */
  open(clientId: string): Promise<Box>
}

/** taken says that the outbox was opened elsewhere since. */
export const taken = () =>
  new ServerError(Code.CONFLICT, 'client.OUTBOX_TAKEN', 'What waits to be sent is in the hands of another page now. Go on there, or load this page again.')
