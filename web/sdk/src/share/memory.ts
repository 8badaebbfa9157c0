import type { Cursor, Entry, Head } from '../proto/plenum/edge/v1/edge.ts'
import type { Update } from '../session.ts'

export type Told = Extract<Update, { kind: 'heads' | 'view' }>

/** Memory is what a bundle or a view has told, as it stands: what somebody who comes later is told at once. */
export class Memory {
  readonly #heads = new Map<string, Head>()
  readonly #entries = new Map<string, Entry>()
  #kind: Told['kind'] | undefined
  #stale = false
  /** Where it stands, to come back with. */
  cursor: Cursor | undefined
  /** It began with a snapshot: nothing is missing. */
  complete = false

  /** Anything was told. */
  get told(): boolean {
    return this.#kind !== undefined
  }

  take(update: Told): void {
    this.#kind = update.kind
    if (update.snapshot) this.#forget()
    if (update.kind === 'heads') {
      for (const head of update.heads) this.#head(head)
      this.cursor = update.cursor // none where something has moved since: whoever comes with the list's would miss that
      return
    }
    for (const entry of update.entries) {
      if (entry.removed) this.#entries.delete(entry.key)
      else this.#entries.set(entry.key, entry)
    }
    this.#stale = update.stale
    this.cursor = update.cursor // none between two parts: whoever comes with it then would miss one
  }

  /** snapshot is all of it as one update; undefined: something is missing. */
  snapshot(): Told | undefined {
    if (!this.complete || this.#kind === undefined) return undefined
    const { cursor } = this
    if (this.#kind === 'heads') return { kind: 'heads', snapshot: true, heads: [...this.#heads.values()], cursor }
    return { kind: 'view', snapshot: true, entries: [...this.#entries.values()], stale: this.#stale, cursor }
  }

  #forget(): void {
    this.#heads.clear()
    this.#entries.clear()
    this.cursor = undefined
    this.complete = true
  }

  /** head takes a head over the former one: what it doesn't say is unchanged. */
  #head(head: Head): void {
    if (head.removed) {
      this.#heads.delete(head.topic)
      return
    }
    const former = this.#heads.get(head.topic)
    const badge = head.badge.length > 0 ? head.badge : (former?.badge ?? head.badge)
    const redacted = Math.max(head.redacted, former?.redacted ?? 0)
    this.#heads.set(head.topic, { ...head, badge, redacted, epoch: head.epoch || (former?.epoch ?? 0) })
  }
}
