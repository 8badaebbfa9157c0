import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { Server, TestSession } from '../../test/session.ts'
import { ServerError } from '../errors.ts'
import type { HistoryRequest } from '../proto/plenum/chat/v1/chat.ts'
import { Cache } from './cache/cache.ts'
import { Recorder } from './recorder.ts'

/** A server that knows which messages there are. */
class Strict extends Server {
  override answer(name: string, q: object): object {
    const { channel, root } = q as Partial<HistoryRequest>
    if (name.endsWith('/History') && channel !== undefined && root !== undefined && root !== 0 && !this.log(channel).said.has(root)) throw new ServerError(102, 'chat.MESSAGE', 'There is no such message.')
    return super.answer(name, q)
  }
}

test.each([false, true])('a thread of a message that there is not is empty, to its beginning, and one that there is has its messages; with a cache: %s', async (cached) => {
  const server = new Strict()
  server.log('c').post('bob', 'hello')
  const recorder = new Recorder({ session: new TestSession(server, true), me: 'ada', cache: cached ? await Cache.open('ada') : undefined })
  await recorder.start()
  const room = recorder.open('c')
  await expect.poll(() => room.state.kind).toBe('live')
  const shown = (root: number) => {
    const view = room.view(root)
    return expect.poll(() => [view.window?.from, view.window?.messages.map((m) => m.text)])
  }
  await shown(99).toEqual([0, []])
  await shown(1).toEqual([0, ['hello']])
  recorder.close()
})
