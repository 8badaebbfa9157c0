import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { act, doings, steps, type Step } from '../../test/chance.ts'
import { ChannelLog } from '../../test/channel.ts'
import { message } from '../method.ts'
import { GetMessagesResponse, Message, type HistoryRequest } from '../proto/plenum/chat/v1/chat.ts'
import { EVERYTHING, TAIL, apply, find, merge, opened, pageOf, reacted, reread, told, trimmed, type Page, type Told, type Window } from './messages.ts'

const me = 'ada'

function page(log: ChannelLog, root = 0, place?: HistoryRequest['place'], limit = 5): Page {
  return pageOf(place, log.history(me, { root, place, limit }))
}

function catchUp(w: Window, log: ChannelLog): Window {
  return apply(w, log.events.slice(w.cursor.offset).map(told), log.cursor)
}

/** sorted is a message without the order of its emoji, which is the order in which they were seen; how often a deleted one was edited is erased, too. */
function sorted(m: Message): Message {
  return { ...m, ...(m.deleted ? { edits: 0, editedMs: 0 } : {}), reactions: [...m.reactions].sort((a, b) => (a.emoji < b.emoji ? -1 : 1)) }
}

/** agree says that a window that holds all shows what the server has; messages that were erased before they were told may lack. */
function agree(w: Window, log: ChannelLog): void {
  const ours = new Map(w.messages.map((m) => [m.offset, m]))
  const theirs = log.all(me, w.root)
  for (const m of theirs) {
    const own = ours.get(m.offset)
    ours.delete(m.offset)
    if (own === undefined) expect(m.deleted).toBe(true)
    else expect(sorted(own)).toEqual(sorted(m))
  }
  expect([...ours.keys()]).toEqual([])
  expect(w.messages.map((m) => m.offset)).toEqual([...w.messages.map((m) => m.offset)].sort((a, b) => a - b))
}

describe('a window', () => {
  test('comes to what the server has, by events in any chunks and pages that come early or late', () => {
    const moves = ['tell', 'tell', 'tell late', 'ask before', 'ask after', 'ask around', 'ask latest', 'answer', 'answer', 'reread', 'jump', 'trim']
    fc.assert(
      fc.property(fc.array(steps(...doings, ...doings, ...moves), { minLength: 10, maxLength: 150 }), fc.constantFrom(0, 1), (all, root) => {
        const log = new ChannelLog()
        log.post('bob', 'the first')
        let w = opened('c', me, root, page(log, root))
        let arrived: Told[] = [] // told, and on the way
        let read = log.head
        const answers: Page[] = []
        const read1 = () => {
          arrived = [...arrived, ...log.events.slice(read).map(told)]
          read = log.head
        }
        const tell = (n: number) => {
          const chunk = arrived.slice(0, n)
          arrived = arrived.slice(n)
          const last = chunk.at(-1)
          if (last !== undefined) w = apply(w, chunk, { epoch: log.epoch, offset: last.offset })
        }
        const take = (s: Step) => {
          const [what, , which, how] = s
          switch (what) {
            case 'tell':
              read1() // as they were when they were committed
              tell(1 + (which % 7))
              return
            case 'tell late':
              tell(1 + (which % 7))
              return
            case 'ask before':
              answers.push(page(log, root, { $case: 'before', value: Math.max(1, w.from) }))
              return
            case 'ask after':
              answers.push(page(log, root, { $case: 'after', value: w.messages.at(-1)?.offset ?? 0 }))
              return
            case 'ask around':
              answers.push(page(log, root, { $case: 'around', value: which % (log.head + 1) }))
              return
            case 'ask latest':
              answers.push(page(log, root))
              return
            case 'answer': {
              const [p] = answers.splice(which % Math.max(1, answers.length), 1)
              if (p !== undefined) w = merge(w, p) ?? w
              return
            }
            case 'jump': {
              const p = page(log, root, { $case: 'around', value: which % (log.head + 1) })
              read1()
              tell(Infinity)
              w = opened('c', me, root, p)
              return
            }
            case 'reread': {
              const answer = log.get(me, w.omitted)
              if (how % 2 === 0) w = reread(w, w.omitted, answer) ?? w
              return
            }
            case 'trim':
              w = trimmed(w, 3, how % 2 === 0 ? 'before' : 'after')
              return
            default:
              act(log, s)
          }
        }
        for (const s of all) take(s)
        read1()
        tell(Infinity)
        for (const p of answers) w = merge(w, p) ?? w
        expect(w.cursor).toEqual(log.cursor)
        for (let n = 0; w.from > 0 || w.to < Infinity; n++) {
          expect(n).toBeLessThan(200)
          const place = w.from > 0 ? ({ $case: 'before', value: w.from } as const) : ({ $case: 'after', value: w.to } as const)
          w = merge(w, page(log, root, place)) ?? w
        }
        for (let n = 0; w.omitted.length > 0; n++) {
          expect(n).toBeLessThan(3)
          w = reread(w, w.omitted, log.get(me, w.omitted)) ?? w
        }
        agree(w, log)
      }),
      { numRuns: 500 },
    )
  })

  test('holds all when everything is asked for', () => {
    const log = new ChannelLog()
    const w = opened('c', me, EVERYTHING, page(log))
    const root = log.post('bob', 'root')
    log.post('bob', 'reply', { root })
    expect(catchUp(w, log).messages.map((m) => m.text)).toEqual(['root', 'reply'])
    expect(catchUp({ ...w, root: 0 }, log).messages.map((m) => m.text)).toEqual(['root'])
  })

  test('keeps the objects of what stayed the same', () => {
    const log = new ChannelLog()
    log.post('bob', 'one')
    log.post('bob', 'two')
    const w = opened('c', me, 0, page(log))
    log.react('bob', 2, '+1', false)
    const next = catchUp(w, log)
    expect(next.messages[0]).toBe(w.messages[0])
    expect(next.messages[1]).not.toBe(w.messages[1])
    expect(w.messages[1]?.reactions).toEqual([])
    expect(apply(next, log.events.map(told), log.cursor)).toBe(next)
  })

  test('does not grow at its end while it shows the past', () => {
    const log = new ChannelLog()
    for (let n = 0; n < 20; n++) log.post('bob', `${n}`)
    const w = opened('c', me, 0, page(log, 0, { $case: 'around', value: 5 }))
    log.post('bob', 'new')
    const next = catchUp(w, log)
    expect(next.to).toBe(w.to)
    expect(next.messages).toEqual(w.messages)
    expect(next.cursor).toEqual(log.cursor)
  })

  test('does not take a page that was overtaken by more than it remembers, nor one of another history', () => {
    const log = new ChannelLog()
    const root = log.post('bob', 'a message')
    const late = page(log)
    let w = opened('c', me, 0, late)
    for (let n = 0; n < TAIL + 1; n++) log.react('bob', root, '+1', n % 2 === 1)
    w = catchUp(w, log)
    expect(merge(w, late)).toBeUndefined()
    expect(reread(w, [root], message(GetMessagesResponse, { cursor: late.cursor }))).toBeUndefined()
    expect(merge(w, { ...page(log), cursor: { epoch: 8, offset: 1 } })).toBeUndefined()
    expect(merge(w, page(log))).toBeDefined()
    expect(() => apply(w, [], { epoch: 8, offset: 1 })).toThrow(RangeError)
  })

  test('is left as it is by a page that does not adjoin it', () => {
    const log = new ChannelLog()
    for (let n = 0; n < 30; n++) log.post('bob', `${n}`)
    const w = opened('c', me, 0, page(log))
    expect(merge(w, page(log, 0, { $case: 'around', value: 5 }))).toBe(w)
  })

  test('shows an edit without its text until that was read, or forgets what may not be read', () => {
    const log = new ChannelLog()
    log.post('bob', 'before')
    let w = opened('c', me, 0, page(log))
    log.sealed = 2
    log.edit('bob', 1, 'after')
    w = catchUp(w, log)
    expect(find(w, 1)).toMatchObject({ text: 'before', edits: 1 })
    expect(w.omitted).toEqual([1])
    expect(reread(w, [1], log.get(me, []))).toMatchObject({ omitted: [] })
    const now = reread(w, [1], log.get(me, [1]))
    expect(now && find(now, 1)).toMatchObject({ text: 'after', edits: 1 })
    expect(now?.omitted).toEqual([])
  })

  test('does not go back where a page was ahead of the events', () => {
    const log = new ChannelLog()
    log.post('bob', 'one')
    let w = opened('c', me, 0, page(log))
    log.edit('bob', 1, 'two')
    log.edit('bob', 1, 'three')
    w = merge(w, page(log)) ?? w
    expect(find(w, 1)?.text).toBe('three')
    w = apply(w, log.events.slice(1, 2).map(told), { epoch: 7, offset: 2 })
    expect(find(w, 1)?.text).toBe('three')
    expect(w.ahead.size).toBe(1)
    expect(catchUp(w, log).ahead.size).toBe(0)
  })

  test('keeps the last reply that it knows where a deletion tells an earlier one', () => {
    const log = new ChannelLog()
    log.post('bob', 'root')
    log.post('bob', 'one', { root: 1 })
    log.post('bob', 'two', { root: 1 })
    const w = catchUp(opened('c', me, 0, page(log)), log)
    const what = { $case: 'deleted', value: { offset: 2, thread: { root: 1, replies: 1, lastReply: 2, lastReplyMs: 5 } } } as const
    const next = apply(w, [{ offset: 4, timeMs: 9, mutation: '0', actor: 'bob', what }], { epoch: 7, offset: 4 })
    expect(find(next, 1)?.thread).toEqual({ root: 1, replies: 1, lastReply: 3, lastReplyMs: find(w, 1)?.thread?.lastReplyMs })
  })

  test('takes the place of what was erased or is not known, and shows nothing', () => {
    const log = new ChannelLog()
    const w = opened('c', me, 0, page(log))
    log.post('bob', 'gone')
    log.remove('bob', 1)
    const next = apply(w, [...log.events.map(told), { offset: 3, timeMs: 1, mutation: '0', actor: 'bob', what: undefined }], { epoch: 7, offset: 3 })
    expect(next.messages).toEqual([])
    expect(next.cursor.offset).toBe(3)
  })
})

test('of many reactions the first are named, and each counts once', () => {
  let m = message(Message, { offset: 1 })
  for (let n = 0; n < 25; n++) m = reacted(m, { emoji: '+1', user: `u${n}`, removed: false, mine: n === 22 })
  expect(m.reactions).toEqual([{ emoji: '+1', count: 25, users: Array.from({ length: 20 }, (_, n) => `u${n}`), mine: true }])
  expect(reacted(m, { emoji: '+1', user: 'u3', removed: false, mine: false })).toBe(m)
  expect(reacted(m, { emoji: '+1', user: 'u22', removed: false, mine: true })).toBe(m)
  m = reacted(m, { emoji: '+1', user: 'u22', removed: true, mine: true })
  expect(m.reactions[0]).toMatchObject({ count: 24, mine: false })
  expect(reacted(m, { emoji: '+1', user: 'u22', removed: true, mine: true })).toBe(m)
  for (let n = 0; n < 20; n++) m = reacted(m, { emoji: '+1', user: `u${n}`, removed: true, mine: false })
  expect(m.reactions[0]).toMatchObject({ count: 4, users: [] })
})
