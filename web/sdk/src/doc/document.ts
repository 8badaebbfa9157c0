import type { Delta, Document as Content } from '../ot/index.ts'
import type { OtherCursor } from './presence.ts'
import type { Refused } from './refused.ts'
import { notRead, Replica, type Listener } from './replica.ts'
import { Talk } from './run.ts'
import type { Store } from './store.ts'
import type { Transport } from './transport.ts'
import { Writer } from './writer.ts'

/** Config says which document, over which session, and what to keep. */
export interface Config extends Listener {
  readonly transport: Transport
  /** Its id. */
  readonly document: string
  /**
   * Keeps what was typed and not acknowledged, and the content that it edits, so that it can be edited offline and by a later run. The transport's
   * numbers have to be kept, too, and stay the same ones. Without it all is lost with the page.
   */
  readonly store?: Store
  /** The clock, in Unix milliseconds: Date.now. */
  readonly now?: () => number
}

/** Status is how a document stands. */
export interface Status {
  /** Of the server's content that is known; version 0: it was never read. */
  readonly epoch: number
  readonly version: number
  /** Something was typed that is not acknowledged. */
  readonly pending: boolean
  /** Something is not on disk yet. */
  readonly unsaved: boolean
  /** Why it could not be written; it is tried again. Null: it could, or it waits. */
  readonly failure: unknown
  /** Edits that the server did not take. */
  readonly refused: number
}

const validId = /^[A-Za-z0-9_-]{1,26}$/

/**
 * Document is a co-edited document: one edit under way, what was typed meanwhile behind it, and nothing typed ever lost. Open it, have it run, and
 * edit what is shown, at once, with or without a connection.
 */
export class Document {
  readonly #replica: Replica
  readonly #transport: Transport
  readonly #now: () => number
  #talk: Talk | null = null
  #closed = false
  /** Why run has ended; null: it has not. */
  #ended: Error | null = null
  #waiting: (() => void)[] = []

  private constructor(cfg: Config, now: () => number, writer: Writer | null) {
    this.#transport = cfg.transport
    this.#now = now
    const listener: Listener = {
      onChange: (change) => cfg.onChange?.(change),
      onRefused: (refused) => cfg.onRefused?.(refused),
      onMended: (cause) => cfg.onMended?.(cause),
      onStatus: () => {
        this.#moved()
        cfg.onStatus?.()
      },
    }
    this.#replica = new Replica(cfg.document, cfg.transport.clientId, writer, listener)
  }

  /** open reads what the store keeps. It talks to nobody before run. */
  static async open(cfg: Config): Promise<Document> {
    if (!validId.test(cfg.document)) throw new Error(`"${cfg.document}" is no document's id`)
    const now = cfg.now ?? Date.now
    const journal = await cfg.store?.open(cfg.document)
    if (journal === undefined) return new Document(cfg, now, null)
    try {
      const texts = await journal.read()
      const size = texts.reduce((n, text) => n + text.length, 0)
      const d = new Document(cfg, now, new Writer(journal, size, () => cfg.onStatus?.()))
      d.#replica.play(texts, now())
      return d
    } catch (e) {
      journal.close()
      throw e
    }
  }

  /** close writes what waits, and closes the journal; it rejects where that fails. End run before. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#replica.save()
    await this.#replica.writer?.close()
  }

  /**
   * run keeps the document as the server has it, and sends what was typed, until its signal aborts. It rejects with the reason why there is no use in
   * going on; a ServerError where the server said it. What was typed and not sent stays in the store, unless the server said that it will never take
   * it: then it is in refused.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#talk !== null || this.#closed) throw new Error('run was called twice, or after close')
    const talk = new Talk(this.#replica, this.#transport, this.#now, signal)
    this.#talk = talk
    this.#ended = null
    try {
      await talk.run()
      this.#ended = new Error('the document is not followed any more')
    } catch (e) {
      this.#ended = e instanceof Error ? e : new Error('the session has ended', { cause: e })
      throw e
    } finally {
      this.#talk = null
      this.#replica.save()
      this.#moved()
    }
  }

  /** ready resolves once there is content to show: at once, where the store has it. */
  async ready(signal?: AbortSignal): Promise<void> {
    await this.#until(() => this.#replica.state !== null, signal)
  }

  /** content is what is shown: the server's content with what is not acknowledged yet. */
  get content(): Content {
    const { state } = this.#replica
    if (state === null) throw new Error(notRead)
    return state.shown
  }

  get status(): Status {
    const { state, writer } = this.#replica
    return {
      epoch: state?.epoch ?? 0,
      version: state?.version ?? 0,
      pending: state?.pending ?? false,
      unsaved: writer?.unsaved ?? false,
      failure: writer?.failure ?? null,
      refused: state?.refused.length ?? 0,
    }
  }

  /**
   * edit changes what is shown. It throws where the edit doesn't fit (an OtError), and where nothing can be typed now; then nothing has changed. The
   * edit is on disk once saved resolves.
   */
  edit(change: Delta): void {
    this.#open().edit(change, this.#now())
    this.#talk?.wake()
  }

  /**
   * undo takes the user's newest edit back that still can be, and nobody else's; redo does again what undo took back last. They return how what is
   * shown has changed, null where there is nothing.
   */
  undo(): Delta | null {
    return this.#step(true)
  }

  redo(): Delta | null {
    return this.#step(false)
  }

  #step(undo: boolean): Delta | null {
    const change = this.#open().step(undo, this.#now())
    this.#talk?.wake()
    return change
  }

  #open(): Replica {
    if (this.#closed) throw new Error('the document is closed')
    return this.#replica
  }

  /** saved resolves when all that was typed until now is on disk; it rejects when it never will be. Without a store there is nothing to wait for. */
  async saved(): Promise<void> {
    await this.#replica.writer?.flushed()
  }

  /** refused are the edits that the server did not take, oldest first. They are kept until they are forgotten. */
  get refused(): readonly Refused[] {
    return this.#replica.state?.refused ?? []
  }

  /** forget drops a refused edit. */
  forget(id: number): void {
    this.#open().forget(id)
  }

  /**
   * sync waits until all that was typed is acknowledged, and gives the version that is known then. It rejects with the ServerError by which an edit
   * was refused since the last one was typed, or with the reason why run has ended, or with that of its signal: then it still waits to be sent.
   */
  async sync(signal?: AbortSignal): Promise<number> {
    const done = () => {
      if (this.#replica.rejected !== null) throw this.#replica.rejected
      return this.#replica.state?.pending === false
    }
    await this.#until(done, signal)
    return this.status.version
  }

  /** reach waits until the content is at least of a version: one that the program was told elsewhere, and wants to edit from. */
  async reach(version: number, signal?: AbortSignal): Promise<void> {
    await this.#until(() => this.#replica.state !== null && this.status.version >= version, signal)
  }

  /** point tells others where the user is, in code units of what is shown; leave that they are not there any more. */
  point(anchor: number, head: number): void {
    this.#open().point(anchor, head)
    this.#talk?.wake()
  }

  leave(): void {
    this.#open().leave()
    this.#talk?.wake()
  }

  /** cursors is where others are, as far as they said so lately. */
  get cursors(): OtherCursor[] {
    return this.#replica.cursors(this.#now())
  }

  /** until waits until something is so, while run goes on or has not begun. */
  async #until(so: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    const look = () => {
      this.#moved()
    }
    signal?.addEventListener('abort', look)
    try {
      while (!so()) {
        if (this.#ended !== null) throw this.#ended
        signal?.throwIfAborted()
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      signal?.removeEventListener('abort', look)
    }
  }

  #moved(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
