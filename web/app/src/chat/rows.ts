import type { Item } from '@plenum/sdk/chat'

/** Row is one line of the list: a message, or what stands between two. Rows that stayed the same are the same objects. */
export type Row =
  | { readonly kind: 'message'; readonly key: string; readonly item: Item; /** It begins a run of one author's: with their name. */ readonly first: boolean }
  /** What happened in the channel: somebody came, a topic was set. */
  | { readonly kind: 'event'; readonly key: string; readonly item: Item }
  | { readonly kind: 'day'; readonly key: string; readonly ms: number }
  | { readonly kind: 'unread'; readonly key: string }
  /** The beginning of the channel, where nothing is older. */
  | { readonly kind: 'begin'; readonly key: string }

/** together is for how long, in ms, messages of one author make a run. */
const together = 5 * 60_000

const begin: Row = { kind: 'begin', key: 'begin' }
const unread: Row = { kind: 'unread', key: 'unread' }

/** Rows makes rows of items. It remembers those that it made last, so that the list's elements stay. */
export class Rows {
  #known = new Map<string, Row>()

  /** of are the rows of items; `unreadFrom` is the offset of the first unread one, 0: none; `whole`: nothing is older. */
  of(items: readonly Item[], unreadFrom: number, whole: boolean): readonly Row[] {
    const known = this.#known
    const now = new Map<string, Row>()
    const rows: Row[] = []
    const add = (row: Row) => {
      const before = known.get(row.key)
      const kept = before !== undefined && same(before, row) ? before : row
      now.set(row.key, kept)
      rows.push(kept)
    }
    if (whole) add(begin)
    let last: Item | undefined
    let divided = unreadFrom === 0
    for (const item of items) {
      const { message } = item
      const newDay = last === undefined || dayOf(last.message.timeMs) !== dayOf(message.timeMs)
      if (newDay) add({ kind: 'day', key: `day ${dayOf(message.timeMs)}`, ms: message.timeMs })
      const here = !divided && message.offset >= unreadFrom && message.system === undefined // what happened counts for nobody as unread
      if (here) {
        divided = true
        add(unread)
      }
      if (message.system) add({ kind: 'event', key: item.key, item })
      else add({ kind: 'message', key: item.key, item, first: newDay || here || !follows(last, item) })
      last = item
    }
    this.#known = now
    return rows
  }
}

/** follows says that a message goes on with what its author said before. */
function follows(last: Item | undefined, { message }: Item): boolean {
  if (last === undefined || last.message.system || last.message.deleted !== message.deleted) return false
  return last.message.author === message.author && last.message.root === message.root && message.timeMs - last.message.timeMs < together
}

function same(a: Row, b: Row): boolean {
  if (a.kind === 'message' && b.kind === 'message') return a.item === b.item && a.first === b.first
  if (a.kind === 'event' && b.kind === 'event') return a.item === b.item
  return a.kind === b.kind
}

/** dayOf is the day of a time where the reader is. */
function dayOf(ms: number): string {
  return new Date(ms).toDateString()
}

/** shifted says that rows were added before those that there were: the list keeps its place from the end then. */
export function shifted(before: readonly Row[], after: readonly Row[]): boolean {
  const first = before.find((row) => row.kind === 'message' || row.kind === 'event')
  const [a, b] = [before, after].map((rows) => rows.findIndex((row) => row.key === first?.key))
  return first !== undefined && a !== undefined && b !== undefined && b > a
}
