import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { steps, type Step } from '../../test/chance.ts'
import { ChannelLog } from '../../test/channel.ts'
import { encode, message, type Method } from '../method.ts'
import { leaveChannel, markRead, markUnread, send, setNotifications, updateChannel } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Badge, Channel, ChannelKind, Marker, Mentions, Mine, MyChannel, UserEvent } from '../proto/plenum/chat/v1/chat.ts'
import { Head } from '../proto/plenum/edge/v1/edge.ts'
import { Person } from '../proto/plenum/identity/v1/model.ts'
import type { Pending } from '../session.ts'
import {
  channelRead, headsTold, mentions, mineRead, unnamed, unread, userTold, type Channels,
} from './channels.ts'
import { overlaid, readTo, taken, unreadFrom } from './marking.ts'
import { apply, opened, pageOf } from './messages.ts'
import { nothingOutgoing } from './outgoing.ts'
import { nobody, withPeople } from './people.ts'
import { sections, titleOf } from './sorting.ts'

const me = 'ada'
const groups = new Set(['g'])
const none: Channels = new Map()

function head(id: string, fields: Partial<Head>, badge?: Partial<Badge>): Head {
  return message(Head, { topic: `chat.channel/${id}`, epoch: 7, ...fields, ...(badge ? { badge: encode(Badge, { kind: ChannelKind.PUBLIC, ...badge }) } : {}) })
}

const heads = (list: Head[], snapshot = false) => ({ kind: 'heads', snapshot, heads: list, cursor: undefined }) as const
const event = (e: NonNullable<UserEvent['event']>) => message(UserEvent, { event: e })

function pending<Q extends object, A>(method: Method<Q, A>, request: Partial<Q>, note?: unknown): Pending {
  return { seq: 1, mutation: '12', method: method.name, body: encode(method.request, request), lane: 'm', note, since: 0, state: 'waiting', cause: undefined }
}

describe('unread and mentions', () => {
  test('are what one counts in the log, for any order of heads and markers, and at once for what this device marks', () => {
    fc.assert(
      fc.property(fc.array(steps('post', 'post', 'post', 'named', 'all', 'reply', 'join', 'remove', 'read', 'unread', 'heads', 'marker'), { minLength: 5, maxLength: 80 }), (all) => {
        const log = new ChannelLog()
        const names = new Map<number, 'me' | 'all'>()
        log.join(me)
        let marker = { offset: 1, version: 0 }
        // Counted in the log, as the server does.
        const countables = (to: number) => [...log.said.values()].filter((s) => s.offset <= to && s.system === undefined && (s.root === 0 || s.also))
        const calls = (to: number) => countables(to).filter((s) => names.get(s.offset) === 'all').length
        const namedAfter = (from: number) => countables(Infinity).filter((s) => s.offset > from && names.get(s.offset) === 'me').length
        const badge = (m: { offset: number; version: number }) => ({
          marker: message(Marker, { ...m, count: countables(m.offset).length, calls: calls(m.offset) }), mentions: namedAfter(m.offset), kind: ChannelKind.PUBLIC,
        })
        const at = () => head('c', { offset: log.head, count: countables(log.head).length, calls: calls(log.head) }, badge(marker))
        let c = headsTold(none, heads([at()], true), 0)
        const markers: { offset: number; version: number }[] = []
        const naive = (from: number) => ({
          unread: countables(Infinity).filter((s) => s.offset > from).length,
          mentions: countables(Infinity).filter((s) => s.offset > from && names.has(s.offset)).length,
        })
        const take = ([what, who, which]: Step) => {
          const author = ['bob', 'cyd'][who % 2] ?? ''
          const some = which % (log.head + 1)
          if (what === 'post') log.post(author, 'x')
          else if (what === 'named') names.set(log.post(author, 'x', { mentions: message(Mentions, who < 2 ? { users: [me] } : { groups: ['g'] }) }), 'me')
          else if (what === 'all') names.set(log.post(author, 'x', { mentions: message(Mentions, { everybody: true }) }), 'all')
          else if (what === 'reply') log.post(author, 'x', { root: some })
          else if (what === 'join') log.join(author)
          else if (what === 'remove') {
            if (!names.has(some)) log.remove(author, some) // what an erased message named can't be seen, so that a note is about it alone
          } else if (what === 'heads') c = headsTold(c, heads([at()]), 0)
          else if (what === 'marker') {
            const m = markers.shift()
            if (m !== undefined) c = userTold(c, event({ $case: 'marker', value: { channel: 'c', badge: message(Badge, badge(m)) } }))
          } else {
            const w = apply(opened('c', me, 0, pageOf(undefined, log.history(me, { limit: 100 }))), [], log.cursor)
            c = headsTold(c, heads([at()]), 0)
            const e = overlaid(c, nothingOutgoing).get('c')
            if (e === undefined) throw new Error('no entry')
            const mark = what === 'read' ? readTo(e, some, w, groups) : unreadFrom(e, Math.max(2, some), w, groups)
            if (mark === undefined) return
            const to = what === 'read' ? mark.request.offset : mark.request.offset - 1
            const shown = overlaid(c, { ...nothingOutgoing, entries: [what === 'read' ? pending(markRead, mark.request, mark.note) : pending(markUnread, mark.request, mark.note)] }).get('c')
            expect(shown && { unread: unread(shown), mentions: mentions(shown) }).toEqual(naive(to))
            marker = { offset: to, version: mark.request.version + (what === 'read' ? 0 : 1) }
            markers.push(marker)
          }
          for (const e of c.values()) {
            expect(unread(e)).toBeGreaterThanOrEqual(0)
            expect(mentions(e)).toBeGreaterThanOrEqual(0)
          }
        }
        for (const s of all) take(s)
        c = headsTold(c, heads([at()]), 0)
        for (const m of markers) c = userTold(c, event({ $case: 'marker', value: { channel: 'c', badge: message(Badge, badge(m)) } }))
        const e = c.get('c')
        expect(e && { unread: unread(e), mentions: mentions(e) }).toEqual(naive(marker.offset))
      }),
      { numRuns: 300 },
    )
  })

  test('are not thrown back by an older marker, and are by one of a higher version', () => {
    const at = (offset: number, version: number, count: number) => ({ marker: message(Marker, { offset, version, count }) })
    let c = headsTold(none, heads([head('c', { offset: 9, count: 9 }, at(5, 0, 5))], true), 0)
    c = userTold(c, event({ $case: 'marker', value: { channel: 'c', badge: message(Badge, at(8, 0, 8)) } }))
    c = headsTold(c, heads([head('c', { offset: 9, count: 9 }, at(5, 0, 5))]), 0)
    expect([...c.values()].map(unread)).toEqual([1])
    c = userTold(c, event({ $case: 'marker', value: { channel: 'c', badge: message(Badge, at(2, 1, 2)) } }))
    expect([...c.values()].map(unread)).toEqual([7])
    c = headsTold(c, heads([head('c', { offset: 3, count: 3 })]), 0) // an older head
    expect([...c.values()].map(unread)).toEqual([7])
    c = headsTold(c, heads([head('c', { epoch: 8, offset: 3, count: 3 })]), 0) // another history
    expect([...c.values()].map(unread)).toEqual([1])
  })
})

describe('the list', () => {
  const channel = (id: string, fields: Partial<Channel>) => message(Channel, { id, kind: ChannelKind.PUBLIC, name: id, ...fields })
  const entry = (id: string, fields: Partial<Channel>, mine: Partial<Mine> = {}) =>
    message(MyChannel, { channel: channel(id, fields), mine: message(Mine, { role: 1, marker: message(Marker, { offset: 1, count: 1 }), ...mine }) })

  test('is what a list has that begins anew, and then what moves', () => {
    let c = headsTold(none, heads([head('a', { offset: 1 }), head('b', { offset: 1 })], true), 0)
    c = channelRead(c, { channel: channel('a', {}), mine: undefined })
    c = headsTold(c, heads([head('a', { offset: 2 }), head('d', { offset: 2 })], true), 0)
    expect([...c.values()].map((e) => [e.id, e.place.offset, e.channel?.name])).toEqual([['a', 2, 'a'], ['d', 2, undefined]])
    expect([...headsTold(c, heads([head('a', { removed: true })]), 0).keys()]).toEqual(['d'])
  })

  test('has names and counts by a call, until the bundle tells', () => {
    let c = mineRead(none, [entry('a', {}, { unread: 4, mentions: 2, head: { epoch: 7, offset: 20 } })])
    expect([...c.values()].map((e) => [unread(e), mentions(e)])).toEqual([[4, 2]])
    c = headsTold(c, heads([head('a', { offset: 18, count: 4, calls: 1 }, { marker: message(Marker, { offset: 1, count: 1 }), mentions: 1 }), head('b', { offset: 1 })]), 0)
    expect([...c.values()].map((e) => [unread(e), mentions(e)])).toEqual([[3, 2], [0, 0]])
    expect(unnamed(c)).toEqual(['b'])
    expect(unnamed(channelRead(c, { channel: channel('b', {}), mine: undefined }))).toEqual([])
    expect(channelRead(none, { channel: channel('z', {}), mine: undefined })).toBe(none)
    c = userTold(c, event({ $case: 'channel', value: { channel: 'b', removed: true, kind: 1 } }))
    expect([...c.keys()]).toEqual(['a'])
    c = userTold(c, event({ $case: 'channel', value: { channel: 'n', removed: false, kind: ChannelKind.DIRECT } }))
    expect(c.get('n')?.badge.kind).toBe(ChannelKind.DIRECT)
  })

  test('is sorted by name and by movement, direct channels bearing their people', () => {
    const d = withPeople(nobody, ['ada', 'bob', 'cyd'].map((id, n) => message(Person, { id, version: 1, displayName: ['Ada', 'Bob', 'Cyd'][n] ?? '' })))
    let c = mineRead(none, [
      entry('1', { name: 'team-10' }), entry('2', { name: 'team-9' }), entry('3', { name: 'old', archived: true }),
      entry('4', { kind: ChannelKind.DIRECT, name: '', people: ['ada', 'cyd'] }), entry('5', { kind: ChannelKind.GROUP, name: '', people: ['ada', 'bob', 'cyd'] }),
      entry('6', { kind: ChannelKind.DIRECT, name: '', people: ['ada'] }),
    ])
    const collator = new Intl.Collator('en', { numeric: true })
    const titles = () => {
      const s = sections(c, me, d, collator)
      return [s.channels, s.direct].map((list) => list.map((e) => titleOf(e, me, d)))
    }
    expect(titles()).toEqual([['team-9', 'team-10'], ['Ada', 'Bob, Cyd', 'Cyd']])
    c = headsTold(c, heads([head('4', { offset: 1, count: 1 })]), 5)
    c = headsTold(c, heads([head('4', { offset: 2, count: 2 })]), 6)
    expect(titles()[1]).toEqual(['Cyd', 'Ada', 'Bob, Cyd'])
  })

  test('shows at once what waits in the outbox', () => {
    const c = mineRead(none, [entry('a', {}, { unread: 4, head: { epoch: 7, offset: 20 } })])
    const show = (p: Pending) => overlaid(c, { ...nothingOutgoing, entries: [p] }).get('a')
    const sent = show(pending(send, { channel: 'a', text: 'x' }))
    expect(sent && unread(sent)).toBe(0)
    const reply = show(pending(send, { channel: 'a', text: 'x', root: 1 }))
    expect(reply && unread(reply)).toBe(4)
    expect(show(pending(setNotifications, { channel: 'a', muted: true }))?.badge.muted).toBe(true)
    expect(show(pending(updateChannel, { channel: 'a', name: 'b' }))?.channel).toMatchObject({ name: 'b', topic: '' })
    expect(show(pending(leaveChannel, { channel: 'a' }))).toBeUndefined()
    expect(show({ ...pending(updateChannel, { channel: 'a', name: 'b' }), state: 'refused' })).toBe(c.get('a'))
    expect(taken(c, pending(updateChannel, { channel: 'a', name: 'b' }), 0).get('a')?.channel?.name).toBe('b')
    expect(overlaid(c, nothingOutgoing)).toBe(c)
  })

  test('marks with the version that stands behind what waits', () => {
    const c = mineRead(none, [entry('a', {}, { unread: 4, head: { epoch: 7, offset: 20 } })])
    const back = overlaid(c, { ...nothingOutgoing, entries: [pending(markUnread, { channel: 'a', offset: 1, version: 0 })] }).get('a')
    expect(back && readTo(back, 20, undefined, groups)).toEqual({ request: { channel: 'a', offset: 20, version: 1 }, note: { count: 5, calls: 0, mentions: 0 } })
    expect(back && readTo(back, 99, undefined, groups)?.request.offset).toBe(20)
    const e = c.get('a')
    expect(e && readTo(e, 1, undefined, groups)).toBeUndefined()
    expect(e && readTo(e, 5, undefined, groups)?.note).toBeUndefined()
  })
})
