import { tell } from '../tell.ts'
import { Code, ServerError } from '../errors.ts'
import type { HistoryRequest } from '../proto/plenum/chat/v1/chat.ts'
import { getMessages, history } from '../proto/plenum/chat/v1/chat.methods.ts'
import type { Cursor } from '../proto/plenum/edge/v1/edge.ts'
import type { Following, Session, Update } from '../session.ts'
import type { Cache } from './cache/cache.ts'
import { topicOf } from './channels.ts'
import { apply, caughtUp, merge, opened, pageOf, reread, told, trimmed, type Page, type Told, type Window } from './messages.ts'

/** PAGE is how many messages are asked for at a time. */
export const PAGE = 50

/** FAR is how many events behind a kept channel is read anew rather than caught up by what was told since. */
export const FAR = 1_000

/** ASKS is how often a page is asked for that was overtaken by too many events on its way. */
const ASKS = 3

/** What a room needs. */
export interface RoomOptions {
  readonly session: Session
  readonly channel: string
  /** The reader's id. */
  readonly me: string
  /** Where the channel is kept; undefined: nowhere. */
  readonly cache?: Cache | undefined
  /** Where the channel's topic stands, by the list: 0, not known. */
  readonly head?: number
  /** When the reader opened the channel last, Unix milliseconds; 0: not here. */
  readonly openedMs?: () => number
  /** Each run of events, when the views have them. */
  readonly onTold?: (events: readonly Told[]) => void
  readonly onSignal?: (signal: Extract<Update, { kind: 'signal' }>) => void
}

/** What ends a channel that may not be read any more. After any other end what is kept is good, as where too many are followed. */
const gone: readonly number[] = [Code.REVOKED, Code.TOPIC_GONE, Code.NOT_FOUND]

/** How a room stands: `loading` until the server has answered once; `ended`: it may not be read any more; `failed`: it could not be read or followed, see `retry`. */
export type RoomState = { readonly kind: 'loading' | 'live' | 'paused' } | { readonly kind: 'ended' | 'failed'; readonly cause: ServerError }

/**
 * Room follows one channel, once for all that shows it: views of the channel and of its threads. What is told goes to the views and to the cache. A view shows what
 * the cache has first, then what the server answers.
 */
export class Room {
  readonly channel: string
  readonly #o: RoomOptions
  readonly #stop = new AbortController()
  readonly #views = new Set<View>()
  readonly #listeners = new Set<(state: RoomState) => void>()
  #following: Following | undefined
  #state: RoomState = { kind: 'loading' }
  /**
   * What was told last: by it pages that were overtaken are caught up. With the end of the channel, PAGE messages or somewhat more, where that was loaded or shown
   * last: who opens the channel again sees it at once.
   */
  #base: Window | undefined

  private constructor(o: RoomOptions) {
    this.#o = o
    this.channel = o.channel
  }

  /** open begins to follow a channel. Views can be had at once. */
  static open(o: RoomOptions): Room {
    const room = new Room(o)
    room.#begin().catch((e: unknown) => { room.#fail(e) })
    return room
  }

  get state(): RoomState {
    return this.#state
  }

  onState(listener: (state: RoomState) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** view shows the channel, root 0, or a thread of it, its end first. */
  view(root: number): View {
    const closed = () => {
      this.#views.delete(view)
      this.#remember(view)
    }
    const view = new View(this.#o, root, () => this.#base, this.#stop.signal, closed)
    this.#views.add(view)
    view.begin()
    return view
  }

  signal(key: string, body: Uint8Array): void {
    this.#following?.signal(key, body)
  }

  /** retry begins anew with a room that has ended or failed; what its views show goes on from what the server says then. */
  retry(): void {
    if (this.#stop.signal.aborted || (this.#state.kind !== 'ended' && this.#state.kind !== 'failed')) return
    this.#following?.close()
    this.#following = undefined
    this.#set({ kind: 'loading' })
    this.#reload()
  }

  close(): void {
    this.#stop.abort(new DOMException('the room is closed', 'AbortError'))
    this.#following?.close()
    for (const v of [...this.#views]) v.close()
  }

  async #begin(): Promise<void> {
    const kept = await this.#o.cache?.window(this.channel, 0, 1)
    if (this.#stop.signal.aborted) return
    if (kept !== undefined && (this.#o.head ?? 0) - kept.cursor.offset <= FAR) this.#follow(kept.cursor)
    else this.#follow(await this.#load())
  }

  /** load reads the end of the channel, and puts it in place of what is kept. */
  async #load(): Promise<Cursor> {
    const answer = await this.#o.session.call(history, { channel: this.channel, limit: PAGE }, { signal: this.#stop.signal })
    const w = opened(this.channel, this.#o.me, 0, pageOf(undefined, answer))
    await this.#o.cache?.opened(w, this.#o.openedMs?.() ?? 0)
    this.#base = w
    for (const v of this.#views) v.reset(w)
    return w.cursor
  }

  #reload(): void {
    this.#load().then((from) => { this.#follow(from) }).catch((e: unknown) => { this.#fail(e) })
  }

  #follow(from: Cursor): void {
    if (this.#stop.signal.aborted) return
    this.#base ??= opened(this.channel, this.#o.me, 0, { messages: [], from: Infinity, to: 0, cursor: from })
    if (this.#following === undefined) this.#following = this.#o.session.follow(topicOf(this.channel), (u) => { this.#told(u) }, { from })
    else this.#following.resume(from)
  }

  #told(u: Update): void {
    if (this.#stop.signal.aborted) return
    switch (u.kind) {
      case 'live':
        this.#set({ kind: 'live' })
        return
      case 'paused':
        this.#set({ kind: 'paused' })
        return
      case 'signal':
        this.#o.onSignal?.(u)
        return
      case 'events': {
        const events = u.events.map(told)
        const base = this.#base
        if (base === undefined) return
        void this.#o.cache?.told(this.channel, base.cursor.offset, events, u.cursor)
        const next = apply(base, events, u.cursor)
        this.#base = next.messages.length > 2 * PAGE ? trimmed(next, PAGE, 'before') : next
        for (const v of this.#views) v.told(events, u.cursor)
        this.#o.onTold?.(events) // behind the views: what it settles stands there already
        return
      }
      case 'reset':
        this.#reload()
        return
      case 'ended':
        this.#following = undefined
        if (gone.includes(u.cause.code)) {
          void this.#o.cache?.forget(this.channel)
          this.#set({ kind: 'ended', cause: u.cause })
        } else {
          this.#fail(u.cause)
        }
        return
      default:
    }
  }

  /** remember keeps the end of the channel, if a view that goes shows it as it is now. */
  #remember({ root, window: w }: View): void {
    const base = this.#base
    if (root !== 0 || w?.to !== Infinity || base === undefined) return
    if (w.cursor.epoch === base.cursor.epoch && w.cursor.offset === base.cursor.offset) this.#base = { ...trimmed(w, PAGE, 'before'), tail: base.tail }
  }

  #fail(e: unknown): void {
    if (!this.#stop.signal.aborted) this.#set({ kind: 'failed', cause: e as ServerError })
  }

  #set(state: RoomState): void {
    this.#state = state
    for (const listener of this.#listeners) tell(listener, state)
  }
}

/** View shows a part of a channel or thread, and goes on with it. */
export class View {
  readonly root: number
  readonly #o: RoomOptions
  readonly #base: () => Window | undefined
  readonly #stop: AbortSignal
  readonly #closed: () => void
  readonly #listeners = new Set<(w: Window) => void>()
  readonly #troubled = new Set<(cause: ServerError | undefined) => void>()
  #trouble: ServerError | undefined
  #window: Window | undefined
  /** What is being asked for: one page at each side at a time. */
  readonly #asking = new Map<string, Promise<void>>()
  #open = true
  /** Counts where it was gone to: the last one holds. */
  #going = 0
  /** The last one is under way: what is read without anybody going there waits for what it comes to. */
  #moving = false
  /** What is to be read in place of what is shown, until it or something later is shown. Each time that it is asked for is another object. */
  #due: { readonly place: HistoryRequest['place'] } | undefined
  /** The offset that the reader is near, by what was asked for last: a window may hold far more than a screen. 0: not known. */
  #near = 0

  constructor(o: RoomOptions, root: number, base: () => Window | undefined, stop: AbortSignal, closed: () => void) {
    this.root = root
    this.#o = o
    this.#base = base
    this.#stop = stop
    this.#closed = closed
  }

  /** What is shown; undefined: nothing is known yet. */
  get window(): Window | undefined {
    return this.#window
  }

  /** onChange tells each change of it, until the function that it returns is called. */
  onChange(listener: (w: Window) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Why it isn't shown, or not all of it: its page could not be read, though the channel could. undefined: nothing is wrong; see `retry`. */
  get trouble(): ServerError | undefined {
    return this.#trouble
  }

  /** onTrouble tells each change of it, until the function that it returns is called. */
  onTrouble(listener: (cause: ServerError | undefined) => void): () => void {
    this.#troubled.add(listener)
    return () => { this.#troubled.delete(listener) }
  }

  /** retry reads again what could not be read. */
  retry(): void {
    if (this.#trouble === undefined) return
    this.#turn(undefined)
    this.#catchUp()
  }

  /** older reads the messages before those that are shown, from the cache where it has them. */
  older(): Promise<void> {
    return this.#once('older', async () => {
      const w = this.#window
      if (w === undefined || w.from === 0) return
      this.#near = w.from
      const kept = this.root === 0 ? await this.#o.cache?.older(this.#o.channel, w.from, PAGE) : undefined
      if (kept !== undefined && kept.messages.length > 0 && this.#join(kept)) return
      await this.#ask({ $case: 'before', value: w.from })
    })
  }

  /** newer reads those behind them; at the end there is nothing to read. */
  newer(): Promise<void> {
    return this.#once('newer', async () => {
      const w = this.#window
      if (w === undefined || w.to === Infinity) return
      this.#near = w.to
      const kept = this.root === 0 ? await this.#o.cache?.newer(this.#o.channel, w.to, PAGE) : undefined
      if (kept !== undefined && (kept.messages.length > 0 || kept.to === Infinity) && this.#join(kept)) return
      await this.#ask({ $case: 'after', value: w.to })
    })
  }

  /**
   * jump shows the messages around one, from the cache where it has it, or around a time (Unix milliseconds), in place of those that are shown. Who goes elsewhere
   * meanwhile, by jump or latest, is not taken back: it rejects with an AbortError then. Without a connection it rejects with 200 `client.OFFLINE`, so that nobody is
   * taken away later.
   */
  jump(place: { readonly offset: number } | { readonly atMs: number }): Promise<void> {
    return this.#go(async (still) => {
      if ('offset' in place && this.root === 0) {
        const kept = await this.#o.cache?.around(this.#o.channel, place.offset, PAGE)
        still()
        if (this.#paint(kept)) return place.offset
      }
      const to = 'offset' in place ? ({ $case: 'around', value: place.offset } as const) : ({ $case: 'atMs', value: place.atMs } as const)
      await this.#show(to, still, true)
      return 'offset' in place ? place.offset : 0
    })
  }

  /** latest shows the end again. It rejects as jump does. */
  latest(): Promise<void> {
    return this.#go(async (still) => {
      if (this.#window?.to === Infinity) return 0
      if (this.root === 0) {
        const kept = await this.#o.cache?.window(this.#o.channel, 0, PAGE)
        still()
        if (this.#paint(kept)) return 0
      }
      await this.#show(undefined, still, true)
      return 0
    })
  }

  /** trim forgets all but so many messages at one side, which scrolled away. */
  trim(most: number, drop: 'before' | 'after'): void {
    if (this.#window !== undefined) this.#set(trimmed(this.#window, most, drop))
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#closed()
    this.#listeners.clear()
    this.#troubled.clear()
  }

  /** begin is called by the room. */
  begin(): void {
    const base = this.#base()
    if (this.root === 0 && base !== undefined && base.messages.length > 0) {
      this.#set(base)
      return
    }
    const painted = async () => {
      const kept = await this.#o.cache?.window(this.#o.channel, this.root, PAGE)
      return this.#window === undefined && this.#paint(kept)
    }
    const rest = (kept: boolean) => {
      const lacks = this.#window === undefined ? this.root !== 0 || this.#base() !== undefined : kept && this.root !== 0 && this.#window.from > 0
      if (lacks) this.#read(undefined) // of a channel that isn't followed yet, the room reads the end
    }
    painted().then(rest, () => { rest(false) })
  }

  /** go goes somewhere, and remembers the offset that it returns. Where that is in vain, or shows nothing new, what was to be read meanwhile is. */
  async #go(to: (still: () => void) => Promise<number>): Promise<void> {
    const going = ++this.#going
    this.#moving = true
    try {
      this.#near = await to(() => { if (going !== this.#going) throw elsewhere() })
    } finally {
      if (going === this.#going) {
        this.#moving = false
        this.#catchUp()
      }
    }
  }

  /** read reads a page in place of what is shown, unless somebody goes elsewhere, and keeps why it could not. */
  #read(place: HistoryRequest['place']): void {
    this.#due = { place }
    this.#catchUp()
  }

  #catchUp(): void {
    if (this.#due === undefined || this.#moving || !this.#open) return
    const due = { ...this.#due }
    this.#due = due // what was asked for before doesn't count
    const stands = () => this.#due === due && !this.#moving
    const still = () => { if (!stands()) throw elsewhere() }
    this.#show(due.place, still).catch((e: unknown) => { if (stands()) this.#failed(e) })
  }

  /** failed takes over why a page could not be read. That there is no message of which this were the thread is none: then it is empty. */
  #failed(e: unknown): void {
    if (!(e instanceof ServerError)) return // it is closed
    if (this.root !== 0 && (this.#window?.messages.length ?? 0) === 0 && e.reason === 'chat.MESSAGE') {
      this.#set(opened(this.#o.channel, this.#o.me, this.root, { messages: [], from: 0, to: Infinity, cursor: this.#base()?.cursor ?? { epoch: 0, offset: 0 } }))
      this.#whole()
    } else {
      this.#turn(e)
    }
  }

  /** whole says that what is shown is as it is now: nothing else is to be read, and nothing is wrong. */
  #whole(): void {
    this.#due = undefined
    this.#turn(undefined)
  }

  #turn(trouble: ServerError | undefined): void {
    if (!this.#open || trouble === this.#trouble) return
    this.#trouble = trouble
    for (const listener of this.#troubled) tell(listener, trouble)
  }

  /** told is called by the room. */
  told(events: readonly Told[], cursor: Cursor): void {
    if (this.#window !== undefined && cursor.epoch === this.#window.cursor.epoch) this.#set(apply(this.#window, events, cursor))
  }

  /** reset is called by the room, with the end of the channel as it is now. Who has jumped elsewhere stays there; where that can't be read, what was shown does. */
  reset(w: Window): void {
    const old = this.#window
    if (this.root !== 0) this.#read(undefined)
    else if (old === undefined || old.to === Infinity) {
      this.#set(w)
      this.#whole()
    } else if (old.cursor.epoch !== w.cursor.epoch || old.cursor.offset < w.cursor.offset) this.#read({ $case: 'around', value: this.#place(old) })
  }

  /** place is the offset of a window that the reader is at, or nearest to. */
  #place({ messages, from, to }: Window): number {
    if (this.#near === 0) return messages[messages.length >> 1]?.offset ?? from
    return Math.min(Math.max(this.#near, from), to)
  }

  /** paint shows what is kept, with what was told while it was read from disk; false: it can't be brought up to date. */
  #paint(kept: Page | undefined): boolean {
    if (kept === undefined) return false
    const base = this.#base()
    const now = base === undefined ? opened(this.#o.channel, this.#o.me, this.root, kept) : caughtUp({ ...base, root: this.root }, kept)
    if (now === undefined) return false
    this.#set(now)
    if (this.root === 0) this.#whole() // of a thread the cache may lack some
    return true
  }

  #set(w: Window): void {
    if (!this.#open || w === this.#window) return
    this.#window = w
    for (const listener of this.#listeners) tell(listener, w)
    if (w.omitted.length > 0) this.#once('omitted', () => this.#reread()).catch(() => undefined) // with the next change, then
  }

  #once(what: string, ask: () => Promise<void>): Promise<void> {
    let asking = this.#asking.get(what)
    if (asking === undefined) {
      asking = ask().finally(() => this.#asking.delete(what))
      this.#asking.set(what, asking)
    }
    return asking
  }

  async #page(place: HistoryRequest['place'], onlyOnline = false): Promise<Page> {
    return pageOf(place, await this.#o.session.call(history, { channel: this.#o.channel, root: this.root, place, limit: PAGE }, { signal: this.#stop, onlyOnline }))
  }

  /** ask reads a page that adjoins what is shown. */
  async #ask(place: HistoryRequest['place']): Promise<void> {
    for (let n = 0; n < ASKS; n++) if (this.#join(await this.#page(place))) return
  }

  #join(page: Page): boolean {
    const w = this.#window
    if (w === undefined) return true
    const merged = merge(w, page)
    if (merged === undefined) return false
    if (merged === w) return true // somewhere else is shown since: what the page has isn't in it, and can't be kept by it
    this.#keep(merged, page)
    this.#set(merged)
    return true
  }

  /** show reads a page in place of what is shown; `still` throws where it isn't to be shown any more. */
  async #show(place: HistoryRequest['place'], still: () => void, onlyOnline = false): Promise<void> {
    if (onlyOnline) await connected(this.#o.session, this.#stop)
    for (let n = 0; n < ASKS; n++) {
      const page = await this.#page(place, onlyOnline)
      still()
      const base = this.#base()
      const w = base === undefined ? opened(this.#o.channel, this.#o.me, this.root, page) : caughtUp({ ...base, root: this.root }, page)
      if (w === undefined) continue
      this.#keep(w, page)
      this.#set(w)
      this.#whole()
      return
    }
  }

  #keep(w: Window, page: Page): void {
    const of = new Set(page.messages.map((m) => m.offset))
    void this.#o.cache?.merged(w, w.messages.filter((m) => of.has(m.offset)), page.from, page.to)
  }

  async #reread(): Promise<void> {
    for (let n = 0; n < 2 * ASKS; n++) {
      const asked = this.#window?.omitted.slice(0, 100) ?? []
      if (asked.length === 0) return
      const answer = await this.#o.session.call(getMessages, { channel: this.#o.channel, offsets: asked }, { signal: this.#stop })
      const w = this.#window
      const now = w && reread(w, asked, answer)
      if (now === undefined) continue
      void this.#o.cache?.merged(now, now.messages.filter((m) => asked.includes(m.offset)), Infinity, -1)
      this.#set(now)
    }
  }
}

const elsewhere = () => new DOMException('somewhere else was gone to meanwhile', 'AbortError')

/** connected waits for what an attempt to connect comes to: who opens a page at a message of it is no one who is offline. */
function connected(session: Session, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (session.state.kind !== 'connecting' || stop.aborted) {
      resolve()
      return
    }
    const undo = session.onState(({ kind }) => { if (kind !== 'connecting') end() })
    const end = () => {
      undo()
      stop.removeEventListener('abort', end)
      resolve()
    }
    stop.addEventListener('abort', end)
  })
}
