/** What arrives elsewhere than where one looks. The application's model implements it over the SDK (model/live/arrivals.ts); the gallery over nothing. */
import type { Channel, Id } from '../model/model.ts'

/** Said is a message that may be told of. */
export interface Said {
  readonly channel: Id
  readonly offset: number
  /** Its thread; 0: none. */
  readonly root: number
  /** It stands in the channel: it is no reply, or one that is shown there too. */
  readonly shown: boolean
  readonly author: Id
  /** The server's, Unix ms. */
  readonly timeMs: number
  /** Markdown. */
  readonly text: string
  /** It was deleted, or is the system's. */
  readonly gone: boolean
  /** It names the account, or a group of theirs. */
  readonly names: boolean
  readonly everybody: boolean
  /** The account follows its thread. */
  readonly following: boolean
}

export interface Batch {
  readonly said: readonly Said[]
  /** How many more there are, which were not read since they are too many. */
  readonly more: number
  /** The server's clock, Unix ms. */
  readonly now: number
}

export interface Listening {
  /** What of a channel is asked for; 'none': it isn't looked at. */
  readonly wants: (channel: Pick<Channel, 'kind' | 'muted' | 'level'>) => 'all' | 'mentions' | 'none'
  /** Whether this page would tell of anything now: if not, nothing is read. */
  readonly tells: () => Promise<boolean>
  readonly told: (batch: Batch) => void
}

export interface Arrivals {
  /** The server's clock, as far as it is known, Unix ms. */
  now(): number
  /** listen begins with what is said from now on, until the function that it returns is called. */
  listen(listening: Listening): () => void
  /** Whether it has been read, on any device; a signal. */
  read(said: Pick<Said, 'channel' | 'offset' | 'root' | 'shown'>): boolean
}
