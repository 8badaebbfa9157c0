import { Code, ServerError } from '../errors.ts'
import { message, type Codec, type Method } from '../method.ts'
import type { ClientFrame, Reply } from '../proto/plenum/edge/v1/edge.ts'
import type { CallOptions } from '../session.ts'
import { Backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import * as fault from './fault.ts'
import { callBytes, defaultCalls, maxBody, maxCalls } from './limits.ts'
import { own } from './own.ts'
import type { Wire } from './wire.ts'

/** Out is what calls and topics need of the connection. */
export interface Out {
  readonly clock: Clock
  readonly random: () => number
  /** Frames may be sent. */
  readonly up: boolean
  /** Bytes that wait to be sent. */
  readonly waiting: number
  /** send puts a frame into the next message, which goes out behind what runs now. */
  send(frame: ClientFrame['frame']): void
  /** wake has a message sent even though nothing was put into it yet: topics are to be subscribed or left. */
  wake(): void
  /** end gives the line up, and has another one opened. */
  end(why: ServerError): void
  /** stale says that the server wants a new token. */
  stale(): void
  /** id gives the next number of a call or a Subscribe; never 0. */
  id(): number
}

/** Call is one Call frame, and who waits for its answer. */
interface Call {
  readonly method: string
  readonly body: Uint8Array
  readonly seq: number
  readonly lane: number
  /** What becomes of it when the line is lost: it goes out again; it fails, since nobody knows whether it took place; its sender decides. */
  readonly kind: Method<never, never>['kind'] | 'wire'
  readonly onlyOnline: boolean
  readonly resolve: (body: Uint8Array) => void
  readonly reject: (why: unknown) => void
  /** It has been on a line. */
  sent: boolean
  /** Nobody waits for it any more; the server still counts it. */
  dropped: boolean
}

const offline = () => new ServerError(Code.UNAVAILABLE, 'client.OFFLINE', 'There is no connection to the server. Try again when there is one.')
const lost = () => new ServerError(Code.OUTCOME_UNKNOWN, 'client.LOST', 'The connection was lost before the answer came; it may have taken place.')

/** Calls are those under way, and those that wait for a connection or for their turn. */
export class Calls {
  readonly #out: Out
  readonly #number: () => Promise<number>
  /** By id. */
  readonly #sent = new Map<number, Call>()
  #queue: Call[] = []
  /** Those that wait before they are repeated. */
  readonly #pauses = new Set<(why: ServerError) => void>()
  #ended: ServerError | undefined
  #executing = defaultCalls
  #most = maxBody

  constructor(out: Out, number: () => Promise<number>) {
    this.#out = out
    this.#number = number
  }

  /** limit takes over what Welcome says; 0: as it was. */
  limit(calls: number, messageBytes: number): void {
    this.#executing = calls || this.#executing
    this.#most = messageBytes > callBytes ? messageBytes - callBytes : this.#most
    this.#next()
  }

  /** call does what Session.call says. */
  async call<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, { signal, onlyOnline = false, seq: given }: CallOptions = {}): Promise<A> {
    signal?.throwIfAborted()
    const body = method.request.encode(message(method.request, request)).finish()
    this.#fits(body)
    const seq = method.kind === 'change' ? (given ?? (await this.#number())) : 0
    const backoff = new Backoff(this.#out.random)
    for (;;) {
      try {
        const answer = await this.#roundTrip({ method: method.name, body, seq, lane: 0, kind: method.kind, onlyOnline }, signal)
        return read(method, answer)
      } catch (e) {
        if (!(e instanceof ServerError) || !repeats(method.kind, e)) throw e
        await this.#pause(backoff.next(e.retryAfterMs), signal)
      }
    }
  }

  /** wire does what Wire.send says. */
  async wire({ method, body, seq, lane, signal }: Parameters<Wire['send']>[0]): Promise<Uint8Array> {
    signal?.throwIfAborted()
    this.#fits(body)
    return this.#roundTrip({ method, body, seq, lane, kind: 'wire', onlyOnline: true }, signal)
  }

  /** up sends what waits. */
  up(): void {
    this.#next()
  }

  reply(r: Reply): void {
    const call = this.#sent.get(r.id)
    if (call === undefined) return
    this.#sent.delete(r.id)
    if (r.result?.$case === 'body') {
      call.resolve(own(r.result.value))
    } else {
      const e = fault.of(r.result?.value)
      if (e.code === Code.TOKEN_STALE) this.#out.stale()
      call.reject(e)
    }
    this.#next()
  }

  /** down decides what becomes of those under way. `refused`: the server took no frame of the line, so that none of them took place. */
  down(refused: boolean): void {
    const again: Call[] = []
    for (const call of this.#sent.values()) {
      const doubt = call.kind === 'once' && !refused
      if (call.dropped) continue
      if (call.kind === 'wire') call.reject(lost())
      else if (call.onlyOnline) call.reject(call.kind === 'read' || refused ? offline() : lost())
      else if (doubt) call.reject(lost())
      else again.push(call)
    }
    this.#sent.clear()
    const waiting = this.#queue.filter(({ onlyOnline }) => !onlyOnline)
    for (const call of this.#queue) if (call.onlyOnline) call.reject(offline())
    this.#queue = [...again, ...waiting]
  }

  /** end rejects all, and what comes: a change that was sent may have taken place. */
  end(why: ServerError): void {
    this.#ended = why
    const all = [...this.#sent.values(), ...this.#queue]
    this.#sent.clear()
    this.#queue = []
    for (const call of all) call.reject(call.sent && call.kind !== 'read' && why.repeatable ? lost() : why)
    for (const reject of [...this.#pauses]) reject(why)
  }

  #fits(body: Uint8Array): void {
    if (body.length <= this.#most) return
    throw new ServerError(Code.BODY_TOO_LARGE, 'client.BODY_TOO_LARGE', `This is ${body.length} bytes long; at most ${this.#most} can be sent.`)
  }

  #roundTrip(of: Pick<Call, 'method' | 'body' | 'seq' | 'lane' | 'kind' | 'onlyOnline'>, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const abort = () => { this.#drop(call, signal?.reason) }
      const call: Call = {
        ...of,
        sent: false,
        dropped: false,
        resolve(body) {
          signal?.removeEventListener('abort', abort)
          resolve(body)
        },
        reject(why) {
          signal?.removeEventListener('abort', abort)
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is its owner's
          reject(why)
        },
      }
      signal?.addEventListener('abort', abort)
      if (signal?.aborted) call.reject(signal.reason)
      else this.#begin(call)
    })
  }

  #begin(call: Call): void {
    if (this.#ended !== undefined) {
      call.reject(this.#ended)
    } else if (call.onlyOnline && !this.#out.up) {
      call.reject(offline())
    } else if (call.kind === 'wire') {
      this.#transmit(call) // who keeps changes counts them
    } else if (this.#queue.length + this.#direct() >= maxCalls) {
      call.reject(new ServerError(Code.TOO_MANY_CALLS, 'client.TOO_MANY_CALLS', `${maxCalls} calls are under way. Wait for one to end.`))
    } else {
      this.#queue.push(call)
      this.#next()
    }
  }

  #drop(call: Call, reason: unknown): void {
    call.dropped = true
    this.#queue = this.#queue.filter((other) => other !== call)
    for (const [id, other] of this.#sent) if (other === call) this.#out.send({ $case: 'cancel', value: { id } })
    call.reject(reason)
  }

  /** direct counts the calls under way that are no wire's. */
  #direct(): number {
    let n = 0
    for (const { kind } of this.#sent.values()) if (kind !== 'wire') n++
    return n
  }

  /** busy is how many calls the server executes: of those of a lane one at a time. */
  #busy(): number {
    const lanes = new Set<number>()
    let n = 0
    for (const { lane } of this.#sent.values()) {
      if (lane === 0) n++
      else lanes.add(lane)
    }
    return n + lanes.size
  }

  #next(): void {
    while (this.#out.up && this.#queue.length > 0 && this.#busy() < this.#executing) {
      const call = this.#queue.shift()
      if (call !== undefined) this.#transmit(call)
    }
  }

  #transmit(call: Call): void {
    const id = this.#out.id()
    call.sent = true
    this.#sent.set(id, call)
    this.#out.send({ $case: 'call', value: { id, method: call.method, body: call.body, clientSeq: call.seq, lane: call.lane, timeoutMs: 0 } })
  }

  /** pause waits before a repetition. */
  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        cancel()
        this.#pauses.delete(end)
        signal?.removeEventListener('abort', abort)
      }
      const cancel = this.#out.clock.after(ms, () => {
        done()
        resolve()
      })
      const end = (why: unknown) => {
        done()
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal's reason is its owner's
        reject(why)
      }
      const abort = () => { end(signal?.reason) }
      this.#pauses.add(end)
      signal?.addEventListener('abort', abort)
      if (signal?.aborted) abort()
      else if (this.#ended !== undefined) end(this.#ended)
    })
  }
}

/** repeats says whether a call with this answer goes out again. What is called once does where it is known that it didn't take place. */
function repeats(kind: Call['kind'], e: ServerError): boolean {
  if (!e.repeatable || e.reason.startsWith('client.')) return false
  if (kind !== 'once') return true
  return e.code === Code.UNAVAILABLE || e.code === Code.TOO_MANY_CALLS || e.code === Code.RATE_LIMITED || e.code === Code.TOKEN_STALE
}

function read<A>(method: { readonly name: string; readonly response: Codec<A> }, answer: Uint8Array): A {
  try {
    return method.response.decode(answer)
  } catch (e) {
    throw new ServerError(Code.INTERNAL, 'client.ANSWER', `The answer of ${method.name} can't be read: ${String(e)}`)
  }
}
