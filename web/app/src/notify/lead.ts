/**
 * Lead settles which page of an account, of all in a browser, tells outside of the page: the one that was focused last, or as long as none was, the oldest. And it
 * knows whether one is focused now. Both are Web Locks, which go with the page that holds them: no page that died speaks for others, or silences them.
 */
export class Lead {
  readonly #locks: LockManager | undefined
  readonly #speaker: string
  readonly #attended: string
  #turn: AbortController | undefined
  #speaks = false
  #step: (() => void) | undefined
  #leave: (() => void) | undefined
  #closed = false

  /** `locks` are absent where the page isn't secure; there is no Notification either. */
  constructor(me: string, locks: LockManager | undefined = 'locks' in navigator ? navigator.locks : undefined) {
    this.#locks = locks
    this.#speaker = `plenum.speaker.${me}`
    this.#attended = `plenum.attended.${me}`
    this.#wait()
  }

  /** focus says whether this page is focused. */
  focus(on: boolean): void {
    if (this.#closed || on === (this.#leave !== undefined)) return
    if (!on) {
      this.#leave?.()
      this.#leave = undefined
      return
    }
    const left = new Promise<void>((leave) => { this.#leave = leave })
    void this.#locks?.request(this.#attended, { mode: 'shared' }, () => left)
    if (!this.#speaks) this.#ask({ steal: true })
  }

  /** speaks says that this page tells for all: none is focused, and it is its turn. */
  async speaks(): Promise<boolean> {
    if (!this.#speaks || this.#locks === undefined) return false
    const { held = [] } = await this.#locks.query()
    return !held.some((lock) => lock.name === this.#attended)
  }

  close(): void {
    this.#closed = true
    this.#turn?.abort()
    this.#step?.()
    this.#leave?.()
  }

  #wait(): void {
    this.#ask({})
  }

  /** ask waits for its turn, or takes it; the page that it is taken from waits again. */
  #ask(how: { readonly steal?: true }): void {
    this.#turn?.abort()
    const turn = new AbortController()
    this.#turn = turn
    const options: LockOptions = how.steal ? how : { signal: turn.signal } // a lock that is stolen can't be given up before
    const held = () => {
      if (this.#closed) return undefined // one that is stolen comes, whoever has left meanwhile
      this.#speaks = true
      return new Promise<void>((step) => { this.#step = step })
    }
    const asked = this.#locks?.request(this.#speaker, options, held)
    asked?.catch(
      () => {
        if (this.#turn !== turn) return // it has asked anew
        this.#speaks = false
        if (!this.#closed) this.#wait()
      },
    )
  }
}
