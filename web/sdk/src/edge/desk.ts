import { Code } from '../errors.ts'
import { Call, type Reply, type Signal } from '../proto/plenum/edge/v1/edge.ts'
import { callBatch, callPolls, frameBytes, maxBody, signalBatch } from './limits.ts'

/** Batch is the calls of one poll. */
export interface Batch {
  readonly lane: number
  readonly calls: readonly Call[]
  /** Codes of the answers, by id. */
  readonly codes: Map<number, number>
  /** Given up, by id. */
  readonly gone: Set<number>
  /** Ends the poll. */
  readonly stop: AbortController
}

/** Desk is what waits to be sent by polls and what is under way, of calls and signals: pure but for `stop`. */
export class Desk {
  /** By lane; 0: none. */
  readonly #queues = new Map<number, Call[]>()
  /** Under way; of a lane one at most. */
  readonly #polls = new Set<Batch>()
  /** lane -> client_seq that has to return before anything else goes out in it. */
  readonly #broken = new Map<number, number>()
  #signals: Signal[] = []

  put(call: Call): void {
    const queue = this.#queues.get(call.lane)
    if (queue === undefined) this.#queues.set(call.lane, [call])
    else queue.push(call)
  }

  /**
   * drop gives up a call: one that waits is not sent. The poll of one that is under way is ended where nobody waits for anything else of it, and no later call
   * could overtake it. What is answered then is its reply.
   */
  drop(id: number): Reply {
    for (const [lane, queue] of this.#queues) this.#queues.set(lane, queue.filter((call) => call.id !== id))
    for (const batch of this.#polls) {
      if (!batch.calls.some((call) => call.id === id)) continue
      batch.gone.add(id)
      if (batch.lane === 0 && unanswered(batch) === 0) batch.stop.abort()
    }
    return refused(id, 'client.CANCELLED', 'It was given up.')
  }

  /** signal lets a signal wait; the latest of a key wins. */
  signal(s: Signal): void {
    this.#signals = this.#signals.filter((other) => other.topic !== s.topic || other.key !== s.key)
    if (this.#signals.length < signalBatch) this.#signals.push(s)
  }

  /** signals takes those that wait. */
  signals(): Signal[] {
    const all = this.#signals
    this.#signals = []
    return all
  }

  /**
   * next takes the calls of the next poll; undefined: none may go now. Those behind one that has to be repeated are refused, as the gateway does on one
   * connection: a lane keeps its order over polls, of which the gateway knows only one at a time.
   */
  next(refuse: (reply: Reply) => void): Batch | undefined {
    for (const [lane, queue] of this.#queues) {
      const under = [...this.#polls].filter((batch) => batch.lane === lane).length
      if (under >= (lane === 0 ? callPolls : 1)) continue
      const calls: Call[] = []
      let bytes = 0
      for (let call = queue[0]; call !== undefined && calls.length < callBatch; call = queue[0]) {
        const first = this.#broken.get(lane)
        if (first !== undefined && call.clientSeq !== first) {
          refuse(refused(call.id, 'edge.LANE', 'An earlier change of this lane must be repeated first.'))
          queue.shift()
          continue
        }
        bytes += Call.encode(call).finish().length + frameBytes
        if (bytes > maxBody && calls.length > 0) break
        this.#broken.delete(lane)
        calls.push(call)
        queue.shift()
      }
      if (queue.length === 0) this.#queues.delete(lane)
      if (calls.length === 0) continue
      const batch = { lane, calls, codes: new Map<number, number>(), gone: new Set<number>(), stop: new AbortController() }
      this.#polls.add(batch)
      return batch
    }
    return undefined
  }

  /** done takes a batch off the desk. It returns how many of its calls somebody still waits for. */
  done(batch: Batch): number {
    this.#polls.delete(batch)
    const again = (code = 0) => code >= 200 && code < 300
    const first = batch.calls.find(({ id, clientSeq }) => clientSeq !== 0 && again(batch.codes.get(id)))
    if (batch.lane !== 0 && first !== undefined) this.#broken.set(batch.lane, first.clientSeq)
    return unanswered(batch)
  }
}

function unanswered({ calls, codes, gone }: Batch): number {
  return calls.filter(({ id }) => !codes.has(id) && !gone.has(id)).length
}

function refused(id: number, reason: string, text: string): Reply {
  return { id, result: { $case: 'error', value: { code: Code.UNAVAILABLE, reason, message: text, retryAfterMs: 100, field: '' } } }
}
