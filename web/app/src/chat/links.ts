/** Where messages are. */
import { href } from '../shell/paths.ts'
import type { Place } from './room.ts'

/** messagePath is the path that shows a message as the one that is meant: in its channel, or in the thread of `root`. */
export function messagePath(channel: string, offset: number, root = 0): string {
  if (root === 0 || root === offset) return href('/c/:channel/:message', { channel, message: String(offset) })
  return href('/t/:channel/:root/:reply', { channel, root: String(root), reply: String(offset) })
}

/** offsetOf is the offset that a path names; undefined: none that a message may have. Whoever wrote the link may have written anything. */
export function offsetOf(named: string | undefined): number | undefined {
  const offset = /^[1-9]\d*$/.test(named ?? '') ? Number(named) : NaN
  return Number.isSafeInteger(offset) ? offset : undefined
}

/** placeOf is the place that a path names: a message, or what is unread. */
export function placeOf(message: string | undefined): Place {
  const offset = offsetOf(message)
  return offset === undefined ? { kind: 'unread' } : { kind: 'message', offset }
}
