import { Code } from '../errors.ts'
import type { Locks } from '../account/locks.ts'
import { faultOf, serverError } from '../fault.ts'
import { newId } from '../id.ts'
import type { FollowOptions, Pending, Session } from '../session.ts'
import { plain, type Ask, type ToHost, type ToTab } from './messages.ts'
import type { Port } from './port.ts'
import { rawMethod } from './raw.ts'
import { SharedTopic, type Reader } from './topic.ts'
import { United, type Unites } from './united.ts'

/** How often a tab without a lock is asked whether it lives, in ms; one that was silent for so many times is dead. */
export const aliveEvery = 30_000
export const silences = 3

/** Host serves one session to any number of tabs. */
export class Host {
  readonly #name = newId()
  readonly #session: Session
  readonly #locks: Locks | undefined
  readonly #tabs = new Set<Tab>()
  /** Of all that were served, until they say goodbye: also of tabs that were taken for dead. */
  readonly #ports = new Set<Port>()
  readonly #topics = new Map<string, SharedTopic>()
  readonly #unites: Unites
  readonly #united = new Map<string, United>()
  readonly #stops: (() => void)[]
  /** Its own lock, by which tabs notice that it has died; '': there are no locks. Nobody is served before it is held. */
  readonly #lock: string
  readonly #held: Promise<void>
  readonly #timer: ReturnType<typeof setInterval>
  /** What the tabs know of the outbox, by number. */
  #entries: ReadonlyMap<number, Pending>

  /** `locks` are the browser's, by which it is noticed at once that a tab has died. `unites` are for views whose parameters differ from tab to tab. */
  constructor(session: Session, locks?: Locks, unites: Unites = {}) {
    this.#unites = unites
    this.#session = session
    this.#locks = locks
    this.#entries = bySeq(session.outbox.entries)
    this.#lock = locks === undefined ? '' : `plenum-host-${this.#name}`
    let release: () => void = () => undefined
    const closed = new Promise<void>((resolve) => { release = resolve })
    this.#held = new Promise((resolve) => {
      if (locks === undefined) resolve()
      void locks?.request(this.#lock, () => {
        resolve()
        return closed
      })
    })
    this.#stops = [
      release,
      session.onState((state) => { this.#all({ kind: 'state', state: plain(state) }) }),
      session.outbox.onChange((entries) => { this.#outbox(entries) }),
    ]
    this.#timer = setInterval(() => { this.#ask() }, aliveEvery)
  }

  /** serve takes in a tab at the other end of a port. */
  serve(port: Port): void {
    const tab = new Tab(port)
    this.#ports.add(port)
    port.onmessage = ({ data }) => { this.#heard(tab, data as ToHost) }
    void this.#held.then(() => { if (this.#ports.has(port)) tab.say({ kind: 'open', host: this.#name, lock: this.#lock }) })
  }

  /** over says that the session has ended for good: sign in, and open another one. */
  get over(): boolean {
    const { kind } = this.#session.state
    return kind === 'signed-out' || kind === 'wiped' || kind === 'outdated'
  }

  /** close ends the session, for all tabs. Nothing is heard or said behind it: another host may have the same channels. */
  close(): void {
    this.end()
    for (const port of this.#ports) this.#hangUp(port)
  }

  /** end ends the session, and tells those who still ask that it is over. */
  end(): void {
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    for (const tab of this.#tabs) this.#drop(tab)
    this.#session.close()
  }

  #hangUp(port: Port): void {
    this.#ports.delete(port)
    port.onmessage = null
    port.close()
  }

  #all(message: ToTab): void {
    for (const tab of this.#tabs) tab.say(message)
  }

  #outbox(entries: readonly Pending[]): void {
    const known = this.#entries
    this.#entries = bySeq(entries)
    const put = entries.filter((entry) => known.get(entry.seq) !== entry)
    const remove = [...known.keys()].filter((seq) => !this.#entries.has(seq))
    if (put.length > 0 || remove.length > 0) this.#all({ kind: 'outbox', put: put.map(plain), remove })
  }

  /** ask asks tabs that have no lock for a sign of life, and gives up those that gave none. */
  #ask(): void {
    for (const tab of this.#tabs) {
      if (tab.locked) continue
      if (++tab.silent > silences) this.#drop(tab)
      else tab.say({ kind: 'alive' })
    }
  }

  #heard(tab: Tab, m: ToHost): void {
    tab.silent = 0
    if (m.kind === 'hello') {
      this.#hello(tab, m.lock)
    } else if (m.kind === 'bye') {
      this.#drop(tab)
      this.#hangUp(tab.port)
    } else if (this.#tabs.has(tab)) {
      this.#does(tab, m)
    } else {
      tab.say({ kind: 'gone' })
    }
  }

  #hello(tab: Tab, lock: string): void {
    this.#release(tab) // it may have come before
    this.#tabs.add(tab)
    const { state, outbox } = this.#session
    this.#outbox(outbox.entries) // so that the next change is told from here on
    tab.say({ kind: 'welcome', clientId: outbox.clientId, state: plain(state), entries: outbox.entries.map(plain) })
    if (lock === '' || this.#locks === undefined || tab.locked) return
    tab.locked = true
    void this.#locks.request(lock, () => {
      this.#drop(tab)
      this.#hangUp(tab.port)
      return Promise.resolve()
    })
  }

  #does(tab: Tab, m: Exclude<ToHost, { kind: 'hello' | 'bye' }>): void {
    switch (m.kind) {
      case 'ask':
        void this.#answer(tab, m.id, m.ask)
        break
      case 'abort':
        tab.asks.get(m.id)?.abort()
        break
      case 'follow':
        this.#follow(tab, m.id, m.topic, m.options)
        break
      case 'resume': {
        const place = tab.followings.get(m.id)
        place?.topic.resume(place.reader, m.from)
        break
      }
      case 'signal':
        tab.followings.get(m.id)?.topic.signal(m.key, m.body)
        break
      case 'unfollow': {
        const place = tab.followings.get(m.id)
        tab.followings.delete(m.id)
        place?.topic.leave(place.reader)
        break
      }
      case 'settle':
        this.#session.outbox.settle(m.mutation)
        break
      case 'active':
        this.#session.active()
        break
      case 'probe':
        this.#session.probe()
        break
      case 'alive':
    }
  }

  async #answer(tab: Tab, id: number, ask: Ask): Promise<void> {
    const stop = new AbortController()
    tab.asks.set(id, stop)
    let answer: ToTab
    try {
      answer = { kind: 'reply', id, value: await this.#asked(ask, stop.signal, (seq) => { tab.say({ kind: 'numbered', id, seq }) }) }
    } catch (e) {
      answer = { kind: 'failed', id, fault: faultOf(serverError(e, Code.INTERNAL, 'client.FAULT')) }
    }
    tab.asks.delete(id)
    if (!stop.signal.aborted) tab.say(answer)
  }

  /** asked does what a tab asks for; `numbered` is told the number of a change before that is sent. */
  async #asked(ask: Ask, signal: AbortSignal, numbered: (seq: number) => void): Promise<unknown> {
    const { outbox } = this.#session
    switch (ask.kind) {
      case 'call': {
        const seq = ask.how === 'change' ? (ask.seq ?? (await outbox.number())) : undefined
        if (seq !== undefined) numbered(seq)
        const { bytes } = await this.#session.call(rawMethod(ask.method, ask.how), { bytes: ask.body }, { signal, onlyOnline: ask.onlyOnline, ...(seq !== undefined && { seq }) })
        return bytes
      }
      case 'put':
        return outbox.put(rawMethod(ask.method, 'change'), { bytes: ask.body }, { lane: ask.lane, note: ask.note, key: ask.key })
      case 'answer':
        return (await outbox.answer(ask.seq, rawMethod('', 'change')))?.bytes
      case 'retry':
        return outbox.retry(ask.seq)
      case 'drop':
        return outbox.drop(ask.seq)
      case 'number':
        return outbox.number()
    }
  }

  #follow(tab: Tab, id: number, name: string, options: FollowOptions): void {
    const { heads = false, types = [], params = new Uint8Array(), from } = options
    const reader: Reader = {
      told: (update) => {
        if (update.kind === 'ended') tab.followings.delete(id)
        tab.say({ kind: 'update', id, update: plain(update) })
      },
    }
    const unite = this.#unites[name]
    if (unite !== undefined) {
      let topic = this.#united.get(name)
      if (topic === undefined) {
        const made: United = new United(this.#session, name, unite, () => {
          if (this.#united.get(name) === made) this.#united.delete(name)
        })
        this.#united.set(name, (topic = made))
      }
      tab.followings.set(id, { topic, reader })
      topic.join(reader, params)
      return
    }
    const key = JSON.stringify([name, heads, types, Array.from(params)])
    let topic = this.#topics.get(key)
    if (topic === undefined) {
      const made: SharedTopic = new SharedTopic(this.#session, name, options, () => {
        if (this.#topics.get(key) === made) this.#topics.delete(key)
      })
      this.#topics.set(key, (topic = made))
    }
    tab.followings.set(id, { topic, reader })
    topic.join(reader, from)
  }

  #drop(tab: Tab): void {
    this.#tabs.delete(tab)
    this.#release(tab)
  }

  /** release ends what a tab has begun. */
  #release(tab: Tab): void {
    for (const { topic, reader } of tab.followings.values()) topic.leave(reader)
    tab.followings.clear()
    for (const stop of tab.asks.values()) stop.abort()
    tab.asks.clear()
  }
}

const bySeq = (entries: readonly Pending[]): ReadonlyMap<number, Pending> => new Map(entries.map((entry) => [entry.seq, entry]))

/** Tab is what a host knows of one. */
class Tab {
  readonly port: Port
  readonly followings = new Map<number, { topic: Pick<SharedTopic, 'resume' | 'signal' | 'leave'>; reader: Reader }>()
  readonly asks = new Map<number, AbortController>()
  /** Its lock tells when it dies; else how often it was asked in vain. */
  locked = false
  silent = 0

  constructor(port: Port) {
    this.port = port
  }

  say(message: ToTab): void {
    this.port.postMessage(message)
  }
}
