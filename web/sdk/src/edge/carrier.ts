import { ServerError } from '../errors.ts'
import type { ClientFrame, Error as Fault, Head, Hello, ServerFrame, Signal, Subscribed, Want, Welcome } from '../proto/plenum/edge/v1/edge.ts'
import type { Clock } from './clock.ts'
import { Desk, type Batch } from './desk.ts'
import * as fault from './fault.ts'
import { ask, chunks, framesOf, type Fetch } from './http.ts'
import { callBy, gather, maxRefs, settleBy, signalBy } from './limits.ts'
import type { Ear, Line } from './line.ts'
import { isList, reach, Wants, type Wanted } from './wants.ts'

/** Host is where requests go, and how. */
export interface Host {
  /** "https://plenum.example.com" */
  readonly server: string
  readonly fetch: Fetch
  readonly clock: Clock
}

/** Round is one request that listens. */
export interface Round {
  readonly message: ClientFrame[]
  readonly begun: number
  /** Ends it. */
  readonly stop: AbortController
  /** topic -> the session's Subscribe that asked for it. */
  readonly asked: ReadonlyMap<string, number>
  /** What Head.ref stands for in this answer, and the epoch that was told last. */
  readonly refs: Map<number, { readonly topic: string; epoch: number }>
  /** The session waits for something that this answers. */
  readonly urgent: boolean
  /** It has a token that the session waits to hear of. */
  readonly renewed: boolean
  pings: number[]
  /** Topics that are not answered. */
  left: number
  settled: boolean
  /** The other side has ended it; the next one begins after so many ms. */
  over: number | undefined
}

/** rotated is the reason of a stream's end that is no break. */
const rotated = 'edge.ROTATED'

/**
 * Carrier is a line that consists of HTTP requests, for networks that let no WebSocket through. One request after the other listens: the answer to it is a
 * stream of events, or of one poll. Calls and signals go by polls beside it.
 *
 * A request says all that is followed and from where, so that any may take the place of any other: the carrier keeps a table of the wants with their
 * cursors. The session above sees one line, and each event once.
 */
export abstract class Carrier implements Line {
  abstract readonly transport: 'sse' | 'poll'
  readonly waiting = 0
  readonly host: Host
  readonly #ear: Ear
  readonly #desk = new Desk()
  readonly #wants = new Wants()
  /** Ends all requests. */
  readonly #stop = new AbortController()
  #hello: Hello | undefined
  /** When the person did something last. */
  #used = 0
  #welcomed = false
  /** The token was, and the session waits for Refreshed. */
  #renewed = false
  /** To be answered. */
  #pings: number[] = []
  /** Under way. */
  #round: Round | undefined
  /** What the round asked for is not what is wanted now. */
  #changed = false
  #cancelReplace: (() => void) | undefined
  /** Ends the rest while there is nothing to ask. */
  #wake: () => void = () => undefined
  #signaling = false

  constructor(host: Host, ear: Ear) {
    this.host = host
    this.#ear = ear
    queueMicrotask(() => { if (!this.ended) ear.opened() })
  }

  get ended(): boolean {
    return this.#stop.signal.aborted
  }

  /** listen makes one request, and passes on its answer until that ends. A rejection ends the line, if the round wasn't replaced. */
  protected abstract listen(r: Round): Promise<void>

  close(): void {
    this.#cancelReplace?.()
    this.#stop.abort()
    this.#wake()
  }

  /** end ends the line, and tells why. */
  end(why: unknown): void {
    if (this.ended) return
    this.close()
    this.#ear.closed(why instanceof ServerError ? why : fault.lost(String(why)))
  }

  /** pass hands frames to the session. */
  pass(frames: readonly ServerFrame[]): void {
    if (!this.ended) this.#ear.heard(frames)
  }

  /** send takes note of what is said. */
  send(frames: readonly ClientFrame[]): void {
    const now = this.host.clock.now()
    for (const { frame } of frames) {
      if (this.ended) return
      switch (frame?.$case) {
        case 'hello':
          this.#hello = frame.value
          this.#used = now - (frame.value.idleS ?? 0) * 1000
          queueMicrotask(() => { void this.#work() }) // with all that comes along with Hello
          break
        case 'subscribe':
          this.#wants.add(frame.value)
          this.#change()
          break
        case 'unsubscribe':
          for (const topic of frame.value.topics) this.#wants.delete(topic)
          this.#change()
          break
        case 'refresh':
          if (this.#hello !== undefined) this.#hello = { ...this.#hello, token: frame.value.token }
          this.#renewed = true
          this.#change()
          break
        case 'ping':
          // Answered by the next request, not from what is known: after a sleep the present one may look alive for long. Signs of life are passed on as
          // they come, so that there is no Ping where there are some.
          if (frame.value.active) this.#used = now
          this.#pings.push(frame.value.nonce)
          this.#change()
          break
        case 'call':
          if (frame.value.clientSeq !== 0) this.#used = now
          this.#desk.put(frame.value)
          break
        case 'cancel': {
          const value = this.#desk.drop(frame.value.id)
          queueMicrotask(() => { this.pass([{ frame: { $case: 'reply', value } }]) })
          break
        }
        case 'signal':
          this.#used = now
          this.#desk.signal(frame.value)
          break
      }
    }
    this.#dispatch()
  }

  /** change has a request take the place of the one that listens, soon. */
  #change(): void {
    this.#changed = true
    this.#wake()
    if (this.#round !== undefined && this.#cancelReplace === undefined) this.#replaceIn(gather)
  }

  #replaceIn(ms: number): void {
    this.#cancelReplace = this.host.clock.after(ms, () => {
      this.#cancelReplace = undefined
      const r = this.#round
      if (r === undefined || !this.#changed || this.ended) return
      // One that was not answered yet gets some time for it: who follows one topic after the other must not keep all of them from beginning.
      const rest = settleBy - (this.host.clock.now() - r.begun)
      if (!r.settled && rest > 0) this.#replaceIn(Math.min(rest, settleBy))
      else r.stop.abort()
    })
  }

  /** settle notes that a request has its first answer. */
  settle(r: Round): void {
    if (r.settled) return
    r.settled = true
    if (!this.#changed || this.#cancelReplace === undefined) return
    this.#cancelReplace()
    this.#replaceIn(gather)
  }

  /** work makes one request after the other, each from where the last has come to. */
  async #work(): Promise<void> {
    for (;;) {
      if (this.#round !== undefined) this.#pings.unshift(...this.#round.pings) // it was replaced before it could answer them
      this.#round = undefined
      if (this.ended) return
      if (this.transport !== 'sse' && this.#welcomed && !this.#renewed && this.#pings.length === 0 && this.#wants.size === 0) {
        await new Promise<void>((resolve) => { this.#wake = resolve })
        continue
      }
      const r = this.#newRound()
      const abort = () => { r.stop.abort() }
      this.#stop.signal.addEventListener('abort', abort)
      try {
        await this.listen(r)
      } catch (e) {
        if (!r.stop.signal.aborted) this.end(e)
      }
      this.#stop.signal.removeEventListener('abort', abort)
      r.stop.abort()
    }
  }

  /** newRound makes the request for what is wanted now. */
  #newRound(): Round {
    const wants = [...this.#wants.entries()]
    const r: Round = {
      message: [this.#greeting(), ...this.#wants.frames()],
      begun: this.host.clock.now(),
      stop: new AbortController(),
      asked: new Map(wants.map(([topic, { id }]) => [topic, id])),
      refs: new Map(),
      urgent: !this.#welcomed || this.#renewed || this.#pings.length > 0 || wants.some(([, { told }]) => !told),
      renewed: this.#renewed,
      pings: this.#pings,
      left: wants.length,
      settled: false,
      over: undefined,
    }
    this.#round = r
    this.#changed = false
    this.#pings = []
    return r
  }

  /** greeting is Hello. The token goes in a header, for a gateway then knows whose a long message is before it reads it. */
  #greeting(): ClientFrame {
    if (this.#hello === undefined) throw new Error('nothing was said yet')
    const idleS = Math.max(0, Math.floor((this.host.clock.now() - this.#used) / 1000))
    return { frame: { $case: 'hello', value: { ...this.#hello, token: '', idleS } } }
  }

  /** ask sends a message, and returns the answer's body. */
  ask(path: string, frames: ClientFrame[], signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { server, fetch } = this.host
    return ask({ fetch, server, path, token: this.#hello?.token ?? '', frames, signal })
  }

  /** take passes on of a round's frames what the session is to see, and notes how far each topic was told. It returns the server's last word. */
  take(r: Round, frames: readonly ServerFrame[]): Fault | undefined {
    const out: ServerFrame['frame'][] = []
    let bye: Fault | undefined
    for (const { frame } of frames) {
      switch (frame?.$case) {
        case 'welcome':
          out.push(...this.#welcome(r, frame.value))
          break
        case 'subscribed':
          out.push(...this.#subscribed(r, frame.value))
          break
        case 'events': {
          const w = this.#current(r, frame.value.topic)
          if (!w?.told) break
          reach(w, frame.value)
          out.push(frame)
          break
        }
        case 'heads': {
          const heads = named(r, frame.value.heads)
          if (this.#current(r, frame.value.topic)?.told) out.push({ $case: 'heads', value: { ...frame.value, heads } })
          break
        }
        case 'view': {
          const w = this.#current(r, frame.value.topic)
          if (!w?.told) break
          if (frame.value.at !== undefined) w.want.cursor = frame.value.at
          else if (frame.value.snapshot) w.want.cursor = undefined // what was told before is forgotten, and the rest of it may be cut off
          out.push(frame)
          break
        }
        case 'stopped':
          for (const topic of frame.value.topics) {
            if (this.#current(r, topic) === undefined) continue
            this.#wants.delete(topic)
            out.push({ $case: 'stopped', value: { topics: [topic], error: frame.value.error } })
          }
          break
        case 'signal':
          if (this.#current(r, frame.value.topic) !== undefined) out.push(frame)
          break
        case 'goodbye': {
          const { error } = frame.value
          if (this.transport === 'sse' && error?.reason === rotated) {
            r.over = error.retryAfterMs
          } else {
            bye = error
            out.push(frame)
          }
          break
        }
      }
    }
    if (r.left <= 0) this.settle(r)
    this.pass(out.map((frame) => ({ frame })))
    return bye
  }

  /** current is what is wanted of a topic, if it is what the round asked for. */
  #current(r: Round, topic: string): Wanted | undefined {
    const w = this.#wants.get(topic)
    return w !== undefined && w.id === r.asked.get(topic) ? w : undefined
  }

  /** welcome answers what waits for a request to be accepted. */
  #welcome(r: Round, w: Welcome): ServerFrame['frame'][] {
    const out: ServerFrame['frame'][] = []
    if (!this.#welcomed) {
      this.#welcomed = true
      out.push({ $case: 'welcome', value: w })
    }
    if (r.renewed) {
      this.#renewed = this.#renewed && this.#changed // there may be a newer one yet
      out.push({ $case: 'refreshed', value: { tokenTtlMs: w.tokenTtlMs } })
    }
    for (const nonce of r.pings) out.push({ $case: 'pong', value: { nonce } })
    r.pings = []
    return out
  }

  #subscribed(r: Round, m: Subscribed): ServerFrame['frame'][] {
    const out: ServerFrame['frame'][] = []
    for (const s of m.subscriptions) {
      r.left--
      const w = this.#current(r, s.topic)
      if (w === undefined) continue
      let { start } = s
      const { told } = w
      if (s.error !== undefined) {
        this.#wants.delete(s.topic)
      } else {
        w.told = true
        if (isList(w, start, s.head)) {
          // A poll's answer is taken whole, with the list. That of a stream may be cut off: the next one is to tell it anew.
          if (this.transport === 'sse') start = undefined
          w.want.cursor = start
        } else if (start !== undefined && w.want.cursor?.epoch !== start.epoch) {
          w.want.cursor = start // else the own cursor stands, as in the session
        }
        if (told) continue
      }
      out.push({ $case: 'subscribed', value: { id: w.id, subscriptions: [{ ...s, start }] } })
    }
    return out
  }

  /** dispatch sends what waits and may go. */
  #dispatch(): void {
    if (this.#hello === undefined || this.ended) return
    const refuse = (value: Parameters<Parameters<Desk['next']>[0]>[0]) => { queueMicrotask(() => { this.pass([{ frame: { $case: 'reply', value } }]) }) }
    for (let batch = this.#desk.next(refuse); batch !== undefined; batch = this.#desk.next(refuse)) void this.#call(batch)
    if (this.#signaling) return
    const signals = this.#desk.signals()
    if (signals.length > 0) void this.#signal(signals)
  }

  /**
   * call sends the calls of a batch, and passes on their answers as they come. Where an answer is missing nobody knows what became of the call: then the line has
   * ended, and the session above decides which calls are repeated.
   */
  async #call(batch: Batch): Promise<void> {
    let why: unknown
    const frames: ClientFrame[] = batch.calls.map((value) => ({ frame: { $case: 'call', value } }))
    await this.#within(callBy, batch.stop, async () => {
      for await (const { frame } of framesOf(await this.ask('/edge/v1/poll', [this.#greeting(), ...frames], batch.stop.signal))) {
        if (frame?.$case === 'goodbye') why = fault.of(frame.value.error)
        if (frame?.$case !== 'reply') continue
        const { id, result } = frame.value
        batch.codes.set(id, result?.$case === 'error' ? result.value.code : 0)
        this.pass([{ frame }])
      }
    }).catch((e: unknown) => { why ??= e })
    if (this.#desk.done(batch) > 0) this.end(why ?? fault.lost('an answer is missing'))
    else if (why instanceof ServerError && why.code >= 4000 && !why.reason.startsWith('client.')) this.end(why)
    else this.#dispatch()
  }

  /** signal sends signals, on topics that are followed by who sends them. What is lost of them is lost. */
  async #signal(signals: readonly Signal[]): Promise<void> {
    this.#signaling = true
    const wants: Want[] = [...new Set(signals.map(({ topic }) => topic))].map((topic) => ({ topic, mode: 1, cursor: undefined, params: new Uint8Array(), types: [] }))
    const frames: ClientFrame[] = [
      this.#greeting(),
      { frame: { $case: 'subscribe', value: { id: 1, wants } } },
      ...signals.map((value) => ({ frame: { $case: 'signal' as const, value } })),
    ]
    const stop = new AbortController()
    await this.#within(signalBy, stop, async () => {
      for await (const chunk of chunks(await this.ask('/edge/v1/poll?wait=0', frames, stop.signal))) chunk.fill(0)
    }).catch(() => undefined) // lost, then
    this.#signaling = false
    this.#dispatch()
  }

  /** within ends a request after so many ms, and with the line. */
  async #within(ms: number, stop: AbortController, run: () => Promise<void>): Promise<void> {
    const abort = () => { stop.abort() }
    const cancel = this.host.clock.after(ms, abort)
    this.#stop.signal.addEventListener('abort', abort)
    try {
      await run()
    } finally {
      cancel()
      this.#stop.signal.removeEventListener('abort', abort)
    }
  }
}

/** named gives each head its topic's name and epoch: the numbers are this answer's own. */
function named({ refs }: Round, heads: readonly Head[]): Head[] {
  return heads.flatMap((h) => {
    if (h.topic !== '') refs.set(h.ref, { topic: h.topic, epoch: h.epoch })
    if (refs.size > maxRefs) throw fault.garbled(`it numbers more than ${maxRefs} topics`)
    const known = refs.get(h.ref)
    if (known === undefined) return []
    if (h.epoch !== 0) known.epoch = h.epoch
    return [{ ...h, topic: known.topic, epoch: known.epoch }]
  })
}
