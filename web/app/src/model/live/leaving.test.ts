import type { Account as Stored, Accounts } from '@plenum/sdk/account'
import { expect, it, vi } from 'vitest'
import { ofTab } from '../../shell/stored.ts'
import { leavers, LiveAccess } from './access.ts'

// Node is given the Solid of servers, in which nothing follows.
vi.mock('solid-js', () => vi.importActual('solid-js/dist/solid.js'))

const ada = { id: 'u1', state: 'active', person: { id: 'u1', handle: 'ada' }, workspace: { id: 'w', slug: 'acme', name: 'Acme' }, permissions: [] } as unknown as Stored

/** A tab in which somebody is signed in, and a server that never answers their sign-out. */
async function tab() {
  const doors = { enter: () => Promise.resolve(), leave: vi.fn() }
  const accounts = { finish: () => Promise.resolve(), list: () => Promise.resolve([ada]), get: () => Promise.resolve(ada), signOut: () => new Promise(() => undefined) }
  const access = new LiveAccess(accounts as unknown as Accounts, () => Promise.resolve(doors))
  await access.begin()
  doors.leave.mockClear()
  return { access, doors }
}

it('tells the other tabs of a sign-out before the server has answered', async () => {
  const { access } = await tab()
  const heard = new Promise((resolve) => {
    const channel = new BroadcastChannel(leavers)
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      channel.close()
      resolve(data)
    }
  })
  void access.signOut()
  expect(await heard).toBe('u1')
})

it('shows nothing more of who has signed out in another tab, and goes on where it was somebody else', async () => {
  const clear = vi.spyOn(ofTab, 'clear')
  const { access, doors } = await tab()
  access.left('u2')
  expect([access.stage().kind, doors.leave.mock.calls.length]).toEqual(['signed-in', 0])
  access.left('u1')
  expect([access.stage().kind, doors.leave.mock.calls.length, clear.mock.calls.length]).toEqual(['signed-out', 1, 1])
})
