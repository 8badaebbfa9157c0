import type { Account as Stored, Accounts } from '@plenum/sdk/account'
import { beforeEach, expect, it, vi } from 'vitest'
import { ofTab } from '../../shell/stored.ts'
import { LiveAccess, type Doors } from './access.ts'

// Node is given the Solid of servers, in which nothing follows.
vi.mock('solid-js', () => vi.importActual('solid-js/dist/solid.js'))

const ada = { id: 'u1', session: 's1', state: 'active', person: { id: 'u1', handle: 'ada' }, workspace: { id: 'w', slug: 'acme', name: 'Acme' }, permissions: ['chat.post'] } as unknown as Stored

let tab: Map<string, string>
beforeEach(() => {
  tab = new Map()
  vi.spyOn(ofTab, 'clear').mockImplementation(() => { tab.clear() })
  tab.set('where', '/c/1')
  return () => { vi.restoreAllMocks() }
})

/** A browser in which these are signed in, and a page of it. */
async function page(...signedIn: Stored[]) {
  const finish = vi.fn(() => Promise.resolve())
  const kept = new Map(signedIn.map((account) => [account.id, account]))
  const wiped: string[] = []
  const accounts = {
    finish,
    list: () => Promise.resolve([...kept.values()]),
    get: (id: string) => Promise.resolve(kept.get(id)),
    wipe: ({ id, session }: Stored) => {
      if (kept.get(id)?.session === session && kept.delete(id)) wiped.push(id)
      return Promise.resolve()
    },
  }
  const inside: string[] = []
  const doors: Doors = {
    enter: ({ session }: Stored) => Promise.resolve(void inside.push(session ?? '')),
    leave: () => void (inside.length = 0),
  }
  const access = new LiveAccess(accounts as unknown as Accounts, () => Promise.resolve(doors))
  await access.begin()
  return { access, kept, wiped, inside, doors, finish }
}

it('is signed out, and nothing is kept, where the server says that the device is to be erased', async () => {
  const { access, wiped, inside } = await page(ada)
  expect([access.stage().kind, inside]).toEqual(['signed-in', ['s1']])
  await access.ended(true)
  expect([access.stage().kind, wiped, inside, tab.size]).toEqual(['signed-out', ['u1'], [], 0])
})

it.each([true, false])('goes on as who has signed in again, of whom nothing is erased, where the end of the former session is heard late; to be erased: %s', async (wipe) => {
  const { access, kept, wiped, inside } = await page(ada)
  kept.set('u1', { ...ada, session: 's2' })
  await access.ended(wipe)
  expect([access.stage().kind, wiped, inside]).toEqual(['signed-in', [], ['s2']])
  expect(tab.size).toBe(1)
})

it('goes on so, too, where it was still coming in', async () => {
  const { access, kept, inside, doors } = await page()
  kept.set('u1', ada)
  let open: (() => void) | undefined
  const enter = vi.spyOn(doors, 'enter').mockImplementationOnce(() => new Promise<void>((resolve) => { open = resolve }))
  const begun = access.begin()
  await vi.waitFor(() => { expect(enter).toHaveBeenCalled() })
  kept.set('u1', { ...ada, session: 's2' })
  const ended = access.ended(true)
  for (let n = 0; n < 20; n++) await Promise.resolve()
  expect(enter).toHaveBeenCalledTimes(1) // one at a time
  open?.()
  await Promise.all([begun, ended])
  expect([access.stage().kind, inside]).toEqual(['signed-in', ['s2']])
})

it('follows what one may do, which comes with another token', async () => {
  const { access, kept } = await page(ada)
  const before = access.stage()
  await access.renewed()
  expect(access.stage()).toBe(before) // nothing is painted again
  kept.set('u1', { ...ada, permissions: ['chat.post', 'identity.manage'] })
  await access.renewed()
  expect(access.stage()).toMatchObject({ kind: 'signed-in', account: { me: 'u1', permissions: new Set(['chat.post', 'identity.manage']) } })
  await access.ended(false) // of the same session
  expect(access.stage().kind).toBe('expired')
  await access.renewed()
  expect(access.stage().kind).toBe('expired')
})

it('follows it, too, where the token came while what is kept was being opened', async () => {
  const { access, kept, doors } = await page()
  kept.set('u1', ada)
  vi.spyOn(doors, 'enter').mockImplementationOnce(async () => {
    kept.set('u1', { ...ada, permissions: ['identity.manage'] })
    await access.renewed()
  })
  await access.begin()
  await vi.waitFor(() => { expect(access.stage()).toMatchObject({ account: { permissions: new Set(['identity.manage']) } }) })
})

it('does not wait for the server to hear of a sign-out of before, and tells it when the network is back', async () => {
  const { access, kept, finish } = await page()
  kept.set('u1', ada)
  finish.mockImplementationOnce(() => new Promise<void>(() => undefined))
  await access.begin()
  expect(access.stage().kind).toBe('signed-in')

  const other = await page(ada)
  await vi.waitFor(() => { expect(other.finish).toHaveBeenCalledTimes(2) })
  other.finish.mockImplementationOnce(() => Promise.reject(new Error('offline')))
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
  other.access.tidy()
  other.access.tidy()
  await vi.waitFor(() => { expect(other.finish).toHaveBeenCalledTimes(4) })
})

it('keeps what waits for whose session has ended, until somebody else signs in', async () => {
  const { access, kept, wiped, finish } = await page({ ...ada, state: 'ended' })
  await vi.waitFor(() => { expect(finish).toHaveBeenCalled() })
  expect([access.stage().kind, wiped]).toEqual(['expired', []])
  kept.set('u2', { ...ada, id: 'u2', session: 's2' })
  await access.begin()
  await vi.waitFor(() => { expect(wiped).toEqual(['u1']) })
  expect(access.stage()).toMatchObject({ kind: 'signed-in' })
})

it('is signed out in all tabs where it was in one, and has expired where the server has ended it', async () => {
  const { access, kept, inside } = await page(ada)
  kept.delete('u1')
  await access.ended(false)
  expect([access.stage().kind, inside, tab.size]).toEqual(['signed-out', [], 0])

  const other = await page(ada)
  tab.set('where', '/c/1')
  other.kept.set('u1', { ...ada, state: 'ended' })
  await other.access.ended(false)
  expect([other.access.stage(), other.inside, tab.size]).toEqual([{ kind: 'expired', workspace: ada.workspace, handle: 'ada' }, [], 1])
})
