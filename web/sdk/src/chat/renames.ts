import type { Channels } from './channels.ts'

/** SOON_MS is how long it waits before it asks what a channel is called now, in milliseconds: a rename seldom comes alone. */
export const SOON_MS = 1_000

/**
 * IN_VAIN is how often it asks for a channel that is called as before, for most of what it takes for a rename is a reaction: then once each AGAIN_MS,
 * in milliseconds. A question that finds another name doesn't count, up to FOUND within AGAIN_MS: one rename is soon followed by another.
 */
export const IN_VAIN = 3
export const AGAIN_MS = 5 * 60_000
export const FOUND = 10

/** SPREAD_MS is over how long the clients of a channel's members spread their questions, in milliseconds for each member: 100 ask in a second. */
const SPREAD_MS = 10

/**
 * Renames notices that a channel may be called otherwise now, which nobody tells but its own topic. Of those that aren't followed heads say how far they have
 * moved, and how many messages there are: what moves one by more than its messages may be a rename.
 */
export class Renames {
  readonly #ask: (channel: string) => Promise<boolean>
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  /** When each channel may be asked for IN_VAIN times again, Unix milliseconds: each question in vain puts it off by AGAIN_MS. */
  readonly #free = new Map<string, number>()

  /** When another name was found by a question that didn't count, Unix milliseconds. */
  readonly #found = new Map<string, readonly number[]>()

  /** Whoever is asked says whether the channel is called otherwise now. */
  constructor(ask: (channel: string) => Promise<boolean>) {
    this.#ask = ask
  }

  /** told compares the list before heads were told with the list after; `followed` are channels whose topic tells. */
  told(before: Channels, after: Channels, followed: (channel: string) => boolean): void {
    for (const [id, { place, channel }] of after) {
      const old = before.get(id)
      if (old === undefined || old.place === place || channel === undefined || followed(id)) continue
      if (old.place.epoch === place.epoch && place.offset - old.place.offset <= place.count - old.place.count) continue
      if (old.place.epoch === 0 || this.#timers.has(id)) continue // of epoch 0: its name was read just now
      const spread = SOON_MS + Math.random() * channel.members * SPREAD_MS
      const due = (this.#free.get(id) ?? -Infinity) - (IN_VAIN - 1) * AGAIN_MS - Date.now()
      const wait = Math.max(spread, Math.min(due, AGAIN_MS)) // more only where the clock was set back
      this.#timers.set(id, setTimeout(() => { void this.#due(id) }, wait))
    }
  }

  async #due(id: string): Promise<void> {
    this.#timers.delete(id)
    const before = this.#free.get(id)
    const now = Date.now()
    this.#free.set(id, Math.min(Math.max(before ?? -Infinity, now), now + (IN_VAIN - 1) * AGAIN_MS) + AGAIN_MS)
    if (!(await this.#ask(id))) return
    const found = (this.#found.get(id) ?? []).filter((at) => at <= now && at > now - AGAIN_MS)
    if (found.length >= FOUND) return
    this.#found.set(id, [...found, now])
    if (before === undefined) this.#free.delete(id)
    else this.#free.set(id, before)
  }

  /** read is that channels have been read by other ways. */
  read(ids: Iterable<string>): void {
    for (const id of ids) {
      clearTimeout(this.#timers.get(id))
      this.#timers.delete(id)
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}
