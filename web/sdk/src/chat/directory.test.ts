import { expect, test, vi } from 'vitest'
import { Server, TestSession } from '../../test/session.ts'
import { ServerError } from '../errors.ts'
import { encode, message } from '../method.ts'
import { WorkspaceEvent } from '../proto/plenum/identity/v1/event.ts'
import { Group } from '../proto/plenum/identity/v1/model.ts'
import { Recorder } from './recorder.ts'

/** A server that has groups. */
class Grouped extends Server {
  groups = ['design', 'launch', 'infra']

  override answer(name: string, q: object): object {
    if (!name.endsWith('/ListGroups')) return super.answer(name, q)
    const at = Number((q as { page: string }).page)
    const [id] = this.groups.slice(at)
    return { groups: id === undefined ? [] : [message(Group, { id, version: 1 })], next: at + 1 < this.groups.length ? String(at + 1) : '' }
  }
}

test('a group that was deleted while nothing was heard is gone once the directory is read anew', async () => {
  const server = new Grouped()
  const session = new TestSession(server)
  const recorder = new Recorder({ session, me: 'ada' })
  await recorder.start()
  const groups = () => [...recorder.directory.groups.keys()]
  const following = () => session.followings.filter((f) => f.open && f.topic === 'identity.workspace/me')
  await vi.waitUntil(() => following().length === 1)
  expect(groups()).toEqual(['design', 'launch', 'infra'])
  server.groups = ['design', 'infra']
  following()[0]?.told({ kind: 'reset', cause: new ServerError(321, 'edge.RESET_FLOOR', 'That was long ago.') })
  await vi.waitUntil(() => following().length === 1)
  expect(groups()).toEqual(['design', 'infra'])
  recorder.close()
})

test('a group that was renamed from page to page, and was on none, is known once it is told of', async () => {
  const server = new Grouped()
  server.groups = ['design', 'infra']
  const session = new TestSession(server)
  const recorder = new Recorder({ session, me: 'ada' })
  await recorder.start()
  const groups = () => [...recorder.directory.groups.keys()]
  const following = () => session.followings.find((f) => f.open && f.topic === 'identity.workspace/me')
  await vi.waitUntil(() => following() !== undefined)
  server.groups = ['design', 'infra', 'launch']
  const tell = (event: NonNullable<WorkspaceEvent['event']>, offset: number) => {
    following()?.told({ kind: 'events', events: [{ offset, timeMs: 1, mutation: '0', body: encode(WorkspaceEvent, { event }) }], cursor: { epoch: 3, offset } })
  }
  const asked = () => session.calls.filter((call) => call === 'ListGroups').length
  const before = asked()
  tell({ $case: 'groupChanged', value: { group: message(Group, { id: 'infra', version: 2 }), previousHandle: '' } }, 1)
  expect(asked()).toBe(before) // it is known
  tell({ $case: 'groupChanged', value: { group: message(Group, { id: 'launch', version: 1 }), previousHandle: '' } }, 2)
  await vi.waitUntil(() => groups().includes('launch'))
  expect(groups()).toEqual(['design', 'infra', 'launch'])
  recorder.close()
})
