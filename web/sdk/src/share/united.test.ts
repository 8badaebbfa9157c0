import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeSession } from '../../test/fake-session.ts'
import { Hall, Line, Tape } from '../../test/hall.ts'
import { message } from '../method.ts'
import { MemoryStore } from '../outbox/memory.ts'
import { Entry } from '../proto/plenum/edge/v1/edge.ts'
import type { FollowOptions, Update } from '../session.ts'
import { United } from './united.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

/** Parameters are sets of bytes. */
const unite = (params: readonly Uint8Array[]) => new Uint8Array([...new Set(params.flatMap((p) => [...p]))].sort())
const view = (...keys: string[]): Update => ({ kind: 'view', snapshot: true, entries: keys.map((key) => message(Entry, { key })), stale: false, cursor: undefined })

async function united() {
  const session = await FakeSession.open(new MemoryStore(), new Line(new Hall(new Tape([]))))
  const followed: { params: number[]; open: boolean; told: (update: Update) => void }[] = []
  vi.spyOn(session, 'follow').mockImplementation((topic: string, told: (update: Update) => void, options: FollowOptions = {}) => {
    const one = { params: [...(options.params ?? [])], open: true, told }
    followed.push(one)
    return { topic, resume: () => undefined, signal: () => undefined, close: () => { one.open = false } }
  })
  let ended = 0
  const shared = new United(session, 'presence.people/me', unite, () => ended++)
  const reader = () => {
    const told: Update[] = []
    return { told: (update: Update) => told.push(update), all: told }
  }
  return { shared, followed, reader, ended: () => ended }
}

const open = (followed: readonly { params: number[]; open: boolean }[]) => followed.filter((f) => f.open).map((f) => f.params)

test('pages that ask for different things have one view of all of it', async () => {
  const { shared, followed, reader } = await united()
  const [a, b] = [reader(), reader()]
  shared.join(a, new Uint8Array([1, 2]))
  shared.join(b, new Uint8Array([2, 3]))
  vi.runAllTimers()
  expect(open(followed)).toEqual([[1, 2, 3]])
  followed[0]?.told(view('x', 'y'))
  expect([a, b].map((r) => r.all.filter((u) => u.kind === 'view').length)).toEqual([1, 1])
})

test('who comes later has it followed anew, if that is not asked for yet; of two there is never one too many', async () => {
  const { shared, followed, reader } = await united()
  const [a, b, c] = [reader(), reader(), reader()]
  shared.join(a, new Uint8Array([1, 2]))
  vi.runAllTimers()
  followed[0]?.told({ kind: 'live', head: undefined })
  followed[0]?.told(view('x'))
  shared.join(b, new Uint8Array([2]))
  vi.runAllTimers()
  expect(open(followed)).toEqual([[1, 2]])
  expect(b.all.at(-1)?.kind).toBe('view')
  shared.join(c, new Uint8Array([9]))
  vi.runAllTimers()
  expect(open(followed)).toEqual([[1, 2, 9]])
  followed[1]?.told(view('z'))
  for (const r of [a, b, c]) expect(r.all.at(-1)).toMatchObject({ kind: 'view', entries: [{ key: 'z' }] })
})

test('it ends with its last reader, or when the server ends it', async () => {
  const { shared, followed, reader, ended } = await united()
  const [a, b] = [reader(), reader()]
  shared.join(a, new Uint8Array([1]))
  shared.join(b, new Uint8Array([2]))
  vi.runAllTimers()
  shared.leave(a)
  expect(ended()).toBe(0)
  shared.leave(b)
  expect([open(followed).length, ended()]).toEqual([0, 1])

  const other = await united()
  const c = other.reader()
  other.shared.join(c, new Uint8Array([1]))
  vi.runAllTimers()
  other.followed[0]?.told({ kind: 'ended', cause: {} as never })
  expect([c.all.at(-1)?.kind, other.ended()]).toEqual(['ended', 1])
})
