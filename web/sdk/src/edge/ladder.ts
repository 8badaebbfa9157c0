import { Code, ServerError } from '../errors.ts'
import type { ClientFrame } from '../proto/plenum/edge/v1/edge.ts'
import type { Host } from './carrier.ts'
import type { Clock } from './clock.ts'
import * as fault from './fault.ts'
import { betterFrom, betterMost, betterSoon, trialBy } from './limits.ts'
import type { Dialer, Ear, Line } from './line.ts'
import { polls } from './poll.ts'
import { serverSentEvents } from './sse.ts'
import { webSocket, type SocketMaker } from './websocket.ts'

/**
 * anyTransport opens lines over the best transport that gets through: a WebSocket, else server-sent events, else polls. One is given up for the next where it is
 * refused by what lies on the way, or open and not answered within 4 s, as by a proxy that holds answers back. What has worked is taken for the next 10
 * minutes (1 minute, if a WebSocket worked before), up to an hour where the better one fails again and again; then the better one is tried, without a break where
 * it can't be opened at all. A server that can't be reached over the others either, or says why it refuses, is no reason to take another one. Without a Maker there
 * are no WebSockets.
 */
export function anyTransport(host: Host, Maker: SocketMaker | undefined): Dialer {
  const rest = [serverSentEvents(host), polls(host)]
  return ladder(Maker === undefined ? rest : [webSocket(host.server, Maker), ...rest], host.clock)
}

/** ladder is transports, the best first. What is found out about them is shared by all its lines. */
export function ladder(rungs: readonly Dialer[], clock: Clock): Dialer {
  const known = new Knowledge(rungs.length, clock)
  return (ear) => new Trial(rungs, known, ear, clock)
}

/** Knowledge is which transport gets through. */
class Knowledge {
  readonly #rungs: number
  readonly #clock: Clock
  /** That is to be taken. */
  rung = 0
  /** When those above are tried again; Infinity: nothing was found out about them. */
  better = Infinity
  #wait = 0
  #bestWorked = false

  constructor(rungs: number, clock: Clock) {
    this.#rungs = rungs
    this.#clock = clock
  }

  /** next is the one to begin with. */
  next(): number {
    if (this.rung > 0 && this.#clock.now() >= this.better) {
      this.rung = 0
      this.better = Infinity
    }
    return this.rung
  }

  /** worked notes that a transport has brought an answer. */
  worked(rung: number): void {
    this.rung = rung
    if (rung === 0) {
      this.#bestWorked = true
      this.better = Infinity
      this.#wait = 0
    } else if (this.better === Infinity) {
      this.#wait = Math.min(Math.max(2 * this.#wait, this.#bestWorked ? betterSoon : betterFrom), betterMost)
      this.better = this.#clock.now() + this.#wait
    }
  }

  /** failed notes that a transport was open and brought nothing. After the last one the first is tried again. */
  failed(rung: number): void {
    this.rung = (rung + 1) % this.#rungs
    this.better = Infinity
  }

  /** vain notes that the best one was tried beside what works, and does not open. */
  vain(): void {
    this.#wait = Math.min(2 * this.#wait, betterMost)
    this.better = this.#clock.now() + this.#wait
  }
}

/** blocked says whether an end without an answer speaks against the transport, not against the server. */
function blocked({ code, reason }: ServerError): boolean {
  return code === Code.VERSION || reason === 'client.HTTP_STATUS' || reason === 'client.CONNECTION_LOST' || reason === 'client.GARBLED'
}

/** Trial is a line that has to prove itself. */
class Trial implements Line {
  readonly #rungs: readonly Dialer[]
  readonly #known: Knowledge
  readonly #ear: Ear
  readonly #clock: Clock
  #rung = 0
  #line: Line | undefined
  #opened = false
  #proven = false
  #ended = false
  #cancel: (() => void) | undefined
  /** The best one, as it is tried beside this. */
  #beside: Line | undefined

  constructor(rungs: readonly Dialer[], known: Knowledge, ear: Ear, clock: Clock) {
    this.#rungs = rungs
    this.#known = known
    this.#ear = ear
    this.#clock = clock
    this.#try(known.next())
  }

  get transport() {
    return this.#line?.transport ?? 'websocket'
  }

  get waiting(): number {
    return this.#line?.waiting ?? 0
  }

  send(frames: readonly ClientFrame[]): void {
    this.#line?.send(frames)
  }

  close(): void {
    this.#ended = true
    this.#cancel?.()
    this.#beside?.close()
    this.#line?.close()
  }

  #try(rung: number): void {
    this.#rung = rung
    const dial = this.#rungs[rung]
    if (dial === undefined) return
    const mine = () => !this.#ended && this.#rung === rung
    this.#cancel = this.#clock.after(trialBy, () => { this.#late() })
    const ear: Ear = {
      opened: () => {
        if (!mine()) return
        this.#cancel?.()
        this.#cancel = this.#clock.after(trialBy, () => { this.#late() })
        this.#opened = true
        this.#ear.opened()
      },
      heard: (frames) => {
        if (!mine()) return
        if (frames.length > 0 && !this.#proven) this.#prove()
        this.#ear.heard(frames)
      },
      closed: (why) => { if (mine()) this.#closed(why) },
    }
    try {
      this.#line = dial(ear)
    } catch (e) { // a page may not open it at all
      this.#cancel()
      if (rung + 1 === this.#rungs.length) throw e
      this.#try(rung + 1)
    }
  }

  #prove(): void {
    this.#proven = true
    this.#cancel?.()
    this.#known.worked(this.#rung)
    if (this.#rung > 0) this.#climb()
  }

  #late(): void {
    this.#line?.close()
    this.#closed(fault.lost('nothing came'))
  }

  #closed(why: ServerError): void {
    this.#cancel?.()
    if (!this.#opened && this.#rung + 1 < this.#rungs.length) { // a browser doesn't tell a refused upgrade from a server that is away: the next one shows
      this.#try(this.#rung + 1)
      return
    }
    if (!this.#proven && blocked(why)) this.#known.failed(this.#rung)
    this.close()
    this.#ear.closed(why)
  }

  /** climb ends the line when a better transport can be opened again: the session comes back by that one. */
  #climb(): void {
    this.#cancel = this.#clock.after(Math.max(0, this.#known.better - this.#clock.now()), () => {
      const best = this.#rungs[0]
      if (best === undefined) return
      const vain = () => {
        if (this.#ended) return
        this.#cancel?.()
        this.#beside?.close()
        this.#beside = undefined
        this.#known.vain()
        this.#climb()
      }
      this.#cancel = this.#clock.after(trialBy, vain)
      try {
        this.#beside = best({
          opened: () => {
            if (this.#ended) return
            this.close()
            this.#ear.closed(new ServerError(Code.CONNECTION_FAULT, 'client.BETTER', 'A better way to the server is open again.'))
          },
          heard: () => undefined,
          closed: vain,
        })
      } catch { // as in #try
        vain()
      }
    })
  }
}
