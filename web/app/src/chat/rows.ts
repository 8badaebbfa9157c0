import type { Item } from '@plenum/sdk/chat'
import { createSignal, type Accessor } from 'solid-js'

/**
 * Row is one line of the list: a message, or what stands between two. A row stays the same object, and so its elements in the document do, whatever
 * becomes of its message.
 */
export type Row =
  | { readonly kind: 'message'; readonly key: string; readonly item: Accessor<Item>; /** It begins a run of one author's: with their name. */ readonly first: Accessor<boolean> }
  /** What happened in the channel: somebody came, a topic was set. */
  | { readonly kind: 'event'; readonly key: string; readonly item: Accessor<Item> }
  | { readonly kind: 'day'; readonly key: string; readonly ms: number }
  | { readonly kind: 'unread'; readonly key: string }
  /** The beginning of the channel, where nothing is older. */
  | { readonly kind: 'begin'; readonly key: string }

/** together is for how long, in ms, messages of one author make a run. */
const together = 5 * 60_000

/** Made is a row, and how it is told what has become of its message. */
interface Made {
  readonly row: Row
  readonly set: (item: Item, first: boolean) => void
}

const begin: Made = { row: { kind: 'begin', key: 'begin' }, set: () => undefined }
const unread: Made = { row: { kind: 'unread', key: 'unread' }, set: () => undefined }

/** Rows makes rows of items, and keeps those that it has made. */
export class Rows {
  #known = new Map<string, Made>()
  #rows: readonly Row[] = []

  /**
   * of are the rows of items; `unreadFrom` is the offset of the first unread one, 0: none; `whole`: nothing is older. It is the same array where no row has come
   * or gone.
   */
  of(items: readonly Item[], unreadFrom: number, whole: boolean): readonly Row[] {
    const now = new Map<string, Made>()
    const rows: Row[] = []
    const add = (key: string, make: () => Made) => {
      const made = this.#known.get(key) ?? make()
      now.set(key, made)
      rows.push(made.row)
      return made
    }
    if (whole) add('begin', () => begin)
    let last: Item | undefined
    let divided = unreadFrom === 0 || (!whole && (items[0]?.message.offset ?? 0) > unreadFrom) // it stands further up
    for (const item of items) {
      const { message } = item
      const newDay = last === undefined || dayOf(last.message.timeMs) !== dayOf(message.timeMs)
      if (newDay) add(`day ${dayOf(message.timeMs)}`, () => ({ row: { kind: 'day', key: `day ${dayOf(message.timeMs)}`, ms: message.timeMs }, set: () => undefined }))
      const here = !divided && message.offset >= unreadFrom && message.system === undefined // what happened counts for nobody as unread
      if (here) {
        divided = true
        add('unread', () => unread)
      }
      const first = newDay || here || !follows(last, item)
      add(item.key, () => made(item, first)).set(item, first)
      last = item
    }
    this.#known = now
    const same = rows.length === this.#rows.length && rows.every((row, i) => row === this.#rows[i])
    return (this.#rows = same ? this.#rows : rows)
  }
}

function made(item: Item, first: boolean): Made {
  const [now, setNow] = createSignal(item)
  const [begins, setBegins] = createSignal(first)
  const { key } = item
  const row: Row = item.message.system ? { kind: 'event', key, item: now } : { kind: 'message', key, item: now, first: begins }
  return {
    row,
    set: (to, isFirst) => {
      setNow(() => to)
      setBegins(isFirst)
    },
  }
}

/** follows says that a message goes on with what its author said before. */
function follows(last: Item | undefined, { message }: Item): boolean {
  if (last === undefined || last.message.system || last.message.deleted !== message.deleted) return false
  return last.message.author === message.author && last.message.root === message.root && message.timeMs - last.message.timeMs < together
}

const day = { from: NaN, to: NaN } // the one asked for last: of most messages it is the one before's, too

/** dayOf is when the day of a time begins where the reader is, Unix ms. */
function dayOf(ms: number): number {
  if (!(ms >= day.from && ms < day.to)) {
    const begin = new Date(ms)
    day.from = begin.setHours(0, 0, 0, 0)
    day.to = begin.setDate(begin.getDate() + 1)
  }
  return day.from
}

/** shifted says that rows were added before those that there were, or have gone there: the list keeps its place from the end then. */
export function shifted(before: readonly Row[], after: readonly Row[]): boolean {
  return precede(before, after) || precede(after, before)
}

/** precede says that the first message of some rows stands further down among others. */
function precede(some: readonly Row[], others: readonly Row[]): boolean {
  const first = some.findIndex((row) => row.kind === 'message' || row.kind === 'event')
  const row = some[first]
  return row !== undefined && others.indexOf(row) > first
}
