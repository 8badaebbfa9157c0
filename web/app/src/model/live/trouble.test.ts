import { ServerError, type Session } from '@plenum/sdk'
import { nothingOutgoing, type Recorder, type RoomState } from '@plenum/sdk/chat'
import { expect, it, vi } from 'vitest'
import { Keeper, type KeeperOptions } from './keep.ts'
import { LiveRooms } from './rooms.ts'

/** A recorder's room whose state the test tells. */
function desk() {
  const listeners = new Set<(state: RoomState) => void>()
  const troubled = new Set<(cause: ServerError | undefined) => void>()
  const made = {
    tried: 0,
    turn: (state: RoomState) => { for (const tell of listeners) tell(state) },
    read: 0,
    trouble: (cause: ServerError | undefined) => { for (const tell of troubled) tell(cause) },
  }
  const undo = () => undefined
  const room = {
    state: { kind: 'loading' },
    onState: (listener: (state: RoomState) => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    view: () => ({
      window: undefined, trouble: undefined, onChange: undo, close: undo,
      onTrouble: (listener: (cause: ServerError | undefined) => void) => {
        troubled.add(listener)
        return () => troubled.delete(listener)
      },
      retry: () => { made.read++ },
    }),
    retry: () => { made.tried++ },
  }
  const recorder = { use: undo, glance: () => room, leave: undo, channels: new Map(), inbox: { threads: new Map() }, drafts: { of: () => ({ text: '' }), onChange: () => undo }, onChange: () => undo }
  const rooms = new LiveRooms({
    session: {} as Session, recorder: () => recorder as unknown as Recorder, me: 'ada', outgoing: () => nothingOutgoing, keeper: new Keeper({} as KeeperOptions), onNotKept: undo,
  })
  return { made, rooms, listeners, troubled }
}

vi.stubGlobal('Promise', Object.assign(Promise, { // Node 20 has none
  withResolvers: () => {
    const made: { resolve?: unknown; reject?: unknown } = {}
    const promise = new Promise((resolve, reject) => { Object.assign(made, { resolve, reject }) })
    return { promise, ...made }
  },
}))

it('says why nothing comes to a room, tries again when it is asked to, and says no more once it is closed', () => {
  const { made, rooms, listeners } = desk()
  const room = rooms.open('c', 0)
  expect(room.trouble()).toBeUndefined()
  const cause = new ServerError(107, 'chat.INTERNAL', 'It is broken.')
  made.turn({ kind: 'failed', cause })
  expect(room.trouble()).toBe(cause)
  room.again()
  expect(made.tried).toBe(1)
  made.turn({ kind: 'loading' })
  expect(room.trouble()).toBeUndefined()
  made.turn({ kind: 'ended', cause: new ServerError(340, 'edge.REVOKED', 'No more.') }) // the list and the screen say that
  expect(room.trouble()).toBeUndefined()
  rooms.close(room)
  expect(listeners.size).toBe(0)
})

it('says why a thread can’t be read whose channel could, and tries that again', () => {
  const { made, rooms, troubled } = desk()
  const thread = rooms.open('c', 7)
  const cause = new ServerError(107, 'chat.INTERNAL', 'It is broken.')
  made.trouble(cause)
  expect(thread.trouble()).toBe(cause)
  thread.again()
  expect(made.read).toBe(1)
  made.trouble(undefined)
  expect(thread.trouble()).toBeUndefined()
  rooms.close(thread)
  expect(troubled.size).toBe(0)
})
