import { tell } from '../tell.ts'
import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Following, Update } from '../session.ts'
import { startingAt } from './from.ts'
import type { ToHost } from './messages.ts'

/** RemoteFollowing is a topic that a tab follows by its host: it knows where it stands, to go on with another host. */
export class RemoteFollowing implements Following {
  readonly topic: string
  readonly #id: number
  readonly #options: FollowOptions
  readonly #told: (update: Update) => void
  /** Says it to the host that is there; it returns whether one is. */
  readonly #say: (message: ToHost) => boolean
  readonly #left: () => void
  #from: Cursor | undefined
  #state: 'paused' | 'following' | 'reset' | 'ended' = 'paused'
  #begun = false

  constructor(id: number, topic: string, options: FollowOptions, told: (update: Update) => void, say: (message: ToHost) => boolean, left: () => void) {
    this.#id = id
    this.topic = topic
    this.#options = options
    this.#told = told
    this.#say = say
    this.#left = left
    this.#from = options.from
  }

  /** begin asks the host, if there is one. What waits to be resumed waits on. */
  begin(): void {
    if (this.#state !== 'paused') return
    const options = startingAt(this.#options, this.#from)
    if (!this.#say({ kind: 'follow', id: this.#id, topic: this.topic, options })) return
    this.#state = 'following'
    this.#begun = true
  }

  /** pause is told that the host has gone. */
  pause(): void {
    this.#begun = false
    if (this.#state !== 'following') return
    this.#state = 'paused'
    tell(this.#told, { kind: 'paused' })
  }

  hear(update: Update): void {
    if (this.#state === 'ended' || !this.#begun) return // of a former host
    switch (update.kind) {
      case 'live':
        if (this.#options.heads !== true) this.#from ??= update.head // what is told from now on is all behind this
        break
      case 'events':
        this.#from = update.cursor
        break
      case 'heads':
      case 'view':
        if (update.snapshot || update.cursor !== undefined) this.#from = update.cursor // none within a snapshot: then all of it is told again
        break
      case 'reset':
        this.#state = 'reset'
        break
      case 'ended':
        this.#state = 'ended'
        this.#left()
        break
      case 'signal':
      case 'paused':
    }
    tell(this.#told, update)
  }

  resume(from: Cursor): void {
    if (this.#state !== 'reset') return
    this.#from = from
    if (this.#begun) {
      this.#state = 'following'
      this.#say({ kind: 'resume', id: this.#id, from })
    } else {
      this.#state = 'paused'
      this.begin()
    }
  }

  signal(key: string, body: Uint8Array): void {
    if (this.#state === 'following') this.#say({ kind: 'signal', id: this.#id, key, body })
  }

  close(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#left()
    this.#say({ kind: 'unfollow', id: this.#id })
  }
}
