import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode, message } from '../method.ts'
import { send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Draft, DraftChanged, SetDraftResponse, type SetDraftRequest } from '../proto/plenum/chat/v1/chat.ts'
import type { Pending } from '../session.ts'
import { answeredDraft, due, outrun, readDraft, refusedDraft, resent, resolved, spent, toldDraft, typed, unwritten, type Writing } from './drafts.ts'

/** Register is a draft as the server keeps it. */
class Register {
  text = ''
  version = 0
  readonly told: DraftChanged[] = []

  set({ text, version }: SetDraftRequest): SetDraftResponse {
    if (version > this.version + 1) throw new Error('ahead')
    if (version === this.version + 1) {
      this.text = text
      this.version = version
      this.told.push({ channel: 'c', root: 0, version, cleared: text === '' })
    }
    return { draft: this.draft, applied: version === this.version && text === this.text }
  }

  get draft(): Draft {
    return message(Draft, { channel: 'c', text: this.text, version: this.version })
  }
}

/** Device writes: its requests, answers, events and reads are under way until they arrive. */
class Device {
  w: Writing = unwritten('c', 0)
  requests: SetDraftRequest[] = []
  answers: SetDraftResponse[] = []
  heard = 0

  send(): void {
    const next = due(this.w)
    if (next === undefined) return
    this.w = next.sending
    this.requests.push(next.request)
  }
}

describe('a draft', () => {
  test('stays what was typed here, until the person decides; and in the end all devices have the same', () => {
    const move = fc.tuple(fc.nat(1), fc.constantFrom('type', 'type', 'clear', 'send', 'serve', 'lose', 'answer', 'hear', 'read', 'restart', 'mine', 'theirs', 'both'))
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const server = new Register()
        const devices = [new Device(), new Device()]
        let texts = 0
        const read = (d: Device) => {
          if (d.w.wanted > 0) d.w = readDraft(d.w, { ...server.draft, version: server.version })
        }
        const hear = (d: Device) => {
          const change = server.told[d.heard]
          if (change === undefined) return
          d.heard++
          d.w = toldDraft(d.w, change)
        }
        const answer = (d: Device) => {
          const a = d.answers.shift()
          if (a !== undefined) d.w = answeredDraft(d.w, a)
        }
        const serve = (d: Device) => {
          const r = d.requests.shift()
          if (r !== undefined) d.answers.push(server.set(r))
        }
        const take = (d: Device, what: string) => {
          const own = d.w.text !== d.w.saved || d.w.theirs !== undefined ? d.w.text : undefined
          let decided = false
          if (what === 'type' || what === 'clear') {
            d.w = typed(d.w, what === 'clear' ? '' : `text ${++texts}`, texts)
            decided = true
          } else if (what === 'send') d.send()
          else if (what === 'serve') serve(d)
          else if (what === 'lose') {
            serve(d)
            d.answers.pop()
            const again = resent(d.w)
            if (again !== undefined) d.requests = [again]
          } else if (what === 'answer') answer(d)
          else if (what === 'hear') hear(d)
          else if (what === 'read') read(d)
          else if (what === 'restart') {
            d.w = structuredClone(d.w)
            const again = resent(d.w)
            d.requests = again === undefined ? [] : [again]
            d.answers = []
          } else {
            decided = d.w.theirs !== undefined
            d.w = resolved(d.w, what as 'mine', texts)
          }
          if (own !== undefined && !decided) expect(d.w.text).toBe(own)
        }
        for (const [n, what] of moves) take(devices[n] as Device, what)
        for (let round = 0; round < 30; round++) {
          for (const d of devices) for (const what of ['hear', 'hear', 'read', 'mine', 'send', 'lose', 'serve', 'answer', 'hear']) take(d, what)
        }
        for (const d of devices) expect({ text: d.w.text, theirs: d.w.theirs, saved: d.w.saved, sending: d.w.sending }).toEqual({ text: server.text, theirs: undefined, saved: server.text, sending: undefined })
      }),
      { numRuns: 1_000 },
    )
  })

  test('of two texts keeps both', () => {
    let w = typed(unwritten('c', 0), 'mine', 1)
    w = readDraft(w, message(Draft, { channel: 'c', text: 'theirs', version: 3 }))
    expect(w).toMatchObject({ text: 'mine', theirs: { text: 'theirs', version: 3 } })
    expect(due(w)).toBeUndefined()
    expect(due(resolved(w, 'mine', 2))?.request).toMatchObject({ text: 'mine', version: 4 })
    expect(resolved(w, 'theirs', 2)).toMatchObject({ text: 'theirs', theirs: undefined })
    expect(due(resolved(w, 'theirs', 2))).toBeUndefined()
    expect(due(resolved(w, 'both', 2))?.request.text).toBe('mine\n\ntheirs')
  })

  test('is not read again when its own change is told before the answer', () => {
    const w = due(typed(unwritten('c', 0), 'mine', 1))?.sending ?? unwritten('c', 0)
    expect(toldDraft(w, { channel: 'c', root: 0, version: 1, cleared: false })).toBe(w)
    expect(toldDraft(w, { channel: 'c', root: 0, version: 2, cleared: false }).wanted).toBe(2)
  })

  test('that the server refuses stays here, and is sent again when it is typed on', () => {
    let w = due(typed(unwritten('c', 0), 'one too many', 1))?.sending ?? unwritten('c', 0)
    w = refusedDraft(w)
    expect(w.text).toBe('one too many')
    expect(due(w)).toBeUndefined()
    expect(toldDraft(w, { channel: 'c', root: 0, version: 1, cleared: false }).text).toBe('one too many')
    expect(due(typed(w, 'one too many!', 2))?.request.version).toBe(1)
    expect(due(typed(outrun({ ...w, version: 9 }), 'x', 2))?.request.version).toBe(1)
  })

  test('does not come back when its message was sent as the page died', () => {
    const w = typed(unwritten('c', 0), 'hello ', 10)
    const p = (text: string, channel = 'c', root = 0, since = 11): Pending => ({
      seq: 1, mutation: '1', method: send.name, body: encode(send.request, { channel, text, root }), lane: 'c', note: undefined, since, state: 'waiting', cause: undefined,
    })
    expect(spent(w, [p('hello')], []).text).toBe('')
    for (const other of [p('hello!'), p('hello', 'd'), p('hello', 'c', 4), p('hello', 'c', 0, 9)]) expect(spent(w, [other], [])).toBe(w)
    expect(spent(w, [], [{ text: 'hello', timeMs: 12, root: 0 }]).text).toBe('')
    expect(spent(w, [], [{ text: 'hello', timeMs: 8, root: 0 }])).toBe(w)
  })
})
