import { earlier, later, transformPosition, type Delta } from '../ot/index.ts'
import { weight } from './history.ts'
import type { Presence } from './transport.ts'

/** The limits of presence. */
const presenceOthers = 500 // cursors of others; the oldest go
const presenceEdits = 500 // recent edits that places of an older version are transformed over
const presenceBytes = 4 * 2 ** 20 // of them
const presenceAge = 45_000 // ms: then a cursor that was not told again is gone

/** OtherCursor is where somebody else is, in code units of what is shown. */
export interface OtherCursor {
  /** The sender's user and session, as the signal has it. */
  readonly from: string
  readonly user: string
  /** Where the selection began. */
  readonly anchor: number
  /** Where the cursor is; the same as anchor: nothing is selected. */
  readonly head: number
  readonly typing: boolean
}

/** Place is a cursor as it was told. */
interface Place {
  /** That anchor and head are of; more than the state's: it is shown once that is reached. */
  version: number
  anchor: number
  head: number
  readonly typing: boolean
  readonly told: number
}

/** Passed is an edit that the content is behind now. */
interface Passed {
  readonly version: number
  readonly actor: string
  readonly edit: Delta
}

/** Others is where others are. */
export class Others {
  #places = new Map<string, Place>()
  /** Edits, ascending. */
  #recent: Passed[] = []
  /** Recent has all edits behind this version. */
  #from: number
  #bytes = 0

  /** Of content of a version. */
  constructor(version: number) {
    this.#from = version
  }

  /** passed notes an event that the content is behind now; one of one's own has no actor: cursors of one's other sessions don't go along. */
  passed(version: number, actor: string, edit: Delta): void {
    if (edit.isEmpty) return
    this.#recent.push({ version, actor, edit })
    this.#bytes += weight(edit)
    while (this.#recent.length > presenceEdits || this.#bytes > presenceBytes) {
      const oldest = this.#recent.shift()
      if (oldest === undefined) break
      this.#from = oldest.version
      this.#bytes -= weight(oldest.edit)
    }
  }

  /** heard takes over a signal. */
  heard(from: string, p: Presence, now: number): void {
    if (p.left) {
      this.#places.delete(from)
      return
    }
    this.#places.set(from, { version: p.version, anchor: p.anchor, head: p.head, typing: p.typing, told: now })
    let oldest = from
    for (const [other, at] of this.#places) {
      if (now - at.told > presenceAge) this.#places.delete(other)
      else if (at.told < (this.#places.get(oldest)?.told ?? now)) oldest = other
    }
    if (this.#places.size > presenceOthers) this.#places.delete(oldest)
  }

  /** cursors are those of others at a version; shown says where a place of its content is shown. */
  cursors(version: number, now: number, shown: (place: number) => number): OtherCursor[] {
    const out: OtherCursor[] = []
    for (const [from, at] of this.#places) {
      if (now - at.told > presenceAge || at.version > version || (at.version < this.#from && at.version !== version)) continue
      const user = from.split('/', 1)[0] ?? ''
      for (const e of this.#recent) {
        if (e.version <= at.version) continue
        const own = e.actor === user ? later : earlier // a cursor goes along with what is typed at it by its owner, and by nobody else
        at.anchor = transformPosition(e.edit, at.anchor, own)
        at.head = transformPosition(e.edit, at.head, own)
      }
      at.version = version
      out.push({ from, user, anchor: shown(at.anchor), head: shown(at.head), typing: at.typing })
    }
    return out.sort((a, b) => (a.from < b.from ? -1 : 1))
  }
}

/** before is where a place was before an edit; one in what it inserted was where that begins. */
export function before(d: Delta, place: number): number {
  let was = 0
  let is = 0
  for (const op of d.ops) {
    if (op.action === 'delete') {
      was += op.n
      continue
    }
    if (place < is + op.n) return op.action === 'insert' ? was : was + place - is
    if (op.action === 'retain') was += op.n
    is += op.n
  }
  return was + place - is
}
