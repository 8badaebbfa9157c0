import { message, type Session } from '@plenum/sdk'
import { ChannelRole, ListMembersResponse, Member, MembersChanged } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { createRoot } from 'solid-js'
import { expect, it, vi } from 'vitest'
import { Membership } from './membership.ts'

// Node is given the Solid of servers, in which nothing follows.
vi.mock('solid-js', () => vi.importActual('solid-js/dist/solid.js'))

const member = (user: string, role: ChannelRole = ChannelRole.MEMBER) => message(Member, { user, role })
const refusal = new Error('refused')

/** A server that answers when it is told to. */
function desk() {
  const pages: ((answer: ListMembersResponse) => void)[] = []
  const changes: { resolve: () => void; reject: () => void }[] = []
  const dropped: number[] = []
  let puts = 0
  const session = {
    call: () => new Promise<ListMembersResponse>((resolve) => pages.push(resolve)),
    outbox: {
      entries: [] as { seq: number; state: string }[],
      put: () => Promise.resolve(puts++),
      answer: () => new Promise<void>((resolve, reject) => changes.push({ resolve, reject: () => { reject(refusal) } })),
      drop: (seq: number) => Promise.resolve(dropped.push(seq)),
    },
  }
  const page = async (next: string, ...members: Member[]) => {
    pages.shift()?.(message(ListMembersResponse, { members, next }))
    await settled()
  }
  return { session: session as unknown as Session, entries: session.outbox.entries, changes, dropped, page }
}

const settled = async () => {
  for (let n = 0; n < 12; n++) await Promise.resolve()
}
const open = ({ session }: ReturnType<typeof desk>) => createRoot(() => new Membership(session, 'c', new AbortController().signal))
const said = (m: Membership) => m.members()?.map(({ id, role }) => `${id} ${role}`).sort()

it('reads by pages, and knows when there are no more', async () => {
  const server = desk()
  const m = open(server)
  expect([m.members(), m.more()]).toEqual([undefined, true])
  void m.read()
  void m.read() // once at a time
  await server.page('2', member('a', ChannelRole.OWNER))
  expect([said(m), m.more()]).toEqual([['a owner'], true])
  void m.read()
  await server.page('', member('b'))
  expect([said(m), m.more()]).toEqual([['a owner', 'b member'], false])
})

it('reads all anew while a page is under way, which counts for nothing then', async () => {
  const server = desk()
  const m = open(server)
  void m.read()
  await server.page('2', member('a'))
  void m.read()
  m.refresh()
  m.told(message(MembersChanged, { left: ['a'] }))
  await server.page('', member('c')) // the second page, as it was asked for before
  expect([said(m), m.more()]).toEqual([[], true])
  await server.page('2', member('a'), member('b'))
  expect([said(m), m.more()]).toEqual([['b member'], true]) // what was told meanwhile is held
  void m.read()
  await server.page('', member('c'))
  expect([said(m), m.more()]).toEqual([['b member', 'c member'], false])
})

it('holds what was told while an older page was on its way', async () => {
  const server = desk()
  const m = open(server)
  void m.read()
  m.told(message(MembersChanged, { left: ['a'], joined: [member('c')] }))
  await server.page('', member('a'), member('b'))
  expect(said(m)).toEqual(['b member', 'c member'])
  m.told(message(MembersChanged, { roles: [member('b', ChannelRole.MODERATOR)] }))
  expect(said(m)).toEqual(['b moderator', 'c member'])
})

it('shows a change at once, keeps what was taken, and takes back what was refused', async () => {
  const server = desk()
  const m = open(server)
  void m.read()
  await server.page('', member('a', ChannelRole.OWNER), member('b'))
  const role = m.setRole('b', 'moderator')
  expect(said(m)).toEqual(['a owner', 'b moderator'])
  await settled()
  server.changes[0]?.resolve()
  await role
  expect(said(m)).toEqual(['a owner', 'b moderator'])

  const removed = m.remove('b')
  const added = m.add(['d'])
  expect(said(m)).toEqual(['a owner', 'd member'])
  await settled()
  server.entries.push({ seq: 1, state: 'refused' })
  server.changes[1]?.reject()
  await expect(removed).rejects.toBe(refusal)
  expect(said(m)).toEqual(['a owner', 'b moderator', 'd member'])
  expect(server.dropped).toEqual([1]) // nothing of it is kept
  server.changes[2]?.reject()
  await expect(added).rejects.toBe(refusal)
  expect(said(m)).toEqual(['a owner', 'b moderator'])
  expect(server.dropped).toEqual([1]) // not refused, by what the outbox says: it stays there
})
