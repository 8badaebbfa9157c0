import type { Channels } from './channels.ts'

/** SOON_MS is how long it waits before it asks what a channel is called now, in milliseconds: a rename seldom comes alone. */
export const SOON_MS = 1_000

/** AGAIN_MS is how long it doesn't ask for the same channel again, in milliseconds: most of what it takes for a rename is a reaction. */
export const AGAIN_MS = 5 * 60_000

/** SPREAD_MS is over how long the clients of a channel's members spread their questions, in milliseconds for each member: 100 ask in a second. */
const SPREAD_MS = 10

/**
 * Renames notices that a channel may be called otherwise now, which nobody tells but its own topic. Of those that aren't followed heads say how far they have
 * moved, and how many messages there are: what moves one by more than its messages may be a rename.
 */
export class Renames {
  readonly #ask: (channel: string) => void
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  /** When it was asked for last, Unix milliseconds: of each channel of the list, once. */
  readonly #asked = new Map<string, number>()

  constructor(ask: (channel: string) => void) {
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
      const wait = Math.max(spread, (this.#asked.get(id) ?? -Infinity) + AGAIN_MS - Date.now())
      this.#timers.set(id, setTimeout(() => {
        this.#timers.delete(id)
        this.#asked.set(id, Date.now())
        this.#ask(id)
      }, wait))
    }
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
