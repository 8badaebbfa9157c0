import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Server, TestSession } from '../../test/session.ts'
import { ServerError } from '../errors.ts'
import { send } from '../proto/plenum/chat/v1/chat.methods.ts'
import { Recorder } from './recorder.ts'

const thrown: unknown[] = []
const caught = (e: unknown) => thrown.push(e)
beforeEach(() => { process.on('uncaughtException', caught) })
afterEach(() => {
  process.off('uncaughtException', caught)
  thrown.length = 0
})

const mine = () => { throw new Error('mine') }

test('a listener that throws keeps nothing from the others: neither of what is told, nor of what is done', async () => {
  const server = new Server()
  server.log('c').post('bob', 'one')
  const session = new TestSession(server)
  const told: number[] = []
  const recorder = new Recorder({ session, me: 'ada', onTold: (_, events) => told.push(events.length), onFault: caught })
  recorder.onChange(mine)
  recorder.drafts.onChange(mine)
  await recorder.start()
  const room = recorder.open('c')
  room.onState(mine)
  const [first, second] = [room.view(0), room.view(0)]
  await vi.waitUntil(() => second.window !== undefined && room.state.kind === 'live')
  first.onChange(mine)
  server.log('c').post('bob', 'two')
  server.flush()
  expect([first, second].map((v) => v.window?.messages.map((m) => m.text))).toEqual([['one', 'two'], ['one', 'two']])
  expect(told).toEqual([1])
  await recorder.drafts.type('c', 0, 'half a thought')
  expect(recorder.drafts.of('c', 0).text).toBe('half a thought')
  await session.outbox.put(send, { channel: 'c', text: 'three' }, { lane: 'c' })
  expect(recorder.outgoing.entries).toHaveLength(1)
  recorder.close()
  await vi.waitUntil(() => thrown.length > 0)
  expect(new Set(thrown.map(String))).toEqual(new Set(['Error: mine']))
})

test('nor does one that is told why something is not shown', async () => {
  const server = new Server()
  server.log('c').post('bob', 'one')
  const answer = server.answer.bind(server)
  server.answer = (method, q) => {
    if (method.endsWith('/History') && (q as { root: number }).root === 1) throw new ServerError(107, 'chat.INTERNAL', 'It is broken.')
    return answer(method, q)
  }
  const recorder = new Recorder({ session: new TestSession(server), me: 'ada', onFault: caught })
  await recorder.start()
  const room = recorder.open('c')
  await vi.waitUntil(() => room.state.kind === 'live')
  const thread = room.view(1)
  const told: unknown[] = []
  thread.onTrouble(mine)
  thread.onTrouble((cause) => told.push(cause?.reason))
  await vi.waitUntil(() => thread.trouble !== undefined)
  server.answer = answer
  thread.retry()
  await vi.waitUntil(() => thread.window !== undefined)
  expect(told).toEqual(['chat.INTERNAL', undefined])
  recorder.close()
  await vi.waitUntil(() => thrown.length > 0)
  expect(new Set(thrown.map(String))).toEqual(new Set(['Error: mine']))
})
