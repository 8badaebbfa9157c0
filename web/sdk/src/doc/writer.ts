import { TakenOverError, type Journal } from './store.ts'

const tryAgain = 1000 // ms: after what could not be written

/**
 * Writer writes to a journal in order, beside what goes on. What can't be written (the disk is full) waits, and is tried again each second and with
 * each further write; only after a takeover it is given up.
 */
export class Writer {
  readonly #journal: Journal
  readonly #told: () => void
  /** What waits: a text for all, or nothing of that, then texts behind it. */
  #whole: string | null = null
  #texts: string[] = []
  /** How many calls of append and rewrite there were, and how many of them are on disk. */
  #called = 0
  #written = 0
  #waiting: { from: number; resolve: () => void; reject: (e: unknown) => void }[] = []
  #running: Promise<void> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false
  /** Why the last attempt failed; null: it did not. */
  failure: unknown = null
  /** How many characters the journal holds, once all is written. */
  size: number

  /** told is called when something was written, and when it could not be. */
  constructor(journal: Journal, size: number, told: () => void) {
    this.#journal = journal
    this.size = size
    this.#told = told
  }

  /** ended: nothing more is written. */
  get ended(): boolean {
    return this.#closed || this.failure instanceof TakenOverError
  }

  /** unsaved: something waits to be written. */
  get unsaved(): boolean {
    return this.#written < this.#called
  }

  append(text: string): void {
    this.#texts.push(text)
    this.size += text.length
    this.#called++
    void this.#pump()
  }

  rewrite(text: string): void {
    this.#whole = text
    this.#texts = []
    this.size = text.length
    this.#called++
    void this.#pump()
  }

  /** flushed resolves when all that was given until now is on disk, and rejects when it never will be. */
  flushed(): Promise<void> {
    if (!this.unsaved) return Promise.resolve()
    if (this.ended) return Promise.reject(this.#why())
    return new Promise((resolve, reject) => this.#waiting.push({ from: this.#called, resolve, reject }))
  }

  /** close writes what waits, once more, and closes the journal. It rejects where that fails. */
  async close(): Promise<void> {
    await this.#pump()
    if (this.unsaved) await this.#pump()
    this.abandon()
    if (this.unsaved) throw this.#why()
  }

  /** abandon closes the journal, and writes nothing more: as if the page had died. */
  abandon(): void {
    clearTimeout(this.#timer)
    this.#closed = true
    this.#journal.close()
    this.#settle()
  }

  #why(): Error {
    return this.failure instanceof Error ? this.failure : new Error('the document is closed')
  }

  #pump(): Promise<void> {
    if (!this.unsaved || this.ended) return Promise.resolve()
    this.#running ??= this.#run() // it does not end before it has waited for a write
    return this.#running
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer)
    do await this.#write()
    while (this.unsaved && this.failure === null && !this.#closed)
    this.#running = null // nothing may come between this and the look before
    if (this.unsaved && !this.ended) this.#timer = setTimeout(() => void this.#pump(), tryAgain)
    this.#told()
  }

  async #write(): Promise<void> {
    const upTo = this.#called
    const whole = this.#whole
    const texts = this.#texts
    this.#whole = null
    this.#texts = []
    try {
      await (whole === null ? this.#journal.append(texts) : this.#journal.rewrite([whole, ...texts]))
      this.#written = upTo
      this.failure = null
    } catch (e) {
      this.#putBack(whole, texts)
      this.failure = e
    }
    this.#settle()
  }

  /** putBack has what could not be written wait again, before what came meanwhile, unless that is all. */
  #putBack(whole: string | null, texts: readonly string[]): void {
    if (this.#whole !== null) return
    this.#whole = whole
    this.#texts = [...texts, ...this.#texts]
  }

  /** settle tells those who wait in flushed. */
  #settle(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const w of waiting) {
      if (w.from <= this.#written) w.resolve()
      else if (this.ended) w.reject(this.#why())
      else this.#waiting.push(w)
    }
  }
}
