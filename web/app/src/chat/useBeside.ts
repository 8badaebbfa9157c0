import { onCleanup } from 'solid-js'
import type { Beside } from './beside.ts'
import { useRooms } from './context.ts'

/** useBeside is what is beside a channel's messages, for as long as the component is there. */
export function useBeside(channel: string): Beside {
  const rooms = useRooms()
  const beside = rooms.beside(channel)
  onCleanup(() => rooms.leave(beside))
  return beside
}
