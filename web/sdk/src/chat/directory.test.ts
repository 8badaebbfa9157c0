import { expect, test, vi } from 'vitest'
import { Server, TestSession } from '../../test/session.ts'
import { ServerError } from '../errors.ts'
import { message } from '../method.ts'
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
