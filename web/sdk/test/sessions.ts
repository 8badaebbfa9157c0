import { Document, hex, OtError, sha256 } from '../src/ot/index.ts'
import { deltaOf } from '../src/doc/record.ts'
import { Replica } from '../src/doc/replica.ts'
import type { Store } from '../src/doc/store.ts'
import { ServerError } from '../src/errors.ts'
import { type Presence } from '../src/doc/transport.ts'
import { Writer } from '../src/doc/writer.ts'
import { brief } from './engine.ts'

/**
 * Step is one thing that happens to one of the clients of a session, and how that client stands then. client/doc/sessions_test.go says what the fields
 * mean; they stand in its order.
 */
export interface Step {
  client: number
  do: string
  now: number

  clientId?: string
  delta?: string
  epoch?: number
  version?: number
  seq?: number
  code?: number
  reason?: string
  events?: { version: number; mutation: string; actor: string; delta: string }[]
  from?: string
  place?: Presence
  anchor?: number
  head?: number
  id?: number

  fails?: { kind: number; op: number }
  none?: boolean
  call?: { seq: number; epoch: number; base: number; delta: string }
  tells?: Presence
  changes?: { delta: string; version: number; actor: string }[]
  stands?: Stands
}

export interface Stands {
  epoch: number
  version: number
  content: string
  shown: string
  sent?: { seq: number; base: number; delta: string; answered: number }
  buffer?: string
  undo?: number
  redo?: number
  steps?: string
  refused?: string[]
  rejected?: string
  stale?: boolean
  pointed: [number, number]
  cursors?: { from: string; anchor: number; head: number; typing: boolean }[]
}

const inputs = ['client', 'do', 'now', 'clientId', 'delta', 'epoch', 'version', 'seq', 'code', 'reason', 'events', 'from', 'place', 'anchor', 'head', 'id'] as const

/** Player plays the steps of one client. */
export class Player {
  replica = new Replica('d', '', null, {})
  clientId = ''
  readonly #store: Store
  #changes: NonNullable<Step['changes']> = []
  /** The newest number of each client_id. */
  readonly #numbers = new Map<string, number>()

  constructor(store: Store) {
    this.#store = store
  }

  /** play has a step happen, and is the step with what comes of it. */
  async play(step: Step): Promise<Step> {
    const played: Step = Object.fromEntries(inputs.filter((k) => step[k] !== undefined).map((k) => [k, step[k]])) as unknown as Step
    this.#changes = []
    const comes = await this.#do(step)
    await this.replica.writer?.flushed()
    return { ...played, ...brief({ ...comes, changes: this.#changes }), stands: this.stands(step.now) }
  }

  async #do(step: Step): Promise<Pick<Step, 'fails' | 'none' | 'call' | 'tells'>> {
    const { delta = '', epoch = 0, version = 0, seq = 0, code = 0, reason = '', now } = step
    const r = this.replica
    const error = new ServerError(code, reason, reason)
    switch (step.do) {
      case 'open':
        await this.#open(step.clientId ?? '', now)
        return {}
      case 'read':
        r.renew(Document.of(deltaOf(delta)), { epoch, offset: version })
        return {}
      case 'edit':
        try {
          r.edit(deltaOf(delta), now)
        } catch (e) {
          if (e instanceof OtError) return { fails: { kind: e.kind, op: e.op } }
          throw e
        }
        return {}
      case 'undo':
      case 'redo':
        return { none: r.step(step.do === 'undo', now) === null }
      case 'send':
        return this.#send(now)
      case 'answer':
        r.answered(seq, code === 0 ? { epoch, version } : error, now)
        if (r.lookAhead) r.behind = version
        r.lookAhead = false
        return {}
      case 'events':
        r.update({ kind: 'events', events: (step.events ?? []).map((e) => ({ ...e, mutation: BigInt(e.mutation) })) }, now)
        return {}
      case 'signal':
        if (step.place !== undefined) r.update({ kind: 'signal', from: step.from ?? '', presence: step.place }, now)
        return {}
      case 'reset':
        r.update({ kind: 'reset' }, now)
        return {}
      case 'stopped':
        r.ended(error, now)
        return {}
      case 'forget':
        r.forget(step.id ?? 0)
        return {}
      case 'point': {
        r.point(step.anchor ?? 0, step.head ?? 0)
        const tells = r.where(now)
        return tells === null ? {} : { tells }
      }
      default:
        throw new Error(`no such step: ${step.do}`)
    }
  }

  /** open begins anew with what the store has, as a page does after it died. */
  async #open(clientId: string, now: number): Promise<void> {
    this.replica.writer?.abandon()
    this.clientId = clientId
    const journal = await this.#store.open('d')
    const texts = await journal.read()
    const listener = {
      onChange: (c: { delta: { json(): string }; version: number; actor: string }) =>
        this.#changes.push({ delta: c.delta.json(), version: c.version, actor: c.actor }),
    }
    this.replica = new Replica('d', clientId, new Writer(journal, 0, () => undefined), listener)
    this.replica.play(texts, now)
  }

  #send(now: number): Pick<Step, 'call'> {
    const r = this.replica
    r.pause = 0
    const due = r.due(now)
    if (due === 'nothing') return {}
    if (due === 'new') {
      const seq = (this.#numbers.get(this.clientId) ?? 0) + 1
      this.#numbers.set(this.clientId, seq)
      r.send(seq, now)
    }
    const s = r.submission()
    return s === null ? {} : { call: { seq: s.seq, epoch: s.epoch, base: s.base, delta: s.delta } }
  }

  stands(now: number): Stands {
    const { state: s, stale, pointed, rejected } = this.replica
    const at: [number, number] = [pointed.anchor, pointed.head]
    if (s === null) return { epoch: 0, version: 0, content: '', shown: '', ...brief({ stale }), pointed: at }
    const { sent, history: h } = s
    const some = brief({
      sent: sent === null ? undefined : { seq: sent.seq, base: sent.base, delta: sent.delta.json(), answered: sent.answered },
      buffer: s.buffer.isEmpty ? '' : s.buffer.json(),
      undo: h.undo.length,
      redo: h.redo.length,
      steps: h.undo.length + h.redo.length === 0 ? '' : short(sha256([h.since, ...h.undo, ...h.redo].map((d) => d.json()).join(''))),
      refused: s.refused.map((r) => `${r.id} ${r.epoch}/${r.version} ${r.cause.reason} ${r.delta.json()} ${r.mutation}`),
      rejected: rejected?.reason ?? '',
      stale,
    })
    const cursors = this.replica.cursors(now).map(({ from, anchor, head, typing }) => ({ from, anchor, head, typing }))
    return {
      epoch: s.epoch,
      version: s.version,
      content: short(s.content.hash()),
      shown: short(s.shown.hash()),
      ...some,
      pointed: at,
      ...brief({ cursors }),
    } as Stands
  }
}

const short = (hash: Uint8Array) => hex(hash.slice(0, 8))
