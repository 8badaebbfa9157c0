import { Builder, hex } from '../src/ot/index.ts'
import { ServerError } from '../src/errors.ts'
import { type Submission } from '../src/doc/transport.ts'
import { MemoryStore } from './memory.ts'
import { anyMix, changeOf, Random, textOf, type Mix } from './mix.ts'
import { Owner, refusals, type Reason } from './owner.ts'
import { shifted } from './questions.ts'
import { Player, type Step } from './sessions.ts'

/** Member is a client of the session, with its network. */
interface Member {
  readonly n: number
  readonly player: Player
  /** How many client_ids it has had. */
  ids: number
  /** Sent, and not answered. */
  out: Submission | null
}

/** sessionOf makes up a session of some clients, all of which end with what the owner has. */
export async function sessionOf(seed: number): Promise<Step[]> {
  const recorder = new Recorder(new Random(seed))
  await recorder.run()
  return recorder.steps
}

class Recorder {
  readonly steps: Step[] = []
  readonly #r: Random
  readonly #mix: Mix
  readonly #owner = new Owner('the 😀 beginning\n')
  readonly #crew: Member[] = []
  #now = 1_000_000_000_000

  constructor(r: Random) {
    this.#r = r
    this.#mix = { ...anyMix(r), nulls: true, notes: false }
  }

  async run(): Promise<void> {
    for (let n = 1 + this.#r.below(3); n > 0; n--) {
      const m: Member = { n: this.#crew.length, player: new Player(new MemoryStore()), ids: 0, out: null }
      this.#crew.push(m)
      await this.#restart(m)
      await this.#read(m)
    }
    for (let n = 80; n > 0; n--) {
      this.#now += this.#r.below(700)
      await this.#act(this.#r.one(this.#crew))
    }
    for (let n = 3; n > 0; n--) for (const m of this.#crew) await this.#drain(m)
    for (const m of this.#crew) {
      const shown = hex(this.#state(m).shown.hash())
      if (shown !== hex(this.#owner.content.hash())) throw new Error(`client ${m.n} shows another content than the owner has`)
    }
  }

  #state(m: Member) {
    const { state } = m.player.replica
    if (state === null) throw new Error('it was not read')
    return state
  }

  async #step(m: Member, step: Pick<Step, 'do'> & Partial<Step>): Promise<Step> {
    const all = { client: m.n, now: this.#now, ...step }
    const played = await m.player.play(all)
    this.steps.push(played)
    return played
  }

  async #act(m: Member): Promise<void> {
    const n = this.#r.below(100)
    const content = () => this.#state(m).shown.delta()
    if (n < 25) await this.#type(m)
    else if (n < 38) await this.#step(m, { do: 'edit', delta: changeOf(this.#mix, this.#r, content(), 1 + this.#r.below(3)).json() })
    else if (n < 40) await this.#step(m, { do: 'edit', delta: shifted(this.#r, changeOf(this.#mix, this.#r, content(), 2)) })
    else if (n < 47) await this.#step(m, { do: 'undo' })
    else if (n < 51) await this.#step(m, { do: 'redo' })
    else if (n < 63) await this.#send(m)
    else if (n < 71) await this.#arrive(m, this.#r.chance(75), null)
    else if (n < 82) await this.#follow(m, 1 + this.#r.below(4))
    else if (n < 87) await this.#point(m)
    else if (n < 90) await this.#restart(m)
    else await this.#mishap(m, n)
  }

  /** mishap is what seldom happens. */
  async #mishap(m: Member, n: number): Promise<void> {
    const o = this.#owner
    const r = this.#r
    switch (n) {
      case 90:
        if (r.chance(33)) m.ids++ // the numbers are lost
        await this.#restart(m)
        return
      case 91:
        o.floor = o.version - r.below(3)
        return
      case 92:
        o.rewrite(Math.max(2, o.version - r.below(3)))
        o.floor = 0
        return
      case 93:
        await this.#arrive(m, true, r.one(Object.keys(refusals) as Reason[]))
        return
      case 94:
        o.append('eve', 0n, new Builder().delta())
        return
      case 95: // a comment that was deleted for ever
        o.append('', 0n, new Builder().delta())
        return
      case 96:
        this.#now += r.below(40) * 86_400_000
        return
      case 97: {
        const refused = this.#state(m).refused[0]
        if (refused !== undefined) await this.#step(m, { do: 'forget', id: refused.id })
        return
      }
      case 98:
        await this.#step(m, { do: 'stopped', code: r.one([340, 341, 101, 300]), reason: 'edge.REVOKED' })
        await this.#restart(m)
        return
      default: // others type much
        for (let i = 1 + r.below(4); i > 0; i--) {
          o.append('eve', BigInt(r.below(2 ** 30)) << 32n, changeOf(this.#mix, r, o.content.delta(), 1 + r.below(3)))
        }
    }
  }

  async #restart(m: Member): Promise<void> {
    m.out = null
    await this.#step(m, { do: 'open', clientId: `client${m.n}-${m.ids}` })
  }

  async #read(m: Member): Promise<void> {
    const { delta, epoch, version } = this.#owner.read(0, 0)
    await this.#step(m, { do: 'read', delta, epoch, version })
  }

  /** type types a few characters one after the other. */
  async #type(m: Member): Promise<void> {
    const { shown } = this.#state(m)
    let at = this.#r.below(shown.length + 1)
    if (shown.cuts(at)) at++
    for (let n = 1 + this.#r.below(3); n > 0; n--) {
      const text = textOf(this.#mix, this.#r)
      await this.#step(m, { do: 'edit', delta: new Builder().retain(at).insert(text).delta().json() })
      at += text.length
      this.#now += this.#r.below(500)
    }
  }

  /** send has something under way, or the same again, or reads anew where that is due. */
  async #send(m: Member): Promise<void> {
    const { sent } = this.#state(m)
    if (m.player.replica.stale && (sent === null || sent.answered !== 0)) {
      await this.#read(m)
      return
    }
    const { call } = await this.#step(m, { do: 'send' })
    if (call !== undefined) m.out = { document: 'd', ...call }
  }

  /** arrive has what was sent come to the owner; its answer comes back, or not. */
  async #arrive(m: Member, answered: boolean, refuse: Reason | null): Promise<void> {
    const q = m.out
    if (q === null) return
    let step: Pick<Step, 'do'> & Partial<Step>
    this.#owner.refuse = refuse
    try {
      const { epoch, version } = this.#owner.submit(`p${m.n}`, m.player.clientId, q)
      step = { do: 'answer', epoch, version, seq: q.seq }
    } catch (e) {
      if (!(e instanceof ServerError)) throw e
      step = { do: 'answer', seq: q.seq, code: e.code, reason: e.reason }
      if (e.reason === 'docs.BASE_TOO_OLD') step = { do: 'answer', version: this.#owner.version, seq: q.seq, code: e.code, reason: e.reason }
    }
    this.#owner.refuse = null
    if (!answered) return
    m.out = null
    await this.#step(m, step)
  }

  /** follow takes the next events, or learns that they can't be had. */
  async #follow(m: Member, n: number): Promise<void> {
    if (m.player.replica.stale) return
    const { epoch, version } = this.#state(m)
    const o = this.#owner
    if (epoch !== o.epoch || version < o.floor || version > o.version) {
      await this.#step(m, { do: 'reset' })
      return
    }
    const from = version - Math.min(version, this.#r.below(2)) // now and then one again
    const events = o.log.slice(from, from + n).map((e) => ({ ...e, mutation: String(e.mutation) }))
    if (events.length > 0) await this.#step(m, { do: 'events', events })
  }

  /** point moves the user's cursor, and tells it to one of the others. */
  async #point(m: Member): Promise<void> {
    const place = () => this.#r.below(this.#state(m).shown.length + 1)
    const anchor = place()
    const head = place()
    const { tells } = await this.#step(m, { do: 'point', ...(anchor === 0 ? {} : { anchor }), ...(head === 0 ? {} : { head }) })
    const other = this.#r.one(this.#crew)
    if (other === m || tells === undefined) return
    await this.#step(other, { do: 'signal', from: `p${m.n}/s${this.#r.below(2)}`, place: { ...tells, left: this.#r.chance(12) } })
  }

  async #drain(m: Member): Promise<void> {
    const o = this.#owner
    o.floor = 0
    for (let n = 0; n < 100; n++) {
      await this.#send(m)
      await this.#arrive(m, true, null)
      await this.#follow(m, 1000)
      const s = this.#state(m)
      if (s.version === o.version && s.epoch === o.epoch && !m.player.replica.stale && !s.pending) return
    }
    throw new Error(`client ${m.n} does not come to rest`)
  }
}
