import { tell } from '../tell.ts'
import type { ServerError } from '../errors.ts'
import { listDrafts, send, setDraft } from '../proto/plenum/chat/v1/chat.methods.ts'
import type { DraftChanged } from '../proto/plenum/chat/v1/chat.ts'
import type { Pending, Session } from '../session.ts'
import type { Cache } from './cache/cache.ts'
import {
  answeredDraft, cameBack, draftKey, due, leaves, left, outrun, readDraft, refusedDraft, resent, resolved, spent, toldDraft, typed, unwritten,
  type Choice, type Leaving, type Writing,
} from './drafts.ts'

/** PAUSE_MS is how long nothing is typed, in milliseconds, before a draft goes to the server; on disk it is at once. */
export const PAUSE_MS = 1_000

/** Book keeps all drafts: in the composer, on disk and at the server. */
export class Book {
  readonly #session: Session
  readonly #cache: Cache | undefined
  readonly #drafts = new Map<string, Writing>()
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #listeners = new Set<(w: Writing) => void>()
  readonly #stop = new AbortController()

  constructor(session: Session, cache: Cache | undefined) {
    this.#session = session
    this.#cache = cache
  }

  /**
   * load takes over what is on disk, without what is in the outbox already, and repeats what was on its way, to the outbox and to the server. Then, when there
   * is an answer, what the server has: that may come late.
   */
  async load(entries: readonly Pending[]): Promise<void> {
    for (const w of (await this.#cache?.drafts()) ?? []) {
      void this.#put(spent(w, entries, []))
      for (const l of w.leaving ?? []) void this.#again(w, l)
      const again = resent(w)
      if (again === undefined) this.#later(draftKey(w.channel, w.root))
      else void this.#call(again)
    }
  }

  /** refresh reads all drafts of the server. */
  async refresh(channel = ''): Promise<void> {
    const { drafts } = await this.#session.call(listDrafts, { channel }, { signal: this.#stop.signal })
    const there = new Set(drafts.map((d) => draftKey(d.channel, d.root)))
    for (const d of drafts) void this.#put(readDraft(this.of(d.channel, d.root), d))
    for (const w of this.#drafts.values()) {
      if (w.wanted === 0 || there.has(draftKey(w.channel, w.root)) || (channel !== '' && w.channel !== channel)) continue
      void this.#put(readDraft(w, { channel: w.channel, root: w.root, text: '', version: w.wanted, timeMs: 0 })) // cleared since
    }
  }

  /** of is what is being written there. */
  of(channel: string, root: number): Writing {
    return this.#drafts.get(draftKey(channel, root)) ?? unwritten(channel, root)
  }

  /** all are those with a text, or two. */
  get all(): readonly Writing[] {
    return [...this.#drafts.values()].filter((w) => w.text !== '' || w.theirs !== undefined)
  }

  onChange(listener: (w: Writing) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** type takes over what the composer shows. It is on disk when this resolves; '' where a message was sent, or the draft is dropped. */
  type(channel: string, root: number, text: string): Promise<unknown> {
    return this.#put(typed(this.of(channel, root), text, Date.now()))
  }

  /**
   * leave empties the composer, whose message goes into the outbox under a key. On disk it stays until it is known to be there: then call `left`; or `back`, where
   * it could not be kept.
   */
  leave(channel: string, root: number, leaving: Leaving): Promise<unknown> {
    return this.#put(leaves(this.of(channel, root), leaving, Date.now()))
  }

  left(channel: string, root: number, key: string): void {
    void this.#put(left(this.of(channel, root), key))
  }

  back(channel: string, root: number, key: string): void {
    void this.#put(cameBack(this.of(channel, root), key, Date.now()))
  }

  /** resolve decides between two texts. */
  resolve(channel: string, root: number, choice: Choice): Promise<unknown> {
    return this.#put(resolved(this.of(channel, root), choice, Date.now()))
  }

  /** told takes over an event of "chat.user/me", and returns what is to be kept with its cursor. */
  told(change: DraftChanged): Writing {
    const w = toldDraft(this.of(change.channel, change.root), change)
    void this.#put(w)
    if (w.wanted > 0) this.refresh(change.channel).catch(() => undefined) // it is asked for again at the next start
    return w
  }

  /** flush sends what is due now: before the page goes. */
  flush(): void {
    for (const key of [...this.#timers.keys()]) this.#send(key)
  }

  close(): void {
    this.#stop.abort(new DOMException('the drafts are closed', 'AbortError'))
    for (const t of this.#timers.values()) clearTimeout(t)
    this.#timers.clear()
    this.#listeners.clear()
  }

  /** again puts a message into the outbox of which a page that is gone left open whether it is there. */
  async #again({ channel, root }: Writing, { key, text, alsoInChannel }: Leaving): Promise<void> {
    try {
      await this.#session.outbox.put(send, { channel, root, text, alsoInChannel }, { lane: channel, key })
      this.left(channel, root, key)
    } catch {
      if (!this.#stop.signal.aborted) this.back(channel, root, key) // it stands in the composer again
    }
  }

  #put(w: Writing): Promise<unknown> {
    const key = draftKey(w.channel, w.root)
    if (this.#drafts.get(key) === w) return Promise.resolve()
    this.#drafts.set(key, w)
    for (const listener of this.#listeners) tell(listener, w)
    this.#later(key)
    return this.#cache?.putDraft(w) ?? Promise.resolve()
  }

  #later(key: string): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    const w = this.#drafts.get(key)
    if (w !== undefined && due(w) !== undefined && !this.#stop.signal.aborted) this.#timers.set(key, setTimeout(() => { this.#send(key) }, PAUSE_MS))
  }

  #send(key: string): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
    const w = this.#drafts.get(key)
    const next = w && due(w)
    if (next === undefined) return
    void this.#put(next.sending)
    void this.#call(next.request)
  }

  async #call(request: NonNullable<ReturnType<typeof resent>>): Promise<void> {
    try {
      const answer = await this.#session.call(setDraft, request, { signal: this.#stop.signal })
      void this.#put(answeredDraft(this.of(request.channel, request.root), answer))
    } catch (e) {
      if (this.#stop.signal.aborted) return
      const now = this.of(request.channel, request.root)
      void this.#put((e as ServerError).reason === 'chat.DRAFT_AHEAD' ? outrun(now) : refusedDraft(now))
    }
  }
}
