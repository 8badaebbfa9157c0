import { createContext, useContext } from 'solid-js'
import type { Rooms } from './room.ts'

const Context = createContext<Rooms>()

export const RoomsProvider = Context.Provider

/** useRooms is what opens channels and threads. */
export function useRooms(): Rooms {
  const rooms = useContext(Context)
  if (!rooms) throw new Error('no RoomsProvider around')
  return rooms
}
