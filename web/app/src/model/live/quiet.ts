import type { Session } from '@plenum/sdk'
import { getStatus } from '@plenum/sdk/proto/plenum/presence/v1/presence.methods.ts'
import { State } from '@plenum/sdk/proto/plenum/presence/v1/presence.ts'
import { createSignal, type Accessor } from 'solid-js'
import type { Quiet } from '../model.ts'

/** A timer that is longer ends at once, in ms. */
const longest = 24 * 3_600_000

/** Quieted is whether the account is not to be disturbed. Others see that in its presence, but not until when, and not while it is idle: it is asked for. */
export class Quieted {
  readonly now: Accessor<Quiet | undefined>
  readonly #set: (quiet: Quiet) => void
  readonly #session: Session
  readonly #me: string
  readonly #off: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #asked = 0

  constructor(session: Session, me: string) {
    const [now, set] = createSignal<Quiet | undefined>()
    this.now = now
    this.#set = set
    this.#session = session
    this.#me = me
    let online = false
    const follow = () => {
      if (session.state.kind === 'online' && !online) void this.refresh()
      online = session.state.kind === 'online'
    }
    this.#off = session.onState(follow)
    follow()
  }

  /** refresh asks; what is known stays where there is no answer. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked
    try {
      const { chosen, untilMs } = await this.#session.call(getStatus, { user: this.#me })
      if (asked === this.#asked) this.set(chosen === State.DO_NOT_DISTURB, untilMs === 0 ? undefined : untilMs)
    } catch {
      // it is asked again with the next change, and the next connection
    }
  }

  /** set is what has just been chosen. `until`: Unix ms; undefined: until it is changed. */
  set(on: boolean, until: number | undefined): void {
    this.#asked++
    clearTimeout(this.#timer)
    const left = until === undefined ? Infinity : until - Date.now()
    this.#set(on && left > 0 ? { on: true, until } : { on: false })
    if (on && left > 0 && left !== Infinity) this.#timer = setTimeout(() => this.set(on, until), Math.min(left, longest))
  }

  close(): void {
    this.#off()
    clearTimeout(this.#timer)
  }
}
