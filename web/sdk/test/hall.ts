import type { Wire } from '../src/edge/wire.ts'
import { ServerError } from '../src/errors.ts'
import { SendRequest, SendResponse } from '../src/proto/plenum/chat/v1/chat.ts'

/** Tape is what chance decides, in order; behind its end all goes well. */
export class Tape {
  readonly #choices: readonly number[]
  #at = 0

  constructor(choices: readonly number[]) {
    this.#choices = choices
  }

  next(below: number): number {
    return (this.#choices[this.#at++] ?? 0) % below
  }

  /** end makes all go well from now on. */
  end(): void {
    this.#at = this.#choices.length
  }
}

/** Hall is a chat service behind a gateway, as PROTOCOL.md §5 has them: lanes keep their order, numbers take place once. */
export class Hall {
  readonly tape: Tape
  /** What took place, in order: a channel stands for a lane. */
  readonly done: { readonly seq: number; readonly channel: string; readonly text: string }[] = []
  readonly #replies = new Map<number, Uint8Array>()
  readonly #refused = new Set<number>()

  constructor(tape: Tape) {
    this.tape = tape
  }

  /** execute answers a call; undefined: it is refused, as it was before. */
  execute(seq: number, body: Uint8Array): Uint8Array | undefined {
    const known = this.#replies.get(seq)
    if (known !== undefined || this.#refused.has(seq)) return known
    const { channel, text } = SendRequest.decode(body)
    const reply = SendResponse.encode({ offset: seq, epoch: 1, timeMs: text.length }).finish()
    this.done.push({ seq, channel, text })
    this.#replies.set(seq, reply)
    return reply
  }

  refuse(seq: number): void {
    if (!this.has(seq)) this.#refused.add(seq)
  }

  has(seq: number): boolean {
    return this.#replies.has(seq)
  }
}

type Call = Parameters<Wire['send']>[0]

interface Waiting {
  readonly call: Call
  readonly resolve: (reply: Uint8Array) => void
  readonly reject: (e: ServerError) => void
}

interface Lane {
  readonly queue: Waiting[]
  /** The client_seq that must return; 0: none. */
  broken: number
}

const refusal = (code: number, retryAfterMs = 0) => new ServerError(code, 'hall.NO', 'No.', '', retryAfterMs)

/** Line is one page's connection to a hall: it breaks, and comes back. */
export class Line implements Wire {
  readonly #hall: Hall
  readonly #listeners = new Set<(up: boolean) => void>()
  /** Of the connection that is open: another one has others. */
  #lanes: Map<number, Lane> | undefined
  /** The page is gone, with its connection. */
  #dead = false
  sent = 0

  constructor(hall: Hall) {
    this.#hall = hall
    this.#comeBack()
  }

  get up(): boolean {
    return this.#lanes !== undefined
  }

  onUp(listener: (up: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  send(call: Call): Promise<Uint8Array> {
    this.sent++
    return new Promise((resolve, reject) => {
      const lanes = this.#lanes
      if (lanes === undefined) {
        reject(new ServerError(200, 'client.OFFLINE', 'There is no connection.'))
        return
      }
      if (call.lane < 1 || call.lane > 16) throw new Error(`lane ${call.lane}`)
      let lane = lanes.get(call.lane)
      if (lane === undefined) lanes.set(call.lane, (lane = { queue: [], broken: 0 }))
      if (lane.broken !== 0 && lane.broken !== call.seq) {
        setTimeout(() => { reject(refusal(200)) }, this.#hall.tape.next(50))
        return
      }
      if (this.#hall.tape.next(12) === 11) {
        lane.broken ||= call.seq
        setTimeout(() => { reject(refusal(203, 100)) }, this.#hall.tape.next(50)) // overtakes what is under way
        return
      }
      lane.broken = 0
      lane.queue.push({ call, resolve, reject })
      if (lane.queue.length === 1) this.#run(lanes, lane)
    })
  }

  /** cut ends the connection; it comes back. */
  cut(): void {
    const lanes = this.#lanes
    if (lanes === undefined) return
    this.#lanes = undefined
    const early = this.#hall.tape.next(2) === 1
    if (early) this.#tell()
    for (const { queue } of lanes.values()) for (const { reject } of queue) reject(new ServerError(201, 'client.LOST', 'The connection was lost.'))
    if (!early) this.#tell()
    if (!this.#dead) setTimeout(() => { this.#comeBack() }, this.#hall.tape.next(400))
  }

  die(): void {
    this.#dead = true
    this.cut()
  }

  #comeBack(): void {
    if (this.#dead) return
    this.#lanes = new Map()
    this.#tell()
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener(this.up)
  }

  /** run does the first call of a lane. */
  #run(lanes: Map<number, Lane>, lane: Lane): void {
    const first = lane.queue[0]
    if (first === undefined) return
    setTimeout(() => {
      const { call, resolve, reject } = first
      const what = this.#hall.tape.next(10)
      if (lanes !== this.#lanes) {
        if (what > 4 && lane.queue[0] === first) this.#hall.execute(call.seq, call.body) // it had arrived before the connection was lost
        return
      }
      if (what === 5) {
        this.cut() // not done
        return
      }
      if (what === 6) {
        lane.queue.shift()
        this.#break(lane, first) // not done
        return
      }
      if (what === 8) this.#hall.refuse(call.seq)
      const reply = this.#hall.execute(call.seq, call.body)
      if (what === 9) {
        this.cut() // done, and nobody heard
        return
      }
      lane.queue.shift()
      if (what === 7) this.#break(lane, first) // perhaps done
      else if (reply === undefined) reject(refusal(103))
      else resolve(reply)
      this.#run(lanes, lane)
    }, this.#hall.tape.next(60))
  }

  /** break answers a call, and all behind it, with 2xx: the lane waits for it. */
  #break(lane: Lane, { call, reject }: Waiting): void {
    lane.broken = call.seq
    reject(refusal(this.#hall.has(call.seq) ? 201 : 200))
    for (const behind of lane.queue.splice(0)) behind.reject(refusal(200))
  }
}
