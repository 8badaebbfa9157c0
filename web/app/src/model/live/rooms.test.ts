import { encode, message, type Session } from '@plenum/sdk'
import { nothingOutgoing, PAGE, unwritten, type Outgoing, type Recorder } from '@plenum/sdk/chat'
import * as chat from '@plenum/sdk/proto/plenum/chat/v1/chat.methods.ts'
import { Message, SendRequest } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { createSignal } from 'solid-js'
import { expect, it, vi } from 'vitest'
import type { Keeper } from './keep.ts'
import { LiveRooms, most } from './rooms.ts'

// Node is given the Solid of servers, in which nothing follows.
vi.mock('solid-js', () => vi.importActual('solid-js/dist/solid.js'))

/** All that rooms need, and what they do with it. */
function desk(view?: () => object) {
  const did: string[] = []
  const puts: { request: object; key: string | undefined; done: () => void; fail: (cause: unknown) => void }[] = []
  const [outgoing, setOutgoing] = createSignal<Outgoing>(nothingOutgoing)
  const recorder = {
    channels: new Map(),
    directory: { people: new Map(), groups: new Map(), gone: new Set() },
    inbox: { threads: new Map(), mentions: [] },
    onChange: () => () => did.push('listens no more'),
    use: (channel: string) => did.push(`use ${channel}`),
    glance: (channel: string) => {
      did.push(`open ${channel}`)
      return { state: { kind: 'live' }, onState: () => () => undefined, signal: () => undefined, view: (root: number) => view?.() ?? ({ window: undefined, onChange: () => undefined, onTrouble: () => () => undefined, close: () => did.push(`close ${channel}/${root}`) }) }
    },
    leave: (channel: string) => did.push(`leave ${channel}`),
    drafts: {
      of: unwritten,
      onChange: () => () => undefined,
      leave: (channel: string, root: number, { key, text }: { key: string; text: string }) => did.push(`leaves ${channel}/${root} ${text} ${key !== ''}`),
      left: (channel: string, root: number) => did.push(`left ${channel}/${root}`),
      back: (channel: string, root: number) => did.push(`back ${channel}/${root}`),
    },
  }
  const keeper = {
    keep: (_: unknown, request: object, { key }: { key?: string }) => new Promise<void>((done, fail) => puts.push({ request, key, done, fail })),
    retry: (seq: number) => did.push(`retry ${seq}`),
    drop: (seq: number) => did.push(`drop ${seq}`),
  }
  const notKept: unknown[] = []
  const rooms = new LiveRooms({
    session: {} as Session, recorder: () => recorder as unknown as Recorder, me: 'ada', outgoing, keeper: keeper as unknown as Keeper, onNotKept: (cause) => notKept.push(cause),
  })
  return { rooms, did, puts, notKept, setOutgoing }
}

const settled = async () => { for (let n = 0; n < 8; n++) await Promise.resolve() }

it('opens one room for all who ask, until the last has gone', () => {
  const { rooms, did } = desk()
  const [a, b, thread] = [rooms.open('c', 0, true), rooms.open('c', 0, true), rooms.open('c', 7, true)]
  expect(a).toBe(b)
  expect(thread).not.toBe(a)
  expect(did).toEqual(['open c', 'open c'])
  rooms.close(a)
  expect(did).toHaveLength(2)
  rooms.close(b)
  expect(did.slice(2)).toEqual(['listens no more', 'close c/0', 'leave c'])
  rooms.close(b) // it is closed
  expect(did).toHaveLength(5)
  expect(rooms.open('c', 0)).not.toBe(a)
})

it('says which channels were opened, also where a little of them is shown already', () => {
  const { rooms, did } = desk()
  const glance = rooms.open('c', 7, true)
  expect(did).toEqual(['open c'])
  expect(rooms.open('c', 7)).toBe(glance)
  rooms.open('d', 0)
  expect(did).toEqual(['open c', 'use c', 'use d', 'open d'])
})

it('empties the composer at once, and keeps the message on disk until the outbox has it', async () => {
  const { rooms, did, puts, notKept } = desk()
  const room = rooms.open('c', 7)
  room.send('hello', { alsoInChannel: true })
  expect(did.slice(2)).toEqual(['leaves c/7 hello true'])
  expect(puts).toMatchObject([{ request: { channel: 'c', text: 'hello', root: 7, alsoInChannel: true }, key: expect.stringMatching(/^[\w-]{22}$/) as string }])
  puts[0]?.done()
  await settled()
  expect(did.at(-1)).toBe('left c/7')
  room.send('more')
  expect(puts[1]?.key).not.toBe(puts[0]?.key)
  puts[1]?.fail('full')
  await settled()
  expect([did.at(-1), notKept]).toEqual(['back c/7', ['full']])
})

it('tells what was written to a channel and isn’t sent, and lets it be sent again or dropped', () => {
  const { rooms, did, setOutgoing } = desk()
  const entry = (seq: number, channel: string, cause?: unknown) =>
    ({ seq, mutation: `${seq}`, method: chat.send.name, body: encode(SendRequest, { channel, text: `text ${seq}` }), lane: channel, note: undefined, since: 1, state: cause ? 'refused' : 'waiting', cause }) as Outgoing['entries'][number]
  expect(rooms.unsent('c')).toEqual([])
  const cause = new Error('removed')
  const other = { ...entry(4, 'c'), method: chat.pinMessage.name, body: chat.pinMessage.request.encode(message(chat.pinMessage.request, { channel: 'c' })).finish() }
  setOutgoing({ ...nothingOutgoing, entries: [entry(1, 'c', cause), entry(2, 'd'), entry(3, 'c'), other] })
  expect(rooms.unsent('c')).toEqual([{ seq: 1, text: 'text 1', cause }, { seq: 3, text: 'text 3', cause: undefined }])
  rooms.retry(1)
  rooms.drop(3)
  expect(did).toEqual(['retry 1', 'drop 3'])
})

it('holds so many messages: what is read at one side goes at the other; and counts what is posted, also behind what it holds', async () => {
  const trims: string[] = []
  let tell: (w: object) => void = () => undefined
  const at = (to: number, offset: number, posted: readonly number[], shown: readonly number[]) => ({
    root: 0, from: 5, to, cursor: { epoch: 1, offset }, ahead: new Map(), omitted: [], channel: 'c', me: 'ada',
    messages: shown.map((offset) => message(Message, { offset, text: 'x' })),
    tail: { after: 0, events: posted.map((offset) => ({ offset, timeMs: 0, mutation: '0', actor: 'ben', what: { $case: 'posted', value: message(Message, { offset, root: offset === 14 ? 3 : 0 }) } })) },
  })
  const { rooms } = desk(() => ({
    window: at(Infinity, 10, [], [9, 10]),
    onChange: (listener: typeof tell) => { tell = listener },
    onTrouble: () => () => undefined,
    older: () => Promise.resolve(),
    newer: () => Promise.resolve(),
    latest: () => Promise.resolve(),
    trim: (n: number, drop: string) => trims.push(`${n} ${drop}`),
    close: () => undefined,
  }))
  const room = rooms.open('c', 0)
  room.readBefore()
  await settled()
  expect(trims).toEqual([`${most} after`])
  tell(at(Infinity, 12, [11, 12], [9, 10, 11, 12]))
  expect(room.arrived()).toBe(2)
  tell(at(10, 12, [11, 12], [9, 10]))
  tell(at(10, 15, [11, 12, 13, 14, 15], [9, 10])) // one of them in a thread
  expect(room.arrived()).toBe(4)
  room.readAfter()
  await settled()
  expect(trims.at(-1)).toBe(`${most} before`)

  // Who goes to the end while an older page is on its way keeps the end.
  room.readBefore()
  void room.jump({ kind: 'end' })
  await settled()
  expect(trims.filter((trim) => trim.endsWith('after'))).toHaveLength(1)
  // What comes while the reader stays there makes it no longer.
  tell(at(Infinity, 9_000, [], Array.from({ length: most + PAGE + 1 }, (_, i) => i + 1)))
  await settled()
  expect(trims.filter((trim) => trim.endsWith('before'))).toHaveLength(2)
})

it('counts what is held before it is told once', () => {
  let tell: (w: object) => void = () => undefined
  const at = (offset: number, shown: readonly number[]) => ({
    root: 0, from: 0, to: Infinity, cursor: { epoch: 1, offset }, ahead: new Map(), omitted: [], channel: 'c', me: 'ada', tail: { after: 0, events: [] },
    messages: shown.map((offset) => message(Message, { offset, text: 'x' })),
  })
  const { rooms } = desk(() => ({ window: at(10, [10]), onChange: (listener: typeof tell) => { tell = listener }, onTrouble: () => () => undefined, close: () => undefined }))
  const room = rooms.open('c', 0)
  tell(at(10, [10, 11])) // a page that was read meanwhile
  tell(at(10, [10, 11]))
  tell(at(11, [10, 11]))
  expect(room.arrived()).toBe(1)
})
