import { Code, ServerError } from '../errors.ts'
import type { Error as Fault } from '../proto/plenum/edge/v1/edge.ts'

/** of is what a frame says is wrong; where it leaves that out nothing is known. */
export function of(f: Fault | undefined): ServerError {
  return f === undefined ? new ServerError(Code.UNSPECIFIED, '', 'The server gave no reason.') : ServerError.of(f)
}

/** lost is how a connection ended about which the other side said nothing. */
export function lost(why: string): ServerError {
  return new ServerError(Code.CONNECTION_FAULT, 'client.CONNECTION_LOST', `The connection was lost: ${why}.`)
}

/** garbled is the end of a connection over which comes what is no message. */
export function garbled(why: string): ServerError {
  return new ServerError(Code.CONNECTION_FAULT, 'client.GARBLED', `What the server sent can't be read: ${why}. Is something in between that changes it?`)
}

export function unreachable(server: string): ServerError {
  return new ServerError(Code.UNAVAILABLE, 'client.UNREACHABLE', `${server} can't be reached. Check the network, and that Plenum runs there.`)
}

/** Course is what to do after a connection has ended: reconnect after a wait; with a new token; not this way; or forget everything. */
export type Course = 'again' | 'token' | 'stop' | 'wipe'

/** courseOf reads a close code by its range. */
export function courseOf(code: number): Course {
  if (code >= 4200 && code < 4300) return 'token'
  if (code >= 4300 && code < 4400) return 'stop'
  if (code >= 4400 && code < 4500) return 'wipe'
  return 'again'
}

/** final says whether an answer of the tokens' source leaves no hope for another try. */
export function final(code: number): boolean {
  return (code > 0 && code < 200 && code !== Code.INTERNAL) || courseOf(code) !== 'again'
}
