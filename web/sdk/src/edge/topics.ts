import { Code, ServerError } from '../errors.ts'
import { Mode, Want, type Cursor, type Entry, type Event, type Events, type Head, type Heads, type Stopped, type Subscribed, type Subscription, type View } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Following, Update } from '../session.ts'
import { Backoff } from './backoff.ts'
import type { Out } from './calls.ts'
import { HoldBack, type Dependencies, type Held, type Holder } from './causal.ts'
import * as fault from './fault.ts'
import { tell } from '../tell.ts'
import { defaultSignals, viewBytes, maxFollowed, maxRefs, maxWants, signalBody, signalKey, signalRoom, subscribeBytes } from './limits.ts'
import { own } from './own.ts'

const nothing = new Uint8Array()

/** Topics are what is followed, over one line after the other. */
export class Topics {
  readonly #out: Out
  readonly #settle: (mutation: string) => void
  readonly #hold: HoldBack | undefined
  readonly #topics = new Map<string, Topic>()
  /** To be subscribed, and to be left, by the next message. */
  readonly #due = new Set<Topic>()
  #left: string[] = []
  /** What Head.ref stands for on this line, and the epoch that was told last. */
  readonly #refs = new Map<number, { readonly topic: string; epoch: number }>()
  /** Bundles whose list is being read, in the message that has all of it. */
  readonly #lists = new Set<Topic>()
  #signals = defaultSignals
  /** Signals of the second that began at `second`. */
  #signalled = 0
  #second = 0

  /** settle hears of each event that is a client's change, once, before it is shown. */
  constructor(out: Out, settle: (mutation: string) => void, dependencies: Dependencies | undefined) {
    this.#out = out
    this.#settle = settle
    if (dependencies !== undefined) this.#hold = new HoldBack(out.clock, dependencies, (topic) => this.#topics.get(topic))
  }

  /** Events that were shown before what they depend on. */
  get violations(): number {
    return this.#hold?.violations ?? 0
  }

  /** limit takes over what Welcome says; 0: as it was. */
  limit(signals: number): void {
    this.#signals = signals || this.#signals
  }

  follow(name: string, told: (update: Update) => void, options: FollowOptions): Following {
    const topic = new Topic(this, name, told, options, this.#out.random)
    let refused: ServerError | undefined
    if (this.#topics.has(name)) {
      refused = new ServerError(Code.FAILED_PRECONDITION, 'client.FOLLOWED', `${name} is followed already: share that, or close it first.`)
    } else if (this.#topics.size >= maxFollowed) {
      refused = new ServerError(Code.TOO_MANY_TOPICS, 'client.TOO_MANY_TOPICS', `${maxFollowed} topics are followed. Close one.`)
    }
    if (refused === undefined) {
      this.#topics.set(name, topic)
      this.subscribe(topic)
    } else {
      const cause = refused
      queueMicrotask(() => { if (!topic.closed) topic.tell({ kind: 'ended', cause }) })
    }
    return topic
  }

  /** subscribe has a topic subscribed from where it is, by the next message. */
  subscribe(topic: Topic): void {
    if (this.#topics.get(topic.topic) !== topic) return
    topic.detach()
    if (!this.#out.up) return // the next line begins with it
    this.#due.add(topic)
    this.#out.wake()
  }

  /** leave stops following. */
  leave(topic: Topic): void {
    if (this.#topics.get(topic.topic) !== topic) return
    this.#topics.delete(topic.topic)
    this.#due.delete(topic)
    if (topic.wanted !== 0) {
      this.#left.push(topic.topic)
      this.#out.wake()
    }
    topic.detach()
    this.#hold?.release() // others may have waited for it
  }

  signal(topic: Topic, key: string, body: Uint8Array): void {
    if (!topic.attached || this.#out.waiting > signalRoom) return
    const now = this.#out.clock.now()
    if (Math.abs(now - this.#second) >= 1000) {
      this.#second = now
      this.#signalled = 0
    }
    if (this.#signalled++ < this.#signals) this.#out.send({ $case: 'signal', value: { topic: topic.topic, key, body, from: '' } })
  }

  /** up has all topics subscribed by the line's first message. */
  up(): void {
    for (const topic of this.#topics.values()) if (!topic.parked) this.#due.add(topic)
  }

  /** down ends what belongs to a line. */
  down(): void {
    this.#due.clear()
    this.#left = []
    this.#refs.clear()
    this.#lists.clear()
    const running = [...this.#topics.values()].filter((topic) => !topic.parked)
    for (const topic of running) topic.detach()
    for (const topic of running) topic.pause()
  }

  close(): void {
    this.#hold?.close()
    for (const topic of this.#topics.values()) topic.close()
    this.#topics.clear()
  }

  /** flush says what is to be left and subscribed, in as many frames as it takes. */
  flush(): void {
    for (; this.#left.length > 0; this.#left = this.#left.slice(maxWants)) {
      this.#out.send({ $case: 'unsubscribe', value: { topics: this.#left.slice(0, maxWants) } })
    }
    let wants: Want[] = []
    let bytes = 0
    let id = 0
    const send = () => {
      if (wants.length > 0) this.#out.send({ $case: 'subscribe', value: { id, wants } })
      wants = []
      bytes = 0
    }
    for (const topic of this.#due) {
      if (wants.length === 0) id = this.#out.id()
      const want = topic.want(id)
      wants.push(want)
      bytes += Want.encode(want).finish().length + 4
      if (wants.length === maxWants || bytes > subscribeBytes) send()
    }
    this.#due.clear()
    send()
  }

  subscribed({ id, subscriptions }: Subscribed): void {
    for (const s of subscriptions) {
      const topic = this.#topics.get(s.topic)
      if (topic?.wanted !== id) continue
      if (s.error === undefined) topic.begin(s)
      else this.#stop(topic, fault.of(s.error))
    }
  }

  stopped({ topics, error }: Stopped): void {
    for (const name of topics) {
      const topic = this.#topics.get(name)
      if (topic !== undefined && topic.wanted !== 0) this.#stop(topic, fault.of(error))
    }
  }

  /** stop does what the code's range asks for. */
  #stop(topic: Topic, cause: ServerError): void {
    topic.detach()
    if (cause.code >= 300 && cause.code < 320) {
      this.subscribe(topic)
    } else if (cause.code >= 320 && cause.code < 340) {
      topic.parked = true
      topic.tell({ kind: 'reset', cause })
    } else if (cause.repeatable) {
      topic.retry(this.#out.clock, cause.retryAfterMs)
      if (cause.code === Code.TOKEN_STALE) this.#out.stale()
      topic.pause()
    } else {
      this.#topics.delete(topic.topic)
      this.#due.delete(topic)
      topic.tell({ kind: 'ended', cause })
    }
    this.#hold?.release()
  }

  events(m: Events): void {
    const topic = this.#topics.get(m.topic)
    if (!topic?.attached || (m.events.length === 0 && m.upto === 0)) return
    const known = Math.max(topic.cursor?.offset ?? 0, topic.heldTo)
    const first = m.events[0]
    const after = m.after ?? (first === undefined ? m.upto : first.offset - 1)
    if (after > known) { // a hole: what lies behind it must not be shown
      this.subscribe(topic)
      return
    }
    const upto = Math.max(known, m.upto, m.events.at(-1)?.offset ?? 0)
    const fresh = m.events.filter(({ offset }) => offset > known).map((e) => ({ ...e, body: own(e.body) }))
    for (const { mutation } of fresh) if (mutation !== '0') this.#settle(mutation)
    if (this.#hold === undefined) topic.deliver(fresh, upto)
    else this.#hold.show(topic, fresh, upto)
  }

  heads(m: Heads): void {
    const heads: Head[] = []
    for (const h of m.heads) {
      if (h.topic !== '') {
        this.#refs.set(h.ref, { topic: h.topic, epoch: h.epoch })
        if (this.#refs.size > maxRefs) {
          this.#out.end(fault.garbled(`it numbers more than ${maxRefs} topics`))
          return
        }
      }
      const known = this.#refs.get(h.ref)
      if (known === undefined) continue // of a list that was left, perhaps
      if (h.epoch !== 0) known.epoch = h.epoch
      heads.push({ ...h, topic: known.topic, epoch: known.epoch, badge: own(h.badge) })
      if (h.removed) this.#refs.delete(h.ref)
    }
    const topic = this.#topics.get(m.topic)
    if (topic?.attached && topic.heads(heads, m.snapshot)) this.#lists.add(topic)
  }

  /** whole is that no more comes of the lists that came, but of one perhaps. */
  whole(except = ''): void {
    for (const topic of this.#lists) {
      if (topic.topic === except) continue
      this.#lists.delete(topic)
      topic.whole()
    }
  }

  view(m: View): void {
    const topic = this.#topics.get(m.topic)
    if (!topic?.attached) return
    if (!topic.view(m)) this.#out.end(fault.garbled(`an update of a view is longer than ${viewBytes} bytes`))
  }

  signalled({ topic, from, key, body }: { readonly topic: string; readonly from: string; readonly key: string; readonly body: Uint8Array }): void {
    const t = this.#topics.get(topic)
    if (t?.attached) t.tell({ kind: 'signal', from, key, body: own(body) })
  }
}

/** Topic is one that is followed. Its cursor outlives the lines. */
class Topic implements Following, Holder {
  readonly topic: string
  readonly #topics: Topics
  readonly #told: (update: Update) => void
  readonly #mode: Mode
  readonly #params: Uint8Array
  readonly #types: readonly string[]
  readonly #backoff: Backoff
  /** Behind what was told. Absent: from now on, or from a snapshot. */
  cursor: Cursor | undefined
  /** id of the Subscribe that counts; 0: none was sent on this line. */
  wanted = 0
  /** Its Subscribed came. */
  attached = false
  /** Invariant: while it is parked, after a reset, it is not attached and waits for `resume`. */
  parked = false
  closed = false
  held: Held[] = []
  heldTo = 0
  #paused = false
  #cancelRetry: (() => void) | undefined
  /** What stands for a bundle's list, which is on its way: it counts once that has come whole. */
  #start: Cursor | undefined
  /** What of it is here. */
  #list: Head[] | undefined
  /** An update of a view whose parts are not all here. */
  #parts: { readonly snapshot: boolean; readonly entries: Map<string, Entry>; bytes: number } | undefined

  constructor(topics: Topics, topic: string, told: (update: Update) => void, options: FollowOptions, random: () => number) {
    this.#topics = topics
    this.topic = topic
    this.#told = told
    this.#mode = options.heads ? Mode.HEADS : Mode.UNSPECIFIED
    this.#params = options.params ?? nothing
    this.#types = options.types ?? []
    this.cursor = options.from
    this.#backoff = new Backoff(random)
  }

  get running(): boolean {
    return this.attached && this.#mode !== Mode.HEADS
  }

  resume(from: Cursor): void {
    if (this.closed) return
    this.cursor = from
    this.parked = false
    this.#topics.subscribe(this)
  }

  signal(key: string, body: Uint8Array): void {
    if (new TextEncoder().encode(key).length > signalKey) throw new RangeError(`a signal's key has at most ${signalKey} bytes`)
    if (body.length > signalBody) throw new RangeError(`a signal's body has at most ${signalBody} bytes`)
    this.#topics.signal(this, key, body)
  }

  close(): void {
    this.closed = true
    this.#topics.leave(this)
  }

  tell(update: Update): void {
    if (this.closed) return
    if (update.kind === 'ended') {
      this.detach()
      this.closed = true
    }
    tell(this.#told, update)
  }

  /** pause tells that nothing comes for now. */
  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.tell({ kind: 'paused' })
  }

  /** detach forgets what belongs to the present subscribing. What was held comes again, behind the cursor. */
  detach(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.attached = false
    this.wanted = 0
    this.held = []
    this.heldTo = 0
    this.#parts = undefined
    this.#start = undefined
    this.#list = undefined
  }

  retry(clock: Out['clock'], notBefore: number): void {
    this.#cancelRetry = clock.after(this.#backoff.next(notBefore), () => { this.#topics.subscribe(this) })
  }

  want(id: number): Want {
    this.wanted = id
    return { topic: this.topic, mode: this.#mode, cursor: this.cursor, params: this.#params, types: [...this.#types] }
  }

  /** begin notes that it is followed from now on. */
  begin({ start, head }: Subscription): void {
    const again = this.attached
    this.attached = true
    this.#backoff.reset()
    if (start !== undefined && (this.#mode === Mode.HEADS || head === undefined)) { // a list
      const same = this.cursor !== undefined && this.cursor.offset === start.offset && this.cursor.epoch === start.epoch
      this.#start = same ? undefined : start
    } else if (start !== undefined && this.cursor?.epoch !== start.epoch) {
      // Else the own cursor stands: what the server repeats is skipped, and what it would leave out is noticed as a hole.
      this.cursor = start
    }
    if (again) return
    this.#paused = false
    this.tell({ kind: 'live', head })
  }

  deliver(events: readonly Event[], upto: number): void {
    const cursor = { epoch: this.cursor?.epoch ?? 0, offset: upto }
    this.cursor = cursor
    if (events.length > 0) this.tell({ kind: 'events', events, cursor })
  }

  /** heads tells where topics stand; of a list that begins anew, once it is whole: then it returns true. What has moved since a list came is in none that the cursor stands for. */
  heads(heads: readonly Head[], snapshot: boolean): boolean {
    this.cursor = undefined
    if (snapshot) this.#list = [...heads]
    else if (this.#list !== undefined) this.#list.push(...heads)
    else this.tell({ kind: 'heads', snapshot, heads, cursor: undefined })
    return this.#list !== undefined
  }

  /** whole tells its list, which has come to its end. */
  whole(): void {
    if (this.#list === undefined) return // it was left, or is begun again
    const heads = this.#list
    this.cursor = this.#start
    this.#start = undefined
    this.#list = undefined
    this.tell({ kind: 'heads', snapshot: true, heads, cursor: this.cursor })
  }

  /** view tells what a view holds once an update has come whole; until then the last one stands. It returns false where that is too long. */
  view({ entries, snapshot, more, at, stale }: View): boolean {
    const parts = snapshot || this.#parts === undefined ? { snapshot, entries: new Map<string, Entry>(), bytes: 0 } : this.#parts
    for (const entry of entries) {
      parts.entries.set(entry.key, { ...entry, body: own(entry.body) })
      parts.bytes += entry.key.length + entry.body.length
    }
    if (parts.bytes > viewBytes) return false
    this.#parts = more ? parts : undefined
    if (more) return true
    this.cursor = at ?? (parts.snapshot ? undefined : this.cursor)
    this.tell({ kind: 'view', snapshot: parts.snapshot, entries: [...parts.entries.values()], stale, cursor: this.cursor })
    return true
  }
}
