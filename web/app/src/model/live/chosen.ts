import type { Session } from '@plenum/sdk'
import { getStatus } from '@plenum/sdk/proto/plenum/presence/v1/presence.methods.ts'
import { createSignal, type Accessor } from 'solid-js'
import type { Quiet, Status } from '../model.ts'
import { chosenName } from './names.ts'

/** A timer that is longer ends at once, in ms. */
const longest = 24 * 3_600_000

const nothing: Status = { state: 'automatic', emoji: '', text: '', until: undefined }

/** Chosen is what the account has chosen to tell of itself. Of that others see a part, late, and nothing while it looks offline: it is asked for. */
export class Chosen {
  readonly status: Accessor<Status | undefined>
  readonly #set: (status: Status) => void
  readonly #session: Session
  readonly #me: string
  readonly #off: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #asked = 0

  constructor(session: Session, me: string) {
    const [status, set] = createSignal<Status | undefined>()
    this.status = status
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

  /** ask asks the server, and rejects where it doesn't answer. */
  async ask(): Promise<Status> {
    const asked = ++this.#asked
    const { chosen, custom, untilMs } = await this.#session.call(getStatus, { user: this.#me })
    const status: Status = { state: chosenName(chosen), emoji: custom?.emoji ?? '', text: custom?.text ?? '', until: untilMs === 0 ? undefined : untilMs }
    if (asked === this.#asked) this.set(status)
    return status
  }

  /** refresh asks; what is known stays where there is no answer: it is asked again with the next change, and the next connection. */
  async refresh(): Promise<void> {
    await this.ask().catch(() => undefined)
  }

  /** set is what has just been chosen. */
  set(status: Status): void {
    this.#asked++
    clearTimeout(this.#timer)
    const left = status.until === undefined ? Infinity : status.until - Date.now()
    this.#set(left > 0 ? status : nothing)
    if (left > 0 && left !== Infinity) this.#timer = setTimeout(() => this.set(status), Math.min(left, longest))
  }

  close(): void {
    this.#off()
    clearTimeout(this.#timer)
  }
}

/** quietOf says of what was chosen whether the account is not to be disturbed. */
export function quietOf(status: Status | undefined): Quiet | undefined {
  return status && (status.state === 'silent' ? { on: true, until: status.until } : { on: false })
}
