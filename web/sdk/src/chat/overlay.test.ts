import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { steps, type Step } from '../../test/chance.ts'
import { ChannelLog } from '../../test/channel.ts'
import { ServerError } from '../errors.ts'
import { encode, type Method } from '../method.ts'
import { addReaction, deleteMessage, editMessage, pinMessage, removeReaction, send } from '../proto/plenum/chat/v1/chat.methods.ts'
import type { Pending } from '../session.ts'
import { apply, opened, pageOf, told, type Window } from './messages.ts'
import { UNKNOWN_MS, answered, came, changeOf, listed, nothingOutgoing, type Outgoing } from './outgoing.ts'
import { shown } from './overlay.ts'

const me = 'ada'
const refusal = new ServerError(102, 'chat.FORBIDDEN', 'No.')

function pending<Q extends object, A>(seq: number, method: Method<Q, A>, request: Partial<Q>): Pending {
  return { seq, mutation: `${9_000_000_000_000_000_000n + BigInt(seq)}`, method: method.name, body: encode(method.request, request), lane: 'c', note: undefined, since: seq, state: 'waiting', cause: undefined }
}

/** Desk is one page: its window, its outbox, and what is on its way from the server. */
class Desk {
  readonly log = new ChannelLog()
  w: Window
  outbox: Pending[] = []
  out: Outgoing = nothingOutgoing
  answers: { pending: Pending; offset: number }[] = []
  seq = 0
  now = 0

  constructor() {
    this.log.post('bob', 'one')
    this.log.post(me, 'two')
    this.w = this.page()
  }

  page(): Window {
    return opened('c', me, 0, pageOf(undefined, this.log.history(me, { limit: 100 })))
  }

  set(outbox: Pending[]): void {
    this.outbox = outbox
    this.out = listed(this.out, outbox, this.now)
  }

  put<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>): Pending {
    const p = pending(++this.seq, method, request)
    this.set([...this.outbox, p])
    return p
  }

  turn(seq: number, state: Pending['state'], cause?: ServerError): void {
    this.set(this.outbox.map((p) => (p.seq === seq ? { ...p, state, cause } : p)))
  }

  /** transmit sends the first that waits, and the server does it. */
  transmit(refuse: boolean): void {
    const p = this.outbox.find((x) => x.state === 'waiting')
    if (p === undefined || this.outbox.some((x) => x.state === 'sent')) return
    this.turn(p.seq, 'sent')
    if (refuse) {
      this.turn(p.seq, 'refused', refusal)
      return
    }
    const change = changeOf(p)
    let offset = 0
    if (change?.kind === 'Send') offset = this.log.post(me, change.request.text, { mutation: p.mutation })
    else if (change?.kind === 'EditMessage') offset = this.log.edit(me, change.request.offset, change.request.text, p.mutation)
    else if (change?.kind === 'AddReaction' || change?.kind === 'RemoveReaction') offset = this.log.react(me, change.request.offset, change.request.emoji, change.kind === 'RemoveReaction', p.mutation)
    else if (change?.kind === 'PinMessage') offset = this.log.pin(me, change.request.offset, change.request.pinned, p.mutation)
    this.answers.push({ pending: p, offset })
  }

  /** answer brings the first answer, in either order of what the outbox and the answer say. */
  answer(first: boolean): void {
    const a = this.answers.shift()
    if (a === undefined) return
    const there = this.outbox.some((p) => p.seq === a.pending.seq)
    if (first && there) this.out = answered(this.out, a.pending, a.offset, this.now)
    this.set(this.outbox.filter((p) => p.seq !== a.pending.seq))
    if (!first && there) this.out = answered(this.out, a.pending, a.offset, this.now)
  }

  /** tell brings events; `settle` takes what they settle off the outbox, as the page does. */
  tell(n: number, settle: boolean): void {
    const events = this.log.events.slice(this.w.cursor.offset, this.w.cursor.offset + n).map(told)
    const last = events.at(-1)
    if (last === undefined) return
    this.w = apply(this.w, events, { epoch: 7, offset: last.offset })
    this.out = came(this.out, events.map((e) => e.mutation))
    if (settle) this.set(this.outbox.filter((p) => p.state !== 'sent' || !events.some((e) => e.mutation === p.mutation)))
  }

  get texts(): string[] {
    return shown(this.w, this.out).filter((i) => i.message.system === undefined).map((i) => i.message.text)
  }
}

describe('what is shown', () => {
  test('has each message once and in order, and each change at once, in whatever order events and answers come', () => {
    const what = ['send', 'send', 'edit', 'react', 'pin', 'transmit', 'transmit', 'transmit', 'refuse', 'answer', 'answer', 'tell', 'tell', 'open', 'other', 'drop', 'retry']
    fc.assert(
      fc.property(fc.array(steps(...what), { minLength: 5, maxLength: 120 }), (all) => {
        const d = new Desk()
        const written: { text: string; seq: number }[] = []
        let edited = 'two'
        let mine = false
        let pinned = false
        let others = 0
        const refused = () => d.outbox.filter((p) => p.state === 'refused')
        const take = ([step, , which, how]: Step) => {
          switch (step) {
            case 'send': {
              const text = `sent ${d.seq}`
              written.push({ text, seq: d.put(send, { channel: 'c', text }).seq })
              return
            }
            case 'edit':
              edited = `edited ${d.seq}`
              d.put(editMessage, { channel: 'c', offset: 2, text: edited })
              return
            case 'react':
              mine = !mine
              d.put(mine ? addReaction : removeReaction, { channel: 'c', offset: 1, emoji: '+1' })
              return
            case 'pin':
              pinned = !pinned
              d.put(pinMessage, { channel: 'c', offset: 1, pinned })
              return
            case 'transmit':
              d.transmit(false)
              return
            case 'refuse': {
              const first = d.outbox.find((p) => p.state === 'waiting')
              if (first && changeOf(first)?.kind === 'Send') d.transmit(true) // what else is refused: below
              return
            }
            case 'answer':
              d.answer(how % 2 === 0)
              return
            case 'tell':
              d.tell(1 + (which % 4), how % 2 === 0)
              return
            case 'open':
              d.w = d.page() // the page is loaded anew, and may know what no event has told
              return
            case 'other':
              d.log.post('bob', `other ${++others}`)
              return
            case 'drop': {
              const [p] = refused()
              if (p === undefined) return
              d.set(d.outbox.filter((x) => x !== p))
              written.splice(written.findIndex((x) => x.seq === p.seq), 1)
              return
            }
            case 'retry': {
              const [p] = refused()
              const text = written.find((x) => x.seq === p?.seq)?.text
              if (p === undefined || text === undefined) return
              d.set(d.outbox.filter((x) => x !== p))
              written.splice(written.findIndex((x) => x.seq === p.seq), 1)
              written.push({ text, seq: d.put(send, { channel: 'c', text }).seq })
            }
          }
        }
        const check = () => {
          const items = shown(d.w, d.out)
          const own = d.texts.filter((t) => t.startsWith('sent'))
          expect([...own].sort()).toEqual(written.map((x) => x.text).sort())
          expect(new Set(items.map((i) => i.key)).size).toBe(items.length)
          const lasting = own.filter((t) => !refused().some((p) => written.find((x) => x.seq === p.seq)?.text === t))
          expect(lasting).toEqual(written.map((x) => x.text).filter((t) => lasting.includes(t)))
          expect(d.texts[1]).toBe(edited)
          expect(items[0]?.message.reactions.some((r) => r.mine)).toBe(mine)
          expect(items[0]?.message.reactions.length).toBe(mine ? 1 : 0)
          expect(items[0]?.message.pinned).toBe(pinned)
          for (const i of items) expect(i.cause).toBe(i.state === 'refused' ? refusal : undefined)
        }
        for (const s of all) {
          take(s)
          check()
        }
        while (d.outbox.some((p) => p.state === 'waiting') || d.answers.length > 0) {
          d.transmit(false)
          d.answer(true)
        }
        d.set(d.outbox.filter((p) => p.state === 'refused'))
        d.tell(Infinity, true)
        check()
        const rest = shown(d.w, d.out)
        expect(rest.filter((i) => i.state !== 'sent').length).toBe(refused().length)
        expect(rest.slice(0, d.w.messages.length).map((i) => i.message)).toEqual(d.w.messages)
      }),
      { numRuns: 300 },
    )
  })

  test('keeps an item the same object, and its key from the moment that it is written', () => {
    const d = new Desk()
    const before = shown(d.w, d.out)
    const p = d.put(send, { channel: 'c', text: 'new' })
    const during = shown(d.w, d.out)
    expect(during[0]).toBe(before[0])
    expect(during[2]).toMatchObject({ key: p.mutation, state: 'waiting', seq: 1, resolved: false, message: { offset: 0, author: me, text: 'new', mutation: p.mutation } })
    d.transmit(false)
    expect(shown(d.w, d.out)[2]?.state).toBe('sending')
    d.answer(true)
    expect(shown(d.w, d.out)[2]).toMatchObject({ key: p.mutation, state: 'sent', seq: undefined, resolved: false, message: { offset: 3 } })
    d.tell(1, true)
    expect(shown(d.w, d.out)[2]).toMatchObject({ key: p.mutation, state: 'sent', resolved: true })
    expect(shown(d.w, d.out)[0]).toBe(before[0])
  })

  test('knows of a text that is changed here not whom it mentions, until the server tells', () => {
    const d = new Desk()
    const resolved = () => shown(d.w, d.out).slice(0, 2).map((item) => item.resolved)
    expect(resolved()).toEqual([true, true])
    d.put(editMessage, { channel: 'c', offset: 1, text: 'for @all' })
    expect(resolved()).toEqual([false, true])
    d.transmit(false)
    d.answer(true)
    expect(resolved()).toEqual([false, true])
    d.tell(1, true)
    expect(resolved()).toEqual([true, true])
    d.put(pinMessage, { channel: 'c', offset: 2, pinned: true })
    expect(resolved()).toEqual([true, true])
    d.transmit(false)
    d.answer(true)
    d.tell(1, true)
    d.put(editMessage, { channel: 'c', offset: 2, text: 'refused' })
    expect(resolved()).toEqual([true, false])
    d.transmit(true)
    expect(resolved()).toEqual([true, true])
  })

  test('takes a refused change back, and says why', () => {
    const d = new Desk()
    d.put(deleteMessage, { channel: 'c', offset: 1 })
    expect(shown(d.w, d.out)[0]?.message.deleted).toBe(true)
    d.transmit(true)
    const [item] = shown(d.w, d.out)
    expect(item).toMatchObject({ state: 'sent', message: { deleted: false, text: 'one' } })
    expect(item?.changes[0]?.pending.cause).toBe(refusal)
  })

  test('shows nothing of other channels, of a thread in the channel, or at the end of the past', () => {
    const d = new Desk()
    d.put(send, { channel: 'd', text: 'elsewhere' })
    d.put(send, { channel: 'c', text: 'reply', root: 1 })
    d.put(send, { channel: 'c', text: 'also', root: 1, alsoInChannel: true })
    expect(d.texts).toEqual(['one', 'two', 'also'])
    expect(shown({ ...d.w, to: 2 }, d.out).length).toBe(2)
    const thread = opened('c', me, 1, pageOf(undefined, d.log.history(me, { root: 1 })))
    expect(shown(thread, d.out).map((i) => i.message.text)).toEqual(['one', 'reply', 'also'])
  })

  test('does not do again what an event has told, whoever hears of it first', () => {
    const d = new Desk()
    const p = d.put(editMessage, { channel: 'c', offset: 2, text: 'mine' })
    d.transmit(false)
    d.log.edit(me, 2, 'from another device')
    const events = d.log.events.slice(d.w.cursor.offset).map(told)
    d.w = apply(d.w, events, d.log.cursor)
    expect(d.texts[1]).toBe('from another device') // before the outbox is told
    d.out = came(d.out, events.map((e) => e.mutation))
    d.w = d.page()
    d.set([...d.outbox]) // it has it still
    expect(d.texts[1]).toBe('from another device')
    d.set([])
    expect(d.out).toMatchObject({ entries: [], landed: [], seen: [p.mutation] })
    expect(answered(d.out, p, 3, 0).landed).toEqual([])
  })

  test('lets go of what was taken without an answer when its event does not come', () => {
    const d = new Desk()
    const p = d.put(send, { channel: 'c', text: 'gone' })
    d.turn(p.seq, 'sent')
    d.set([])
    expect(d.texts).toEqual(['one', 'two', 'gone'])
    d.now += UNKNOWN_MS
    d.set([])
    expect(d.texts).toEqual(['one', 'two'])
    const q = d.put(send, { channel: 'c', text: 'never sent, and dropped' })
    d.set(d.outbox.filter((x) => x.seq !== q.seq))
    expect(d.texts).toEqual(['one', 'two'])
  })
})
