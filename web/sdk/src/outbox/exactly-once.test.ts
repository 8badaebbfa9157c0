import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Hall, Line, Tape } from '../../test/hall.ts'
import { ServerError } from '../errors.ts'
import { send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { MemoryStore } from './memory.ts'
import { mutation } from './mutation.ts'
import { StoredOutbox } from './send.ts'
import type { Box, Store } from './store.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }) })
afterEach(() => { vi.useRealTimers() })

/** Disk takes its time, and what a dead page was writing is written or not. */
class Disk implements Store {
  readonly #store = new MemoryStore()
  readonly #tape: Tape
  /** Ends what the page has open that lives now. */
  die = () => { /* none has */ }

  constructor(tape: Tape) {
    this.#tape = tape
  }

  async open(clientId: string): Promise<Box> {
    const box = await this.#store.open(clientId)
    let dead = false
    this.die = () => { dead = true }
    const write: Box['write'] = async (w) => {
      await new Promise((resolve) => setTimeout(resolve, this.#tape.next(20)))
      if (dead && this.#tape.next(2) === 0) return new Promise(() => { /* it never was */ })
      await box.write(w)
      if (dead) return new Promise(() => { /* nobody hears */ })
    }
    return { contents: box.contents, write, close: () => { box.close() } }
  }
}

type Step = { kind: 'put' | 'wait' | 'settle' | 'drop'; n: number } | { kind: 'cut' | 'crash' | 'takeover' | 'retry' | 'number' }

/** Play is one browser profile over its pages' lives, and what it has seen. */
class Play {
  readonly hall: Hall
  readonly #disk: Disk
  line!: Line
  outbox!: StoredOutbox
  readonly numbers: number[] = []
  readonly kept: string[] = []
  readonly dropped: string[] = []
  readonly faults: string[] = []
  #texts = 0

  constructor(tape: Tape) {
    this.hall = new Hall(tape)
    this.#disk = new Disk(tape)
  }

  async open(): Promise<void> {
    this.outbox = await StoredOutbox.open(this.#disk, 'me')
    this.line = new Line(this.hall)
    this.outbox.attach(this.line)
  }

  async step(s: Step): Promise<void> {
    switch (s.kind) {
      case 'put':
        void this.#put(`lane ${s.n % 3}`)
        break
      case 'wait':
        await vi.advanceTimersByTimeAsync(s.n)
        break
      case 'cut':
        this.line.cut()
        break
      case 'crash': // with all that is under way; the next page opens the store
        this.#disk.die()
        this.line.die()
        await this.open()
        break
      case 'takeover': // the other page doesn't know yet
        await this.open()
        break
      case 'settle': {
        const event = this.hall.done[s.n % (this.hall.done.length || 1)]
        if (event !== undefined) this.outbox.settle(mutation('me', event.seq))
        break
      }
      case 'drop':
        this.#drop(s.n)
        break
      case 'retry':
        for (const { seq, state } of this.outbox.entries) if (state === 'refused') this.outbox.retry(seq).catch(() => undefined)
        break
      case 'number':
        this.outbox.number().then((n) => this.numbers.push(n), () => undefined)
        break
    }
  }

  async #put(channel: string): Promise<void> {
    const { outbox } = this
    const text = 'x'.repeat(++this.#texts)
    try {
      const seq = await outbox.put(send, { channel, text }, { lane: channel, note: text })
      this.numbers.push(seq)
      this.kept.push(text)
      const answer = await outbox.answer(seq, send)
      if (answer !== undefined && answer.timeMs !== text.length) this.faults.push(`${text.length} got the answer of ${answer.timeMs}`)
    } catch (e) {
      if (!(e instanceof ServerError)) this.faults.push(String(e))
    }
  }

  #drop(n: number): void {
    const entries = this.outbox.entries
    const entry = entries[n % (entries.length || 1)]
    if (entry === undefined) return
    const { line } = this
    this.outbox.drop(entry.seq).then((done) => {
      if (done && line === this.line) this.dropped.push(entry.note as string)
    }, () => undefined)
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), n: fc.nat(2) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), n: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), n: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), n: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'crash' as const, 'takeover' as const, 'retry' as const, 'number' as const) }) },
)

test('whatever fails, each change takes place once, in the order of its lane', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.array(fc.nat(1000), { maxLength: 300, size: 'max' }), async (steps, choices) => {
      const tape = new Tape(choices)
      const play = new Play(tape)
      await play.open()
      for (const s of steps) await play.step(s)
      tape.end()
      await vi.advanceTimersByTimeAsync(300_000)
      const { done } = play.hall
      const left = play.outbox.entries
      expect(play.faults).toEqual([])
      expect(left.filter((e) => e.state !== 'refused')).toEqual([])
      expect(new Set(play.numbers).size).toBe(play.numbers.length)
      const texts = done.map((d) => d.text)
      expect(new Set(texts).size).toBe(texts.length)
      for (const text of play.dropped) expect(texts).not.toContain(text)
      const seen = new Set([...texts, ...play.dropped, ...left.map((e) => e.note as string)])
      for (const text of play.kept) expect(seen).toContain(text)
      for (const { note } of left) expect(texts).not.toContain(note)
      for (const lane of new Set(done.map((d) => d.channel))) {
        const seqs = done.filter((d) => d.channel === lane).map((d) => d.seq)
        expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
      }
      play.outbox.close()
      vi.clearAllTimers()
    }),
    { numRuns: Number(process.env['OUTBOX_RUNS'] ?? 300) },
  )
})
