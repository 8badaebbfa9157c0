import { Builder, compose, concat, Delta, empty, slice, type Op } from '../ot/index.ts'
import { make, writeOp } from '../ot/op.ts'
import { bytesOf, cutsPair } from '../ot/utf16.ts'

/** What is sent as one operation is shorter than a call may be, so that a long paste, or a day's work offline, goes in parts. */
export const sendBytes = 512 * 2 ** 10 // of JSON
export const sendOps = 16 * 2 ** 10

/** split divides an edit into two that follow each other: as much as is sent at once, and the rest. */
export function split(d: Delta, maxBytes: number, maxOps: number): [first: Delta, rest: Delta] {
  let at = 0 // in lengths of operations
  let room = maxBytes
  for (const [i, op] of d.ops.entries()) {
    const size = jsonSize(op)
    if (i < maxOps && size <= room) {
      at += op.n
      room -= size
      continue
    }
    if (op.text !== '' && i < maxOps) {
      for (let n = op.n >> 1; n > 0; n >>= 1) {
        if (!cutsPair(op.text, n) && jsonSize(make('insert', n, op.text.slice(0, n), null, op.attrs)) <= room) {
          at += n
          break
        }
      }
    }
    return cut(d, at)
  }
  return [d, empty]
}

/** jsonSize is how many bytes an operation takes as JSON, the frame of a Delta included. */
const jsonSize = (op: Op) => bytesOf(writeOp(op)) + '{"ops":[]}'.length

/** cut divides an edit at a place among its operations. */
function cut(d: Delta, at: number): [first: Delta, rest: Delta] {
  const first = slice(d, 0, at)
  const skipped = first.ops.reduce((n, op) => n + (op.action === 'delete' ? 0 : op.n), 0)
  return [compose(first, empty), concat(new Builder().retain(skipped).delta(), slice(d, at))] // the first in normal form
}
